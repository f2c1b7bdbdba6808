package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// observe looks at how the applied objects are doing. What could not be applied has its condition already.
func (r *ProvisioningTenantReconciler) observe(ctx context.Context, s *scope) error {
	if len(s.children) == 0 {
		return nil
	}
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil {
		return err
	}
	if deployment != nil {
		r.Upgrades.observe(deployment)
	}
	available, rolledOut := judgeServer(s, deployment)
	s.fail(r.nameCause(ctx, s, deployment, &available))
	s.fail(r.observeStorage(ctx, s, available))
	s.found(available)
	if s.serverApplied { // else RolledOut goes on to speak of the generation before, by which serverWasApplied knows
		s.found(rolledOut)
	}
	if s.has(v1alpha1.ConditionExposed) {
		return nil
	}
	if err := r.awaitEndpoints(ctx, s); err != nil {
		return err
	}
	return r.observeRoute(ctx, s)
}

// judgeServer returns conditions ServerAvailable and RolledOut; the Deployment is nil where it was not seen yet. Where this reconcile
// wrote it, the cache may not have caught up, and what it says of the generation before is not true of this one.
func judgeServer(s *scope, deployment *appsv1.Deployment) (available, rolledOut metav1.Condition) {
	if deployment == nil {
		deployment = &appsv1.Deployment{}
	}
	both := func(reason, message string) (available, rolledOut metav1.Condition) {
		return conditions.False(v1alpha1.ConditionServerAvailable, reason, message), conditions.False(v1alpha1.ConditionRolledOut, reason, message)
	}
	written, status := s.written[kindDeployment], deployment.Status
	seen := deployment.Generation >= written && deployment.Generation > 0 && status.ObservedGeneration >= deployment.Generation
	switch {
	case s.storage.step.stopped():
		return both(v1alpha1.ReasonMoving, "The server is stopped while its directory is being moved.")
	case s.serverApplied && seen:
		rolledOut = judgeRollout(deployment)
		available = judgeAnswers(deployment, rolledOut, s.upgradeWaits)
		switch {
		case rolledOut.Status != metav1.ConditionTrue:
		case s.upgradeWaits:
			rolledOut = conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonUpgradePending,
				"The server's upgrade waits until enough others are done with theirs.")
		case unfinished(deployment):
			rolledOut = conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonProgressing,
				"The server is being rolled out: new pods are not available yet.")
		}
		return available, rolledOut
	}
	available, rolledOut = both(v1alpha1.ReasonProgressing, rollingOut)
	before := s.before(v1alpha1.ConditionServerAvailable)
	switch {
	case !s.serverApplied || before.Status != metav1.ConditionTrue:
	case written == 0 && before.ObservedGeneration == s.tenant.Generation:
		return before, s.before(v1alpha1.ConditionRolledOut) // Somebody else changed the Deployment, as an autoscaler does.
	case replacesOneByOne(deployment):
		return before, rolledOut
	}
	return available, rolledOut
}

const rollingOut = "The server is being rolled out."

// replacesOneByOne tells whether old pods serve until new ones do.
func replacesOneByOne(deployment *appsv1.Deployment) bool {
	return deployment.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType
}

// judgeRollout judges how far the pods are replaced of a Deployment whose status speaks of its present generation.
func judgeRollout(deployment *appsv1.Deployment) metav1.Condition {
	progressing := progress(deployment)
	switch {
	case deployment.Spec.Paused && !replaced(deployment):
		return conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonRolloutPaused,
			fmt.Sprintf("Deployment %s is paused, so its pods stay as they are. To go on: kubectl rollout resume deployment %s -n %s.",
				deployment.Name, deployment.Name, deployment.Namespace))
	case progressing.Status == corev1.ConditionFalse && progressing.Reason == "ProgressDeadlineExceeded":
		return conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonRolloutStuck,
			fmt.Sprintf("Deployment %s makes no progress. See the events of its pods: kubectl describe pods -n %s -l %s=%s.",
				deployment.Name, deployment.Namespace, v1alpha1.TenantLabel, deployment.Labels[v1alpha1.TenantLabel]))
	case !replaced(deployment):
		return conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonProgressing, rollingOut)
	default:
		return conditions.True(v1alpha1.ConditionRolledOut, v1alpha1.ReasonRolledOut, "Every pod of the server is as it should be.")
	}
}

// replaced tells whether the Deployment has pods of its present generation, and no others.
func replaced(deployment *appsv1.Deployment) bool {
	return deployment.Status.UpdatedReplicas >= 1 && deployment.Status.Replicas <= deployment.Status.UpdatedReplicas
}

// judgeAnswers judges whether clients are served. Pods of the generation before serve too while they are replaced one by one.
func judgeAnswers(deployment *appsv1.Deployment, rolledOut metav1.Condition, upgradeWaits bool) metav1.Condition {
	switch serves := deployment.Status.AvailableReplicas >= 1 && (rolledOut.Reason != v1alpha1.ReasonProgressing || replacesOneByOne(deployment)); {
	case serves && upgradeWaits:
		return conditions.True(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonUpgradePending,
			"The SCIM server answers as before. Its upgrade waits until enough others are done with theirs.")
	case serves:
		return conditions.True(v1alpha1.ConditionServerAvailable, v1alpha1.ReasonAvailable, "The SCIM server answers.")
	case rolledOut.Status != metav1.ConditionTrue:
		return conditions.False(v1alpha1.ConditionServerAvailable, rolledOut.Reason, rolledOut.Message)
	}
	reason := v1alpha1.ReasonServerUnavailable
	if unfinished(deployment) {
		reason = v1alpha1.ReasonProgressing
	}
	return conditions.False(v1alpha1.ConditionServerAvailable, reason,
		fmt.Sprintf("Deployment %s has no available pod yet. If this lasts, kubectl describe pods -n %s -l %s=%s tells why.",
			deployment.Name, deployment.Namespace, v1alpha1.TenantLabel, deployment.Labels[v1alpha1.TenantLabel]))
}

// unfinished tells of a Deployment that not all of its pods have been available since it was last changed. One whose pods fail later was rolled out.
func unfinished(deployment *appsv1.Deployment) bool {
	progressing := progress(deployment)
	return progressing.Status == corev1.ConditionTrue && progressing.Reason != "NewReplicaSetAvailable"
}

// progress is what the Deployment says about its progress, the zero condition where it says nothing.
func progress(deployment *appsv1.Deployment) appsv1.DeploymentCondition {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing {
			return condition
		}
	}
	return appsv1.DeploymentCondition{}
}
