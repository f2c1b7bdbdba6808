// Package statuscheck holds what must be true of a status at all times. Every test ends by asking it.
package statuscheck

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Tenant returns what is wrong with the status of a tenant.
func Tenant(tenant *v1alpha1.ProvisioningTenant) []string {
	status := tenant.Status
	wrong := check(status.Conditions, tenant.Generation, status.ObservedGeneration,
		v1alpha1.ConditionAccepted, v1alpha1.ConditionEntraTenantVerified, v1alpha1.ConditionCredentialsReady,
		v1alpha1.ConditionStorageReady, v1alpha1.ConditionServerAvailable, v1alpha1.ConditionExposed, v1alpha1.ConditionProvisioningHealthy,
		v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionSchemaInEffect, v1alpha1.ConditionRolledOut,
		v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ConditionRequestsObeyed)
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		if status.TenantURL == "" {
			wrong = append(wrong, "T1: Ready without a tenantURL")
		}
		if status.Credentials == nil || status.Credentials.Fingerprint == "" {
			wrong = append(wrong, "T2: Ready without a token")
		}
	}
	exposed := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionExposed)
	if status.TenantURL != "" && exposed != nil && exposed.Reason == v1alpha1.ReasonHostMissing {
		wrong = append(wrong, "T3: a tenantURL is published for a tenant without a host")
	}
	return wrong
}

// Defaults returns what is wrong with the status of a UserDefaults.
func Defaults(defaults *v1alpha1.UserDefaults) []string {
	status := defaults.Status
	wrong := check(status.Conditions, defaults.Generation, status.ObservedGeneration, v1alpha1.ConditionAccepted, v1alpha1.ConditionApplied)
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionApplied) && !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAccepted) {
		wrong = append(wrong, "D1: Applied but not Accepted")
	}
	return wrong
}

func check(conditions []metav1.Condition, generation, observed int64, types ...string) []string {
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if observed > generation {
		complain("C1: observedGeneration %d is ahead of generation %d", observed, generation)
	}
	for _, conditionType := range append([]string{v1alpha1.ConditionReady}, types...) {
		if meta.FindStatusCondition(conditions, conditionType) == nil {
			complain("C2: condition %s is missing", conditionType)
		}
	}
	ready := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
	reconciling := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
	switch {
	case reconciling && stalled:
		complain("C3: Reconciling and Stalled are both True")
	case !ready && !reconciling && !stalled:
		complain("C3: none of Ready, Reconciling and Stalled is True")
	}
	for _, c := range conditions {
		if c.Reason == "" || c.Message == "" || c.LastTransitionTime.IsZero() {
			complain("C4: condition %s lacks a reason, a message or a transition time", c.Type)
		}
		if c.ObservedGeneration > generation {
			complain("C5: condition %s speaks of generation %d, which is ahead of %d", c.Type, c.ObservedGeneration, generation)
		}
		if ready && c.ObservedGeneration != observed {
			complain("C6: Ready, but condition %s speaks of generation %d, not %d", c.Type, c.ObservedGeneration, observed)
		}
		if kstatus := c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled; kstatus && c.Status != metav1.ConditionTrue {
			complain("C7: condition %s must be True or absent", c.Type)
		}
	}
	return wrong
}
