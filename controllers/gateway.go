package controllers

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// recheckGatewayAPI is how often the API server is asked whether it knows HTTPRoutes.
const recheckGatewayAPI = 30 * time.Second

// gatewayAPI follows whether the cluster knows HTTPRoutes, which may come later than the operator or go before it, and keeps
// a cache of them while it does. The manager's cache could not start without them.
type gatewayAPI struct {
	mgr ctrl.Manager
	// namespaces that are served; empty for all.
	namespaces map[string]cache.Config
	// tenants is the controller that is to hear of HTTPRoutes, set before the manager starts.
	tenants controller.Controller
	// changed takes the tenants that are exposed by a Gateway when HTTPRoutes came or went.
	changed chan<- event.GenericEvent
	every   time.Duration
	log     logr.Logger

	classes gatewayClasses
	routes  atomic.Pointer[routeCache]
	// looked is true once it is known whether there are HTTPRoutes.
	looked atomic.Bool
}

// routeCache is a running cache of HTTPRoutes.
type routeCache struct {
	cache.Cache
	stop context.CancelFunc
}

// NeedLeaderElection is true: only who reconciles needs to know.
func (g *gatewayAPI) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (g *gatewayAPI) Start(ctx context.Context) error {
	known, err := discovery.NewDiscoveryClientForConfigAndClient(g.mgr.GetConfig(), g.mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("ask which kinds the API server knows: %w", err)
	}
	// Without the right to list them the cache is never filled. Then tenants are to be told that there is none.
	defer time.AfterFunc(recheckGatewayAPI, func() { g.looked.Store(true) }).Stop()
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := g.look(ctx, known); err != nil && ctx.Err() == nil {
			g.log.Error(err, "Cannot follow the Gateway API")
		}
		g.looked.Store(true)
	}, g.every)
	return nil
}

func (g *gatewayAPI) look(ctx context.Context, known discovery.ServerResourcesInterface) error {
	resources, err := known.ServerResourcesForGroupVersion(gatewayv1.GroupVersion.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("ask for the resources of %s: %w", gatewayv1.GroupVersion, err)
	}
	running := g.routes.Load()
	switch there := err == nil && hasKind(resources, "HTTPRoute"); {
	case there && running == nil:
		if err := g.follow(ctx); err != nil {
			return err
		}
		g.log.Info("The cluster knows HTTPRoutes")
	case !there && running != nil:
		running.stop()
		g.routes.Store(nil)
		g.log.Info("The cluster knows no HTTPRoutes any more")
	default:
		return nil
	}
	return lookAgain(ctx, g.mgr.GetClient(), g.changed, func(tenant *v1alpha1.ProvisioningTenant) bool {
		return tenant.Spec.Exposure.Type == v1alpha1.ExposureGateway
	})
}

func hasKind(resources *metav1.APIResourceList, kind string) bool {
	for _, resource := range resources.APIResources {
		if resource.Kind == kind {
			return true
		}
	}
	return false
}

// follow starts a cache of HTTPRoutes and lets the controller of tenants hear of them.
func (g *gatewayAPI) follow(ctx context.Context) error {
	whole, err := tenantsObjects()
	if err != nil {
		return err
	}
	routes, err := cache.New(g.mgr.GetConfig(), cache.Options{
		HTTPClient: g.mgr.GetHTTPClient(), Scheme: g.mgr.GetScheme(), Mapper: g.mgr.GetRESTMapper(),
		ByObject:          map[client.Object]cache.ByObject{&gatewayv1.HTTPRoute{}: whole},
		DefaultNamespaces: g.namespaces,
	})
	if err != nil {
		return fmt.Errorf("make a cache of HTTPRoutes: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	if err := routes.IndexField(ctx, &gatewayv1.HTTPRoute{}, apply.ControllerIndex, apply.IndexController(v1alpha1.TenantLabel)); err != nil {
		stop()
		return fmt.Errorf("index HTTPRoutes by controller: %w", err)
	}
	if err := routes.IndexField(ctx, &gatewayv1.HTTPRoute{}, routeIndex, indexRoute); err != nil {
		stop()
		return fmt.Errorf("index HTTPRoutes by host: %w", err)
	}
	go func() {
		if err := routes.Start(ctx); err != nil {
			g.log.Error(err, "The cache of HTTPRoutes ended")
		}
	}()
	owner := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, route *gatewayv1.HTTPRoute) []ctrl.Request {
		return controllingTenant(ctx, route)
	})
	if err := g.tenants.Watch(source.Kind(routes, &gatewayv1.HTTPRoute{}, owner)); err != nil {
		stop()
		return fmt.Errorf("watch HTTPRoutes: %w", err)
	}
	if !routes.WaitForCacheSync(ctx) {
		stop()
		return fmt.Errorf("fill the cache of HTTPRoutes: %w", ctx.Err())
	}
	g.routes.Store(&routeCache{routes, stop})
	return nil
}

// mayJudge tells whether what the operator knows of HTTPRoutes is enough for a tenant. While it starts, one that has such a route would be
// told that the cluster has none, and lose its Tenant URL for a moment.
func (g *gatewayAPI) mayJudge(tenant *v1alpha1.ProvisioningTenant) bool {
	return g == nil || g.looked.Load() || !exposure.NeedsHTTPRoutes(tenant)
}

// available tells whether HTTPRoutes can be made. A nil gatewayAPI has none.
func (g *gatewayAPI) available() bool { return g != nil && g.routes.Load() != nil }

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
	if routes := c.gateways.routes.Load(); routes != nil {
		return routes.Get(ctx, key, object, opts...)
	}
	return apierrors.NewNotFound(gatewayv1.Resource("httproutes"), key.Name)
}

func (c *withRoutes) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, ok := list.(*gatewayv1.HTTPRouteList); !ok {
		return c.Client.List(ctx, list, opts...)
	}
	if routes := c.gateways.routes.Load(); routes != nil {
		return routes.List(ctx, list, opts...)
	}
	return nil
}
