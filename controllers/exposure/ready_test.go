package exposure

import (
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestTheCertificateIsLookedForUntilItWasFound(t *testing.T) {
	t.Parallel()
	withTLS := v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{SecretName: "cert"}}}
	for name, test := range map[string]struct {
		exposure   v1alpha1.Exposure
		reason     string // of Exposed before
		generation int64
		want       bool
	}{
		"there is none":                  {v1alpha1.Exposure{}, "", 0, false},
		"it was not looked at yet":       {withTLS, "", 0, true},
		"it was missing":                 {withTLS, v1alpha1.ReasonTLSSecretMissing, 2, true},
		"it was found":                   {withTLS, v1alpha1.ReasonWaitingForIngressController, 2, false},
		"it was found, and all is well":  {withTLS, v1alpha1.ReasonIngressReady, 2, false},
		"it was found, and is assumed":   {withTLS, v1alpha1.ReasonIngressAssumed, 2, false},
		"it was found for another spec":  {withTLS, v1alpha1.ReasonIngressReady, 1, true},
		"the same while nobody takes it": {withTLS, v1alpha1.ReasonWaitingForIngressController, 1, true},
	} {
		tenant := tenantWith(test.exposure)
		if test.reason != "" {
			tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionExposed, Reason: test.reason, ObservedGeneration: test.generation}}
		}
		if got := NeedsCertificate(tenant); got != test.want {
			t.Errorf("%s: it is looked for: %v", name, got)
		}
	}
}

func TestAMissingCertificateIsToldWithWhoIsToMakeIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tls  v1alpha1.IngressTLS
		want string
	}{
		"a person": {v1alpha1.IngressTLS{SecretName: "cert"}, "Secret cert in spec.exposure.ingress.tls does not exist or has no tls.crt: create it."},
		"an issuer": {v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "acme"}}, "The issuer acme has not made Secret contoso-tls yet. " +
			"If this lasts, see whether cert-manager runs, and kubectl describe certificate -n customers contoso-tls."},
	} {
		got := NoCertificate(tenantWith(v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{TLS: &test.tls}}))
		if got.Message != test.want || got.Condition != v1alpha1.ConditionExposed || got.Reason != v1alpha1.ReasonTLSSecretMissing || got.After != recheckTLS {
			t.Errorf("%s: got %+v", name, *got)
		}
	}
}

func TestAnEndpointIsLookedForWhenTheServerBecomesAvailableOrTheRouteWorks(t *testing.T) {
	t.Parallel()
	conditions := func(list string) (all []metav1.Condition) {
		for conditionType := range strings.FieldsSeq(list) {
			all = append(all, metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue})
		}
		return all
	}
	for name, test := range map[string]struct {
		before, now string
		want        bool
	}{
		"the server is not available":        {"", "", false},
		"it is, and was not":                 {"Exposed", "ServerAvailable", true},
		"it was, and the route did not work": {"ServerAvailable", "ServerAvailable", true},
		"all was well":                       {"ServerAvailable Exposed", "ServerAvailable", false},
		"all was well, and it is away":       {"ServerAvailable Exposed", "", false},
	} {
		if got := NeedsEndpoint(conditions(test.before), conditions(test.now)); got != test.want {
			t.Errorf("%s: it is looked for: %v", name, got)
		}
	}
}

func TestAnEndpointIsReadyUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	endpoint := func(ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: ready}}
	}
	for name, test := range map[string]struct {
		endpoints []discoveryv1.Endpoint
		want      bool
	}{
		"none":                {nil, false},
		"one that is ready":   {[]discoveryv1.Endpoint{endpoint(new(true))}, true},
		"one that says no":    {[]discoveryv1.Endpoint{endpoint(new(false))}, false},
		"one that is silent":  {[]discoveryv1.Endpoint{endpoint(nil)}, true},
		"the second is ready": {[]discoveryv1.Endpoint{endpoint(new(false)), endpoint(new(true))}, true},
	} {
		if got := HasEndpoint([]discoveryv1.EndpointSlice{{}, {Endpoints: test.endpoints}}); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	got := NoEndpoint("contoso-scim")
	if got.Condition != v1alpha1.ConditionExposed || got.Reason != v1alpha1.ReasonWaitingForEndpoints || got.After != recheckEndpoints ||
		!strings.Contains(got.Message, "contoso-scim") {
		t.Errorf("got %+v", *got)
	}
}
