package controllers

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
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

// CacheOptions keeps in memory only what the operator needs: of the kinds that it makes, the tenants' objects. Of their
// managed fields its own stay, because they tell whether an object is still as it was applied; those of Secrets and Leases all stay, because
// they tell whether somebody else has put a key there or wrote who holds a host. leases is the namespace of the Leases of hosts; the lease by
// which a leader is elected is not among them, for it changes every two seconds.
func CacheOptions(leases string) (cache.Options, error) {
	whole, err := tenantsObjects()
	if err != nil {
		return cache.Options{}, err
	}
	secrets := whole
	allFields := func(object any) (any, error) { return object, nil }
	secrets.Transform = allFields
	byObject := map[client.Object]cache.ByObject{&corev1.Secret{}: secrets, &corev1.PersistentVolumeClaim{}: whole}
	for _, kind := range controlled() {
		byObject[kind] = whole
	}
	byObject[&coordinationv1.Lease{}] = cache.ByObject{
		Namespaces: map[string]cache.Config{leases: {}}, Transform: allFields,
		Label: labels.SelectorFromSet(labels.Set{v1alpha1.LeaseLabel: v1alpha1.LeaseOfHost}),
	}
	return cache.Options{
		ByObject:                    byObject,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ReaderFailOnMissingInformer: true,
	}, nil
}

// tenantsObjects keeps the objects of tenants only, and all of them.
func tenantsObjects() (cache.ByObject, error) {
	ofTenants, err := labels.NewRequirement(v1alpha1.TenantLabel, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select the tenants' objects: %w", err)
	}
	return cache.ByObject{
		Label:     labels.NewSelector().Add(*ofTenants),
		Transform: keepOwnFields,
		// Readers change nothing in them, and each reconcile reads all of a tenant's.
		UnsafeDisableDeepCopy: new(true),
	}, nil
}

// keepOwnFields drops the managed fields of others from an object. One without any stays untouched: the cache may pass on what
// others are reading already.
func keepOwnFields(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // what stands for an object whose deletion was missed has none
	}
	var own []metav1.ManagedFieldsEntry
	for _, entry := range accessor.GetManagedFields() {
		if apply.IsOwn(entry) {
			own = append(own, entry)
		}
	}
	if len(own) < len(accessor.GetManagedFields()) {
		accessor.SetManagedFields(own)
	}
	return object, nil
}

// eventSource is the reporting controller of every event.
const eventSource = "tenantry-operator"

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
	gateways := &gatewayAPI{
		mgr: mgr, namespaces: options.Namespaces, every: cmp.Or(options.RecheckGatewayAPI, recheckGatewayAPI), changed: answered,
		log: mgr.GetLogger().WithName("gateway"),
	}
	gateways.classes = gatewayClasses{mgr.GetAPIReader(), newRecent[v1alpha1.GatewayReference, exposure.Gateway](options.Clock, gateways.every)}
	tenants := &ProvisioningTenantReconciler{
		Client: gateways.client(mgr.GetClient()), Live: mgr.GetAPIReader(), Events: recorder, Options: options,
		Entra: verifier, Gateways: gateways, Upgrades: rollout.NewLimiter(options.MaxUpgrades, pods),
		Ports: &clusterPorts{
			live: mgr.GetAPIReader(), given: options.Ports, every: cmp.Or(options.RecheckClusterPorts, recheckClusterPorts),
			tell: tellAll(mgr.GetClient(), answered), log: mgr.GetLogger().WithName("ports"),
		},
		operators:  newOperators(mgr.GetAPIReader(), options),
		namespaces: namespaceLabels{mgr.GetAPIReader(), newRecent[string, labels.Set](options.Clock, cmp.Or(options.RecheckHosts, recheckHosts))},
	}
	if options.Registerer != nil {
		if tenants.Metrics, err = newMetrics(options.Registerer, mgr.GetClient(), mgr.GetLogger().WithName("metrics")); err != nil {
			return fmt.Errorf("register the metrics: %w", err)
		}
	}
	if gateways.tenants, err = tenants.SetupWithManager(mgr, answered); err != nil {
		return fmt.Errorf("set up the controller of ProvisioningTenants: %w", err)
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

func addIndexes(ctx context.Context, indexer client.FieldIndexer, baseDomain string) error {
	for _, kind := range controlled() {
		if err := indexer.IndexField(ctx, kind, apply.ControllerIndex, apply.IndexController(v1alpha1.TenantLabel)); err != nil {
			return fmt.Errorf("index %T by controller: %w", kind, err)
		}
	}
	if err := indexer.IndexField(ctx, &appsv1.Deployment{}, upgradingIndex, indexUpgrading); err != nil {
		return fmt.Errorf("index servers by upgrade: %w", err)
	}
	if err := indexer.IndexField(ctx, &v1alpha1.ProvisioningTenant{}, hostIndex, indexHost(baseDomain)); err != nil {
		return fmt.Errorf("index tenants by host: %w", err)
	}
	if err := indexer.IndexField(ctx, &networkingv1.Ingress{}, routeIndex, indexRoute); err != nil {
		return fmt.Errorf("index Ingresses by host: %w", err)
	}
	if err := indexer.IndexField(ctx, &coordinationv1.Lease{}, holderIndex, indexHolder); err != nil {
		return fmt.Errorf("index Leases by holder: %w", err)
	}
	if err := indexer.IndexField(ctx, &v1alpha1.UserDefaults{}, tenantIndex, indexTenant); err != nil {
		return fmt.Errorf("index defaults by tenant: %w", err)
	}
	return nil
}
