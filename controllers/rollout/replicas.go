package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// Released returns the Deployment with its number of replicas alone, for another field manager to hold until the autoscaler, which has these bounds,
// takes it over; nil where the operator does not decide the number. A field that nobody manages falls back to its default, and all
// replicas but one would end.
func Released(have *appsv1.Deployment, bounds *v1alpha1.Autoscaling) (*appsv1ac.DeploymentApplyConfiguration, error) {
	applied, err := appsv1ac.ExtractDeployment(have, apply.FieldManager)
	if err != nil {
		return nil, fmt.Errorf("extract what was applied of the Deployment: %w", err)
	}
	if applied.Spec == nil || applied.Spec.Replicas == nil {
		return nil, nil
	}
	replicas := min(max(*applied.Spec.Replicas, bounds.MinReplicas), bounds.MaxReplicas)
	return appsv1ac.Deployment(have.Name, have.Namespace).WithUID(have.UID).
		WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas)), nil
}
