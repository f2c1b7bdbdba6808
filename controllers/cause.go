package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// Pods are listed live, for one tenant, while its server is not available: a cache of them would hold every pod of the cluster's tenants
// for the few that are in need. Without the right to list them the conditions say less.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=list

// nameCause gives a condition that is False the cause that the Deployment or its pods tell, if they do.
func (r *ProvisioningTenantReconciler) nameCause(ctx context.Context, s *scope, server rollout.Server, available *metav1.Condition) error {
	found, asksPods := server.Cause(*available)
	if asksPods {
		var err error
		if found, err = r.podsCause(ctx, s, "ReplicaSet"); err != nil {
			return err
		}
		r.recheckCause(s, v1alpha1.ConditionServerAvailable)
	}
	if found != nil {
		*available = conditions.False(available.Type, found.Reason, found.Message)
	}
	return nil
}

// recheckCause has the tenant looked at again, the later the longer the condition has been False.
func (r *ProvisioningTenantReconciler) recheckCause(s *scope, conditionType string) {
	now := r.Options.Clock.Now()
	s.outcome.at(now.Add(wait.Jitter(rollout.RecheckCause(s.before(conditionType), now), 0.2)), now)
}

// podsCause looks why none of the pods of the tenant that an object of a kind controls does its work, nil where nothing tells.
func (r *ProvisioningTenantReconciler) podsCause(ctx context.Context, s *scope, controller string) (*rollout.Cause, error) {
	pods, err := r.pods(ctx, s, controller)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range rollout.AwaitedSecrets(pods) {
		secret, err := r.lookForSecret(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if secret == nil {
			missing = append(missing, name)
		}
	}
	return rollout.PodCause(pods, missing, r.Options.Clock.Now()), nil
}

// pods are those of the tenant that an object of a kind controls; none where the operator may not list them.
func (r *ProvisioningTenantReconciler) pods(ctx context.Context, s *scope, controller string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := r.Live.List(ctx, &list, client.InNamespace(s.tenant.Namespace), client.MatchingLabels{v1alpha1.TenantLabel: s.tenant.Name},
		// The API server's cache will do, and costs etcd nothing.
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the pods of the tenant: %w", err)
	}
	return rollout.ControlledBy(controller, list.Items), nil
}
