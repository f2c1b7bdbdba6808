package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

func TestUserDefaultsAreAcceptedOnlyIfTheyFitTheTenant(t *testing.T) {
	tenant := &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Name: "contoso"},
		Spec:       v1alpha1.ProvisioningTenantSpec{Catalog: v1alpha1.Catalog{Companies: []string{"Contoso AB"}, Roles: []string{"approver"}}},
	}
	refuse := func(v1alpha1.Schema, string) error { return errors.New("the parser's words") }
	options := Options{
		CheckFilter:    func(v1alpha1.Schema, string) error { return nil },
		CheckAttribute: func(v1alpha1.Schema, string, string) error { return nil },
	}
	for name, test := range map[string]struct {
		spec    v1alpha1.UserDefaultsSpec
		options Options
		reason  string
		message string
	}{
		"all is well":       {v1alpha1.UserDefaultsSpec{Companies: []string{"Contoso AB"}, Roles: []string{"approver"}}, options, "", ""},
		"unknown company":   {v1alpha1.UserDefaultsSpec{Companies: []string{"contoso ab"}}, options, "UnknownCompany", `spec.companies: "contoso ab" must be in spec.catalog.companies of ProvisioningTenant contoso.`},
		"unknown role":      {v1alpha1.UserDefaultsSpec{Companies: []string{"Contoso AB"}, Roles: []string{"boss"}}, options, "UnknownRole", `spec.roles: "boss" must be in spec.catalog.roles of ProvisioningTenant contoso.`},
		"invalid filter":    {v1alpha1.UserDefaultsSpec{Filter: "("}, Options{CheckFilter: refuse}, "InvalidFilter", "spec.filter must be a SCIM filter over users: the parser's words."},
		"invalid attribute": {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "emails", Value: "x"}}}, Options{CheckAttribute: func(v1alpha1.Schema, string, string) error { return errors.New("has several values") }}, "InvalidAttribute", `spec.attributes["emails"]: has several values.`},
		"unknown time zone": {v1alpha1.UserDefaultsSpec{Timezone: "Mars/Base"}, Options{CheckAttribute: func(_ v1alpha1.Schema, path, value string) error { return errors.New(path + " is not " + value) }}, "InvalidAttribute", `spec.timezone: timezone is not Mars/Base.`},
		"several mistakes": {
			v1alpha1.UserDefaultsSpec{Companies: []string{"X", "Contoso AB"}, Roles: []string{"boss"}, Filter: "(", Locale: "xx"},
			Options{CheckFilter: refuse, CheckAttribute: func(v1alpha1.Schema, string, string) error { return errors.New("wrong") }}, "UnknownCompany",
			`spec.companies: "X" must be in spec.catalog.companies of ProvisioningTenant contoso. spec.roles: "boss" must be in spec.catalog.roles of ` +
				`ProvisioningTenant contoso. spec.filter must be a SCIM filter over users: the parser's words. spec.locale: wrong.`,
		},
		// bug class 10: an unknown enum value taken for the default.
		"apply of a newer version": {v1alpha1.UserDefaultsSpec{Apply: "Sometimes"}, options, "Unsupported", `spec.apply "Sometimes" is of a newer version: upgrade the operator or choose OnCreate or Always.`},
	} {
		t.Run(name, func(t *testing.T) {
			got := accept(&v1alpha1.UserDefaults{Spec: test.spec}, tenant, test.options)
			switch {
			case got == nil && test.reason != "":
				t.Errorf("accepted, want %s", test.reason)
			case got != nil && (got.Reason != test.reason || got.Message != test.message):
				t.Errorf("got %s: %s\nwant %s: %s", got.Reason, got.Message, test.reason, test.message)
			}
		})
	}
}

func TestTheRouteIsJudgedByWhatTheClusterSays(t *testing.T) {
	written := func(generation int64) *scope {
		return &scope{host: "a.test", written: map[string]int64{kindIngress: generation}, memory: &memory{}}
	}
	admitted := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	admitted.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	for name, test := range map[string]struct {
		got  metav1.Condition
		want string
	}{
		"admitted":                {exposed(admitted, "contoso-scim", written(0), ""), "True/IngressReady"},
		"admitted before a write": {exposed(admitted, "contoso-scim", written(3), ""), "False/WaitingForIngressController"},
		"not admitted":            {exposed(&networkingv1.Ingress{}, "contoso-scim", written(0), ""), "False/WaitingForIngressController"},
	} {
		if got := string(test.got.Status) + "/" + test.got.Reason; got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestTheTenantURLIsPublishedWhenItIsTrueAndStaysWhileTheServerRestarts(t *testing.T) {
	all := func(status metav1.ConditionStatus, generation int64) []metav1.Condition {
		var list []metav1.Condition
		for _, conditionType := range requiredForTenant {
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
		if got := publishedURL(test.before, test.wanted, test.conditions, 2, test.old, test.served); got != test.want {
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
		if got := changedURL(test.before, test.wanted, test.after, nil); (got != "") != test.told ||
			test.told && (!strings.Contains(got, test.before) || !strings.Contains(got, test.wanted)) {
			t.Errorf("%s: got %q, want something told: %v", name, got, test.told)
		}
	}
	if got := changedURL(a, b, b, []string{a}); !strings.Contains(got, "The old one works as long as") {
		t.Errorf("got %q of a Tenant URL that clients reach besides", got)
	}
}

func TestErrorsAreSortedIntoThoseOfAPersonThoseThatPassAndOurOwn(t *testing.T) {
	resource := schema.GroupResource{Resource: "deployments"}
	kind := schema.GroupKind{Kind: "Deployment"}
	terminating := apierrors.NewForbidden(resource, "x", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		err      error
		reason   string
		gone     bool
		outdated bool
		failed   bool
		requeue  bool
	}{
		"a stranger's object":      {err: &apply.NotOursError{Kind: "Service", Name: "x"}, reason: "NameConflict", requeue: true},
		"an object on its way out": {err: &apply.GoingError{Kind: "Service", Name: "x", Finalizers: []string{"example.com/hold"}}, reason: "Progressing", requeue: true},
		"invalid":                  {err: apierrors.NewInvalid(kind, "x", nil), reason: "Rejected"},
		"forbidden":                {err: apierrors.NewForbidden(resource, "x", errors.New("quota")), reason: "Rejected", requeue: true},
		// bug class 13: creates fail while the namespace goes, and that is no error.
		"the namespace is going": {err: terminating, gone: true},
		// bug class 18: a conflict is no failure.
		"a conflict":            {err: fmt.Errorf("apply it: %w", apierrors.NewConflict(resource, "x", errors.New("old"))), outdated: true},
		"it was made meanwhile": {err: apierrors.NewAlreadyExists(resource, "x"), outdated: true},
		"the API server failed": {err: apierrors.NewInternalError(errors.New("etcd")), failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scope{}
			// A wrapped error is sorted like a bare one.
			s.fail(problem.Classify(errors.Join(test.err), v1alpha1.ConditionServerAvailable, v1alpha1.ReasonRejected))
			if s.outcome.gone != test.gone || s.outcome.onlyOutdated() != test.outdated || (len(s.outcome.failed) > 0) != test.failed {
				t.Errorf("got %+v", s.outcome)
			}
			if test.reason != "" && (len(s.conditions) != 1 || s.conditions[0].Reason != test.reason) {
				t.Errorf("got the conditions %+v, want reason %s", s.conditions, test.reason)
			}
			result, err := s.outcome.result()
			if (result.RequeueAfter > 0) != test.requeue {
				t.Errorf("requeue after %v, want one: %v", result.RequeueAfter, test.requeue)
			}
			if (err != nil) != test.failed {
				t.Errorf("got the error %v, want one only where the operator failed: it is logged, counted and alerted of", err)
			}
		})
	}
}
