package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// leftAlone tells whether an annotation makes the operator keep its hands off a tenant.
func leftAlone(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Annotations[v1alpha1.ReconcileAnnotation] == v1alpha1.ReconcileDisabled
}

// tellOfLeaving says of such a tenant that nobody looks after it. Ready is Unknown, because its clients may not be served any more; the
// other conditions, and the Tenant URL, say how it was.
func (r *ProvisioningTenantReconciler) tellOfLeaving(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) error {
	const because = "Annotation " + v1alpha1.ReconcileAnnotation + " keeps the operator from this tenant: "
	ready := because + "nothing is applied, put back, rotated or looked at. Remove it to go on."
	if observed := tenant.Status.ObservedGeneration; observed > 0 && observed < tenant.Generation {
		ready += " Changes of the spec since wait, but for what keeps the directory and what the tenant's server follows by itself, such as " +
			"spec.provisioning.state: a credential that the spec does not ask for any more stays valid."
	}
	after := tenant.DeepCopy()
	lost, err := r.keepDirectory(ctx, after)
	return errors.Join(err, r.tellOnly(ctx, tenant, after, tenant.Generation, []metav1.Condition{
		conditions.Unknown(v1alpha1.ConditionReady, v1alpha1.ReasonReconcileDisabled, ready+lost),
		conditions.Unknown(v1alpha1.ConditionRequestsObeyed, v1alpha1.ReasonReconcileDisabled,
			because+"nothing is done that annotations ask for, so a credential that leaked stays valid. Remove it, and they are obeyed."),
	}, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled))
}

// keepDirectory puts spec.deletionPolicy Retain into force for a tenant of which nothing else is touched, because it only ever keeps data: it takes
// the tenant off the owners of its volume claim, by which garbage collection goes, and says so in the status of the tenant that it was given. It
// returns why the directory goes all the same, as a sentence behind others, "" where it does not.
func (r *ProvisioningTenantReconciler) keepDirectory(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (lost string, err error) {
	status := tenant.Status.Storage
	if tenant.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete {
		return "", nil
	}
	claim, err := ownedClaim(ctx, r, tenant)
	if err == nil && (claim != nil || status != nil && status.DeletionPolicy == v1alpha1.DeletionPolicyDelete) {
		claim, err = ownedClaim(ctx, r.Live, tenant)
	}
	if err == nil && claim != nil && claim.DeletionTimestamp != nil {
		return fmt.Sprintf(" Volume claim %s is being deleted, whatever spec.deletionPolicy says, and the directory goes with it: "+
			"while the server runs, export the directory.", claim.Name), nil
	}
	if err == nil && claim != nil {
		kept := claim.DeepCopy()
		kept.OwnerReferences = slices.DeleteFunc(kept.OwnerReferences, isOf(tenant))
		patch := client.MergeFromWithOptions(claim, client.MergeFromWithOptimisticLock{}) // over what was looked at
		err = r.Patch(ctx, kept, patch, client.FieldOwner(apply.FieldManager))
	}
	if err != nil {
		return " spec.deletionPolicy is not in force yet: the directory is deleted with the tenant. " + problem.Failure(err),
			fmt.Errorf("keep volume claim %q: %w", desired.DataName(tenant.Name), err)
	}
	if status != nil {
		status.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	}
	return "", nil
}

// ownedClaim returns the volume claim if the tenant is one of its owners, and otherwise nil.
func ownedClaim(ctx context.Context, from client.Reader, tenant *v1alpha1.ProvisioningTenant) (*corev1.PersistentVolumeClaim, error) {
	var claim corev1.PersistentVolumeClaim
	err := from.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: desired.DataName(tenant.Name)}, &claim)
	if err != nil || !slices.ContainsFunc(claim.OwnerReferences, isOf(tenant)) {
		return nil, client.IgnoreNotFound(err)
	}
	return &claim, nil
}

// isOf tells whether a reference is to the tenant.
func isOf(tenant *v1alpha1.ProvisioningTenant) func(metav1.OwnerReference) bool {
	return func(owner metav1.OwnerReference) bool { return owner.UID == tenant.UID }
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
