package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// Applied is what one reconcile of a tenant did with the Deployment of its server; the zero value where it did not come to that.
type Applied struct {
	// Done tells whether the Deployment is as this generation of the tenant wants it, but for an upgrade that waits.
	Done bool
	// Written is the generation that the Deployment has since this reconcile wrote it, 0 where it did not.
	Written int64
	// Waits tells whether it was left as it is until others are done with their upgrade.
	Waits bool
}

// Server is what the conditions of a server follow from.
type Server struct {
	Tenant  *v1alpha1.ProvisioningTenant
	Applied Applied
	// Deployment as the cache has it after it was applied, nil where it was not seen yet. The cache may not have caught up with what was written,
	// and what it says of the generation before is not true of this one.
	Deployment *appsv1.Deployment
	// Stopped tells that no server may run, because the directory is being moved.
	Stopped bool
}

const rollingOut = "The server is being rolled out."

// Conditions returns conditions ServerAvailable and RolledOut. RolledOut is to be told only if the Deployment was applied: otherwise it goes on to
// speak of the generation before, by which Decide knows that the change of the spec was not applied yet.
func (s Server) Conditions() (available, rolledOut metav1.Condition) {
	switch {
	case s.Stopped:
		return both(v1alpha1.ReasonMoving, "The server is stopped while its directory is being moved.")
	case s.Applied.Done && s.seen():
		rolledOut = judgeRollout(s.Deployment)
		available = judgeAnswers(s.Deployment, rolledOut, s.Applied.Waits)
		switch {
		case rolledOut.Status != metav1.ConditionTrue:
		case s.Applied.Waits:
			rolledOut = conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonUpgradePending,
				"The server's upgrade waits until enough others are done with theirs.")
		case unfinished(s.Deployment):
			rolledOut = conditions.False(v1alpha1.ConditionRolledOut, v1alpha1.ReasonProgressing,
				"The server is being rolled out: new pods are not available yet.")
		}
		if refused := podsRefused(s.Deployment); refused != nil && rolledOut.Reason == v1alpha1.ReasonProgressing {
			rolledOut = conditions.False(v1alpha1.ConditionRolledOut, refused.Reason, refused.Message) // while old pods may serve
		}
		return available, rolledOut
	}
	available, rolledOut = both(v1alpha1.ReasonProgressing, rollingOut)
	before := conditions.Of(s.Tenant.Status.Conditions, v1alpha1.ConditionServerAvailable)
	switch {
	case !s.Applied.Done || before.Status != metav1.ConditionTrue:
	case s.Applied.Written == 0 && before.ObservedGeneration == s.Tenant.Generation:
		return before, conditions.Of(s.Tenant.Status.Conditions, v1alpha1.ConditionRolledOut) // Somebody else changed the Deployment, as an autoscaler does.
	case s.Deployment != nil && replacesOneByOne(s.Deployment):
		return before, rolledOut
	}
	return available, rolledOut
}

// both returns both conditions as False for one reason.
func both(reason, message string) (available, rolledOut metav1.Condition) {
	return conditions.False(v1alpha1.ConditionServerAvailable, reason, message), conditions.False(v1alpha1.ConditionRolledOut, reason, message)
}

// seen tells whether the cache has the Deployment as it was written, and its status speaks of that.
func (s Server) seen() bool {
	d := s.Deployment
	return d != nil && d.Generation >= s.Applied.Written && d.Status.ObservedGeneration >= d.Generation
}

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
