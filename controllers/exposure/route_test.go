package exposure

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

func TestARouteElsewhereIsAnotherObject(t *testing.T) {
	at := func(name, place string, works bool) Route {
		return Route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, Kind: KindIngress, place: place, works: works}
	}
	defaulted := func(r Route, class string) Route {
		r.Class = class
		return r
	}
	published := func(r Route) Route {
		r.Published = true
		return r
	}
	for name, test := range map[string]struct {
		routes []Route
		want   string
	}{
		"the first":                                          {nil, "x"},
		"as before":                                          {[]Route{at("x", "traefik", false)}, "x"},
		"as before, under the second name":                   {[]Route{at("x-2", "traefik", true)}, "x-2"},
		"another class":                                      {[]Route{at("x", "nginx", true)}, "x-2"},
		"and back":                                           {[]Route{at("x-2", "nginx", true)}, "x"},
		"before the change came through":                     {[]Route{at("x", "nginx", true), at("x-2", "alb", false)}, "x-2"},
		"the same the other way round":                       {[]Route{at("x-2", "nginx", true), at("x", "alb", false)}, "x"},
		"back before the change came through":                {[]Route{at("x", "traefik", true), at("x-2", "alb", false)}, "x"},
		"the default class by its name":                      {[]Route{defaulted(at("x", "", true), "traefik")}, "x"},
		"another default class":                              {[]Route{defaulted(at("x", "", true), "nginx")}, "x-2"},
		"both work, and the second was not published yet":    {[]Route{published(at("x", "nginx", true)), at("x-2", "alb", true)}, "x-2"},
		"both work, and the first was not published yet":     {[]Route{published(at("x-2", "nginx", true)), at("x", "alb", true)}, "x"},
		"both work for one URL":                              {[]Route{published(at("x-2", "nginx", true)), published(at("x", "alb", true))}, "x-2"},
		"what was published works no more, and another does": {[]Route{published(at("x", "nginx", false)), at("x-2", "alb", true)}, "x"},
		"somebody wrote another place":                       {[]Route{{Object: at("x", "", true).Object, Kind: KindIngress, place: "elsewhere", moved: true}}, "x"},
		"both are there, as the class became the default":    {[]Route{at("x-2", "traefik", false), defaulted(at("x", "traefik", true), "traefik")}, "x"},
		"neither works, nor does either stay":                {[]Route{at("x", "nginx", false), at("x-2", "alb", false)}, "x"},
		"another class, of which nobody took it":             {[]Route{at("x", "nginx", false)}, "x-2"},
		"somebody wrote the place of the second":             {[]Route{{Object: at("x-2", "", true).Object, Kind: KindIngress, moved: true}}, "x-2"},
		"two are there, and the second works":                {[]Route{at("x", "traefik", false), at("x-2", "traefik", true)}, "x-2"},
		"two are there, and the first works":                 {[]Route{at("x", "traefik", true), at("x-2", "traefik", false)}, "x"},
		"two are there, and neither works":                   {[]Route{at("x", "traefik", false), at("x-2", "traefik", false)}, "x"},
		"another kind has the name":                          {[]Route{{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, Kind: KindHTTPRoute}}, "x"},
	} {
		if got := routeName(KindIngress, "x", desired.Tenant{IngressClass: "traefik"}, test.routes); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	} // No class is wanted, and admission has not filled the default one in.
	for place, want := range map[string]string{"": "x", "nginx": "x-2"} {
		if got := routeName(KindIngress, "x", desired.Tenant{}, []Route{at("x", place, true)}); got != want {
			t.Errorf("of the default class, and one is at %q: got %s, want %s", place, got, want)
		}
	}
}

func TestAnHTTPRouteStaysTheSameObjectAsLongAsItServesTheHost(t *testing.T) {
	const on = "edge/public# "
	tenant := func(host string, additional ...string) desired.Tenant {
		return desired.Tenant{Host: host, AdditionalHosts: additional, Gateways: []v1alpha1.GatewayReference{reference("Gateway", "edge", "public")}}
	}
	for name, test := range map[string]struct {
		place string
		now   desired.Tenant
		want  string
	}{
		"the same host":                {on + "a.test", tenant("a.test"), "x"},
		"another host":                 {on + "a.test", tenant("b.test"), "x-2"},
		"a host more":                  {on + "a.test", tenant("a.test", "b.test"), "x"},
		"a host less":                  {on + "a.test,b.test", tenant("a.test"), "x"},
		"the two change places":        {on + "a.test,b.test", tenant("b.test", "a.test"), "x"},
		"the one before goes":          {on + "a.test,b.test", tenant("b.test"), "x"},
		"another, and the one besides": {on + "a.test", tenant("b.test", "a.test"), "x-2"},
		"a part of a host's name":      {on + "a.test,b.testing", tenant("b.test"), "x-2"},
		"another Gateway":              {"edge/private# a.test", tenant("a.test"), "x-2"},
		"one Gateway more":             {on + "edge/private# a.test", tenant("a.test"), "x-2"},
		"another listener":             {"edge/public#tls a.test", tenant("a.test"), "x-2"},
		"a ListenerSet of that name":   {"ListenerSet/edge/public# a.test", tenant("a.test"), "x-2"},
		"a port":                       {"edge/public#:443 a.test", tenant("a.test"), "x-2"},
	} {
		there := Route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, Kind: KindHTTPRoute, place: test.place, works: true}
		if got := routeName(KindHTTPRoute, "x", test.now, []Route{there}); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestRoutesAreFoundByEachOfTheirHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		route Object
		want  []string
	}{
		"an Ingress":                {&networkingv1.Ingress{Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "a.test"}, {Host: "b.test"}}}}, []string{"a.test", "b.test"}},
		"an HTTPRoute":              {&gatewayv1.HTTPRoute{Spec: gatewayv1.HTTPRouteSpec{Hostnames: []gatewayv1.Hostname{"a.test", "b.test"}}}, []string{"a.test", "b.test"}},
		"an Ingress without rules":  {&networkingv1.Ingress{}, nil},
		"an HTTPRoute without host": {&gatewayv1.HTTPRoute{}, nil},
	} {
		if got := ReadRoute(test.route).Hosts; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestOfARouteItsStatusItsPlaceAndWhoWroteThatAreRead(t *testing.T) {
	t.Parallel()
	own := []metav1.ManagedFieldsEntry{{
		Manager: apply.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:` + desired.AnnotationPlace + `":{},"f:` + desired.AnnotationReadiness + `":{}}}}`),
	}}
	assumed := func(fields ...metav1.ManagedFieldsEntry) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "x", Annotations: map[string]string{desired.AnnotationReadiness: "Assumed"}, ManagedFields: fields}
	}
	meta := func(place string, fields []metav1.ManagedFieldsEntry) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "x", Annotations: map[string]string{desired.AnnotationPlace: place}, ManagedFields: fields}
	}
	said := func(conditions ...metav1.Condition) gatewayv1.HTTPRouteStatus {
		return gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{{}, {Conditions: conditions}}}}
	}
	accepted := metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue}
	resolved := metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionTrue}
	refused := metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionFalse}
	admitted := networkingv1.IngressStatus{LoadBalancer: networkingv1.IngressLoadBalancerStatus{Ingress: []networkingv1.IngressLoadBalancerIngress{{}}}}
	for name, test := range map[string]struct {
		object Object
		want   Route
	}{
		"an Ingress": {&networkingv1.Ingress{ObjectMeta: meta("nginx", own)}, Route{Kind: KindIngress, place: "nginx"}},
		"one that works": {
			&networkingv1.Ingress{ObjectMeta: meta("", own), Spec: networkingv1.IngressSpec{IngressClassName: new("traefik")}, Status: admitted},
			Route{Kind: KindIngress, Class: "traefik", works: true},
		},
		"one that is assumed to work": {&networkingv1.Ingress{ObjectMeta: assumed(own...)}, Route{Kind: KindIngress, works: true}},
		"one of which somebody else wrote that": {
			&networkingv1.Ingress{ObjectMeta: assumed(metav1.ManagedFieldsEntry{
				Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: own[0].FieldsV1,
			})},
			Route{Kind: KindIngress, moved: true},
		},
		"one whose place somebody else wrote": {&networkingv1.Ingress{ObjectMeta: meta("nginx", nil)}, Route{Kind: KindIngress, place: "nginx", moved: true}},
		"an HTTPRoute":                        {&gatewayv1.HTTPRoute{ObjectMeta: meta("edge/public# a", own)}, Route{Kind: KindHTTPRoute, place: "edge/public# a"}},
		"one that a controller takes":         {&gatewayv1.HTTPRoute{ObjectMeta: meta("", own), Status: said(accepted, resolved)}, Route{Kind: KindHTTPRoute, works: true}},
		"one whose Service it does not find":  {&gatewayv1.HTTPRoute{ObjectMeta: meta("", own), Status: said(accepted, refused)}, Route{Kind: KindHTTPRoute}},
		"one of which it says what it likes":  {&gatewayv1.HTTPRoute{ObjectMeta: meta("", own), Status: said(metav1.Condition{Type: "Fine", Status: metav1.ConditionTrue})}, Route{Kind: KindHTTPRoute}},
		"one that it does not accept":         {&gatewayv1.HTTPRoute{ObjectMeta: meta("", own), Status: said(resolved)}, Route{Kind: KindHTTPRoute}},
	} {
		got := ReadRoute(test.object)
		if got.Object != test.object || got.GetName() != "x" {
			t.Errorf("%s: it is of %v", name, got.Object)
		}
		if got.Kind != test.want.Kind || got.place != test.want.place || got.moved != test.want.moved || got.Class != test.want.Class || got.works != test.want.works {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestTheRouteOfATenantIsNamedLikeItsServer(t *testing.T) {
	t.Parallel()
	for kind, tenant := range map[string]desired.Tenant{
		"":            {},
		KindIngress:   {Host: "a.test"},
		KindHTTPRoute: {Host: "a.test", Gateways: []v1alpha1.GatewayReference{reference(v1alpha1.KindGateway, "edge", "public")}},
	} {
		if got := Kind(tenant); got != kind {
			t.Errorf("the kind is %q, want %q", got, kind)
		}
		tenant.Resource = tenantWith(v1alpha1.Exposure{})
		var s State
		if s.NameRoute(tenant); (s.RouteName == "contoso-scim") != (kind != "") {
			t.Errorf("of kind %q the name is %q", kind, s.RouteName)
		}
	}
}
