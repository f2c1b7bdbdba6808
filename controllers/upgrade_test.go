package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/rollout"
)

func TestWhateverChangesPodsIsAnotherRevision(t *testing.T) {
	t.Parallel()
	options := Options{ServerImage: "scimserver:v1"}
	first, err := revision(options)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	again, err := revision(options)
	if err != nil || again != first {
		t.Errorf("the same options are revision %s and then %s (%v)", first, again, err)
	}
	for name, other := range map[string]Options{
		"the image": {ServerImage: "scimserver:v2"},
		"a flag":    {ServerImage: "scimserver:v1", EntraAuthority: "https://login.test"},
	} {
		if got, err := revision(other); err != nil || got == first {
			t.Errorf("%s changed and the revision did not (%v)", name, err)
		}
	}
}

// Nobody looks whether such an upgrade ends, so its place would be lost to the other tenants.
func TestATenantThatIsLeftTakesNoPlaceOfAnUpgrade(t *testing.T) {
	t.Parallel()
	server := func(name string) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name},
			Status:     appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1},
		}
	}
	for name, edit := range map[string]func(*v1alpha1.ProvisioningTenant){
		"it is paused": func(p *v1alpha1.ProvisioningTenant) {
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1alpha1.ReconcileAnnotation, v1alpha1.ReconcileDisabled)
		},
		"it is being deleted": func(p *v1alpha1.ProvisioningTenant) {
			p.Finalizers, p.DeletionTimestamp = []string{"test/hold"}, new(metav1.Now())
		},
		"another operator serves it": func(p *v1alpha1.ProvisioningTenant) { p.Status.OperatorNamespace = "elsewhere" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := contoso(edit)
			s := simulate(t, tenant)
			r := s.operator()
			r.Upgrades, r.operators = rollout.NewLimiter(1, "v2"), newOperators(r.Live, r.Options)
			r.operators.recent.answers.Add("elsewhere", true, recheckOperator)
			if !r.Upgrades.TryAcquire(server("contoso-scim"), nil) || r.Upgrades.TryAcquire(server("fabrikam-scim"), nil) {
				t.Fatal("one place must serve one")
			}
			if _, err := r.Reconcile(t.Context(), theTenant); err != nil {
				t.Fatal(err)
			}
			if !r.Upgrades.TryAcquire(server("fabrikam-scim"), nil) {
				t.Error("the tenant still takes a place")
			}
		})
	}
}
