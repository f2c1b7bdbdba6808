package controllers

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// Options are what the operator is told from outside.
type Options struct {
	// ServerImage is the image of the SCIM server.
	ServerImage string
	// BaseDomain gives a tenant without a host the host <name>.<BaseDomain>. Empty: such a tenant is told to set one.
	BaseDomain string
	// IngressClass is the class of the Ingress of a tenant that names none. Empty for the cluster's default.
	IngressClass string
	// Gateway has the HTTPRoutes of tenants that name no Gateway. Its namespace is given. Empty: such a tenant is told to name one.
	Gateway v1alpha1.GatewayReference
	// EntraAuthority is the base URL of a login authority that operator and servers ask in place of Microsoft's. Empty for
	// Microsoft's.
	EntraAuthority string
	// Ports of the cluster's own services, for NetworkPolicies; found out where a list is empty.
	Ports desired.ClusterPorts
	// RecheckClusterPorts is how often they are found out; a minute where it is 0.
	RecheckClusterPorts time.Duration
	// RecheckGatewayAPI is how often the API server is asked whether it knows HTTPRoutes; 30 seconds where it is 0.
	RecheckGatewayAPI time.Duration
	// Namespaces are those that are served, as the manager's cache has them; empty for all.
	Namespaces map[string]cache.Config
	// MaxUpgrades is how many servers may restart at a time because the operator, and mostly their image, is another one.
	MaxUpgrades int
	// RecheckUpgrades is when a server that waits for its upgrade asks again, up to half as long again; 30 seconds where it is 0.
	RecheckUpgrades time.Duration
	// LeaseNamespace is the operator's own, where the Leases are that say who holds a host.
	LeaseNamespace string
	// HostReservation is how long a host that was let go stays reserved for its namespace; 0 for not at all.
	HostReservation time.Duration
	// HostRules say who may claim which hosts; everybody every host where there are none.
	HostRules []hosts.Rule
	// RecheckIngressClass is how long an Ingress waits for a controller before the default class is asked for again; two minutes where it is 0.
	RecheckIngressClass time.Duration
	// RecheckHosts is when a tenant asks again whose host no rule allows; 30 seconds where it is 0.
	RecheckHosts time.Duration
	// RecheckSecrets is how often at most a Secret is looked for that was deleted after copying, and about how often one with a connection URL; a
	// minute where it is 0.
	RecheckSecrets time.Duration
	// RecheckOperators is how often it is looked whether the operator of another namespace still works that serves a tenant; a minute where it is 0.
	RecheckOperators time.Duration
	// RecheckCRDs is how often it is looked whether the cluster's CRDs have all fields; a minute where it is 0.
	RecheckCRDs time.Duration
	// Concurrency is how many resources of one kind are reconciled at a time.
	Concurrency int

	// CheckFilter returns why a string is no SCIM filter over users of a tenant that declares these schemas, or nil. The
	// server's parser stands behind it; the operator does not import it.
	CheckFilter func(declared v1alpha1.Schema, filter string) error
	// CheckAttribute returns why a value cannot be the default of the attribute at path of such a user, or nil.
	CheckAttribute func(declared v1alpha1.Schema, path, value string) error

	// Registerer gets the operator's metrics; nil for none.
	Registerer prometheus.Registerer
	// HTTP asks the login authority.
	HTTP *http.Client
	// Random is where tokens come from: crypto/rand.Reader.
	Random io.Reader
	// Clock dates tokens and transitions.
	Clock clock.PassiveClock
}

// serves tells whether tenants of the namespace are the operator's.
func (o Options) serves(namespace string) bool {
	_, named := o.Namespaces[namespace]
	return named || len(o.Namespaces) == 0
}

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

// controlled are the kinds that a tenant always owns and the operator prunes.
func controlled() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &appsv1.Deployment{}, &corev1.Service{},
		&networkingv1.Ingress{}, &networkingv1.NetworkPolicy{}, &autoscalingv2.HorizontalPodAutoscaler{}, &policyv1.PodDisruptionBudget{},
		&batchv1.Job{},
	}
}

// controlledLists are the lists of the same kinds.
func controlledLists() []client.ObjectList {
	return []client.ObjectList{
		&corev1.ServiceAccountList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &appsv1.DeploymentList{}, &corev1.ServiceList{},
		&networkingv1.IngressList{}, &networkingv1.NetworkPolicyList{}, &autoscalingv2.HorizontalPodAutoscalerList{},
		&policyv1.PodDisruptionBudgetList{}, &batchv1.JobList{},
	}
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

const (
	// hostIndex finds tenants by the hosts that they claim, in all namespaces.
	hostIndex = "host"
	// routeIndex finds routes by their hosts, in all namespaces.
	routeIndex = "route.host"
	// holderIndex finds the Leases of hosts by the namespace and name of the tenant that they name.
	holderIndex = "holder"
	// tenantIndex finds UserDefaults by the tenant that they refer to.
	tenantIndex = "spec.tenantRef.name"
)

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

func indexHost(baseDomain string) client.IndexerFunc {
	return func(object client.Object) []string {
		if tenant, ok := object.(*v1alpha1.ProvisioningTenant); ok {
			return hosts.All(tenant, baseDomain)
		}
		return nil
	}
}

func indexHolder(object client.Object) []string {
	if lease, ok := object.(*coordinationv1.Lease); ok {
		if by := hosts.ReadLease(lease).Holder; by != (hosts.Holder{}) {
			return []string{by.String()}
		}
	}
	return nil
}

func indexTenant(object client.Object) []string {
	if defaults, ok := object.(*v1alpha1.UserDefaults); ok {
		return []string{defaults.Spec.TenantRef.Name}
	}
	return nil
}
