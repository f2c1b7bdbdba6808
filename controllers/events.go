package controllers

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// eventSource is the reporting controller of every event.
const eventSource = "tenantry-operator"

// statusManager is the field manager of status patches. It is not that of applies, which would have to name every
// condition each time.
const statusManager = eventSource + "-status"

// eventConditions are the conditions whose transitions are recorded as events; Ready and Stalled already carry the reasons of the others.
var eventConditions = []string{ //nolint:gochecknoglobals // a list that nothing writes
	v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionEntraTenantVerified, v1alpha1.ConditionCredentialsReady,
	v1alpha1.ConditionProvisioningHealthy, v1alpha1.ConditionRequestsObeyed,
}

// transition is a condition as it is since its status or reason changed, and whether it was True before.
type transition struct {
	metav1.Condition
	wasTrue bool
}

// tell records the transitions from one status of an object to the next.
func tell(recorder events.EventRecorder, about client.Object, before, after []metav1.Condition) {
	for _, t := range transitions(before, after) {
		recorder.Eventf(about, nil, t.eventType(), t.Reason, "Reconcile", "%s", note(t.Condition))
	}
}

// transitions are those that are worth an event.
func transitions(before, after []metav1.Condition) []transition {
	var changed []transition
	for _, condition := range after {
		was := meta.FindStatusCondition(before, condition.Type)
		if !slices.Contains(eventConditions, condition.Type) || unseen(condition) ||
			was != nil && was.Status == condition.Status && was.Reason == condition.Reason {
			continue
		}
		if condition.Reason == v1alpha1.ReasonObeyed {
			continue // nobody asked, or it was done, which other conditions tell
		}
		if condition.Type == v1alpha1.ConditionStalled && !meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady) {
			continue // Ready says the same
		}
		changed = append(changed, transition{condition, was != nil && was.Status == metav1.ConditionTrue})
	}
	return changed
}

// unseen tells whether a condition says that nobody knows, which is no news, unless nobody looks any more.
func unseen(condition metav1.Condition) bool {
	return condition.Status == metav1.ConditionUnknown &&
		(condition.Type != v1alpha1.ConditionReady || condition.Reason != v1alpha1.ReasonReconcileDisabled)
}

// eventType is Warning for what somebody should look at. The way of a healthy tenant to Ready is Normal.
func (t transition) eventType() string {
	switch t.Reason {
	case v1alpha1.ReasonProgressing, v1alpha1.ReasonMoving, v1alpha1.ReasonTerminating, v1alpha1.ReasonReconcileDisabled:
		return corev1.EventTypeNormal
	case v1alpha1.ReasonClaimPending, v1alpha1.ReasonWaitingForServer, v1alpha1.ReasonWaitingForIngressController, v1alpha1.ReasonWaitingForGateway,
		v1alpha1.ReasonTenantNotFound: // UserDefaults may be applied before their tenant
		if !t.wasTrue {
			return corev1.EventTypeNormal
		}
	case v1alpha1.ReasonPreviousExpiring, v1alpha1.ReasonTokenLost, v1alpha1.ReasonTokenReplaced, v1alpha1.ReasonValueRefused,
		v1alpha1.ReasonNameConflict, v1alpha1.ReasonRejected:
		return corev1.EventTypeWarning
	}
	if t.Status == metav1.ConditionTrue && t.Type != v1alpha1.ConditionStalled {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// noteLimit is how many bytes the API server takes as the note of an event; it refuses longer ones, and nothing cuts them.
const noteLimit = 1024

// note is what an event says of a condition.
func note(condition metav1.Condition) string {
	text := strings.ToValidUTF8(condition.Type+": "+condition.Message, "�")
	if len(text) <= noteLimit {
		return text
	}
	return conditions.Shorten(text, noteLimit-len("…"))
}
