package clustertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// damages are what people and tools do to an object by hand. Each returns false where it does nothing to this one.
var damages = []struct {
	name string
	do   func(*world, *unstructured.Unstructured) bool
}{
	{"each of our fields is edited", (*world).editEachField},
	{"our label is removed", labels(func(l map[string]string) { delete(l, v1alpha1.TenantLabel) })},
	{"our label is changed", labels(func(l map[string]string) { l[v1alpha1.TenantLabel] = "another" })},
	{"all labels are removed", labels(func(l map[string]string) { clear(l) })},
	{"all annotations are removed", func(_ *world, o *unstructured.Unstructured) bool { o.SetAnnotations(nil); return true }},
	{"what was applied is said to be something else", func(_ *world, o *unstructured.Unstructured) bool {
		o.SetAnnotations(map[string]string{apply.AnnotationApplied: "0123456789abcdef"})
		return true
	}},
	{"nobody is said to manage it", func(_ *world, o *unstructured.Unstructured) bool {
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{}})
		return unstructured.SetNestedField(o.Object, "edited", "metadata", "labels", "app.kubernetes.io/name") == nil
	}},
}

func labels(change func(map[string]string)) func(*world, *unstructured.Unstructured) bool {
	return func(_ *world, o *unstructured.Unstructured) bool {
		l := o.GetLabels()
		change(l)
		o.SetLabels(l)
		return true
	}
}

// survives does each damage to an object of a tenant, one after the other, and waits until it is as it was. Then it deletes the object.
func (w *world) survives(gvk schema.GroupVersionKind, name string) {
	w.Helper()
	read := func() (*unstructured.Unstructured, error) {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(gvk)
		return o, w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, o)
	}
	good, err := read()
	if err != nil {
		w.Fatalf("%s %s: %v", gvk.Kind, name, err)
	}
	want := lasting(good)
	restored := func(after string) {
		w.Helper()
		w.eventually(fmt.Sprintf("%s comes back after %s", gvk.Kind, after), func() string {
			now, err := read()
			if err != nil {
				return err.Error()
			}
			if got := lasting(now); got != want {
				return cmp.Diff(want, got)
			}
			return ""
		})
	}
	for _, damage := range damages {
		w.eventually(damage.name+" of "+gvk.Kind, func() string {
			now, err := read()
			if err != nil {
				return err.Error()
			}
			if !damage.do(w, now) {
				return ""
			}
			if err := w.Update(w.Context(), now, client.FieldOwner("somebody")); err != nil {
				if !apierrors.IsConflict(err) {
					w.Fatalf("%s of %s: %v", damage.name, gvk.Kind, err)
				}
				return err.Error()
			}
			return ""
		})
		restored(damage.name)
	}
	now, err := read()
	if err != nil {
		w.Fatal(err)
	}
	deleted := now.GetUID()
	if err := w.Delete(w.Context(), now); err != nil {
		w.Fatal(err)
	}
	removeFinalizers(w, now) // which reads the object, and that may be another by then
	w.eventually(gvk.Kind+" is made again", func() string {
		again, err := read()
		switch {
		case err != nil:
			return err.Error()
		case again.GetUID() == deleted:
			return "it is not gone yet"
		}
		return ""
	})
	restored("it was deleted")
}

// lasting is an object without what differs from one of the same content to the next.
func lasting(o *unstructured.Unstructured) string {
	o = o.DeepCopy()
	for _, field := range []string{"resourceVersion", "uid", "generation", "creationTimestamp", "managedFields", "finalizers", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	volatile := [][]string{{"status"}, {"spec", "clusterIP"}, {"spec", "clusterIPs"}}
	if o.GetKind() == "PersistentVolumeClaim" { // of which less is applied once it is there: its class cannot change
		volatile = append(volatile, []string{"metadata", "annotations", apply.AnnotationApplied})
	}
	if o.GetKind() == "Deployment" { // an edited hash of its pods looks like that of another operator, which is an upgrade where they are rolled out
		volatile = append(volatile, []string{"metadata", "annotations", apply.AnnotationApplied}, []string{"metadata", "annotations", v1alpha1.UpgradeAnnotation})
		// The test of the ServiceAccount, beside this one, deletes it, and pods follow the one that is made then.
		volatile = append(volatile, []string{"spec", "template", "metadata", "annotations", desired.AnnotationAccount})
	}
	for _, path := range volatile {
		unstructured.RemoveNestedField(o.Object, path...)
	}
	text, err := json.MarshalIndent(o.Object, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// editEachField changes every field that the operator manages and that the API server lets somebody change, all at once.
func (w *world) editEachField(o *unstructured.Unstructured) bool {
	w.Helper()
	var own fieldpath.Set
	for _, entry := range o.GetManagedFields() {
		if apply.IsOwn(entry) {
			if err := own.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
				w.Fatal(err)
			}
		}
	}
	edited := 0
	for path := range own.Leaves().All() {
		attempt := o.DeepCopy()
		if isKey(path) || strings.Contains(path.String(), "ownerReferences") || !change(attempt.Object, path) {
			continue
		}
		trial := attempt.DeepCopy()
		if err := w.Update(w.Context(), trial, client.DryRunAll); err == nil {
			o.Object = attempt.Object
			edited++
		}
	}
	if edited == 0 {
		w.Errorf("nothing of %s can be edited: the test proves nothing", o.GetKind())
	}
	return edited > 0
}

// change gives the value at a path another of its type, or takes it away where it is a list or a map. It tells whether it could.
func change(object any, path fieldpath.Path) bool {
	element := path[0]
	switch at := object.(type) {
	case map[string]any:
		if element.FieldName == nil {
			return false
		}
		now, there := at[*element.FieldName]
		if !there {
			return false
		}
		if len(path) > 1 {
			return change(now, path[1:])
		}
		other := another(now)
		if other == nil {
			delete(at, *element.FieldName)
			return true
		}
		at[*element.FieldName] = other
		return true
	case []any:
		for _, item := range at {
			if len(path) > 1 && element.Key != nil && isItem(item, *element.Key) {
				return change(item, path[1:])
			}
		}
	}
	return false
}

// isKey tells whether a field tells an item of a list from others. With another value the item is another, and that is somebody's own.
func isKey(path fieldpath.Path) bool {
	if len(path) < 2 || path[len(path)-2].Key == nil {
		return false
	}
	return slices.ContainsFunc(*path[len(path)-2].Key, func(f value.Field) bool { return f.Name == ptr.Deref(path[len(path)-1].FieldName, "") })
}

func isItem(item any, key value.FieldList) bool {
	fields, ok := item.(map[string]any)
	return ok && !slices.ContainsFunc(key, func(f value.Field) bool {
		return !value.Equals(f.Value, value.NewValueInterface(fields[f.Name]))
	})
}

// another value of the same type, nil for none.
func another(now any) any {
	switch now := now.(type) {
	case string:
		return now + "x"
	case int64:
		return now + 1
	case bool:
		return !now
	case map[string]any:
		other := maps.Clone(now)
		for key, was := range other {
			if text, ok := was.(string); ok {
				other[key] = text + "x"
				return other
			}
		}
	case []any:
		if len(now) > 0 {
			return append(slices.Clone(now), now[0])
		}
	}
	return nil
}

// bug class 3, 5 and 6, of each kind of child.
func TestWhateverIsDoneToAnyObjectOfATenantByHandItComesBackRight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spec     func(*v1alpha1.ProvisioningTenant)
		children []string
	}{
		"on a volume": {everySetting, []string{
			"v1 ServiceAccount", "rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding",
			"networking.k8s.io/v1 NetworkPolicy", "apps/v1 Deployment", "v1 Service", "networking.k8s.io/v1 Ingress", "v1 PersistentVolumeClaim",
		}},
		"scaled": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Server.Autoscaling = &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 4, TargetCPUUtilizationPercentage: 50}
		}, []string{"autoscaling/v2 HorizontalPodAutoscaler", "policy/v1 PodDisruptionBudget", "apps/v1 Deployment"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			create(w, w.connectionSecret())
			tenant := create(w, w.tenant(test.spec))
			w.until(tenant, ready)
			t.Run("child", func(t *testing.T) {
				for _, child := range test.children {
					version, kind, _ := strings.Cut(child, " ")
					t.Run(kind, func(t *testing.T) {
						t.Parallel()
						name := "contoso-scim"
						if kind == "PersistentVolumeClaim" {
							name = "contoso-data"
						}
						(&world{T: t, Client: w.Client, namespace: w.namespace}).survives(schema.FromAPIVersionAndKind(version, kind), name)
					})
				}
			})
			w.until(tenant, ready)
		})
	}
}
