package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// leftAlone tells whether an annotation makes the operator keep its hands off a tenant.
func leftAlone(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Annotations[v1alpha1.ReconcileAnnotation] == v1alpha1.ReconcileDisabled
}

// tellOfLeaving says of such a tenant that nobody looks after it. Ready is Unknown, because its clients may not be served any more; the
// other conditions, and the Tenant URL, say how it was.
func (r *ProvisioningTenantReconciler) tellOfLeaving(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) error {
	message := fmt.Sprintf("Annotation %s keeps the operator from this tenant: nothing is applied, put back, rotated or looked at. "+
		"Remove it to go on.", v1alpha1.ReconcileAnnotation)
	if storage := tenant.Status.Storage; storage != nil && storage.DeletionPolicy == v1alpha1.DeletionPolicyDelete &&
		tenant.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete {
		message += " Until then spec.deletionPolicy is not in force: the directory is deleted with the tenant."
	}
	return r.tellOnly(ctx, tenant, tenant.Generation, []metav1.Condition{
		conditions.Unknown(v1alpha1.ConditionReady, v1alpha1.ReasonReconcileDisabled, message),
		conditions.Unknown(v1alpha1.ConditionRequestsObeyed, v1alpha1.ReasonReconcileDisabled, message),
	}, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)
}
