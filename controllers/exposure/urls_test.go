package exposure

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/hosts"
)

// urls is of a tenant with this Tenant URL that should have that one.
func urls(before, wanted string) *State {
	s := &State{Tenant: &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Generation: 2}}, TenantURL: wanted}
	s.Tenant.Status.TenantURL = before
	return s
}

func TestTheTenantURLIsPublishedWhenItIsTrueAndStaysWhileTheServerRestarts(t *testing.T) {
	required := []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionServerAvailable, v1alpha1.ConditionExposed}
	all := func(status metav1.ConditionStatus, generation int64) []metav1.Condition {
		var list []metav1.Condition
		for _, conditionType := range required {
			list = append(list, metav1.Condition{Type: conditionType, Status: status, ObservedGeneration: generation})
		}
		return list
	}
	but := func(reason string) []metav1.Condition {
		list := all(metav1.ConditionTrue, 2)
		exposed := meta.FindStatusCondition(list, v1alpha1.ConditionExposed)
		exposed.Status, exposed.Reason = metav1.ConditionFalse, reason
		return list
	}
	const a, b = "https://a/scim/v2", "https://b/scim/v2"
	for name, test := range map[string]struct {
		before, wanted string
		conditions     []metav1.Condition
		old            bool
		want           string
		served         bool
	}{
		"not before all is ready":                  {"", a, all(metav1.ConditionFalse, 2), false, "", false},
		"not on old news":                          {"", a, all(metav1.ConditionTrue, 1), false, "", false},
		"once all is ready":                        {"", a, all(metav1.ConditionTrue, 2), false, a, false},
		"still while the server restarts":          {a, a, all(metav1.ConditionFalse, 2), false, a, false},
		"still while a controller takes its time":  {a, a, but("WaitingForGateway"), false, a, false},
		"withdrawn when the host changes":          {a, b, all(metav1.ConditionFalse, 2), false, "", false},
		"still while the old route works":          {a, b, but("WaitingForGateway"), true, a, false},
		"the new one when that is ready":           {a, b, all(metav1.ConditionTrue, 2), false, b, false},
		"withdrawn when the host is taken":         {a, "", all(metav1.ConditionFalse, 2), false, "", false},
		"withdrawn when the Gateway API goes":      {a, a, but("GatewayAPIMissing"), false, "", false},
		"withdrawn when a Gateway refuses":         {a, a, but("RouteRejected"), false, "", false},
		"withdrawn when no Gateway is named":       {a, a, but("GatewayMissing"), false, "", false},
		"not while the old route works, whatever":  {a, a, but("GatewayAPIMissing"), true, a, false},
		"still while the route serves it besides":  {a, b, but("WaitingForIngressController"), false, a, true},
		"not when nothing serves it besides":       {a, b, but("GatewayAPIMissing"), false, "", true},
		"the new one, though the route has both":   {a, b, all(metav1.ConditionTrue, 2), false, b, true},
		"nothing is wanted, though all looks well": {"", "", all(metav1.ConditionTrue, 2), false, "", false},
	} {
		s := urls(test.before, test.wanted)
		if test.old {
			s.Old = &Route{}
		}
		if test.served {
			s.Hosts.Additional = []string{"a"}
		}
		if got, _ := s.Publish(test.conditions, required); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestAdditionalURLsArePublishedOnceTheRouteToThemWorks(t *testing.T) {
	t.Parallel()
	const a, b, c = "https://a/scim/v2", "https://b/scim/v2", "https://c/scim/v2"
	for name, test := range map[string]struct {
		before, wanted []string
		tenantURL      string
		works          bool
		want           []string
	}{
		"none":                                {nil, nil, a, true, nil},
		"not before the tenant has a URL":     {nil, []string{b}, "", true, nil},
		"not before the route has them":       {[]string{a}, []string{b, c}, a, false, nil},
		"once it has":                         {[]string{a}, []string{b, c}, a, true, []string{b, c}},
		"still while a controller takes time": {[]string{a, b}, []string{b, c}, a, false, []string{b}},
		"no more when it is not wanted":       {[]string{a, b}, []string{c}, a, false, nil},
		"the Tenant URL of before":            {[]string{b, a}, []string{a}, b, false, []string{a}},
		"not the Tenant URL":                  {[]string{b, a}, []string{a}, a, true, nil},
	} {
		if got := publishedURLs(test.before, test.wanted, test.tenantURL, test.works); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// Microsoft Entra ID goes on asking the URL that was pasted there, whatever the resource says.
func TestAnotherTenantURLIsToldWhenTheOneThatEntraHasEnds(t *testing.T) {
	t.Parallel()
	const a, b, service = "https://a.example.com/scim/v2", "https://b.example.com/scim/v2", "http://contoso-scim.customers.svc/scim/v2"
	for name, test := range map[string]struct {
		before, wanted, after string
		told                  bool
	}{
		"the first":                                {"", a, a, false},
		"the same":                                 {a, a, a, false},
		"the new one is not there yet":             {a, b, "", true},
		"the new one is there":                     {a, b, b, true},
		"the old route works until then":           {a, b, a, false},
		"the new one comes after a while":          {"", b, b, false}, // told when the one before ended
		"no route by the operator any more":        {a, service, service, true},
		"the host is exposed":                      {service, a, "", true},
		"the host is lost":                         {a, "", "", false}, // conditions tell of that
		"the host is regained":                     {"", a, a, false},
		"nothing leads there, which may come back": {a, a, "", false},
	} {
		if got := urls(test.before, test.wanted).Changed(test.after, nil); (got != "") != test.told ||
			test.told && (!strings.Contains(got, "goes on asking the old one") || !strings.Contains(got, test.before) || !strings.Contains(got, test.wanted)) {
			t.Errorf("%s: got %q, want something told: %v", name, got, test.told)
		}
	}
	if got := urls(a, b).Changed(b, []string{a}); !strings.Contains(got, "The old one works as long as") {
		t.Errorf("got %q of a Tenant URL that clients reach besides", got)
	}
}

func TestURLsArePublishedByWhatTheTenantHasAndHad(t *testing.T) {
	t.Parallel()
	const a, b, c = "https://a/scim/v2", "https://b/scim/v2", "https://c/scim/v2"
	s := urls(a, b)
	s.Tenant.Status.AdditionalURLs = []string{c}
	s.Hosts = hosts.Claims{Main: "b", Additional: []string{"a", "c", "d"}}
	exposed := []metav1.Condition{{Type: v1alpha1.ConditionExposed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForGateway, ObservedGeneration: 2}}
	if got, additional := s.Publish(exposed, []string{v1alpha1.ConditionExposed}); got != a || !slices.Equal(additional, []string{c}) {
		t.Errorf("while the route waits there are %s and %q", got, additional)
	}
	s.Works, exposed[0].Status = true, metav1.ConditionTrue
	if got, additional := s.Publish(exposed, []string{v1alpha1.ConditionExposed}); got != b || !slices.Equal(additional, []string{a, c, "https://d/scim/v2"}) {
		t.Errorf("once it works there are %s and %q", got, additional)
	}
	s.Old = &Route{} // on its way out
	if got, _ := s.Publish(exposed, []string{v1alpha1.ConditionExposed}); got != b {
		t.Errorf("while the old route goes there is %s", got)
	}
	if got, _ := urls(a, a).Publish(nil, nil); got != a {
		t.Errorf("where nothing is required there is %s", got)
	}
	if got, _ := urls(a, b).Publish(nil, []string{v1alpha1.ConditionExposed}); got != "" {
		t.Errorf("where nothing is known of the route there is %s", got)
	}
}

func TestWhileAnOldRouteIsKeptItsURLIsHandedOut(t *testing.T) {
	t.Parallel()
	s := urls("https://a/scim/v2", "https://b/scim/v2")
	if got := s.HandedURL(); got != s.TenantURL {
		t.Errorf("got %s", got)
	}
	s.Old = &Route{}
	if got := s.HandedURL(); got != s.Tenant.Status.TenantURL {
		t.Errorf("with an old route there is %s", got)
	}
}
