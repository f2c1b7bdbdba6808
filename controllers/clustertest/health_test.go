package clustertest

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// seen reports what clients did, as the tenant's server does.
func (w *world) seen(tenant *v1alpha1.ProvisioningTenant, activity *v1alpha1.ActivityStatus) {
	w.Helper()
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	after.Status.Activity = activity
	if err := w.Status().Patch(w.Context(), after, client.MergeFrom(before), client.FieldOwner("tenantry-scimserver")); err != nil {
		w.Fatal(err)
	}
}

// bug class 11: Ready is about the tenant, and what its client does wrong must not hold it back.
func TestHowTheClientFaresIsAConditionThatNeverHoldsBackReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := metav1.NewTime(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
	over := func(requests, failures int64) *v1alpha1.CycleStatus {
		return &v1alpha1.CycleStatus{StartTime: &now, EndTime: &now, Requests: requests, Failures: failures}
	}
	tenant := create(w, w.tenant())
	w.until(tenant, ready, "ProvisioningHealthy=Unknown/NoRequests")
	for _, step := range []struct {
		activity *v1alpha1.ActivityStatus
		want     string
	}{
		{&v1alpha1.ActivityStatus{CredentialsRejectedSince: &now}, "False/CredentialsRejected"},
		{&v1alpha1.ActivityStatus{LastRequestTime: &now, LastCycle: over(418, 1)}, "True/Healthy"},
		{&v1alpha1.ActivityStatus{LastRequestTime: &now, LastCycle: over(50, 40)}, "False/RequestsFailing"},
		{nil, "Unknown/NoRequests"},
	} {
		w.seen(tenant, step.activity)
		w.until(tenant, ready, "ProvisioningHealthy="+step.want)
	}
}
