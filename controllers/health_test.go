package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestProvisioningIsHealthyByWhatTheServerReports(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
	running := func(requests, failures int64) *v1alpha1.CycleStatus {
		return &v1alpha1.CycleStatus{StartTime: &now, Requests: requests, Failures: failures}
	}
	over := func(requests, failures int64) *v1alpha1.CycleStatus {
		cycle := running(requests, failures)
		cycle.EndTime = &now
		return cycle
	}
	for name, c := range map[string]struct {
		before   string // the reason that stands there
		state    v1alpha1.State
		activity *v1alpha1.ActivityStatus
		want     string
	}{
		"nothing was reported yet":                    {"", "", nil, "Unknown/NoRequests"},
		"nobody came yet":                             {"", "", &v1alpha1.ActivityStatus{}, "Unknown/NoRequests"},
		"only a reader came":                          {"", "", &v1alpha1.ActivityStatus{LastRequestTime: &now}, "Unknown/NoRequests"},
		"a wrong token from the start":                {"NoRequests", "", &v1alpha1.ActivityStatus{CredentialsRejectedSince: &now}, "False/CredentialsRejected"},
		"a token that ended":                          {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: over(9, 0), CredentialsRejectedSince: &now}, "False/CredentialsRejected"},
		"a good token at last":                        {"CredentialsRejected", "", &v1alpha1.ActivityStatus{LastCycle: running(1, 0)}, "True/Healthy"},
		"provisioning is suspended":                   {"RequestsFailing", "Suspended", &v1alpha1.ActivityStatus{LastCycle: over(50, 50)}, "Unknown/ProvisioningSuspended"},
		"provisioning is active again":                {"ProvisioningSuspended", "Active", &v1alpha1.ActivityStatus{LastCycle: over(50, 50)}, "False/RequestsFailing"},
		"a cycle without a failure":                   {"", "", &v1alpha1.ActivityStatus{LastCycle: over(1, 0)}, "True/Healthy"},
		"a Test Connection":                           {"NoRequests", "", &v1alpha1.ActivityStatus{LastCycle: running(1, 0)}, "True/Healthy"},
		"so few failures that their share is nothing": {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: over(9, 9)}, "True/Healthy"},
		"three in ten":                                {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: over(1000, 300)}, "False/RequestsFailing"},
		"not quite three in ten":                      {"RequestsFailing", "", &v1alpha1.ActivityStatus{LastCycle: over(1000, 299)}, "True/Healthy"},
		"very many, whatever their share":             {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: over(5_000_000, 30_000)}, "False/RequestsFailing"},
		"a bad beginning":                             {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: running(999, 999)}, "True/Healthy"},
		"a long bad beginning":                        {"Healthy", "", &v1alpha1.ActivityStatus{LastCycle: running(1000, 999)}, "False/RequestsFailing"},
		"a good beginning after a bad cycle":          {"RequestsFailing", "", &v1alpha1.ActivityStatus{LastCycle: running(999, 0)}, "False/RequestsFailing"},
		"a long good beginning after a bad cycle":     {"RequestsFailing", "", &v1alpha1.ActivityStatus{LastCycle: running(1000, 0)}, "True/Healthy"},
	} {
		tenant := &v1alpha1.ProvisioningTenant{}
		tenant.Spec.Provisioning.State, tenant.Spec.Access.State = c.state, v1alpha1.StateSuspended // which says nothing of clients that provision
		tenant.Status.Activity = c.activity
		if c.before != "" {
			tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProvisioningHealthy, Reason: c.before}}
		}
		got := provisioningHealthy(tenant)
		if verdict := string(got.Status) + "/" + got.Reason; verdict != c.want || got.Type != "ProvisioningHealthy" || got.Message == "" {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}
