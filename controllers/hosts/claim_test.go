package hosts

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func tenantWith(exposure v1alpha1.Exposure) *v1alpha1.ProvisioningTenant {
	return &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "me", UID: "ame"}, Spec: v1alpha1.ProvisioningTenantSpec{Exposure: exposure},
	}
}

func TestATenantIsToldWhyItCannotHaveAHostAndWhatToDo(t *testing.T) {
	t.Parallel()
	stranger, neighbour := asking(1, "b", "secret").Holder, asking(1, "a", "neighbour").Holder
	until := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	every, own := []string{"*"}, []string{"*.x.test"}
	many := []string{"*.1.test", "*.2.test", "*.3.test", "*.4.test", "*.5.test", "*.6.test", "*.7.test", "*.8.test", "*.9.test", "*.a.test", "*.b.test"}
	const another, day = " Choose another in spec.exposure.host.", 24 * time.Hour
	const notAllowed = "The platform does not let tenants of namespace a have host h.test"
	for name, test := range map[string]struct {
		patterns    []string
		decided     Decision
		host        string // another than the main one
		reservation time.Duration
		instead     string
		has         bool
		free        time.Time
		message     string // "" for no problem
	}{
		"it is mine":   {patterns: every, decided: Decision{Verdict: Kept}, has: true},
		"it was free":  {patterns: every, decided: Decision{Verdict: Free}, has: true},
		"a stranger's": {patterns: every, decided: Decision{Verdict: Taken, by: stranger}, message: "Host h.test belongs to a tenant of another namespace until that lets go of it." + another},
		"a stranger's, and it stays reserved": {
			patterns: every, decided: Decision{Verdict: Taken, by: stranger}, reservation: day,
			message: "Host h.test belongs to a tenant of another namespace, and is free 24h after that lets go of it." + another,
		},
		"a neighbour's, which stays reserved for us": {
			patterns: every, decided: Decision{Verdict: Taken, by: neighbour}, reservation: day,
			message: "Host h.test belongs to tenant neighbour of this namespace until that lets go of it." + another,
		},
		"another is free": {
			patterns: every, decided: Decision{Verdict: Taken, by: neighbour}, instead: "me-a.test",
			message: "Host h.test belongs to tenant neighbour of this namespace until that lets go of it. Choose another in spec.exposure.host, such as me-a.test.",
		},
		"an additional one": {
			patterns: every, decided: Decision{Verdict: Taken, by: neighbour}, host: "more.test",
			message: "Host more.test belongs to tenant neighbour of this namespace until that lets go of it. Take it out of spec.exposure.additionalHosts.",
		},
		"reserved for strangers": {
			patterns: every, decided: Decision{Verdict: Taken, by: stranger, reserved: true, until: until}, free: until,
			message: "Host h.test is reserved until 2026-11-23T12:00:00Z for another namespace, whose tenant had it." + another,
		},
		"its holder is gone": {
			patterns: every, decided: Decision{Verdict: Taken, by: stranger, reserved: true},
			message: "Host h.test is reserved for another namespace, whose tenant had it." + another,
		},
		"an older one asks": {
			patterns: every, decided: Decision{Verdict: Taken, by: stranger, claimed: true},
			message: "Host h.test goes to a tenant of another namespace, which is older or has a route for it." + another,
		},
		"both have a route": {
			patterns: every, decided: Decision{Verdict: Taken, by: stranger, contested: true},
			message: "Host h.test has a route of this tenant and one of a tenant of another namespace, and no Lease says whose it is: " +
				"the platform team must decide, by deleting the route that is wrong." + another,
		},
		"no rule allows it": {patterns: own, decided: Decision{Verdict: Free}, message: notAllowed + ": allowed is *.x.test." + another},
		"no rule allows it, and another is free": {
			patterns: own, decided: Decision{Verdict: Free}, instead: "me-a.x.test",
			message: notAllowed + ": allowed is *.x.test. Choose another in spec.exposure.host, such as me-a.x.test.",
		},
		"no rule allows what is another's, for a while": {
			patterns: own, decided: Decision{Verdict: Taken, by: stranger, reserved: true, until: until}, message: notAllowed + ": allowed is *.x.test." + another,
		},
		"no rule allows an additional one": {
			patterns: own, decided: Decision{Verdict: Free}, host: "more.test",
			message: "The platform does not let tenants of namespace a have host more.test: allowed is *.x.test. Take it out of spec.exposure.additionalHosts.",
		},
		"no rule allows any": {decided: Decision{Verdict: Free}, message: notAllowed + ", nor any other: ask the platform team for a rule."},
		"ten rules allow others": {
			patterns: many[:10], decided: Decision{Verdict: Free}, message: notAllowed + ": allowed is " + strings.Join(many[:10], ", ") + "." + another,
		},
		"more rules allow others": {
			patterns: many, decided: Decision{Verdict: Free}, message: notAllowed + ": allowed are " + strings.Join(many[:10], ", ") + " and others." + another,
		},
		"no rule allows it any more": {
			patterns: own, decided: Decision{Verdict: Kept}, has: true,
			message: notAllowed + ": allowed is *.x.test. The tenant keeps the host that it has; once it lets go of it, it cannot have it again.",
		},
		"no rule allows any more": {
			decided: Decision{Verdict: Kept}, has: true,
			message: notAllowed + ", nor any other: ask the platform team for a rule. " +
				"The tenant keeps the host that it has; once it lets go of it, it cannot have it again.",
		},
	} {
		claim := Claim{
			Tenant: tenantWith(v1alpha1.Exposure{Host: "h.test", AdditionalHosts: []v1alpha1.HostName{"more.test"}}), Host: "h.test",
			Patterns: test.patterns, Reservation: test.reservation, Recheck: time.Minute,
		}
		if test.host != "" {
			claim.Host = test.host
		}
		got := claim.Answer(test.decided, test.instead)
		if got.Has != test.has || !got.Free.Equal(test.free) || (got.Problem != nil) != (test.message != "") {
			t.Errorf("%s: got %+v", name, got)
		}
		if got.Problem == nil {
			continue
		}
		if got.Problem.Message != test.message || strings.Contains(got.Problem.Message, "secret") {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got.Problem.Message, test.message)
		}
		reason, recheck := v1alpha1.ReasonHostTaken, time.Duration(0)
		if strings.HasPrefix(test.message, "The platform") {
			reason, recheck = v1alpha1.ReasonHostNotAllowed, time.Minute
		}
		if p := got.Problem; p.Condition != v1alpha1.ConditionAccepted || p.Reason != reason || p.Recheck != recheck {
			t.Errorf("%s: got %+v", name, *p)
		}
	}
}

func TestInPlaceOfAHostOthersAreProposedThatTheTenantMayClaim(t *testing.T) {
	t.Parallel()
	taken, free, kept := Decision{Verdict: Taken}, Decision{Verdict: Free}, Decision{Verdict: Kept}
	every := []string{"*"}
	for name, test := range map[string]struct {
		exposure   v1alpha1.Exposure
		host       string
		patterns   []string
		baseDomain string
		decided    Decision
		want       []string
	}{
		"beside it": {v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", every, "", taken, []string{"me-a.x.test", "me.a.x.test"}},
		"and below the base domain": {
			v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", every, "base.test", taken, []string{"me-a.x.test", "me.a.x.test", "me-a.base.test", "me.a.base.test"},
		},
		"below the base domain": {v1alpha1.Exposure{}, "me.base.test", every, "base.test", taken, []string{"me-a.base.test", "me.a.base.test"}},
		"what rules allow":      {v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", []string{"*.a.x.test"}, "", free, []string{"me.a.x.test"}},
		"no rule allows one":    {v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", []string{"*.y.test"}, "", free, nil},
		"of one label":          {v1alpha1.Exposure{Host: "h"}, "h", every, "", taken, nil},
		"the tenant has it":     {v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", every, "", kept, nil},
		"the tenant takes it":   {v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", every, "", free, nil},
		"no rule allows what it has": {
			v1alpha1.Exposure{Host: "h.x.test"}, "h.x.test", []string{"*.a.x.test"}, "", kept, nil,
		},
		"an additional host": {v1alpha1.Exposure{Host: "h.x.test"}, "more.x.test", every, "", taken, nil},
		"none that is too long": {
			v1alpha1.Exposure{Host: "h." + strings.Repeat("x.", 124) + "t"}, "h." + strings.Repeat("x.", 124) + "t", every, "", taken, nil,
		},
	} {
		claim := Claim{Tenant: tenantWith(test.exposure), Host: test.host, Patterns: test.patterns, BaseDomain: test.baseDomain}
		if got := claim.Alternatives(test.decided); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	for length, want := range map[int]int{63: 2, 64: 1} { // of both names in one label
		long := tenantWith(v1alpha1.Exposure{Host: "h.test"})
		long.Name, long.Namespace = strings.Repeat("m", 30), strings.Repeat("a", length-31)
		got := Claim{Tenant: long, Host: "h.test", Patterns: every}.Alternatives(taken)
		if len(got) != want || got[len(got)-1] != long.Name+"."+long.Namespace+".test" {
			t.Errorf("of two names that have %d characters together there are %q", length, got)
		}
	}
}

func TestALeaseIsWrittenForATenantThatMayHaveTheHost(t *testing.T) {
	t.Parallel()
	restored := Record{byOthers: true}
	for name, test := range map[string]struct {
		pattern string
		record  Record
		verdict Verdict
		want    bool
	}{
		"it is free":                            {"*", Record{}, Free, true},
		"it is free, by a Lease of others":      {"*", restored, Free, true},
		"it is mine":                            {"*", Record{}, Kept, false},
		"it is mine, by a Lease of others":      {"*", restored, Kept, true},
		"it is another's":                       {"*", Record{}, Taken, false},
		"it is another's, by a Lease of others": {"*", restored, Taken, false},
		"no rule allows it":                     {"x.test", Record{}, Free, false},
		"no rule allows what is mine":           {"x.test", restored, Kept, false},
	} {
		claim := Claim{Tenant: tenantWith(v1alpha1.Exposure{}), Host: "h.test", Patterns: []string{test.pattern}}
		if got := claim.Takes(test.record, Decision{Verdict: test.verdict}); got != test.want {
			t.Errorf("%s: it is written: %v", name, got)
		}
	}
}
