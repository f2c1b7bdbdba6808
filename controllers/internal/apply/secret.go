package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
)

// SecretMetadata returns an empty object into which the metadata of a Secret can be read.
func SecretMetadata() *metav1.PartialObjectMetadata {
	empty := &metav1.PartialObjectMetadata{}
	empty.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return empty
}

// ApplySecret writes a Secret as it should be over the version of it that was read live, or makes it where live is nil, and returns which version
// is there then. It writes nothing where Intact holds. Where somebody wrote in between, the API server answers with a conflict and nothing is lost:
// a person may just have put a credential back.
func (o *Owner) ApplySecret(
	ctx context.Context, want *corev1ac.SecretApplyConfiguration, live *metav1.PartialObjectMetadata,
) (*metav1.PartialObjectMetadata, error) {
	version := noVersion
	if live == nil {
		if err := o.Alive(ctx); err != nil {
			return nil, err
		}
	} else {
		intact, err := Intact(live, want.Labels, want.Annotations, slices.Collect(maps.Keys(want.Data))...)
		if err != nil || intact && metav1.IsControlledBy(live, o.Object) {
			return live, err
		}
		version = live.ResourceVersion
		want.WithUID(live.UID)
	}
	child := Child{want: want, bind: binding(want)}
	if _, err := o.send(ctx, child, version); err != nil {
		return nil, fmt.Errorf("apply Secret %q: %w", child.Name(), err)
	}
	after := SecretMetadata()
	after.UID, after.ResourceVersion = ptr.Deref(want.UID, ""), ptr.Deref(want.ResourceVersion, "") // the client put the answer there
	return after, nil
}

// Intact tells from its metadata whether a Secret is as this field manager applied it: whether it has these labels and annotations, and nobody has
// changed or removed one of them or of these keys of its data since. Additions of others do no harm.
func Intact(secret *metav1.PartialObjectMetadata, labels, annotations map[string]string, keys ...string) (bool, error) {
	if !contains(secret.Labels, labels) || !contains(secret.Annotations, annotations) {
		return false, nil
	}
	own := managed{}
	for _, entry := range secret.ManagedFields {
		if !IsOwn(entry) {
			continue
		}
		var err error
		if own, err = managedBy(secret.Name, entry); err != nil {
			return false, err
		}
	}
	return owns(own.Metadata.Labels, maps.Keys(labels)) && owns(own.Metadata.Annotations, maps.Keys(annotations)) &&
		owns(own.Data, slices.Values(keys)) && fields(own.Data) == len(keys), nil
}

// HasData tells whether a Secret has a key, of which nothing but metadata was read: somebody manages each key of an object. Where
// the managed fields were taken away there is nothing to tell by, and the answer is yes.
func HasData(secret *metav1.PartialObjectMetadata, key string) (bool, error) {
	for _, entry := range secret.ManagedFields {
		found, err := managedBy(secret.Name, entry)
		if err != nil {
			return false, err
		}
		if owns(found.Data, slices.Values([]string{key})) {
			return true, nil
		}
	}
	return len(secret.ManagedFields) == 0, nil
}

// managed are the fields of a Secret that an entry of its managed fields has, each as "f:" and its key.
type managed struct {
	Data     map[string]json.RawMessage `json:"f:data"`
	Metadata struct {
		Labels      map[string]json.RawMessage `json:"f:labels"`
		Annotations map[string]json.RawMessage `json:"f:annotations"`
	} `json:"f:metadata"`
}

func managedBy(name string, entry metav1.ManagedFieldsEntry) (managed, error) {
	var found managed
	if entry.FieldsV1 == nil {
		return found, nil
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &found); err != nil {
		return found, fmt.Errorf("read the managed fields of Secret %q: %w", name, err)
	}
	return found, nil
}

func owns(fields map[string]json.RawMessage, keys iter.Seq[string]) bool {
	for key := range keys {
		if _, owned := fields["f:"+key]; !owned {
			return false
		}
	}
	return true
}

// fields counts those of a map, which has a field "." for itself.
func fields(of map[string]json.RawMessage) int {
	count := len(of)
	if _, itself := of["."]; itself {
		count--
	}
	return count
}

func contains(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}
