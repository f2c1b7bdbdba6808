package controllers

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// Microsoft Entra ID puts a job into quarantine where more than 40 % of what it tries fails, and at 40,000 failures whatever their
// share is. People are told at three quarters of that. Below 10 failures a share says nothing.
const (
	worryingPercent  = 30
	worryingFailures = 30_000
	fewFailures      = 10
	// judgedRequests is from how many requests on a cycle is judged that still goes on: its first ones may be the bad ones.
	judgedRequests = 1000
)

// provisioningHealthy tells how the client fares, by what the tenant's server reports. It is pure, and changes only with the verdict: a
// cycle that has just begun leaves the one before.
func provisioningHealthy(tenant *v1alpha1.ProvisioningTenant) metav1.Condition {
	const condition = v1alpha1.ConditionProvisioningHealthy
	failing := conditions.False(condition, v1alpha1.ReasonRequestsFailing,
		"So many requests of the last cycle failed that Microsoft Entra ID may put its provisioning job into quarantine.")
	activity := tenant.Status.Activity
	if activity == nil {
		activity = &v1alpha1.ActivityStatus{}
	}
	cycle := activity.LastCycle
	switch {
	case tenant.Spec.Provisioning.State == v1alpha1.StateSuspended:
		return conditions.Unknown(condition, v1alpha1.ReasonProvisioningSuspended, "How the client fares is seen when provisioning is active again.")
	case activity.CredentialsRejectedSince != nil:
		return conditions.False(condition, v1alpha1.ReasonCredentialsRejected,
			"Clients send credentials that the tenant's server rejects, and none that may provision.")
	case cycle == nil:
		return conditions.Unknown(condition, v1alpha1.ReasonNoRequests, "The tenant's server waits for the first request.")
	case cycle.EndTime == nil && cycle.Requests < judgedRequests:
		if before := meta.FindStatusCondition(tenant.Status.Conditions, condition); before != nil && before.Reason == failing.Reason {
			return failing
		}
	case cycle.Failures >= worryingFailures, cycle.Failures >= fewFailures && 100*cycle.Failures >= worryingPercent*cycle.Requests:
		return failing
	}
	return conditions.True(condition, v1alpha1.ReasonHealthy, "The provisioning client is let in, and what it asks succeeds.")
}
