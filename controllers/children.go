package controllers

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
	"github.com/tenantry/tenantry/controllers/rollout"
	"github.com/tenantry/tenantry/controllers/storage"
)

// part is a child, and the condition and reason by which the tenant is told that the API server refused it.
type part struct {
	apply.Child
	condition, rejected string
}

// applyChildren applies everything but the two Secrets. An object that fails does not keep back the others. Where the tenant may not work with its
// volume claim, or has no host yet, nothing is applied, and the directory is kept all the same.
func (r *ProvisioningTenantReconciler) applyChildren(ctx context.Context, s *scope) error {
	if s.storage.Engine == "" || s.exposure.Held {
		untouched := s.tenant.DeepCopy()
		_, err := r.keepDirectory(ctx, untouched)
		s.kept = untouched.Status.Storage
		return err
	}
	t := s.desired(r.Options)
	account := ofServer(apply.New(desired.ServiceAccount(t), &corev1.ServiceAccount{}))
	s.children = append(s.children, account.Child)
	generation, err := s.owner.Apply(ctx, account.Child)
	uid := types.UID("")
	if err == nil {
		uid = account.UID()
	}
	if settle(s, account, generation, err) {
		return nil
	}
	server, err := r.server(ctx, s, t, uid)
	if err != nil {
		return err
	}
	all, err := parts(t, server, s.storage, r.Gateways.available())
	if err == nil && desired.Autoscaled(t) {
		err = r.releaseReplicas(ctx, s)
	}
	if err != nil {
		return err
	}
	held := false
	for _, part := range all {
		s.children = append(s.children, part.Child)
		if held && part.Kind() == kindDeployment {
			continue // or it would work with a volume that is not known to be the tenant's
		}
		generation, err := r.applyPart(ctx, s, part)
		if part.Kind() == kindDeployment {
			if errors.Is(err, errUpgradeWaits) {
				r.waitForUpgrade(s)
				continue
			}
			r.Upgrades.Confirm(s.serverKey(), generation, err)
		}
		held = held || part.Kind() == kindClaim && (apply.IsTaken(err) || errors.Is(err, apply.ErrUnseen))
		if settle(s, part, generation, err) {
			return nil
		}
	}
	return nil
}

// ofServer is a part without which no server runs.
func ofServer(child apply.Child) part {
	return part{child, v1alpha1.ConditionServerAvailable, v1alpha1.ReasonRejected}
}

// settle notes what became of a part, and tells whether the tenant is gone.
func settle(s *scope, part part, generation int64, err error) (gone bool) {
	if err = problem.Classify(err, part.condition, part.rejected); err == nil {
		s.applied(part.Kind(), generation)
		return false
	}
	if part.condition == v1alpha1.ConditionExposed {
		s.tell(s.exposure.Unapplied(err))
	} else {
		s.fail(err)
	}
	return errors.Is(err, apply.ErrOwnerGone)
}

// applyPart applies a part, and returns the generation of what was written or 0.
func (r *ProvisioningTenantReconciler) applyPart(ctx context.Context, s *scope, part part) (int64, error) {
	if part.Kind() == kindClaim {
		return r.applyClaim(ctx, s, part.Child)
	}
	return s.owner.Apply(ctx, part.Child)
}

// server is the Deployment, which waits for a place where applying it is an upgrade. account is the UID of its ServiceAccount, "" where that is not
// known.
func (r *ProvisioningTenantReconciler) server(ctx context.Context, s *scope, t desired.Tenant, account types.UID) (apply.Child, error) {
	want, err := desired.Deployment(t)
	if err != nil {
		return apply.Child{}, err
	}
	have, err := r.serverDeployment(ctx, s)
	if err != nil {
		return apply.Child{}, err
	}
	if have != nil && !metav1.IsControlledBy(have, s.tenant) {
		have = nil
	}
	decision, err := rollout.Decide(rollout.State{
		Tenant: s.tenant, Have: have, Want: want.Spec.Template, Account: account, Moving: s.storage.Step != storage.StepNone, Revision: s.revision(r.Upgrades),
	})
	if err != nil {
		return apply.Child{}, err
	}
	want.WithAnnotations(decision.Annotations)
	if decision.Account != "" {
		desired.OfAccount(want, decision.Account)
	}
	child := apply.New(want, &appsv1.Deployment{})
	if decision.NeedsPlace {
		child = child.If(func() error { return r.mayUpgrade(ctx, s, have) })
	}
	return child, nil
}

// parts are the objects of a tenant but for the ServiceAccount, in the order in which they are applied: the server's rights before the server. It is
// pure. gatewayAPI tells whether there are HTTPRoutes.
func parts(t desired.Tenant, server apply.Child, directory storage.Decision, gatewayAPI bool) ([]part, error) {
	all := []part{
		ofServer(apply.New(desired.Role(t), &rbacv1.Role{})),
		ofServer(apply.New(desired.RoleBinding(t), &rbacv1.RoleBinding{})),
	}
	policy, err := desired.NetworkPolicy(t)
	if err != nil {
		return nil, err
	}
	if policy != nil {
		all = append(all, ofServer(apply.New(policy, &networkingv1.NetworkPolicy{})))
	}
	if t.Claim != nil {
		all = append(all, part{claimChild(t, directory.Found), v1alpha1.ConditionStorageReady, v1alpha1.ReasonInvalidStorage})
	}
	all = append(all, ofServer(server), ofServer(apply.New(desired.Service(t), &corev1.Service{})))
	if autoscaler := desired.Autoscaler(t); autoscaler != nil {
		all = append(all, ofServer(apply.New(autoscaler, &autoscalingv2.HorizontalPodAutoscaler{})))
	}
	if budget := desired.DisruptionBudget(t); budget != nil {
		all = append(all, ofServer(apply.New(budget, &policyv1.PodDisruptionBudget{})))
	}
	if directory.Step.Connects() {
		connect, err := connectChild(t)
		if err != nil {
			return nil, err
		}
		all = append(all, part{connect, v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonRejected})
	}
	if directory.Step.Copies() {
		move, err := moveChild(t)
		if err != nil {
			return nil, err
		}
		all = append(all, part{move, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected})
	}
	if exposure.Kind(t) == exposure.KindIngress || gatewayAPI {
		all = append(all, routes(t)...)
	}
	return all, nil
}

// routes is what leads to the tenant's host, if anything should.
func routes(t desired.Tenant) []part {
	switch exposure.Kind(t) {
	case exposure.KindHTTPRoute:
		return []part{{
			apply.New(desired.HTTPRoute(t), &gatewayv1.HTTPRoute{}),
			v1alpha1.ConditionExposed, v1alpha1.ReasonRejected,
		}}
	case exposure.KindIngress:
		return []part{{
			apply.New(desired.Ingress(t), &networkingv1.Ingress{}),
			v1alpha1.ConditionExposed, v1alpha1.ReasonRejected,
		}}
	}
	return nil
}

// replicasManager is the field manager that holds the number of replicas between the operator, which decided it so far, and
// the autoscaler.
const replicasManager = apply.FieldManager + "-replicas"

// releaseReplicas gives the number of replicas into other hands before the operator stops to apply it. The autoscaler takes it over from there.
func (r *ProvisioningTenantReconciler) releaseReplicas(ctx context.Context, s *scope) error {
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil || deployment == nil || !s.owner.Owns(deployment, nil) {
		return err
	}
	release, err := rollout.Released(deployment, s.tenant.Spec.Server.Autoscaling)
	if err != nil || release == nil {
		return err
	}
	if err := r.Apply(ctx, release, client.FieldOwner(replicasManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("leave the number of replicas to the autoscaler: %w", err)
	}
	return nil
}
