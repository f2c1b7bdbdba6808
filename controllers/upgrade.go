package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/rollout"
	"github.com/tenantry/tenantry/controllers/storage"
)

// revision is a hash of the pods that an operator with these options makes of two tenants, one on either engine.
func revision(options Options) (string, error) {
	var tenants []desired.Tenant
	for _, engine := range []v1alpha1.StorageType{v1alpha1.StorageSQLite, v1alpha1.StoragePostgreSQL} {
		tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: "any", Name: "any"}}
		tenant.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{}
		s := &scope{tenant: tenant, exposure: exposure.State{Tenant: tenant}, storage: storage.Decision{Engine: engine}}
		tenants = append(tenants, s.desired(options))
	}
	return rollout.Revision(tenants...)
}

// revision is what the tenant's server is upgraded to: another operator or another class makes another one. A class that is corrected is another one
// too, so servers that do not start with the class before do not hold back the correction.
func (s *scope) revision(upgrades *rollout.Limiter) string {
	if s.class.Revision == "" {
		return upgrades.Revision()
	}
	return rollout.OfClass(upgrades.Revision(), s.class.Values.Class, s.class.Revision)
}

// errUpgradeWaits says that a Deployment stays as it is until others are done with their upgrade.
var errUpgradeWaits = errors.New("the upgrade waits for others")

// mayUpgrade returns errUpgradeWaits where too many other servers are being upgraded.
func (r *ProvisioningTenantReconciler) mayUpgrade(ctx context.Context, s *scope, have *appsv1.Deployment) error {
	var upgrading appsv1.DeploymentList
	// Nothing below changes them.
	err := r.List(ctx, &upgrading, client.MatchingFields{upgradingIndex: r.Upgrades.Revision()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the servers that are being upgraded: %w", err)
	}
	if !r.Upgrades.TryAcquire(have, rollout.Counted(upgrading.Items, s.revision(r.Upgrades))) {
		return errUpgradeWaits
	}
	return nil
}

// waitForUpgrade is how a tenant is told that its upgrade waits, and asks again.
func (r *ProvisioningTenantReconciler) waitForUpgrade(s *scope) {
	s.server = rollout.Applied{Done: true, Waits: true}
	now := r.Options.Clock.Now()
	s.outcome.at(now.Add(wait.Jitter(cmp.Or(r.Options.RecheckUpgrades, rollout.RecheckUpgrade), 0.5)), now)
}
