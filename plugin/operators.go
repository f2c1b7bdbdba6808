package plugin

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// everywhere lists objects of all namespaces. Where that is forbidden it lists those of one, and says so.
func everywhere(ctx context.Context, c client.Client, list client.ObjectList, namespace string, which ...client.ListOption) (all bool, err error) {
	err = c.List(ctx, list, which...)
	if !apierrors.IsForbidden(err) {
		return true, explain(err)
	}
	return false, c.List(ctx, list, append(which, client.InNamespace(namespace))...)
}

// noOperator says that there is none.
const noOperator = "there is no Deployment with label " + v1alpha1.NameLabel + "=" + v1alpha1.OperatorName

// findOperators returns the Deployments of the operators: in that namespace, where one is named, or else of the whole cluster. Where the whole
// cluster may not be asked, tenants say in which namespaces their operators are.
func findOperators(ctx context.Context, c client.Client, namespace string, tenants []v1alpha1.ProvisioningTenant) ([]appsv1.Deployment, error) {
	ours := client.MatchingLabels{v1alpha1.NameLabel: v1alpha1.OperatorName}
	var found appsv1.DeploymentList
	err := c.List(ctx, &found, ours, client.InNamespace(namespace))
	if err == nil || namespace != "" || !apierrors.IsForbidden(err) {
		return found.Items, err
	}
	var named []string
	for i := range tenants {
		if at := tenants[i].Status.OperatorNamespace; at != "" && !slices.Contains(named, at) {
			named = append(named, at)
		}
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("find the operator: %w; name its namespace with --operator-namespace", err)
	}
	slices.Sort(named)
	var all []appsv1.Deployment
	for _, at := range named {
		var there appsv1.DeploymentList
		if err := c.List(ctx, &there, ours, client.InNamespace(at)); err != nil {
			return nil, fmt.Errorf("find the operator: %w", err)
		}
		all = append(all, there.Items...)
	}
	return all, nil
}
