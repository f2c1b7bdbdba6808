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
