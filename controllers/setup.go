package controllers

import (
	"cmp"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// NewScheme knows every kind that the operator reads or writes.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Setup adds the operator to a manager that was made with CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	err := addIndexes(ctx, mgr.GetFieldIndexer(), options.BaseDomain)
	if err != nil {
		return err
	}
	recorder := mgr.GetEventRecorder(eventSource)

	answered := make(chan event.GenericEvent)
	authority := entra.Authority{Client: options.HTTP, Override: options.EntraAuthority}
	verifier := entra.NewVerifier(authority.Ask, func(name types.NamespacedName) {
		select {
		case answered <- event.GenericEvent{Object: &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}}:
		case <-ctx.Done():
		}
	}, mgr.GetLogger().WithName("entra"))
	if err := mgr.Add(verifier); err != nil {
		return fmt.Errorf("add the verifier of Entra tenants: %w", err)
	}

	pods, err := revision(options)
	if err != nil {
		return fmt.Errorf("find the revision of the servers' pods: %w", err)
	}
	gateways, kinds := &gatewayAPI{}, &tenantClasses{}
	gateways.every, gateways.log = cmp.Or(options.RecheckGatewayAPI, recheckGatewayAPI), mgr.GetLogger().WithName("gateway")
	gateways.changed = func(ctx context.Context) error { return lookAgain(ctx, mgr.GetClient(), answered, mayBeOnGateway) }
	kinds.every, kinds.log = cmp.Or(options.RecheckClasses, recheckClasses), mgr.GetLogger().WithName("classes")
	kinds.changed = func(ctx context.Context) error { return lookAgain(ctx, mgr.GetClient(), answered, everyTenant) }
	gateways.classes = gatewayClasses{mgr.GetAPIReader(), newRecent[v1alpha1.GatewayReference, exposure.Gateway](options.Clock, gateways.every)}
	tenants := &ProvisioningTenantReconciler{
		Client: gateways.client(mgr.GetClient()), Live: mgr.GetAPIReader(), Events: recorder, Options: options,
		Entra: verifier, Gateways: gateways, Classes: kinds, Upgrades: rollout.NewLimiter(options.MaxUpgrades, pods),
		Ports: &clusterPorts{
			live: mgr.GetAPIReader(), given: options.Ports, every: cmp.Or(options.RecheckClusterPorts, recheckClusterPorts),
			tenants: mgr.GetClient(), changed: answered, log: mgr.GetLogger().WithName("ports"),
		},
		operators:  newOperators(mgr.GetAPIReader(), options),
		namespaces: namespaceLabels{mgr.GetAPIReader(), newRecent[string, labels.Set](options.Clock, cmp.Or(options.RecheckHosts, recheckHosts))},
	}
	if options.Registerer != nil {
		if tenants.Metrics, err = newMetrics(options.Registerer, mgr.GetClient(), mgr.GetLogger().WithName("metrics")); err != nil {
			return fmt.Errorf("register the metrics: %w", err)
		}
	}
	controller, err := tenants.SetupWithManager(mgr, answered)
	if err != nil {
		return fmt.Errorf("set up the controller of ProvisioningTenants: %w", err)
	}
	if err := gateways.followRoutes(mgr, controller, options.Namespaces); err != nil {
		return err
	}
	kinds.followClasses(mgr, controller)
	if err := mgr.Add(&defaultClass{kinds, mgr.GetClient(), options.DefaultClass, retryDefaultClass, kinds.log}); err != nil {
		return fmt.Errorf("add the follower of classes: %w", err)
	}
	if err := mgr.Add(gateways); err != nil {
		return fmt.Errorf("add the follower of the Gateway API: %w", err)
	}
	if err := mgr.Add(tenants.Ports); err != nil {
		return fmt.Errorf("add the follower of the cluster's ports: %w", err)
	}
	if err := mgr.Add(&crds{
		mgr: mgr, every: cmp.Or(options.RecheckCRDs, recheckCRDs), metrics: tenants.Metrics, log: mgr.GetLogger().WithName("crds"),
	}); err != nil {
		return fmt.Errorf("add the look at the CRDs: %w", err)
	}
	defaults := &UserDefaultsReconciler{Client: mgr.GetClient(), Events: recorder, Options: options}
	if err := defaults.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the controller of UserDefaults: %w", err)
	}
	return nil
}
