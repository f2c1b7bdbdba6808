package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// recheckUpgrade is when a server that waits for its upgrade asks again, where the options do not say.
const recheckUpgrade = 30 * time.Second

// upgrades lets only so many servers restart at a time because the operator is another one than before, mostly with another
// image. A server that does not become available keeps its place, so an image that does not work stops the upgrade after
// that many tenants, also where the operator is restarted: what it forgets then, the image of a Deployment tells.
type upgrades struct {
	limit int

	mu sync.Mutex
	// begun has the generation that a Deployment gets by its upgrade, until the cache shows it.
	begun map[client.ObjectKey]int64
	// broken were not available before their upgrade: whatever is wrong with them, it is not the upgrade.
	broken map[client.ObjectKey]bool
}

func newUpgrades(limit int) *upgrades {
	return &upgrades{limit: limit, begun: map[client.ObjectKey]int64{}, broken: map[client.ObjectKey]bool{}}
}

// see takes notice of a Deployment as the cache has it.
func (u *upgrades) see(d *appsv1.Deployment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := client.ObjectKeyFromObject(d)
	if d.Generation >= u.begun[key] {
		delete(u.begun, key)
		if rolledOut(d) {
			delete(u.broken, key)
		}
	}
}

// wrote takes notice of what became of an apply: the generation that the Deployment has since, 0 if it needed none.
func (u *upgrades) wrote(key client.ObjectKey, generation int64, err error) {
	if err != nil {
		u.forget(key)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, taken := u.begun[key]; taken && generation > 0 {
		u.begun[key] = generation
	}
}

// forget gives back the place of a Deployment that was not changed after all, or is gone.
func (u *upgrades) forget(key client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.begun, key)
	delete(u.broken, key)
}

// begin tells whether the Deployment may be changed now, and takes a place for it if so. rolling are the Deployments that
// have the image already and are not rolled out, as the cache has them.
func (u *upgrades) begin(d *appsv1.Deployment, rolling []appsv1.Deployment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := len(u.begun)
	for i := range rolling {
		key := client.ObjectKeyFromObject(&rolling[i])
		if _, counted := u.begun[key]; !counted && !u.broken[key] {
			taken++
		}
	}
	if taken >= u.limit {
		return false
	}
	key := client.ObjectKeyFromObject(d)
	if !rolledOut(d) {
		u.broken[key] = true
		return true
	}
	u.begun[key] = d.Generation + 1
	return true
}

// rollingIndex finds Deployments that were changed since they were made and are not rolled out, by their image.
const rollingIndex = "rolling.image"

func indexRolling(object client.Object) []string {
	d, ok := object.(*appsv1.Deployment)
	if !ok || d.Generation <= 1 || rolledOut(d) || len(d.Spec.Template.Spec.Containers) == 0 {
		return nil
	}
	return []string{d.Spec.Template.Spec.Containers[0].Image}
}

// rolledOut tells whether all that the Deployment wants is available and nothing else runs.
func rolledOut(d *appsv1.Deployment) bool {
	status, want := d.Status, ptr.Deref(d.Spec.Replicas, 1)
	return status.ObservedGeneration >= d.Generation && status.UpdatedReplicas >= want &&
		status.AvailableReplicas >= want && status.Replicas <= status.UpdatedReplicas
}

// errUpgradeWaits says that a Deployment stays as it is until others are done with their upgrade.
var errUpgradeWaits = errors.New("the upgrade waits for others")

// mayRestart returns errUpgradeWaits where the pods of the Deployment would be replaced though nobody changed the tenant, and
// too many others are being upgraded. Who changed the tenant expects a restart.
func (r *ProvisioningTenantReconciler) mayRestart(ctx context.Context, s *scope, have *appsv1.Deployment, want *appsv1ac.DeploymentApplyConfiguration) error {
	// RolledOut speaks of a generation as soon as the Deployment was applied for it, and not before.
	last := s.before(v1alpha1.ConditionRolledOut)
	if last.Status == metav1.ConditionUnknown || last.ObservedGeneration != s.tenant.Generation || s.storage.step != moveNone {
		return nil
	}
	applied, err := appsv1ac.ExtractDeployment(have, apply.FieldManager)
	if err != nil {
		return fmt.Errorf("extract what was applied: %w", err)
	}
	if applied.Spec != nil {
		same, err := apply.Same(applied.Spec.Template, want.Spec.Template)
		if err != nil || same {
			return err
		}
	}
	var rolling appsv1.DeploymentList
	// Nothing below changes them.
	err = r.List(ctx, &rolling, client.MatchingFields{rollingIndex: r.Options.ServerImage}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the servers that are being upgraded: %w", err)
	}
	if !r.Upgrades.begin(have, rolling.Items) {
		return errUpgradeWaits
	}
	return nil
}

// waitForUpgrade is how a tenant is told that its upgrade waits, and asks again.
func (r *ProvisioningTenantReconciler) waitForUpgrade(s *scope) {
	s.upgradeWaits = true
	recheck := r.Options.RecheckUpgrades
	if recheck == 0 {
		recheck = recheckUpgrade
	}
	now := r.Options.Clock.Now()
	s.outcome.at(now.Add(wait.Jitter(recheck, 0.5)), now)
}
