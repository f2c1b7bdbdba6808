package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// recheckGatewayAPI is how often the API server is asked whether it knows HTTPRoutes.
const recheckGatewayAPI = 30 * time.Second

// gatewayAPI follows the HTTPRoutes, whose kind the cluster may not have.
type gatewayAPI struct {
	optionalKind
	classes gatewayClasses
}

// followRoutes has the controller of tenants hear of HTTPRoutes. namespaces are those that are served, empty for all.
func (g *gatewayAPI) followRoutes(mgr ctrl.Manager, tenants controller.Controller, namespaces map[string]cache.Config) error {
	whole, err := tenantsObjects()
	if err != nil {
		return err
	}
	g.mgr, g.kind, g.list = mgr, schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"}, &gatewayv1.HTTPRouteList{}
	g.cache = cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		ByObject:          map[client.Object]cache.ByObject{&gatewayv1.HTTPRoute{}: whole},
		DefaultNamespaces: namespaces,
	}
	g.follow = func(ctx context.Context, routes cache.Cache) error {
		if err := routes.IndexField(ctx, &gatewayv1.HTTPRoute{}, apply.ControllerIndex, apply.IndexController(v1alpha1.TenantLabel)); err != nil {
			return fmt.Errorf("index HTTPRoutes by controller: %w", err)
		}
		if err := routes.IndexField(ctx, &gatewayv1.HTTPRoute{}, routeIndex, indexRoute); err != nil {
			return fmt.Errorf("index HTTPRoutes by host: %w", err)
		}
		owner := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, route *gatewayv1.HTTPRoute) []ctrl.Request {
			return controllingTenant(ctx, route)
		})
		if err := tenants.Watch(source.Kind(routes, &gatewayv1.HTTPRoute{}, owner)); err != nil {
			return fmt.Errorf("watch HTTPRoutes: %w", err)
		}
		return nil
	}
	return nil
}

// mayBeOnGateway tells whether HTTPRoutes may concern a tenant, by itself or by its class.
func mayBeOnGateway(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Spec.Exposure.Type == v1alpha1.ExposureGateway || tenant.Spec.Exposure.Type == "" && tenant.Status.Class != nil
}

// mayJudge tells whether what the operator knows of HTTPRoutes is enough for a tenant. While it starts, one that has such a route would be
// told that the cluster has none, and lose its Tenant URL for a moment.
func (g *gatewayAPI) mayJudge(tenant *v1alpha1.ProvisioningTenant) bool {
	return g == nil || g.looked.Load() || !exposure.NeedsHTTPRoutes(tenant)
}

// available tells whether HTTPRoutes can be made. A nil gatewayAPI has none.
func (g *gatewayAPI) available() bool { return g != nil && g.running.Load() != nil }

// client returns the client with HTTPRoutes read from their own cache.
func (g *gatewayAPI) client(c client.Client) client.Client { return &withRoutes{c, g} }

type withRoutes struct {
	client.Client
	gateways *gatewayAPI
}

func (c *withRoutes) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if _, ok := object.(*gatewayv1.HTTPRoute); !ok {
		return c.Client.Get(ctx, key, object, opts...)
	}
	if routes := c.gateways.objects(); routes != nil {
		return routes.Get(ctx, key, object, opts...)
	}
	return apierrors.NewNotFound(gatewayv1.Resource("httproutes"), key.Name)
}

func (c *withRoutes) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, ok := list.(*gatewayv1.HTTPRouteList); !ok {
		return c.Client.List(ctx, list, opts...)
	}
	if routes := c.gateways.objects(); routes != nil {
		return routes.List(ctx, list, opts...)
	}
	return nil
}
