package clustertest

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 5: a field that cannot be changed or unset. The server follows this one by itself.
func TestHowLongInactiveUsersAreKeptIsSetChangedAndUnsetAndNoPodRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Retention.ProvisioningLog.Duration = 48 * time.Hour }))
	w.until(tenant, ready)
	before := get(w, &appsv1.Deployment{}, "contoso-scim")
	for _, after := range []*metav1.Duration{{Duration: 2160 * time.Hour}, {Duration: 36*time.Hour + 30*time.Minute}, nil} {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Retention.DeactivatedUsers = after })
		w.until(tenant, ready)
		stored := get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Spec.Retention
		if got := stored.DeactivatedUsers; (got == nil) != (after == nil) || after != nil && *got != *after {
			t.Errorf("stored is %v, want %v", got, after)
		}
		if want := 48 * time.Hour; stored.ProvisioningLog.Duration != want {
			t.Errorf("the provisioning log is kept for %v, want %v as ever", stored.ProvisioningLog.Duration, want)
		}
	}
	if now := get(w, &appsv1.Deployment{}, "contoso-scim"); now.Generation != before.Generation || now.UID != before.UID {
		t.Errorf("the Deployment is of generation %d, want %d as before: pods must not restart", now.Generation, before.Generation)
	}
}
