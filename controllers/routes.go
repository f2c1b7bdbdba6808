package controllers

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// findRoutes takes notice of the routes of the tenant, orphaned ones among them.
func (r *ProvisioningTenantReconciler) findRoutes(ctx context.Context, s *scope) error {
	routes, err := r.routesOf(ctx, s.tenant)
	if err != nil {
		return err
	}
	orphans, err := r.routesIn(ctx, s.tenant.Namespace, apply.OrphansOf(s.tenant.Name))
	orphans = slices.DeleteFunc(orphans, func(found exposure.Route) bool { return !s.owner.Owns(found, nil) })
	s.exposure.Found(append(routes, orphans...))
	return err
}

// routesOf are the routes that the tenant controls, as the cache has them.
func (r *ProvisioningTenantReconciler) routesOf(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) ([]exposure.Route, error) {
	return r.routesIn(ctx, tenant.Namespace, string(tenant.UID))
}

// routesIn are the routes in a namespace for a value of the index by controller.
func (r *ProvisioningTenantReconciler) routesIn(ctx context.Context, namespace, controller string) ([]exposure.Route, error) {
	return r.listRoutes(ctx, client.InNamespace(namespace), client.MatchingFields{apply.ControllerIndex: controller})
}

// listRoutes are routes as the cache has them.
func (r *ProvisioningTenantReconciler) listRoutes(ctx context.Context, options ...client.ListOption) ([]exposure.Route, error) {
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
	var routes []exposure.Route
	for i := range ingresses.Items {
		routes = append(routes, exposure.ReadRoute(&ingresses.Items[i]))
	}
	for i := range httpRoutes.Items {
		routes = append(routes, exposure.ReadRoute(&httpRoutes.Items[i]))
	}
	return slices.DeleteFunc(routes, func(found exposure.Route) bool { return found.GetDeletionTimestamp() != nil }), nil
}

// indexRoute finds routes by their hosts.
func indexRoute(object client.Object) []string { return exposure.ReadRoute(object).Hosts }

// pruneRoutes deletes the routes that are no longer wanted: all but the wanted one once that works. Until then only those go whose
// host is lost.
func (r *ProvisioningTenantReconciler) pruneRoutes(ctx context.Context, s *scope) error {
	var stay []exposure.Route
	isLost := r.lost(ctx, s)
	for _, found := range s.exposure.Routes {
		wanted := slices.ContainsFunc(s.children, func(child apply.Child) bool { return child.Kind() == found.Kind && child.Name() == found.GetName() })
		lost, err := isLost(&found)
		if err != nil {
			return err
		}
		if s.exposure.Stays(wanted, lost) {
			stay = append(stay, found)
		} else if err := s.owner.Delete(ctx, found.Kind, found.Object); err != nil {
			return err
		}
	}
	s.exposure.Routes = stay
	return nil
}

// lost returns what tells whether a route takes requests from another tenant, by any of its hosts.
func (r *ProvisioningTenantReconciler) lost(ctx context.Context, s *scope) func(*exposure.Route) (bool, error) {
	return func(found *exposure.Route) (bool, error) {
		me := hosts.HolderOf(s.tenant)
		for _, host := range found.Hosts {
			if s.exposure.Hosts.Has(host) {
				continue // whatever the cache has of its Lease
			}
			lease, err := r.hostLease(ctx, r, host)
			if err != nil {
				return false, err
			}
			record := hosts.ReadLease(lease)
			if gone, err := r.holderGone(ctx, record, me); err != nil || record.Lost(me, found.Published, gone) {
				return err == nil, err
			}
		}
		return false, nil
	}
}

// letGoUnused lets go of the hosts that the tenant neither claims nor routes any more.
func (r *ProvisioningTenantReconciler) letGoUnused(ctx context.Context, s *scope) error {
	if s.exposure.Unknown() || s.storage.Engine == "" {
		return nil // its routes were not looked at
	}
	next, err := r.letGo(ctx, hosts.HolderOf(s.tenant), s.exposure.Uses)
	s.outcome.at(next, r.Options.Clock.Now())
	return err
}
