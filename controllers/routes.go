package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// A route that is to be elsewhere, of another kind, class or on other Gateways, is another object. The one before stays until the new one
// works, and then goes.

const (
	kindIngress   = "Ingress"
	kindHTTPRoute = "HTTPRoute"
)

// route is an Ingress or HTTPRoute that a tenant owns.
type route struct {
	client.Object
	kind  string
	hosts []string
	// place is where it is: a class, or Gateways and the hosts. Where somebody else wrote the annotation that says so, moved is true: it is
	// where the route in its place should be, and is mended there.
	place string
	moved bool
	// class is that of an Ingress as it is, where admission fills in the default one.
	class string
	// works tells whether somebody routes by it, as far as its status says, and published whether the published Tenant URL has one of its hosts.
	works, published bool
}

// ownRoutes are the routes of the tenant, orphaned ones among them.
func (r *ProvisioningTenantReconciler) ownRoutes(ctx context.Context, s *scope) ([]route, error) {
	routes, err := r.routesOf(ctx, s.tenant)
	if err != nil {
		return nil, err
	}
	orphans, err := r.routesIn(ctx, s.tenant.Namespace, apply.OrphansOf(s.tenant.Name))
	orphans = slices.DeleteFunc(orphans, func(found route) bool { return !s.owner.Owns(found, nil) })
	routes = append(routes, orphans...)
	for i := range routes {
		routes[i].published = slices.ContainsFunc(routes[i].hosts, func(host string) bool {
			return desired.TenantURL(s.tenant, host) == s.tenant.Status.TenantURL
		})
	}
	return routes, err
}

// routesOf are the routes that the tenant controls, as the cache has them.
func (r *ProvisioningTenantReconciler) routesOf(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) ([]route, error) {
	return r.routesIn(ctx, tenant.Namespace, string(tenant.UID))
}

// routesIn are the routes in a namespace for a value of the index by controller.
func (r *ProvisioningTenantReconciler) routesIn(ctx context.Context, namespace, controller string) ([]route, error) {
	return r.listRoutes(ctx, client.InNamespace(namespace), client.MatchingFields{apply.ControllerIndex: controller})
}

// listRoutes are routes as the cache has them.
func (r *ProvisioningTenantReconciler) listRoutes(ctx context.Context, options ...client.ListOption) ([]route, error) {
	var ingresses networkingv1.IngressList
	if err := r.List(ctx, &ingresses, options...); err != nil {
		return nil, fmt.Errorf("list Ingresses: %w", err)
	}
	var httpRoutes gatewayv1.HTTPRouteList
	if r.Gateways.available() {
		if err := r.List(ctx, &httpRoutes, options...); err != nil {
			return nil, fmt.Errorf("list HTTPRoutes: %w", err)
		}
	}
	var routes []route
	for i := range ingresses.Items {
		routes = append(routes, routeOf(&ingresses.Items[i]))
	}
	for i := range httpRoutes.Items {
		routes = append(routes, routeOf(&httpRoutes.Items[i]))
	}
	routes = slices.DeleteFunc(routes, func(found route) bool { return found.GetDeletionTimestamp() != nil })
	for i := range routes {
		routes[i].place = routes[i].GetAnnotations()[desired.AnnotationPlace]
		routes[i].moved = !apply.Manages(routes[i], "f:"+desired.AnnotationPlace)
	}
	return routes, nil
}

// routeOf reads an Ingress or HTTPRoute, but for its place.
func routeOf(object client.Object) route {
	found := route{Object: object}
	switch object := object.(type) {
	case *networkingv1.Ingress:
		found.kind, found.works, found.class = kindIngress, len(object.Status.LoadBalancer.Ingress) > 0, ptr.Deref(object.Spec.IngressClassName, "")
		for _, rule := range object.Spec.Rules {
			found.hosts = append(found.hosts, rule.Host)
		}
	case *gatewayv1.HTTPRoute:
		found.kind, found.works = kindHTTPRoute, slices.ContainsFunc(object.Status.Parents, takesRoute)
		for _, host := range object.Spec.Hostnames {
			found.hosts = append(found.hosts, string(host))
		}
	}
	return found
}

// indexRoute finds routes by their hosts.
func indexRoute(object client.Object) []string { return routeOf(object).hosts }

// takesRoute tells whether a controller has taken the route, whichever version of it.
func takesRoute(entry gatewayv1.RouteParentStatus) bool {
	return isTrue(entry.Conditions, string(gatewayv1.RouteConditionAccepted)) && isTrue(entry.Conditions, string(gatewayv1.RouteConditionResolvedRefs))
}

func isTrue(all []metav1.Condition, conditionType string) bool {
	return slices.ContainsFunc(all, func(c metav1.Condition) bool { return c.Type == conditionType && c.Status == metav1.ConditionTrue })
}

// routeName is the name for the tenant's route of that kind: that of the one which is in its place already, of two the one that is needed more, or a
// name that is free. Where both names are taken by routes elsewhere, the one that is needed less makes room.
func routeName(kind, first string, t desired.Tenant, routes []route) string {
	second := first + "-2"
	taken, there, spoiled := map[string]int{}, (*route)(nil), ""
	for _, found := range routes {
		switch {
		case found.kind != kind:
		case found.moved:
			spoiled = found.GetName()
		case desired.IsPlaceOf(t, found.place), kind == kindIngress && t.IngressClass != "" && found.class == t.IngressClass:
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
func (r *route) need() int {
	switch {
	case !r.works:
		return 0
	case !r.published:
		return 1
	default:
		return 2
	}
}

// kept is condition Exposed while the route is to go as soon as another works.
func (r *route) kept() metav1.Condition {
	return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteKept,
		fmt.Sprintf("%s %s routes %s to the server as before. Condition ExposureInEffect says why the spec is not followed yet.",
			r.kind, r.GetName(), strings.Join(r.hosts, ", ")))
}

// oldRoute returns a route by which the published Tenant URL is reached and that is not the wanted one, or nil.
func (r *ProvisioningTenantReconciler) oldRoute(ctx context.Context, s *scope, wantedKind string) (*route, error) {
	for i := range s.routes {
		found := &s.routes[i]
		if !found.works || !found.published || found.kind == wantedKind && found.GetName() == s.routeName {
			continue
		}
		if lost, err := r.lost(ctx, s, found); err != nil || !lost {
			return found, err
		}
	}
	return nil, nil
}

// pruneRoutes deletes the routes that are no longer wanted: all but the wanted one once that works. Until then only those go whose
// host is lost.
func (r *ProvisioningTenantReconciler) pruneRoutes(ctx context.Context, s *scope) error {
	var stay []route
	for _, found := range s.routes {
		wanted := slices.ContainsFunc(s.children, func(child apply.Child) bool { return child.Kind() == found.kind && child.Name() == found.GetName() })
		lost, err := r.lost(ctx, s, &found)
		if err != nil {
			return err
		}
		if wanted || !s.exposed && !lost {
			stay = append(stay, found)
		} else if err := s.owner.Delete(ctx, found.kind, found.Object); err != nil {
			return err
		}
	}
	s.routes = stay
	return nil
}

// lost tells whether the route takes requests from another tenant, by any of its hosts.
func (r *ProvisioningTenantReconciler) lost(ctx context.Context, s *scope, found *route) (bool, error) {
	for _, host := range found.hosts {
		if s.claims.Has(host) {
			continue // whatever the cache has of its Lease
		}
		if lost, err := r.lostHost(ctx, s, host, found.published); err != nil || lost {
			return lost, err
		}
	}
	return false, nil
}

// lostHost tells whether a route for the host takes requests from another tenant.
func (r *ProvisioningTenantReconciler) lostHost(ctx context.Context, s *scope, host string, published bool) (bool, error) {
	lease, err := r.hostLease(ctx, r, host)
	if err != nil {
		return false, err
	}
	record, me := hosts.ReadLease(lease), hosts.HolderOf(s.tenant)
	gone, err := r.holderGone(ctx, record, me)
	return err == nil && record.Lost(me, published, gone), err
}

// letGoUnused lets go of the hosts that the tenant neither claims nor routes any more.
func (r *ProvisioningTenantReconciler) letGoUnused(ctx context.Context, s *scope) error {
	if s.claims.Undecided || s.claims.Unsure || s.storage.Engine == "" {
		return nil // its routes were not looked at
	}
	next, err := r.letGo(ctx, hosts.HolderOf(s.tenant), func(host string) bool {
		return s.claims.Has(host) || slices.ContainsFunc(s.routes, func(found route) bool { return slices.Contains(found.hosts, host) })
	})
	s.outcome.at(next, r.Options.Clock.Now())
	return err
}
