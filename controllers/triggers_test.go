package controllers

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// The server reports as often as every minute, and the operator looks only where it waits for such a report.
func TestATenantIsLookedAtForWhatItsServerReportsWhereThatEndsSomething(t *testing.T) {
	t.Parallel()
	cycle := func(second int64) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			start := metav1.Unix(second, 0)
			p.Status.Activity = &v1alpha1.ActivityStatus{
				LastRequestTime: &metav1.Time{Time: time.Unix(second+1, 0)}, LastCycle: &v1alpha1.CycleStatus{StartTime: &start, Requests: second},
			}
		}
	}
	busy := func(p *v1alpha1.ProvisioningTenant) { p.Status.Activity.LastCycle.Requests++ }
	directory := func(id string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) { p.Status.Directory = &v1alpha1.DirectoryStatus{ID: id} }
	}
	credentials := func(reason string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionCredentialsReady, Status: metav1.ConditionTrue, Reason: reason}}
		}
	}
	adopting := func(p *v1alpha1.ProvisioningTenant) {
		p.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StorageSQLite, AdoptedFrom: "elsewhere"}
	}
	type changes = []func(*v1alpha1.ProvisioningTenant)
	for name, test := range map[string]struct {
		always, before, after changes
		want                  bool
	}{
		"a cycle":                            {changes{credentials("Issued")}, changes{cycle(1)}, changes{cycle(2)}, false},
		"a cycle after the token was lost":   {changes{credentials("TokenLost")}, changes{cycle(1)}, changes{cycle(2)}, true},
		"a cycle after another was put back": {changes{credentials("TokenReplaced")}, changes{cycle(1)}, changes{cycle(2)}, true},
		"a request after the token was lost": {changes{credentials("TokenLost"), cycle(1)}, nil, changes{busy}, false},
		"the directory":                      {nil, nil, changes{directory("a")}, false},
		"the directory of an adoption":       {changes{adopting}, nil, changes{directory("a")}, true},
		"the same one":                       {changes{adopting, directory("a")}, nil, nil, false},
	} {
		before, after := contoso(slices.Concat(test.always, test.before)...), contoso(slices.Concat(test.always, test.after)...)
		if got := changedByOthersThanItsServer().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
