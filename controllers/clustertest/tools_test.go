package clustertest

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// untyped is the object as a tool has it that does not know our kinds.
func (w *world) untyped(object client.Object) *unstructured.Unstructured {
	w.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		w.Fatal(err)
	}
	kind, err := w.GroupVersionKindFor(object)
	if err != nil {
		w.Fatal(err)
	}
	untyped := &unstructured.Unstructured{Object: content}
	untyped.SetGroupVersionKind(kind)
	return untyped
}

// kstatus is what Flux, Helm and all others that use this library take the object for.
func kstatus(t *testing.T, object *unstructured.Unstructured) status.Status {
	t.Helper()
	result, err := status.Compute(object)
	if err != nil {
		t.Fatalf("kstatus of %s: %v", object.GetName(), err)
	}
	return result.Status
}

// told is what the conditions of a status say: it is as its spec says, or on the way there, or it never will be.
func told(generation, observed int64, conditions []metav1.Condition) status.Status {
	switch {
	case observed != generation, meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling):
		return status.InProgressStatus
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return status.FailedStatus
	default:
		return status.CurrentStatus
	}
}

// misread returns what a tool takes the object for where that is not what the operator told.
func (w *world) misread(object client.Object, observed int64, conditions []metav1.Condition) []string {
	want := told(object.GetGeneration(), observed, conditions)
	if got := kstatus(w.T, w.untyped(object)); got != want {
		return []string{fmt.Sprintf("%s: kstatus takes it for %s, want %s", object.GetName(), got, want)}
	}
	return nil
}

func TestNoToolTakesAResourceForReadyBeforeTheOperatorHasSeenIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, object := range []client.Object{w.tenant(), w.defaults("everybody")} {
		created := w.untyped(object)
		unstructured.RemoveNestedField(created.Object, "status")
		if err := w.Create(t.Context(), created); err != nil {
			t.Fatal(err)
		}
		if got := kstatus(t, created); got != status.InProgressStatus {
			t.Errorf("kstatus takes a new %s for %s, want InProgress; its status is %v", created.GetKind(), got, created.Object["status"])
		}
	}
}
