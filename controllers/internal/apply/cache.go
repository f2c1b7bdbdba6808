package apply

import (
	"fmt"
	"iter"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// ControllerIndex is the name of the cache's index by the UID of the controlling owner, which Prune needs.
const ControllerIndex = "metadata.controller.uid"

// IndexController is the function behind ControllerIndex. An object without a controller is found by the name of the owner that its label
// tells of.
func IndexController(label string) client.IndexerFunc {
	return func(object client.Object) []string {
		if controller := metav1.GetControllerOf(object); controller != nil {
			return []string{string(controller.UID)}
		}
		if owner := object.GetLabels()[label]; owner != "" {
			return []string{OrphansOf(owner)}
		}
		return nil
	}
}

// OrphansOf is the value of ControllerIndex for objects without a controller that tell of this owner. It is no UID.
func OrphansOf(owner string) string { return "orphans of " + owner }

// objectsOf yields the kind and the object of every item.
func objectsOf(list client.ObjectList, scheme *runtime.Scheme) (iter.Seq2[string, client.Object], error) {
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("read %T: %w", list, err)
	}
	kinds := make([]string, len(items))
	for i, item := range items {
		// A typed item says nothing of its kind.
		gvk, err := apiutil.GVKForObject(item, scheme)
		if err != nil {
			return nil, fmt.Errorf("read %T: %w", list, err)
		}
		kinds[i] = gvk.Kind
	}
	return func(yield func(string, client.Object) bool) {
		for i, item := range items {
			object, ok := item.(client.Object)
			if ok && !yield(kinds[i], object) {
				return
			}
		}
	}, nil
}
