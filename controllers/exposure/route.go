package exposure

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// The kinds of routes.
const (
	KindIngress   = "Ingress"
	KindHTTPRoute = "HTTPRoute"
)

// Object is an object of any kind.
type Object interface {
	metav1.Object
	runtime.Object
}

// Route is an Ingress or HTTPRoute that a tenant owns.
type Route struct {
	Object
	Kind  string
	Hosts []string
	// place is where it is: a class, or Gateways and the hosts. Where somebody else wrote the annotation that says so, moved is true: it is
	// where the route in its place should be, and is mended there.
	place string
	moved bool
	// Class is that of an Ingress as it is, where admission fills in the default one.
	Class string
	// works tells whether somebody routes by it, as far as its status says or is assumed.
	works bool
	// Published tells whether the published Tenant URL has one of its hosts.
	Published bool
}

// ReadRoute reads an Ingress or HTTPRoute.
func ReadRoute(object Object) Route {
	found := Route{
		Object: object,
		place:  object.GetAnnotations()[desired.AnnotationPlace], moved: !apply.Manages(object, "f:"+desired.AnnotationPlace),
	}
	switch object := object.(type) {
	case *networkingv1.Ingress:
		found.Kind, found.Class = KindIngress, ptr.Deref(object.Spec.IngressClassName, "")
		found.works = len(object.Status.LoadBalancer.Ingress) > 0 || isAssumed(object)
		for _, rule := range object.Spec.Rules {
			found.Hosts = append(found.Hosts, rule.Host)
		}
	case *gatewayv1.HTTPRoute:
		found.Kind, found.works = KindHTTPRoute, slices.ContainsFunc(object.Status.Parents, takesRoute)
		for _, host := range object.Spec.Hostnames {
			found.Hosts = append(found.Hosts, string(host))
		}
	}
	return found
}

// isAssumed tells whether an Ingress counts as taken because the operator was told so.
func isAssumed(ingress *networkingv1.Ingress) bool {
	return ingress.Annotations[desired.AnnotationReadiness] == string(v1alpha1.ReadinessAssumed) &&
		apply.Manages(ingress, "f:"+desired.AnnotationReadiness)
}

// takesRoute tells whether a controller has taken the route, whichever version of it.
func takesRoute(entry gatewayv1.RouteParentStatus) bool {
	return isTrue(entry.Conditions, string(gatewayv1.RouteConditionAccepted)) && isTrue(entry.Conditions, string(gatewayv1.RouteConditionResolvedRefs))
}

func isTrue(all []metav1.Condition, conditionType string) bool {
	return slices.ContainsFunc(all, func(c metav1.Condition) bool { return c.Type == conditionType && c.Status == metav1.ConditionTrue })
}

// Found takes notice of the routes that the tenant owns.
func (s *State) Found(routes []Route) {
	for i := range routes {
		routes[i].Published = slices.ContainsFunc(routes[i].Hosts, func(host string) bool {
			return desired.TenantURL(s.Tenant, host) == s.Tenant.Status.TenantURL
		})
	}
	s.Routes = routes
}

// Kind is the kind of what leads to the tenant's host, "" where nothing should.
func Kind(t desired.Tenant) string {
	switch {
	case t.Host == "":
		return ""
	case len(t.Gateways) > 0:
		return KindHTTPRoute
	default:
		return KindIngress
	}
}

// NameRoute gives the tenant's route a name: that of the one which is in its place already, of two the one that is needed more, or a name that is free.
// Where both names are taken by routes elsewhere, the one that is needed less makes room.
func (s *State) NameRoute(t desired.Tenant) {
	if kind := Kind(t); kind != "" {
		s.RouteName = routeName(kind, desired.ServerName(t.Resource.Name), t, s.Routes)
	}
}

func routeName(kind, first string, t desired.Tenant, routes []Route) string {
	second := first + "-2"
	taken, there, spoiled := map[string]int{}, (*Route)(nil), ""
	for _, found := range routes {
		switch {
		case found.Kind != kind:
		case found.moved:
			spoiled = found.GetName()
		case desired.IsPlaceOf(t, found.place), kind == KindIngress && t.IngressClass != "" && found.Class == t.IngressClass:
			if there == nil || found.need() > there.need() {
				there = &found
			}
		default:
			taken[found.GetName()] = found.need()
		}
	}
	if there != nil {
		return there.GetName()
	}
	if spoiled != "" {
		return spoiled
	}
	for _, name := range []string{first, second} {
		if _, is := taken[name]; !is {
			return name
		}
	}
	if taken[first] > 0 && taken[first] >= taken[second] {
		return second
	}
	return first
}

// need is how much the tenant needs the route: not at all where it does not work, and most where clients know of it.
func (r *Route) need() int {
	switch {
	case !r.works:
		return 0
	case !r.Published:
		return 1
	default:
		return 2
	}
}
