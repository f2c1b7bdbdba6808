package apply

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// Secret returns the child for a Secret, of which the cache holds the metadata only: it counts as unchanged while its
// labels and annotations are as wanted and this field manager still owns exactly the wanted keys. An annotation must
// therefore change with the data.
func Secret(want *corev1ac.SecretApplyConfiguration) Child {
	live := SecretMetadata()
	return Child{want: want, bind: binding(want), live: live, unchanged: func() (bool, error) {
		if !contains(live.Labels, want.Labels) || !contains(live.Annotations, want.Annotations) {
			return false, nil
		}
		return OwnsData(live, slices.Collect(maps.Keys(want.Data))...)
	}}
}

// SecretMetadata returns an empty object into which the metadata of a Secret can be read.
func SecretMetadata() *metav1.PartialObjectMetadata {
	empty := &metav1.PartialObjectMetadata{}
	empty.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return empty
}

// OwnsData tells whether this field manager owns exactly these keys of the Secret's data: whether nobody has changed,
// added to ours or removed one since it was applied.
func OwnsData(secret *metav1.PartialObjectMetadata, keys ...string) (bool, error) {
	var owned []string
	for _, entry := range secret.ManagedFields {
		if !IsOwn(entry) {
			continue
		}
		data, err := managedData(secret.Name, entry)
		if err != nil {
			return false, err
		}
		for field := range data {
			if field != "." {
				owned = append(owned, field)
			}
		}
	}
	want := make([]string, len(keys))
	for i, key := range keys {
		want[i] = "f:" + key
	}
	slices.Sort(owned)
	slices.Sort(want)
	return slices.Equal(owned, want), nil
}

// HasData tells whether a Secret has a key, of which nothing but metadata was read: somebody manages each key of an object. Where
// the managed fields were taken away there is nothing to tell by, and the answer is yes.
func HasData(secret *metav1.PartialObjectMetadata, key string) (bool, error) {
	for _, entry := range secret.ManagedFields {
		data, err := managedData(secret.Name, entry)
		if err != nil {
			return false, err
		}
		if _, has := data["f:"+key]; has {
			return true, nil
		}
	}
	return len(secret.ManagedFields) == 0, nil
}

// managedData are the keys of a Secret's data that an entry of its managed fields has, each as "f:key".
func managedData(name string, entry metav1.ManagedFieldsEntry) (map[string]json.RawMessage, error) {
	if entry.FieldsV1 == nil {
		return nil, nil
	}
	var fields struct {
		Data map[string]json.RawMessage `json:"f:data"`
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
		return nil, fmt.Errorf("read the managed fields of Secret %q: %w", name, err)
	}
	return fields.Data, nil
}

func contains(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}
