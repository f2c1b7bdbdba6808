package controllers

import (
	"context"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// tellOnly writes the status of after, a copy of the tenant, with conditions of a generation and without those that end, where a look does nothing
// else. The others say how it was. It tells of the transitions by events.
func (r *ProvisioningTenantReconciler) tellOnly(
	ctx context.Context, tenant, after *v1alpha1.ProvisioningTenant, generation int64, found []metav1.Condition, ended ...string,
) error {
	for _, condition := range found {
		condition.ObservedGeneration, condition.LastTransitionTime = generation, metav1.NewTime(r.Options.Clock.Now())
		meta.SetStatusCondition(&after.Status.Conditions, condition)
	}
	for _, conditionType := range ended {
		meta.RemoveStatusCondition(&after.Status.Conditions, conditionType)
	}
	if equality.Semantic.DeepEqual(tenant.Status, after.Status) {
		return nil
	}
	before := tenant.Status.Conditions
	if err := r.Status().Patch(ctx, after, client.MergeFrom(tenant), client.FieldOwner(statusManager)); err != nil {
		return client.IgnoreNotFound(err)
	}
	tell(r.Events, tenant, before, after.Status.Conditions)
	return nil
}

// heldBy says what keeps an object that is being deleted.
func heldBy(finalizers []string) string {
	return "It is there until whatever set these finalizers takes them away: " + strings.Join(finalizers, ", ") + "."
}
