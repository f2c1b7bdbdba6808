package clustertest

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// Somebody tries the next version beside the present one: each would undo what the other applies, and restart the server each time.
func TestATenantThatTheOperatorOfAnotherNamespaceServesIsLeftAloneUntilThatOneEnds(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	if tenant.Status.OperatorNamespace != testenv.OperatorNamespace {
		t.Errorf("the tenant is served by the operator of %q", tenant.Status.OperatorNamespace)
	}
	w.settled()

	lease := create(other, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: other.namespace, Name: v1alpha1.LeaderLease},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), RenewTime: &metav1.MicroTime{Time: time.Now()},
		},
	})
	w.eventually("the other operator takes the tenant", func() string {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err.Error()
		}
		patch := client.MergeFrom(tenant.DeepCopy())
		tenant.Status.OperatorNamespace = other.namespace
		if err := w.Status().Patch(t.Context(), tenant, patch); err != nil {
			return err.Error()
		}
		return ""
	})
	w.look()
	requests := len(operator.Requests.In(w.namespace))
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "important" })
	w.look()
	if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
		t.Errorf("the tenant of another operator costs %v", more)
	}

	edit(other, lease, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") })
	w.eventually("the tenant is served again", func() string {
		if class := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec.PriorityClassName; class != "important" {
			return "the server has priority " + class
		}
		return ""
	})
	w.until(tenant, ready)
	if tenant.Status.OperatorNamespace != testenv.OperatorNamespace {
		t.Errorf("afterwards the tenant is served by the operator of %q", tenant.Status.OperatorNamespace)
	}
}
