package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// requiredForTenant must be True for Ready, the weightiest first. EntraTenantVerified is not among them: tokens work
// whatever the login authority says, so its answer is for information. Nor is ProvisioningHealthy, which is about the client.
var requiredForTenant = []string{ //nolint:gochecknoglobals // a list that nothing writes
	v1alpha1.ConditionAccepted, v1alpha1.ConditionCredentialsReady, v1alpha1.ConditionStorageReady,
	v1alpha1.ConditionServerAvailable, v1alpha1.ConditionExposed,
}

// besideReady tell of a part of the spec that is not in effect, the weightiest first: the tenant goes on with the last good version
// of it, and Ready says that. A step finds them False, mostly by a Stalled or Waiting error; nobody needs to find them True.
var besideReady = []string{ //nolint:gochecknoglobals // a list that nothing writes
	v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionSchemaInEffect, v1alpha1.ConditionRolledOut,
}

// hasClass tells whether a class has a say in the tenant, and so whether condition ClassInEffect is there.
func (s *scope) hasClass() bool { return s.class.Status() != nil }

// beside are those of besideReady that a tenant has.
func (s *scope) beside() []string {
	if !s.hasClass() {
		return besideReady
	}
	return append([]string{v1alpha1.ConditionClassInEffect}, besideReady...)
}

// notBegun are the conditions of a tenant for which nothing is made, because its class does not accept it.
func (s *scope) notBegun() []metav1.Condition {
	if !s.class.Held || !s.has(v1alpha1.ConditionAccepted) {
		return nil
	}
	var unknown []metav1.Condition
	for _, conditionType := range slices.Concat(requiredForTenant[1:], besideReady, []string{
		v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ConditionRequestsObeyed,
	}) {
		unknown = append(unknown, conditions.Unknown(conditionType, s.class.Problem.Reason, "Nothing is made for the tenant before its class accepts it."))
	}
	return unknown
}

// unlessFound hold where all steps were taken and none has found otherwise.
func (s *scope) unlessFound() []metav1.Condition {
	if s.class.Held {
		return nil
	}
	return []metav1.Condition{
		conditions.True(v1alpha1.ConditionAccepted, v1alpha1.ReasonAccepted, "The spec makes sense."),
		conditions.True(v1alpha1.ConditionExposureInEffect, v1alpha1.ReasonInEffect, "The tenant has the host and the route that spec.exposure asks for."),
		conditions.True(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonInEffect, "The directory is where spec.storage says."),
		conditions.True(v1alpha1.ConditionSchemaInEffect, v1alpha1.ReasonInEffect, "The server works with the schemas of spec.schema."),
		conditions.True(v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ReasonInEffect, "No UserDefaults of the tenant is refused."),
	}
}

// untold are conditions of parts of the spec of which nobody knows whether they are in effect, because another condition is not True.
func (s *scope) untold() []metav1.Condition {
	var untold []metav1.Condition
	for _, part := range []struct {
		conditionType, because string
		unknown                bool
	}{
		{v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionAccepted, true},
		{v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionAccepted, s.storage.Engine == ""},
		{v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionStorageReady, s.storage.Engine == "" || s.storage.Step.Stopped()},
	} {
		at := slices.IndexFunc(s.conditions, func(c metav1.Condition) bool { return c.Type == part.because })
		if part.unknown && at >= 0 && s.conditions[at].Status != metav1.ConditionTrue {
			untold = append(untold, conditions.Unknown(part.conditionType, s.conditions[at].Reason,
				"It is not known before condition "+part.because+" is True."))
		}
	}
	return untold
}

// tenantStatus computes the status from what was before and what was learned. It is pure, and leaves alone what the
// tenant's server writes.
func tenantStatus(s *scope, now metav1.Time) v1alpha1.ProvisioningTenantStatus {
	status := *s.tenant.Status.DeepCopy()
	generation := s.tenant.Generation
	if len(s.outcome.failed) == 0 {
		status.ObservedGeneration = generation
	}
	status.Class = s.class.Status()
	if !s.class.Held { // or nothing else was looked at
		s.tellParts(&status, now)
	}
	found := conditions.Found{
		Conditions: append(slices.Clone(s.conditions), provisioningHealthy(s.tenant)),
		Types: slices.Concat([]string{v1alpha1.ConditionEntraTenantVerified}, requiredForTenant, s.beside(),
			[]string{v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ConditionProvisioningHealthy, v1alpha1.ConditionRequestsObeyed}),
		Required: requiredForTenant, Beside: s.beside(),
		Applied:      status.ObservedGeneration == generation,
		ReadyReason:  v1alpha1.ReasonReady,
		ReadyMessage: "The tenant can be provisioned.",
	}
	if len(s.outcome.failed) == 0 {
		found.Conditions = slices.Concat(found.Conditions, s.notBegun(), s.untold(), s.unlessFound())
	}
	if reason, message := suspended(&s.tenant.Spec); reason != "" {
		found.ReadyReason, found.ReadyMessage = reason, message
	}
	if s.has(v1alpha1.ConditionUserDefaultsInEffect) {
		found.ReadyMessage += " Some of its UserDefaults are refused: see condition UserDefaultsInEffect."
	}
	if len(s.outcome.stalled) > 0 {
		first := weightiest(s.outcome.stalled)
		found.Stalled = &conditions.Problem{Condition: first.Condition, Reason: first.Reason, Message: first.Message}
	}
	if len(s.outcome.failed) > 0 {
		found.Failed = &conditions.Problem{Reason: v1alpha1.ReasonError, Message: problem.Failure(s.outcome.failed[0])}
	}
	if !s.hasClass() {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionClassInEffect)
	}
	status.Conditions = conditions.Summarise(status.Conditions, found, generation, now)
	if !s.class.Held {
		status.TenantURL, status.AdditionalURLs = s.exposure.Publish(status.Conditions, requiredForTenant)
		status.TokenURL = desired.TokenURL(s.tenant, status.TenantURL)
	}
	return status
}

// tellParts tells of the parts of a tenant.
func (s *scope) tellParts(status *v1alpha1.ProvisioningTenantStatus, now metav1.Time) {
	status.UserDefaults = s.userDefaults
	if s.credentials != nil {
		status.Credentials = s.credentials
	}
	status.Storage = s.storage.Status(s.tenant, now.Time)
	if status.Storage != nil && s.kept != nil {
		status.Storage.DeletionPolicy = s.kept.DeletionPolicy
	}
}

// weightiest is the error whose condition counts most: one that holds back Ready before one that does not.
func weightiest(stalled []*problem.Stalled) *problem.Stalled {
	for _, conditionType := range requiredForTenant {
		if at := slices.IndexFunc(stalled, func(e *problem.Stalled) bool { return e.Condition == conditionType }); at >= 0 {
			return stalled[at]
		}
	}
	return stalled[0]
}

// suspended says which clients the spec holds back, "" for none. The tenant is ready all the same: it does what its spec says.
func suspended(spec *v1alpha1.ProvisioningTenantSpec) (reason, message string) {
	provisioning, access := spec.Provisioning.State == v1alpha1.StateSuspended, spec.Access.State == v1alpha1.StateSuspended
	switch {
	case provisioning && access:
		return v1alpha1.ReasonSuspended,
			"Provisioning and access are suspended: the server asks every client to try again later. " +
				"Set spec.provisioning.state and spec.access.state to Active to go on."
	case provisioning:
		return v1alpha1.ReasonProvisioningSuspended,
			"Provisioning is suspended: the server asks clients that provision to try again later. Set spec.provisioning.state to Active to go on."
	case access:
		return v1alpha1.ReasonAccessSuspended,
			"Access is suspended: the server asks readers and people to try again later. Set spec.access.state to Active to go on."
	}
	return "", ""
}

// writeStatus writes the status if it changed, and then tells of the transitions by events.
func (r *ProvisioningTenantReconciler) writeStatus(ctx context.Context, s *scope) error {
	before, after := s.tenant, s.tenant.DeepCopy()
	after.Status = tenantStatus(s, metav1.NewTime(r.Options.Clock.Now()))
	after.Status.OperatorNamespace = r.Options.LeaseNamespace
	if equality.Semantic.DeepEqual(before.Status, after.Status) || r.holdsBack(s, after.Status) {
		return nil
	}
	// The lock keeps an old cache from writing what is no longer true.
	patch := client.MergeFromWithOptions(before.DeepCopy(), client.MergeFromWithOptimisticLock{})
	status := *after.Status.DeepCopy()
	if err := r.Status().Patch(ctx, after, patch, client.FieldOwner(statusManager)); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	if changed := s.exposure.Changed(status.TenantURL, status.AdditionalURLs); changed != "" {
		r.Events.Eventf(before, nil, corev1.EventTypeWarning, "TenantURLChanged", "Reconcile", "%s", changed)
	}
	tell(r.Events, before, before.Status.Conditions, status.Conditions)
	return nil
}

// firstStatus is how long after it was first looked at a tenant is told how far it is, if there is nothing else to tell: most are ready
// by then, or a step further, and one write less is one write less for each of thousands.
const firstStatus = 2 * time.Second

// holdsBack tells whether a status may wait, because it says no more than the one that every tenant is created with, and has it looked
// at again in time.
func (r *ProvisioningTenantReconciler) holdsBack(s *scope, after v1alpha1.ProvisioningTenantStatus) bool {
	if s.tenant.Status.ObservedGeneration > 0 || meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionReady) ||
		len(after.UserDefaults) > 0 || // the server follows them from the status
		len(s.outcome.failed)+len(s.outcome.stalled)+len(s.outcome.waiting) > 0 {
		s.memory.firstLook = time.Time{}
		return false
	}
	now := r.Options.Clock.Now()
	if s.memory.firstLook.IsZero() {
		s.memory.firstLook = now
	}
	due := s.memory.firstLook.Add(firstStatus)
	if !now.Before(due) {
		s.memory.firstLook = time.Time{}
		return false
	}
	s.outcome.at(due, now)
	return true
}
