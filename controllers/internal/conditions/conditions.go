// Package conditions computes the conditions of a resource from what its reconcile found. It is pure.
package conditions

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// True returns a condition that holds.
func True(conditionType, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False returns a condition that does not hold.
func False(conditionType, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown returns a condition of which nothing is known.
func Unknown(conditionType, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// Found is what one reconcile found out.
type Found struct {
	// Conditions that were looked at. One that is missing stays as it was, observedGeneration included.
	Conditions []metav1.Condition
	// Types of all conditions of the kind besides Ready, Reconciling and Stalled, in the order in which they are told.
	Types []string
	// Required are the types that must be True for Ready, the weightiest first.
	Required []string
	// Stalled is the reason and message of what only a person can change; nil if there is none.
	Stalled *Problem
	// Failed is the reason and message of what the operator could not do this time; nil if there is none.
	Failed *Problem
	// ReadyReason and ReadyMessage are those of Ready while it is True.
	ReadyReason, ReadyMessage string
}

// Problem is why something is not as it should be.
type Problem struct {
	Reason, Message string
}

// Summarise returns the conditions that follow: those found, and Ready, Reconciling and Stalled, which nothing else
// sets. Ready is True only if every required condition is True and nothing failed.
func Summarise(before []metav1.Condition, found Found, generation int64, now metav1.Time) []metav1.Condition {
	after := slices.Clone(before)
	set := func(condition metav1.Condition) {
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = now // kept by SetStatusCondition where the status has not changed
		meta.SetStatusCondition(&after, condition)
	}
	for _, conditionType := range found.Types {
		at := slices.IndexFunc(found.Conditions, func(c metav1.Condition) bool { return c.Type == conditionType })
		switch {
		case at >= 0:
			set(found.Conditions[at])
		case meta.FindStatusCondition(after, conditionType) == nil:
			set(Unknown(conditionType, v1alpha1.ReasonProgressing, "Not looked at yet."))
		}
	}

	ready := True(v1alpha1.ConditionReady, found.ReadyReason, found.ReadyMessage)
	for _, conditionType := range slices.Backward(found.Required) {
		if c := meta.FindStatusCondition(after, conditionType); c.Status != metav1.ConditionTrue {
			ready = False(v1alpha1.ConditionReady, c.Reason, c.Message)
		}
	}
	if found.Failed != nil {
		ready = False(v1alpha1.ConditionReady, found.Failed.Reason, found.Failed.Message)
	}
	if found.Stalled != nil {
		ready = False(v1alpha1.ConditionReady, found.Stalled.Reason, found.Stalled.Message)
	}
	set(ready)

	// The two of kstatus exist only while they are True.
	switch {
	case found.Stalled != nil:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionReconciling)
		set(True(v1alpha1.ConditionStalled, ready.Reason, ready.Message))
	case ready.Status != metav1.ConditionTrue:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionStalled)
		set(True(v1alpha1.ConditionReconciling, ready.Reason, ready.Message))
	default:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionReconciling)
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionStalled)
	}
	return after
}
