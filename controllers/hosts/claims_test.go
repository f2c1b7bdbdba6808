package hosts

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

func TestATenantAsksForItsHostAndAdditionalOnes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exposure   v1alpha1.Exposure
		baseDomain string
		main       string
		additional []string
	}{
		"nothing":                           {},
		"a host":                            {exposure: v1alpha1.Exposure{Host: "H.test."}, main: "h.test"},
		"a host, and there is a default":    {exposure: v1alpha1.Exposure{Host: "h.test"}, baseDomain: "base.test", main: "h.test"},
		"the default":                       {baseDomain: "Base.test.", main: "me.base.test"},
		"none by default where none routes": {exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureNone}, baseDomain: "base.test"},
		"a host that the platform routes":   {exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureNone, Host: "h.test"}, baseDomain: "base.test", main: "h.test"},
		"others besides": {
			exposure: v1alpha1.Exposure{Host: "h.test", AdditionalHosts: []v1alpha1.HostName{"B.test", "h.test.", "c.test"}}, main: "h.test",
			additional: []string{"b.test", "c.test"},
		},
		"the default among others": {
			exposure: v1alpha1.Exposure{AdditionalHosts: []v1alpha1.HostName{"me.base.test", "b.test"}}, baseDomain: "base.test",
			main: "me.base.test", additional: []string{"b.test"},
		},
	} {
		tenant := tenantWith(test.exposure)
		if got := Main(tenant, test.baseDomain); got != test.main {
			t.Errorf("%s: the host is %q, want %q", name, got, test.main)
		}
		if got := Additional(tenant, test.baseDomain); !slices.Equal(got, test.additional) {
			t.Errorf("%s: additional are %q, want %q", name, got, test.additional)
		}
		all := test.additional
		if test.main != "" {
			all = append(slices.Clone(all), test.main)
		}
		if got := All(tenant, test.baseDomain); !slices.Equal(got, all) {
			t.Errorf("%s: all are %q, want %q", name, got, all)
		}
	}
}

func TestATenantThatCannotClaimAHostIsToldWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		storage  v1alpha1.StorageType
		exposure v1alpha1.ExposureType
		host     string
		want     string // "" for no problem
	}{
		"it asks for one":                   {v1alpha1.StorageSQLite, v1alpha1.ExposureIngress, "h.test", ""},
		"with PostgreSQL":                   {v1alpha1.StoragePostgreSQL, v1alpha1.ExposureGateway, "h.test", ""},
		"by a CRD without defaults":         {"", "", "h.test", ""},
		"it needs none":                     {v1alpha1.StorageSQLite, v1alpha1.ExposureNone, "", ""},
		"it needs one":                      {v1alpha1.StorageSQLite, v1alpha1.ExposureIngress, "", v1alpha1.ReasonHostMissing},
		"its storage is of a newer version": {"Tape", v1alpha1.ExposureIngress, "h.test", v1alpha1.ReasonUnsupported},
		"and it needs no host":              {"Tape", v1alpha1.ExposureNone, "", v1alpha1.ReasonUnsupported},
	} {
		tenant := tenantWith(v1alpha1.Exposure{Type: test.exposure})
		tenant.Spec.Storage.Type = test.storage
		got := Unclaimed(tenant, test.host)
		if got == nil && test.want == "" {
			continue
		}
		if got == nil || got.Reason != test.want || got.Condition != v1alpha1.ConditionAccepted {
			t.Errorf("%s: got %+v, want %q", name, got, test.want)
		}
	}
}

func TestThePublishedURLStandsForTheRouteOfATenantThatThePlatformRoutesTo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exposure  v1alpha1.ExposureType
		published v1alpha1.ProvisioningTenantStatus
		want      bool
	}{
		"of the host":            {v1alpha1.ExposureNone, v1alpha1.ProvisioningTenantStatus{TenantURL: "https://h.test/scim/v2"}, true},
		"of it besides":          {v1alpha1.ExposureNone, v1alpha1.ProvisioningTenantStatus{TenantURL: "https://x.test/scim/v2", AdditionalURLs: []string{"https://h.test/scim/v2"}}, true},
		"of another":             {v1alpha1.ExposureNone, v1alpha1.ProvisioningTenantStatus{TenantURL: "https://x.test/scim/v2"}, false},
		"of one with an Ingress": {v1alpha1.ExposureIngress, v1alpha1.ProvisioningTenantStatus{TenantURL: "https://h.test/scim/v2"}, false},
	} {
		tenant := tenantWith(v1alpha1.Exposure{Type: test.exposure})
		tenant.Status = test.published
		if got := Publishes(tenant, "h.test"); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestTheHostThatATenantHasIsTheMainOneAndNoOtherIsItTwice(t *testing.T) {
	t.Parallel()
	refused := &problem.Stalled{Reason: "HostTaken"}
	for name, test := range map[string]struct {
		claims     Claims
		main       string
		want       string
		additional []string
	}{
		"with others":                    {Claims{Additional: []string{"b", "c"}}, "a", "a", []string{"b", "c"}},
		"one of the others":              {Claims{Additional: []string{"b", "c"}, Problem: refused}, "b", "b", []string{"c"}},
		"none, and it was refused":       {Claims{Additional: []string{"b", "c"}, Problem: refused}, "", "b", []string{"c"}},
		"none at all":                    {Claims{Problem: refused}, "", "", nil},
		"none, as it is not known whose": {Claims{Additional: []string{"b"}}, "", "", []string{"b"}},
	} {
		got := test.claims
		got.Settle(test.main)
		if got.Main != test.want || !slices.Equal(got.Additional, test.additional) {
			t.Errorf("%s: got %q and %q", name, got.Main, got.Additional)
		}
		for _, host := range append([]string{test.want}, test.additional...) {
			if !got.Has(host) {
				t.Errorf("%s: it has not got %q", name, host)
			}
		}
		if got.Has("x") {
			t.Errorf("%s: it has what it does not ask for", name)
		}
	}
}

func TestSeveralProblemsAreToldAsOneWithTheReasonOfTheFirst(t *testing.T) {
	t.Parallel()
	one := func(reason string, recheck time.Duration) *problem.Stalled {
		return &problem.Stalled{Condition: "Accepted", Reason: reason, Message: reason + ".", Recheck: recheck}
	}
	both := func(recheck time.Duration) *problem.Stalled {
		return &problem.Stalled{Condition: "Accepted", Reason: "A", Message: "A. B.", Recheck: recheck}
	}
	for name, test := range map[string]struct{ first, second, want *problem.Stalled }{
		"none":                         {},
		"the first":                    {one("A", 1), nil, one("A", 1)},
		"the second":                   {nil, one("B", 2), one("B", 2)},
		"the first is looked at first": {one("A", 1), one("B", 2), both(1)},
		"the second is":                {one("A", 3), one("B", 2), both(2)},
		"only the second is":           {one("A", 0), one("B", 2), both(2)},
		"only the first is":            {one("A", 3), one("B", 0), both(3)},
	} {
		claims := Claims{Problem: test.first}
		claims.Add("b", false, test.second)
		if got := claims.Problems(); !reflect.DeepEqual(got, test.want) || claims.Additional != nil {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
	var claims Claims
	claims.Add("a", true, one("A", 0))
	claims.Add("b", false, one("B", 0))
	claims.Add("c", true, nil)
	if !slices.Equal(claims.Additional, []string{"a", "c"}) || !reflect.DeepEqual(claims.Refused, both(0)) {
		t.Errorf("got %+v", claims)
	}
}
