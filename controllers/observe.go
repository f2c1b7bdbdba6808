package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// observe looks at how the applied objects are doing. What could not be applied has its condition already.
func (r *ProvisioningTenantReconciler) observe(ctx context.Context, s *scope) error {
	if len(s.children) == 0 {
		return nil
	}
	s.fail(r.observeStorage(ctx, s))
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil {
		return err
	}
	if deployment != nil {
		r.Upgrades.see(deployment)
	}
	available := serverAvailable(s, deployment)
	s.fail(r.nameCause(ctx, s, deployment, &available))
	s.found(available)
	if s.has(v1alpha1.ConditionExposed) {
		return nil
	}
	return r.observeRoute(ctx, s, s.serverKey())
}

// storageReady judges a volume claim; a zero one was not seen yet.
func storageReady(claim *corev1.PersistentVolumeClaim) metav1.Condition {
	switch {
	case claim.Status.Phase == corev1.ClaimBound:
		return conditions.True(v1alpha1.ConditionStorageReady, v1alpha1.ReasonBound, fmt.Sprintf("Volume claim %s is bound.", claim.Name))
	case claim.Status.Phase == corev1.ClaimLost:
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonClaimPending,
			fmt.Sprintf("Volume claim %s lost its volume: restore the volume, or delete the claim to begin with an empty directory.", claim.Name))
	case claim.Name == "":
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonProgressing, "The volume claim is being made.")
	default:
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonClaimPending,
			fmt.Sprintf("Volume claim %s is not bound yet. If this lasts, kubectl describe pvc %s tells why.", claim.Name, claim.Name))
	}
}

// serverAvailable judges the Deployment; nil was not seen yet. Where this reconcile wrote it, the cache may not have caught up,
// and what it says of the generation before is not true of this one.
func serverAvailable(s *scope, deployment *appsv1.Deployment) metav1.Condition {
	if s.storage.step.stopped() {
		return conditions.False(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonMoving, "The server is stopped while its directory is being moved.")
	}
	if deployment == nil {
		deployment = &appsv1.Deployment{}
	}
	written := s.written[kindDeployment]
	condition := func(conditionType appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
		for i := range deployment.Status.Conditions {
			if deployment.Status.Conditions[i].Type == conditionType {
				return &deployment.Status.Conditions[i]
			}
		}
		return nil
	}
	status := deployment.Status
	seen := deployment.Generation >= written && deployment.Generation > 0 && status.ObservedGeneration >= deployment.Generation
	progressing := condition(appsv1.DeploymentProgressing)
	before := meta.FindStatusCondition(s.tenant.Status.Conditions, v1alpha1.ConditionServerAvailable)
	switch {
	case !seen && written == 0 && before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == s.tenant.Generation:
		return *before // Somebody else changed the Deployment, as an autoscaler does.
	case !seen:
		return conditions.False(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonProgressing, "The server is being rolled out.")
	case progressing != nil && progressing.Status == corev1.ConditionFalse && progressing.Reason == "ProgressDeadlineExceeded":
		return conditions.False(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonRolloutStuck,
			fmt.Sprintf("Deployment %s makes no progress. See the events of its pods: kubectl describe pods -l %s=%s.",
				deployment.Name, v1alpha1.TenantLabel, deployment.Labels[v1alpha1.TenantLabel]))
	case status.UpdatedReplicas < 1 || status.Replicas > status.UpdatedReplicas:
		return conditions.False(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonProgressing, "The server is being rolled out.")
	case status.AvailableReplicas >= 1 && s.upgradeWaits:
		return conditions.True(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonUpgradePending,
			"The SCIM server answers as before. Its upgrade waits until enough others are done with theirs.")
	case status.AvailableReplicas >= 1:
		return conditions.True(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonAvailable, "The SCIM server answers.")
	default:
		return conditions.False(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonServerUnavailable,
			fmt.Sprintf("Deployment %s has no available pod yet. If this lasts, kubectl describe pods -l %s=%s tells why.",
				deployment.Name, v1alpha1.TenantLabel, deployment.Labels[v1alpha1.TenantLabel]))
	}
}
