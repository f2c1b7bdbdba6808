// Package conditions computes the conditions of a resource from what its reconcile found. It is pure.
package conditions

import (
	"cmp"
	"slices"
	"strings"

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

// Of returns the condition of a type as a status has it; of one that was not looked at yet nothing is known.
func Of(status []metav1.Condition, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(status, conditionType); c != nil {
		return *c
	}
	return Unknown(conditionType, v1alpha1.ReasonProgressing, "Not looked at yet.")
}

const ellipsis = "…"

// Shorten returns so many bytes of a message that has more, whole characters, and an ellipsis behind them.
func Shorten(message string, most int) string {
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + ellipsis
}

// Found is what one reconcile found out.
type Found struct {
	// Conditions that were looked at, the first of a type counts. A missing one stays as it was, observedGeneration included.
	Conditions []metav1.Condition
	// Types of all conditions of the kind besides Ready, Reconciling and Stalled, in the order in which they are told.
	Types []string
	// Required are the types that must be True for Ready, the weightiest first.
	Required []string
	// Beside are the types that tell of a part of the spec that is not in effect while clients are served all the same, the
	// weightiest first. While one is False the resource is Reconciling or Stalled, and Ready as the required ones say.
	Beside []string
	// Stalled is what only a person can change; nil if there is nothing.
	Stalled *Problem
	// Failed is what the operator could not do this time; nil if there is nothing.
	Failed *Problem
	// Applied tells whether everything that this generation asks for was applied, this time or an earlier one. Until then a
	// failure holds back Ready.
	Applied bool
	// ReadyReason and ReadyMessage are those of Ready while it is True.
	ReadyReason, ReadyMessage string
}

// Problem is why something is not as it should be.
type Problem struct {
	// Condition that is False because of it; empty where none is.
	Condition       string
	Reason, Message string
}

// Summarise returns the conditions that follow: those found, and Ready, Reconciling and Stalled, which nothing else sets.
//
//	required conditions   beside them   nothing failed   Ready   besides, by kstatus
//	all True              all True      yes              True    neither
//	all True              one False     yes              True    Stalled where only a person can help, or Reconciling
//	all True              any           no               True if the generation was applied before; Reconciling
//	one False             whatever      happened         False   Stalled where only a person can help, or Reconciling
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
			set(Of(after, conditionType))
		}
	}

	missing := firstNotTrue(after, found.Required, generation)
	switch {
	case found.Stalled != nil && slices.Contains(found.Required, found.Stalled.Condition):
		missing = found.Stalled // before what only waits
	case found.Failed != nil && !found.Applied:
		missing = found.Failed
	}
	if missing == nil {
		set(True(v1alpha1.ConditionReady, found.ReadyReason, found.ReadyMessage))
	} else {
		set(False(v1alpha1.ConditionReady, missing.Reason, missing.Message))
	}

	// The two of kstatus exist only while they are True, and never both.
	working := cmp.Or(missing, found.Failed, firstNotTrue(after, found.Beside, generation))
	switch {
	case found.Stalled != nil:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionReconciling)
		set(True(v1alpha1.ConditionStalled, found.Stalled.Reason, found.Stalled.Message))
	case working != nil:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionStalled)
		set(True(v1alpha1.ConditionReconciling, working.Reason, working.Message))
	default:
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionReconciling)
		meta.RemoveStatusCondition(&after, v1alpha1.ConditionStalled)
	}
	return after
}

// firstNotTrue is the first of the types whose condition is not True for the generation, or nil.
func firstNotTrue(all []metav1.Condition, types []string, generation int64) *Problem {
	for _, conditionType := range types {
		switch c := meta.FindStatusCondition(all, conditionType); {
		case c.Status != metav1.ConditionTrue:
			return &Problem{Condition: conditionType, Reason: c.Reason, Message: c.Message}
		case c.ObservedGeneration != generation:
			return &Problem{Condition: conditionType, Reason: v1alpha1.ReasonProgressing, Message: "The change of the spec is being worked on."}
		}
	}
	return nil
}
