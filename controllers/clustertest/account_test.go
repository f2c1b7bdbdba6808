package clustertest

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/desired"
)

// The kubelet gives a pod another token long after its ServiceAccount was made again, and until then the API server refuses the one that it has.
func TestAnotherServiceAccountTakesNewPods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	account := get(w, &corev1.ServiceAccount{}, "contoso-scim")
	runsAs := func() string {
		return get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Annotations[desired.AnnotationAccount]
	}
	if got := runsAs(); got != string(account.UID) {
		t.Fatalf("the pods are of ServiceAccount %q, want %q", got, account.UID)
	}

	if err := w.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	w.eventually("the pods are of the ServiceAccount that was made again", func() string {
		again := &corev1.ServiceAccount{}
		switch err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-scim"}, again); {
		case err != nil:
			return err.Error()
		case again.UID == account.UID:
			return "the ServiceAccount is there still"
		case runsAs() != string(again.UID):
			return "the pods are of another"
		}
		return ""
	})
	w.until(tenant, ready)
}
