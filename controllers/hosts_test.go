package controllers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/rollout"
)

func TestNothingIsRememberedOfATenantThatIsGone(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	r := s.operator()
	look := func() (remembered int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(contoso())}); err != nil {
			t.Fatal(err)
		}
		r.memories.Range(func(any, any) bool { remembered++; return true })
		return remembered
	}
	if look() == 0 {
		t.Fatal("nothing is remembered of a tenant that is there")
	}
	r.Upgrades = rollout.NewLimiter(1, "v2")
	server := func(name string) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name},
			Status:     appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1},
		}
	}
	if another := server("fabrikam-scim"); !r.Upgrades.TryAcquire(server("contoso-scim"), nil) || r.Upgrades.TryAcquire(another, nil) {
		t.Fatal("one place must serve one")
	}
	s.must(s.WithWatch.Delete(t.Context(), s.tenant()))
	if got := look(); got > 0 {
		t.Errorf("%d things are remembered", got)
	}
	if !r.Upgrades.TryAcquire(server("fabrikam-scim"), nil) {
		t.Error("the tenant still takes a place of an upgrade")
	}
}

func TestATenantThatLostItsLeaseHandsOutTheURLOfTheRouteThatIsKept(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	}))
	s.settle()
	var lease coordinationv1.Lease
	s.must(s.Get(t.Context(), client.ObjectKey{Namespace: "tenantry-system", Name: hosts.LeaseName("contoso.example.com")}, &lease))
	hosts.Hold(&lease, "contoso.example.com", hosts.Holder{NamespacedName: client.ObjectKey{Namespace: "elsewhere", Name: "fabrikam"}, UID: "uid-fabrikam"}, s.now.Now())
	hosts.Reserve(&lease, 24*time.Hour, s.now.Now())
	s.must(s.WithWatch.Update(t.Context(), &lease, client.FieldOwner(apply.FieldManager)))
	s.settle()
	if c := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionExposed); c == nil || c.Reason != v1alpha1.ReasonHostTaken {
		t.Fatalf("the tenant did not notice: %+v", c)
	}
	const want = "https://contoso.example.com/scim/v2"
	for of, got := range map[string]string{
		"the status":      s.tenant().Status.TenantURL,
		"the credentials": string(s.secret("contoso-credentials").Data[v1alpha1.CredentialsTenantURLKey]),
		"the reader":      string(s.secret("contoso-reader.payroll").Data[v1alpha1.ReaderURIKey]),
	} {
		if got != want {
			t.Errorf("of %s it is %q, want %q", of, got, want)
		}
	}
}
