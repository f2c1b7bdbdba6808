package controllers

import (
	"context"
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// tellOfDeletion says of a tenant that is being deleted, and that somebody's finalizers keep, that nothing is done for it any more. The operator
// has no finalizer of its own: what the tenant owns goes by garbage collection, in the foreground before the tenant.
func (r *ProvisioningTenantReconciler) tellOfDeletion(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) error {
	after := tenant.DeepCopy()
	lost, err := r.keepDirectory(ctx, after)
	message := "The tenant is being deleted, so nothing of it is made again. " + heldBy(tenant.Finalizers) + lost
	return errors.Join(err, r.tellOnly(ctx, tenant, after, tenant.Generation, []metav1.Condition{
		conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonTerminating, message),
		conditions.True(v1alpha1.ConditionReconciling, v1alpha1.ReasonTerminating, message),
		conditions.Unknown(v1alpha1.ConditionRequestsObeyed, v1alpha1.ReasonTerminating,
			"The tenant is being deleted, so nothing is done that annotations ask for."),
	}, v1alpha1.ConditionStalled))
}

// heldBy says what keeps an object that is being deleted.
func heldBy(finalizers []string) string {
	return "It is there until whatever set these finalizers takes them away: " + strings.Join(finalizers, ", ") + "."
}
