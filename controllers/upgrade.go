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

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// recheckUpgrade is when a server that waits for its upgrade asks again, where the options do not say.
const recheckUpgrade = 30 * time.Second

// upgradeLimiter lets only so many servers restart at a time because the operator is another one than before, mostly with another
// image. A server that was available before its upgrade and is not rolled out since holds a place, so an image that does not work
// stops the upgrade after that many tenants. Annotation AnnotationUpgrade on its Deployment says so, also to an operator that starts
// in the middle. A server that was broken before holds none: whatever is wrong with it, it is not the upgrade.
type upgradeLimiter struct {
	limit int
	// revision tells what this operator makes of a tenant's pods from what another one would.
	revision string

	mu sync.Mutex
	// inFlight has the generation that a Deployment gets by its upgrade, until the cache shows it.
	inFlight map[client.ObjectKey]int64
}

func newUpgradeLimiter(limit int, revision string) *upgradeLimiter {
	return &upgradeLimiter{limit: limit, revision: revision, inFlight: map[client.ObjectKey]int64{}}
}

// observe takes notice of a Deployment as the cache has it.
func (u *upgradeLimiter) observe(d *appsv1.Deployment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if key := client.ObjectKeyFromObject(d); d.Generation >= u.inFlight[key] {
		delete(u.inFlight, key)
	}
}

// confirm takes notice of what became of an apply: the generation that the Deployment has since, 0 if it needed none.
func (u *upgradeLimiter) confirm(key client.ObjectKey, generation int64, err error) {
	if err != nil {
		u.release(key)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, taken := u.inFlight[key]; taken && generation > 0 {
		u.inFlight[key] = generation
	}
}

// release gives back the place of a Deployment that was not changed after all, or is gone.
func (u *upgradeLimiter) release(key client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.inFlight, key)
}

// tryAcquire tells whether the Deployment may be changed now, and takes a place for it if it has one to lose. upgrading are the
// Deployments that hold a place, as the cache has them.
func (u *upgradeLimiter) tryAcquire(d *appsv1.Deployment, upgrading []appsv1.Deployment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := len(u.inFlight)
	for i := range upgrading {
		if _, counted := u.inFlight[client.ObjectKeyFromObject(&upgrading[i])]; !counted {
			taken++
		}
	}
	if taken >= u.limit {
		return false
	}
	if observed.RolledOut(d) {
		u.inFlight[client.ObjectKeyFromObject(d)] = d.Generation + 1
	}
	return true
}

// upgradingIndex finds the Deployments that hold a place, by the revision that they were upgraded to.
const upgradingIndex = "upgrading.revision"

func indexUpgrading(object client.Object) []string {
	d, ok := object.(*appsv1.Deployment)
	if !ok || !observed.Upgrading(d) {
		return nil
	}
	return []string{d.Annotations[desired.AnnotationUpgrade]}
}

// revision is a hash of the pods that an operator with these options makes of two tenants, one on either engine.
func revision(options Options) (string, error) {
	var templates []any
	for _, engine := range []v1alpha1.StorageType{v1alpha1.StorageSQLite, v1alpha1.StoragePostgreSQL} {
		tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: "any", Name: "any"}}
		tenant.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{}
		s := &scope{tenant: tenant, storage: storage{engine: engine}}
		deployment, err := desired.Deployment(s.desired(options))
		if err != nil {
			return "", err
		}
		templates = append(templates, deployment.Spec.Template)
	}
	return apply.Hash(templates)
}

// errUpgradeWaits says that a Deployment stays as it is until others are done with their upgrade.
var errUpgradeWaits = errors.New("the upgrade waits for others")

// markUpgrade writes into a Deployment, before it is applied, by which its place is found: the hash of its pods, and whether an upgrade
// by this operator replaced pods that were available. have is what is there, nil for nothing. It tells whether the change is such an
// upgrade: the pods would be replaced though nobody changed the tenant since the Deployment was applied.
func markUpgrade(s *scope, revision string, have *appsv1.Deployment, want *appsv1ac.DeploymentApplyConfiguration) (upgrade bool, err error) {
	template, err := apply.Hash(want.Spec.Template)
	if err != nil {
		return false, err
	}
	want.WithAnnotations(map[string]string{desired.AnnotationTemplate: template})
	if have == nil {
		return false, nil
	}
	had, mark := have.Annotations[desired.AnnotationTemplate], have.Annotations[desired.AnnotationUpgrade]
	switch {
	case had == template: // and whatever else changes, the pods stay
	// Edited pods are put back at once, and a change of the spec is its author's own, who expects a restart.
	case had == "", !s.serverWasApplied(), s.storage.step != moveNone, ptr.Deref(have.Spec.Replicas, 1) == 0:
		if mark != revision || observed.RolledOut(have) {
			mark = ""
		}
	default:
		upgrade, mark = true, ""
		if observed.RolledOut(have) {
			mark = revision
		}
	}
	if mark != "" {
		want.WithAnnotations(map[string]string{desired.AnnotationUpgrade: mark})
	}
	return upgrade, nil
}

// serverWasApplied tells whether an earlier reconcile applied the Deployment for this generation: condition RolledOut speaks of a
// generation from then on, and not before.
func (s *scope) serverWasApplied() bool {
	last := s.before(v1alpha1.ConditionRolledOut)
	return last.Status != metav1.ConditionUnknown && last.ObservedGeneration == s.tenant.Generation
}

// mayUpgrade returns errUpgradeWaits where too many other servers are being upgraded.
func (r *ProvisioningTenantReconciler) mayUpgrade(ctx context.Context, have *appsv1.Deployment) error {
	var upgrading appsv1.DeploymentList
	// Nothing below changes them.
	err := r.List(ctx, &upgrading, client.MatchingFields{upgradingIndex: r.Upgrades.revision}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the servers that are being upgraded: %w", err)
	}
	if !r.Upgrades.tryAcquire(have, upgrading.Items) {
		return errUpgradeWaits
	}
	return nil
}

// waitForUpgrade is how a tenant is told that its upgrade waits, and asks again.
func (r *ProvisioningTenantReconciler) waitForUpgrade(s *scope) {
	s.server = rollout.Applied{Done: true, Waits: true}
	recheck := r.Options.RecheckUpgrades
	if recheck == 0 {
		recheck = recheckUpgrade
	}
	now := r.Options.Clock.Now()
	s.outcome.at(now.Add(wait.Jitter(recheck, 0.5)), now)
}
