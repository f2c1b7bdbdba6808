package clustertest

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/test/testenv"
)

// saved is an Ingress of a tenant as a backup has it, which some other tenant of the same name or at another time had under that name.
func (w *world) saved(ingress, namespace, name string) *unstructured.Unstructured {
	w.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(get(w, &networkingv1.Ingress{}, ingress))
	if err != nil {
		w.Fatal(err)
	}
	saved := &unstructured.Unstructured{Object: content}
	saved.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	saved.SetNamespace(namespace)
	saved.SetName(name)
	return saved
}

// unroute does what an ingress controller that ends does to an Ingress.
func (w *world) unroute(name string) {
	w.Helper()
	ingress := get(w, &networkingv1.Ingress{}, name)
	patch := client.MergeFrom(ingress.DeepCopy())
	ingress.Status = networkingv1.IngressStatus{}
	if err := w.Status().Patch(w.Context(), ingress, patch); err != nil {
		w.Fatal(err)
	}
}

// letGo waits until a host is reserved.
func (w *world) letGo(host string) {
	w.Helper()
	w.eventually("host "+host+" is let go", func() string {
		if w.lease(host).Spec.RenewTime == nil {
			return "it is held"
		}
		return ""
	})
}

// While a route works the operator deletes all others; here none does, and a second tenant's server would get what is meant for the first.
func TestARouteThatIsRestoredForAHostOfNoneOfItsTenantsGoesAtOnce(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t, testenv.HoldLabel), newWorld(t)
	host, next := first.namespace+".restored.example.com", first.namespace+".example.com"
	tenant := create(first, first.tenant(withHost(host)))
	first.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	first.pretend(&appsv1.Deployment{}, "contoso-scim")
	first.pretend(&networkingv1.Ingress{}, "contoso-scim")
	first.until(tenant, ready)
	backup := first.saved("contoso-scim", first.namespace, "contoso-scim-2")
	theirs := first.saved("contoso-scim", second.namespace, "contoso-scim")

	// A tenant that waits for the host has no server, and must not have a route.
	waiting := create(second, second.tenant(withHost(host)))
	second.until(waiting, "Ready=False/HostTaken")
	second.settled()
	second.restore(theirs, true)
	gone(second, &networkingv1.Ingress{}, "contoso-scim")
	if err := second.Delete(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}

	edit(first, tenant, withHost(next))
	first.until(tenant, ready)
	first.letGo(host)
	first.unroute("contoso-scim")
	first.until(tenant, "Exposed=False/WaitingForIngressController")
	first.restore(backup, true)
	gone(first, &networkingv1.Ingress{}, "contoso-scim-2")

	// Nobody has the host; the operator leaves the route until somebody takes it.
	if err := first.Client.Delete(t.Context(), first.lease(host)); err != nil {
		t.Fatal(err)
	}
	first.settled()
	first.restore(backup, true)
	first.settled()
	get(first, &networkingv1.Ingress{}, "contoso-scim-2")
	other := create(second, second.tenant(named("other"), withHost(host)))
	second.until(other, ready)
	gone(first, &networkingv1.Ingress{}, "contoso-scim-2")

	// The tenant is gone, and its route was left behind or restored without it.
	if err := first.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	first.letGo(next)
	first.restore(backup, true)
	gone(first, &networkingv1.Ingress{}, "contoso-scim-2")
}
