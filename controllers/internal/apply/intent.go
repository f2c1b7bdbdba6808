package apply

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	clientgoapply "k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayapply "sigs.k8s.io/gateway-api/applyconfiguration"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// AnnotationApplied on every child is a hash of what this field manager applied, itself empty. The values that came of it tell less:
// admission may have changed them, and would again.
const AnnotationApplied = v1alpha1.GroupName + "/applied"

// intent is a child as it is to be applied: the hash of it, and the fields that this field manager has once it was applied.
type intent struct {
	hash   string
	fields *fieldpath.Set
}

// intend stamps the configuration with the hash of what it says.
func intend[C versioned[C]](want C) (intent, error) {
	// In the same form whether it was stamped before or not.
	data, err := json.Marshal(want.WithAnnotations(map[string]string{AnnotationApplied: ""}))
	if err != nil {
		return intent{}, err
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return intent{}, err
	}
	for _, field := range []string{"resourceVersion", "uid"} { // which say of what it is to be applied over, and not what
		unstructured.RemoveNestedField(object, "metadata", field)
	}
	if data, err = json.Marshal(object); err != nil { // in the order of the keys
		return intent{}, err
	}
	hash := hashOf(data)
	want.WithAnnotations(map[string]string{AnnotationApplied: hash})
	fields, err := fieldsOf(&unstructured.Unstructured{Object: object})
	return intent{hash, fields}, err
}

// Hash returns a hash of what an apply configuration says.
func Hash(configuration any) (string, error) {
	data, err := json.Marshal(configuration)
	return hashOf(data), err
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// fieldsOf are the fields that the applier of an object manages, by the schema of its kind.
func fieldsOf(object *unstructured.Unstructured) (*fieldpath.Set, error) {
	converter := ofKubernetes()
	if object.GroupVersionKind().Group == gatewayv1.GroupName {
		converter = ofGateways()
	}
	value, err := converter.ObjectToTyped(object)
	if err != nil {
		return nil, fmt.Errorf("find the fields of %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	fields, err := value.ToFieldSet()
	if err != nil {
		return nil, fmt.Errorf("find the fields of %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	return fields.Difference(unmanaged()), nil
}

// unmanaged are the fields that nobody manages (k8s.io/apimachinery, managedfields/internal/stripmeta.go).
func unmanaged() *fieldpath.Set {
	return fieldpath.NewSet(
		fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"),
		fieldpath.MakePathOrDie("metadata", "name"), fieldpath.MakePathOrDie("metadata", "namespace"), fieldpath.MakePathOrDie("metadata", "uid"),
	)
}

// stands tells whether the object is as the intent made it: it was applied last, and nobody took a field since, for whoever changes a
// field manages it from then on.
func (i intent) stands(live metav1.Object) (bool, error) {
	if live.GetAnnotations()[AnnotationApplied] != i.hash {
		return false, nil
	}
	for _, entry := range live.GetManagedFields() {
		if !IsOwn(entry) || entry.FieldsV1 == nil || entry.Subresource != "" {
			continue
		}
		var own fieldpath.Set
		if err := own.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return false, fmt.Errorf("read the managed fields of %s: %w", live.GetName(), err)
		}
		return own.Equals(i.fields), nil
	}
	return false, nil
}

// ofKubernetes and ofGateways have the schemas of the kinds that children are of.
//
//nolint:gochecknoglobals // parsing them takes a while, and they never change
var (
	ofKubernetes = sync.OnceValue(func() managedfields.TypeConverter { return clientgoapply.NewTypeConverter(clientgoscheme.Scheme) })
	ofGateways   = sync.OnceValue(func() managedfields.TypeConverter {
		scheme := runtime.NewScheme()
		if err := gatewayv1.Install(scheme); err != nil {
			panic(err) // the kinds contradict each other
		}
		return gatewayapply.NewTypeConverter(scheme)
	})
)

// Answers remembers what came of applies that did not become what was sent: an API server without one of the fields leaves it out, and
// admission may take the annotation away. One apply of such a child must do until it is to be another, or somebody changes it again.
// The zero value remembers nothing yet; nil never does.
type Answers struct{ byChild sync.Map }

type childID struct {
	kind string
	key  client.ObjectKey
}

// answer is what an apply of an intent left: the version, and once the cache has shown that, what tells it from later ones.
type answer struct {
	hash, version string
	standing      [sha256.Size]byte
}

// learn takes notice of the version that an apply left.
func (a *Answers) learn(child Child, intent intent, version string) {
	if a != nil && intent.fields != nil {
		a.byChild.Store(childID{child.Kind(), child.key()}, answer{hash: intent.hash, version: version})
	}
}

// forget is for a child that became what was sent.
func (a *Answers) forget(child Child) {
	if a != nil {
		a.byChild.Delete(childID{child.Kind(), child.key()})
	}
}

// stand tells whether the object is as the last apply of the same intent left it.
func (a *Answers) stand(child Child, intent intent) bool {
	if a == nil {
		return false
	}
	id := childID{child.Kind(), child.key()}
	found, _ := a.byChild.Load(id)
	last, known := found.(answer)
	switch {
	case !known || last.hash != intent.hash:
		return false
	case last.version == child.live.GetResourceVersion():
		last.standing = standing(child.live)
		a.byChild.Store(id, last)
		return true
	}
	return last.standing == standing(child.live)
}

// standing is a hash of what changes where somebody changes a field that was applied.
func standing(object metav1.Object) [sha256.Size]byte {
	hash := sha256.New()
	fmt.Fprintln(hash, object.GetUID(), object.GetAnnotations()[AnnotationApplied])
	for _, entry := range object.GetManagedFields() {
		if IsOwn(entry) && entry.FieldsV1 != nil {
			hash.Write(entry.FieldsV1.GetRawBytes())
		}
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

// Manages reports whether this field manager applied a field of an object, as "f:accessModes", of which no other field of it has the name.
func Manages(object metav1.Object, field string) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return IsOwn(entry) && entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"`+field+`"`))
	})
}
