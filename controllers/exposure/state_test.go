package exposure

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

func tenantWith(exposure v1alpha1.Exposure) *v1alpha1.ProvisioningTenant {
	return &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", Generation: 2}, Spec: v1alpha1.ProvisioningTenantSpec{Exposure: exposure},
	}
}

// ready is exposure by an Ingress that is known to work in this way.
func ready(readiness v1alpha1.IngressReadiness) v1alpha1.Exposure {
	return v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Ingress: &v1alpha1.IngressExposure{Readiness: readiness}}
}

// named is a route of that name which works and is published.
func named(kind, name string, hosts ...string) Route {
	return Route{
		Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, Kind: kind, Hosts: hosts, works: true, Published: true,
	}
}

// words are the findings, each as TYPE=STATUS/REASON, the error first.
func words(found Findings) (all []string) {
	stalled, isStalled := errors.AsType[*problem.Stalled](found.Err)
	waiting, isWaiting := errors.AsType[*problem.Waiting](found.Err)
	switch {
	case found.Err == nil:
		all = append(all, "")
	case isStalled:
		all = append(all, stalled.Condition+"/"+stalled.Reason)
	case isWaiting:
		all = append(all, waiting.Condition+"/"+waiting.Reason)
	default:
		all = append(all, found.Err.Error())
	}
	for _, c := range found.Conditions {
		all = append(all, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	return all
}

func TestATenantIsRoutedByWhatItsSpecSays(t *testing.T) {
	t.Parallel()
	public, operators := reference(v1alpha1.KindGateway, "edge", "public"), reference(v1alpha1.KindGateway, "platform", "all")
	on := func(parents ...v1alpha1.GatewayReference) v1alpha1.Exposure {
		return v1alpha1.Exposure{Type: v1alpha1.ExposureGateway, Gateway: &v1alpha1.GatewayExposure{ParentRefs: parents}}
	}
	for name, test := range map[string]struct {
		exposure  v1alpha1.Exposure
		otherwise v1alpha1.GatewayReference
		host      string
		gateways  []v1alpha1.GatewayReference
		reason    string // "" for no problem
	}{
		"an Ingress":                   {exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureIngress}, otherwise: operators, host: "a.test"},
		"an Ingress by an older CRD":   {otherwise: operators, host: "a.test"},
		"an Ingress that is assumed":   {exposure: ready(v1alpha1.ReadinessAssumed), host: "a.test"},
		"an Ingress with a status":     {exposure: ready(v1alpha1.ReadinessLoadBalancerStatus), host: "a.test"},
		"an Ingress, known newly":      {exposure: ready("Probe"), reason: v1alpha1.ReasonUnsupported},
		"not at all":                   {exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureNone}, otherwise: operators},
		"a newer way":                  {exposure: v1alpha1.Exposure{Type: "Mesh"}, reason: v1alpha1.ReasonUnsupported},
		"its Gateway":                  {exposure: on(public), otherwise: operators, host: "a.test", gateways: []v1alpha1.GatewayReference{public}},
		"its Gateway by an older CRD":  {exposure: on(v1alpha1.GatewayReference{Namespace: "edge", Name: "public"}), host: "a.test", gateways: []v1alpha1.GatewayReference{public}},
		"a Gateway of its namespace":   {exposure: on(reference(v1alpha1.KindGateway, "", "own")), host: "a.test", gateways: []v1alpha1.GatewayReference{reference(v1alpha1.KindGateway, "customers", "own")}},
		"a ListenerSet":                {exposure: on(reference(v1alpha1.KindListenerSet, "edge", "own")), host: "a.test", gateways: []v1alpha1.GatewayReference{reference(v1alpha1.KindListenerSet, "edge", "own")}},
		"the operator's Gateway":       {exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureGateway}, otherwise: operators, host: "a.test", gateways: []v1alpha1.GatewayReference{operators}},
		"the same for none":            {exposure: on(), otherwise: operators, host: "a.test", gateways: []v1alpha1.GatewayReference{operators}},
		"there is no Gateway":          {exposure: on(), reason: v1alpha1.ReasonGatewayMissing},
		"one is of a newer kind":       {exposure: on(public, reference("Mesh", "edge", "x")), reason: v1alpha1.ReasonUnsupported},
		"one is of a group of others":  {exposure: on(v1alpha1.GatewayReference{Group: "example.com", Kind: v1alpha1.KindGateway, Namespace: "edge", Name: "x"}), reason: v1alpha1.ReasonUnsupported},
		"one is a Service of the core": {exposure: on(v1alpha1.GatewayReference{Group: "core", Kind: "Service", Namespace: "edge", Name: "x"}), reason: v1alpha1.ReasonUnsupported},
	} {
		s := State{Tenant: tenantWith(test.exposure), Hosts: hosts.Claims{Main: "a.test"}}
		refused := s.Choose(test.otherwise)
		if (refused != nil) != (test.reason != "") || refused != nil && (refused.Reason != test.reason || refused.Condition != v1alpha1.ConditionAccepted) {
			t.Errorf("%s: refused by %+v, want %q", name, refused, test.reason)
		}
		if s.Host != test.host || !slices.Equal(s.Gateways, test.gateways) || s.TenantURL != "https://a.test/scim/v2" {
			t.Errorf("%s: got host %q, Gateways %+v and URL %q", name, s.Host, s.Gateways, s.TenantURL)
		}
	}
}

func TestATenantWithoutAHostIsHeldBackUnlessItRanBefore(t *testing.T) {
	t.Parallel()
	const published, service = "https://a.test/scim/v2", "http://contoso-scim.customers.svc/scim/v2"
	taken, unsupported := &problem.Stalled{Condition: "Accepted", Reason: "HostTaken"}, &problem.Stalled{Condition: "Accepted", Reason: "Unsupported"}
	const waits = " CredentialsReady StorageReady ServerAvailable RolledOut ExposureInEffect StorageInEffect SchemaInEffect UserDefaultsInEffect RequestsObeyed"
	waiting := strings.Join(strings.Split(waits, " "), "=Unknown/WaitingForHost ") + "=Unknown/WaitingForHost"
	waiting = strings.TrimPrefix(waiting, "=Unknown/WaitingForHost")
	for name, test := range map[string]struct {
		claims   hosts.Claims
		exposure v1alpha1.ExposureType
		ran      bool
		url      string
		found    string
		wanted   string // Tenant URL
	}{
		"a new one":                               {hosts.Claims{Problem: taken}, v1alpha1.ExposureIngress, false, "", "Accepted/HostTaken Exposed=False/HostTaken" + waiting, ""},
		"a new one of a newer version":            {hosts.Claims{Problem: unsupported}, v1alpha1.ExposureIngress, false, "", "Accepted/Unsupported Exposed=False/Unsupported", ""},
		"one that ran":                            {hosts.Claims{Problem: taken}, v1alpha1.ExposureIngress, true, published, "Accepted/HostTaken Exposed=False/HostTaken", ""},
		"it is not known whose the host is":       {hosts.Claims{Undecided: true}, v1alpha1.ExposureIngress, true, published, "", published},
		"the same of a new one":                   {hosts.Claims{Undecided: true}, v1alpha1.ExposureIngress, false, "", "", ""},
		"both":                                    {hosts.Claims{Undecided: true, Problem: taken}, v1alpha1.ExposureIngress, true, published, "Accepted/HostTaken Exposed=False/HostTaken", published},
		"it published the Service, which stays":   {hosts.Claims{Problem: taken}, v1alpha1.ExposureNone, true, service, "Accepted/HostTaken Exposed=False/HostTaken", service},
		"it published a host, which is lost":      {hosts.Claims{Problem: taken}, v1alpha1.ExposureNone, true, published, "Accepted/HostTaken Exposed=False/HostTaken", ""},
		"it published the Service for an Ingress": {hosts.Claims{Problem: taken}, v1alpha1.ExposureIngress, true, service, "Accepted/HostTaken Exposed=False/HostTaken", ""},
	} {
		s := State{Tenant: tenantWith(v1alpha1.Exposure{Type: test.exposure}), Hosts: test.claims}
		s.Tenant.Status.TenantURL = test.url
		if !s.WithoutHost() {
			t.Errorf("%s: the tenant is not without a host", name)
		}
		if got := strings.Join(words(s.HoldBack(test.ran)), " "); got != test.found || s.Held == test.ran || s.TenantURL != test.wanted {
			t.Errorf("%s: held back is %v, the URL %q, and there is\n%s\nwant\n%s", name, s.Held, s.TenantURL, got, test.found)
		}
	}
	for name, claims := range map[string]hosts.Claims{
		"it has one": {Main: "a.test", Problem: taken, Undecided: true}, "it should have none": {}, "another is not known": {Unsure: true},
	} {
		if s := (&State{Hosts: claims}); s.WithoutHost() {
			t.Errorf("%s: the tenant is without a host", name)
		}
	}
}

func TestWhileTheWantedRouteDoesNotWorkAnOldOneIsKeptAndToldOf(t *testing.T) {
	t.Parallel()
	works := metav1.Condition{Type: "Exposed", Status: metav1.ConditionTrue, Reason: "IngressReady"}
	waits := metav1.Condition{Type: "Exposed", Status: metav1.ConditionFalse, Reason: "WaitingForGateway"}
	const kept = "Exposed=True/RouteKept"
	unrouted := problem.NotAccepted(v1alpha1.ReasonGatewayMissing, "Set it.")
	refused := &problem.Stalled{Condition: "Exposed", Reason: "Rejected"}
	missing, failed := &problem.Waiting{Condition: "Exposed", Reason: "TLSSecretMissing"}, errors.New("etcd is away")
	for name, test := range map[string]struct {
		do           func(*State) Findings
		without, old []string
		works        bool
	}{
		"it works":             {func(s *State) Findings { return s.Observe(works, nil) }, []string{"", "Exposed=True/IngressReady"}, []string{"", "Exposed=True/IngressReady"}, true},
		"it waits":             {func(s *State) Findings { return s.Observe(waits, nil) }, []string{"", "Exposed=False/WaitingForGateway"}, []string{"", kept, "ExposureInEffect=False/WaitingForGateway"}, false},
		"something is missing": {func(s *State) Findings { return s.Observe(metav1.Condition{}, missing) }, []string{"Exposed/TLSSecretMissing"}, []string{"ExposureInEffect/TLSSecretMissing", kept}, false},
		"it was not seen":      {func(s *State) Findings { return s.Observe(works, failed) }, []string{"etcd is away"}, []string{"etcd is away", kept}, false},
		"it was refused":       {func(s *State) Findings { return s.Unapplied(refused) }, []string{"Exposed/Rejected"}, []string{"ExposureInEffect/Rejected", kept}, false},
		"there can be none":    {func(s *State) Findings { return s.Unrouted(unrouted) }, []string{"Accepted/GatewayMissing", "Exposed=False/GatewayMissing"}, []string{"ExposureInEffect/GatewayMissing", kept}, false},
	} {
		s := State{}
		if got := words(test.do(&s)); !slices.Equal(got, test.without) || s.Works != test.works {
			t.Errorf("%s, and there is no other: got %q, and that it works: %v", name, got, s.Works)
		}
		old := named(KindIngress, "x", "a.test", "b.test")
		s = State{Old: &old}
		found := test.do(&s)
		if got := words(found); !slices.Equal(got, test.old) || s.Works != test.works {
			t.Errorf("%s, and an old one is kept: got %q, and that it works: %v", name, got, s.Works)
		}
		for _, c := range found.Conditions {
			const want = "Ingress x routes a.test, b.test to the server as before. Condition ExposureInEffect says why the spec is not followed yet."
			if c.Reason == v1alpha1.ReasonRouteKept && c.Message != want {
				t.Errorf("%s: got %q", name, c.Message)
			}
		}
	}
	if unrouted.Condition != v1alpha1.ConditionAccepted || refused.Condition != v1alpha1.ConditionExposed {
		t.Error("what was handed in speaks of another condition now")
	}
}

func TestARouteIsKeptByWhichClientsReachThePublishedURL(t *testing.T) {
	t.Parallel()
	idle, unknown := named(KindIngress, "idle"), named(KindIngress, "unknown")
	idle.works, unknown.Published = false, false
	gone, kept, other := named(KindIngress, "lost"), named(KindIngress, "kept"), named(KindHTTPRoute, "wanted")
	for name, test := range map[string]struct {
		routes []Route
		kind   string
		want   string
		asked  string // of which it was asked whether they are lost
		fails  bool
	}{
		"none":                                {nil, KindIngress, "", "", false},
		"the wanted one":                      {[]Route{named(KindIngress, "wanted")}, KindIngress, "", "", false},
		"one of another kind with its name":   {[]Route{other}, KindIngress, "wanted", "wanted", false},
		"the wanted one where none is wanted": {[]Route{named(KindIngress, "wanted")}, "", "wanted", "wanted", false},
		"one that does not work":              {[]Route{idle}, KindIngress, "", "", false},
		"one that clients do not know":        {[]Route{unknown}, KindIngress, "", "", false},
		"one whose host is lost":              {[]Route{gone}, KindIngress, "", "lost", false},
		"the first":                           {[]Route{idle, gone, kept, other}, KindIngress, "kept", "lost kept", false},
		"it cannot be found out":              {[]Route{kept}, KindIngress, "kept", "kept", true},
	} {
		s := State{Routes: test.routes, RouteName: "wanted", Old: &gone}
		var asked []string
		err := s.KeepOld(test.kind, func(found *Route) (bool, error) {
			asked = append(asked, found.GetName())
			if test.fails {
				return false, errors.New("no")
			}
			return found.GetName() == "lost", nil
		})
		got := ""
		if s.Old != nil {
			got = s.Old.GetName()
		}
		if got != test.want || strings.Join(asked, " ") != test.asked || (err != nil) != test.fails {
			t.Errorf("%s: got %q after %q and %v", name, got, asked, err)
		}
	}
}

func TestRoutesGoOnceTheWantedOneWorksOrTheirHostIsLost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ wanted, lost, works, want bool }{
		{true, false, false, true}, {true, true, true, true},
		{false, false, false, true}, {false, true, false, false}, {false, false, true, false}, {false, true, true, false},
	} {
		if got := (&State{Works: test.works}).Stays(test.wanted, test.lost); got != test.want {
			t.Errorf("of %+v it stays: %v", test, got)
		}
	}
}

func TestATenantUsesTheHostsThatItHasOrRoutes(t *testing.T) {
	t.Parallel()
	s := State{Hosts: hosts.Claims{Main: "a.test", Additional: []string{"b.test"}}, Routes: []Route{named(KindIngress, "x", "c.test", "d.test")}}
	for host, want := range map[string]bool{"a.test": true, "b.test": true, "c.test": true, "d.test": true, "e.test": false} {
		if got := s.Uses(host); got != want {
			t.Errorf("it uses %s: %v", host, got)
		}
	}
	for claims, want := range map[*hosts.Claims]bool{{}: false, {Undecided: true}: true, {Unsure: true}: true} {
		if got := (&State{Hosts: *claims}).Unknown(); got != want {
			t.Errorf("of %+v it is not known: %v", *claims, got)
		}
	}
	s.Tenant = tenantWith(v1alpha1.Exposure{})
	s.Tenant.Status.TenantURL = "https://d.test/scim/v2"
	s.Found([]Route{named(KindIngress, "x", "c.test", "d.test"), named(KindIngress, "y", "e.test"), named(KindIngress, "z")})
	var published []bool
	for _, found := range s.Routes {
		published = append(published, found.Published)
	}
	if !reflect.DeepEqual(published, []bool{true, false, false}) {
		t.Errorf("published are %v", published)
	}
}
