package desired

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Autoscaled tells whether an autoscaler decides how many replicas there are, so that the operator must not.
func Autoscaled(t Tenant) bool {
	return t.Resource.Spec.Server.Autoscaling != nil && t.Engine == v1alpha1.StoragePostgreSQL && !t.Stopped
}

// replicas is how many there are where no autoscaler decides.
func replicas(t Tenant) int32 {
	given := t.Resource.Spec.Server.Replicas
	switch {
	case t.Stopped:
		return 0
	case given == nil, t.Engine != v1alpha1.StoragePostgreSQL:
		return 1
	default:
		return *given
	}
}

// strategy never lets two servers open one SQLite directory, and with PostgreSQL never has fewer of them ready than before.
func strategy(t Tenant) *appsv1ac.DeploymentStrategyApplyConfiguration {
	if t.Engine != v1alpha1.StoragePostgreSQL {
		return appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsv1ac.DeploymentStrategy().WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).WithMaxSurge(intstr.FromString("25%")))
}

// Autoscaler lets the number of replicas follow their use of CPU; nil for a tenant that does not ask for it.
func Autoscaler(t Tenant) *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration {
	if !Autoscaled(t) {
		return nil
	}
	name, given := ServerName(t.Resource.Name), t.Resource.Spec.Server.Autoscaling
	return autoscalingv2ac.HorizontalPodAutoscaler(name, t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(autoscalingv2ac.HorizontalPodAutoscalerSpec().
			WithScaleTargetRef(autoscalingv2ac.CrossVersionObjectReference().
				WithAPIVersion(appsv1.SchemeGroupVersion.String()).WithKind("Deployment").WithName(name)).
			WithMinReplicas(given.MinReplicas).
			WithMaxReplicas(given.MaxReplicas).
			WithMetrics(autoscalingv2ac.MetricSpec().WithType(autoscalingv2.ResourceMetricSourceType).
				WithResource(autoscalingv2ac.ResourceMetricSource().WithName(corev1.ResourceCPU).
					WithTarget(autoscalingv2ac.MetricTarget().WithType(autoscalingv2.UtilizationMetricType).
						WithAverageUtilization(given.TargetCPUUtilizationPercentage)))))
}

// DisruptionBudget lets nodes be drained of one replica at a time; nil for a tenant that may have one only, whose node could
// never be drained.
func DisruptionBudget(t Tenant) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	least := replicas(t)
	if Autoscaled(t) {
		least = t.Resource.Spec.Server.Autoscaling.MinReplicas
	}
	if least < 2 {
		return nil
	}
	return policyv1ac.PodDisruptionBudget(ServerName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(t.Resource.Name))).
			WithMaxUnavailable(intstr.FromInt32(1)).
			// A replica that is not ready anyway must not keep a node.
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow))
}
