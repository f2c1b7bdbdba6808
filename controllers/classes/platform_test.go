package classes

import (
	"encoding/json"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestWhatTheClassAloneDecidesIsRememberedAndKept(t *testing.T) {
	t.Parallel()
	given := class(t, "{server: {env: [{name: A, value: b}]}, networkPolicy: {mode: Disabled}, bounds: {rateLimit: {burst: 1}}}")
	all := []v1alpha1.ProvisioningTenantClass{given}
	first := Decide(State{Tenant: tenant(t, "{}"), Classes: all})
	pods, policy := first.Platform()
	if !equal(t, pods, given.Spec.Server) || !equal(t, policy, given.Spec.NetworkPolicy) {
		t.Errorf("the class decided %s and %s", text(t, pods), text(t, policy))
	}
	var remembered Values
	if err := json.Unmarshal([]byte(text(t, first.Values)), &remembered); err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]State{
		"the class is gone":   {Tenant: tenant(t, "{}"), Last: &remembered},
		"it is out of bounds": {Tenant: tenant(t, "{rateLimit: {burst: 2}}"), Last: &remembered, Classes: all},
	} {
		later := Decide(state)
		laterPods, laterPolicy := later.Platform()
		if later.Problem == nil || !equal(t, laterPods, pods) || !equal(t, laterPolicy, policy) {
			t.Errorf("%s: the tenant has %s and %s", name, text(t, laterPods), text(t, laterPolicy))
		}
	}
	without := Decide(State{Tenant: tenant(t, "{}"), Ran: true})
	if nothing, none := without.Platform(); !equal(t, nothing, v1alpha1.ClassServer{}) || !equal(t, none, v1alpha1.ClassNetworkPolicy{}) {
		t.Error("a tenant that never had a class is given something")
	}
}
