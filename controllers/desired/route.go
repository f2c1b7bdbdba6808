package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Place is where the route is: its class, or its Gateways and its hosts. A route that is to be elsewhere is another object, since the status
// of the one before says nothing of the new place. A host moves with its Ingress, whose controller says nothing about hosts, and which owns
// the certificate that cert-manager made.
func Place(t Tenant) string {
	if len(t.Gateways) == 0 {
		return t.IngressClass
	}
	return gateways(t) + strings.Join(t.hosts(), ",")
}

// IsPlaceOf tells whether a route at that place is the tenant's as it should be: in the class, or on the Gateways and for the host. Which additional
// hosts it has does not matter, so a tenant may change them, or take one of them for its host, without another route.
func IsPlaceOf(t Tenant, place string) bool {
	if len(t.Gateways) == 0 {
		return place == t.IngressClass
	}
	hosts, on := strings.CutPrefix(place, gateways(t))
	return on && slices.Contains(strings.Split(hosts, ","), t.Host)
}

// gateways names the Gateways, each with a space after it.
func gateways(t Tenant) string {
	var place strings.Builder
	for _, gateway := range t.Gateways {
		if gateway.Kind != v1alpha1.KindGateway {
			fmt.Fprintf(&place, "%s/", gateway.Kind)
		}
		fmt.Fprintf(&place, "%s/%s#%s", gateway.Namespace, gateway.Name, gateway.SectionName)
		if gateway.Port != 0 {
			fmt.Fprintf(&place, ":%d", gateway.Port)
		}
		place.WriteByte(' ')
	}
	return place.String()
}

func routeName(t Tenant) string { return cmp.Or(t.RouteName, ServerName(t.Resource.Name)) }

// HTTPRoute routes the hosts to the Service by the Gateway API: the same paths as [Ingress] and no others.
func HTTPRoute(t Tenant) *gatewayv1ac.HTTPRouteApplyConfiguration {
	match := func(path string, match gatewayv1.PathMatchType) *gatewayv1ac.HTTPRouteMatchApplyConfiguration {
		return gatewayv1ac.HTTPRouteMatch().WithPath(gatewayv1ac.HTTPPathMatch().WithType(match).WithValue(path))
	}
	rule := gatewayv1ac.HTTPRouteRule().
		WithMatches(
			match(v1alpha1.BasePath, gatewayv1.PathMatchPathPrefix),
			match(v1alpha1.FrontPagePath, gatewayv1.PathMatchExact)).
		WithBackendRefs(gatewayv1ac.HTTPBackendRef().
			WithGroup("").WithKind("Service").WithName(gatewayv1.ObjectName(ServerName(t.Resource.Name))).WithPort(servicePort).WithWeight(1))
	if issuesTokens(t.Resource) {
		rule.WithMatches(
			match(v1alpha1.TokenPath, gatewayv1.PathMatchExact),
			match(v1alpha1.OAuthMetadataPath, gatewayv1.PathMatchExact))
	}
	spec := gatewayv1ac.HTTPRouteSpec().WithRules(rule)
	for _, host := range t.hosts() {
		spec.WithHostnames(gatewayv1.Hostname(host))
	}
	for _, gateway := range t.Gateways {
		parent := gatewayv1ac.ParentReference().
			WithGroup(gatewayv1.Group(gateway.Group)).WithKind(gatewayv1.Kind(gateway.Kind)).
			WithNamespace(gatewayv1.Namespace(gateway.Namespace)).WithName(gatewayv1.ObjectName(gateway.Name))
		if gateway.SectionName != "" {
			parent.WithSectionName(gatewayv1.SectionName(gateway.SectionName))
		}
		if gateway.Port != 0 {
			parent.WithPort(gateway.Port)
		}
		spec.WithParentRefs(parent)
	}
	return gatewayv1ac.HTTPRoute(routeName(t), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithAnnotations(map[string]string{AnnotationPlace: Place(t)}).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(spec)
}
