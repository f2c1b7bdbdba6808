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

// IndexController is the function behind ControllerIndex.
func IndexController(object client.Object) []string {
	controller := metav1.GetControllerOf(object)
	if controller == nil {
		return nil
	}
	return []string{string(controller.UID)}
}

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
