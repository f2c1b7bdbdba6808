package controllers

import (
	"context"
	"errors"
	"sync"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/internal/problem"
	"github.com/tenantry/tenantry/controllers/rollout"
	"github.com/tenantry/tenantry/internal/panicked"
)

// The operator's own rights. Those on userdefaults, secrets and provisioningtenants/status are also what it grants to the
// tenants' servers: nobody can grant more than they have.
//
// +kubebuilder:rbac:groups=provisioning.tenantry.dev,resources=provisioningtenants;userdefaults,verbs=get;list;watch
// +kubebuilder:rbac:groups=provisioning.tenantry.dev,resources=provisioningtenants/status;userdefaults/status,verbs=patch
// +kubebuilder:rbac:groups=provisioning.tenantry.dev,resources=provisioningtenants/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=serviceaccounts;services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets;persistentvolumeclaims,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses;networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=list
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// ProvisioningTenantReconciler makes tenants what their specs say.
type ProvisioningTenantReconciler struct {
	client.Client
	// Live reads past the cache: whose an object is that the cache does not know, and what is in a Secret, which it never holds.
	Live    client.Reader
	Events  events.EventRecorder
	Options Options
	Entra   *entra.Verifier
	// Metrics counts; nil for nothing.
	Metrics *metrics
	// Gateways has the HTTPRoutes, whose kind may be missing; nil where it always is.
	Gateways *gatewayAPI
	// Classes has the classes of tenants, whose kind may be missing; nil where it always is.
	Classes *tenantClasses
	// Ports follows where the cluster's own services listen; nil for the usual ports.
	Ports *clusterPorts
	// Upgrades bounds how many servers restart at a time because of another operator.
	Upgrades *rollout.Limiter

	// memories has a *memory for each tenant, by its key.
	memories sync.Map
	// namespaces whose labels are known.
	namespaces namespaceLabels
	// operators of other namespaces.
	operators operators
}

// SetupWithManager says what makes a tenant be looked at again.
func (r *ProvisioningTenantReconciler) SetupWithManager(mgr ctrl.Manager, changedOutside <-chan event.GenericEvent) (controller.Controller, error) {
	tenants := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ProvisioningTenant{}, builder.WithPredicates(changedByOthersThanItsServer())).
		Watches(&v1alpha1.ProvisioningTenant{}, unseenFirst()).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(controllingTenant), builder.OnlyMetadata).
		// A claim that is to be retained has no owner, so its label tells.
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(labelledTenant)).
		// Which UserDefaults are accepted follows from their specs.
		Watches(&v1alpha1.UserDefaults{}, handler.EnqueueRequestsFromMapFunc(referredTenant), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// Another tenant claimed the same host or let go of it.
		Watches(&v1alpha1.ProvisioningTenant{}, handler.EnqueueRequestsFromMapFunc(r.rivals), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// A host was taken or let go, or somebody changed its Lease.
		Watches(&coordinationv1.Lease{}, handler.EnqueueRequestsFromMapFunc(r.claimants)).
		// The login authority answered, or HTTPRoutes came or went.
		WatchesRawSource(source.Channel(changedOutside, &handler.EnqueueRequestForObject{})).
		WithOptions(controllerOptions(mgr, "provisioningtenant", r.Options, r.retries()))
	for _, kind := range controlled() { // whatever happened to them
		tenants.Watches(kind, handler.EnqueueRequestsFromMapFunc(controllingTenant))
	}
	return tenants.Build(discreet{r})
}

func controllerOptions(mgr ctrl.Manager, name string, options Options, retries workqueue.TypedRateLimiter[ctrl.Request]) controller.Options {
	return controller.Options{
		LogConstructor:          logConstructor(mgr.GetLogger(), name),
		MaxConcurrentReconciles: options.Concurrency,
		RateLimiter:             retries,
	}
}

// logConstructor returns the loggers of a controller: namespace and name stand once in each line of a reconcile, and of the start of
// each of its many sources nothing is logged but errors, unless at level debug.
func logConstructor(log logr.Logger, controller string) func(*ctrl.Request) logr.Logger {
	log = log.WithValues("controller", controller)
	return func(request *ctrl.Request) logr.Logger {
		if request == nil {
			return log.V(debug)
		}
		return log.WithValues("namespace", request.Namespace, "name", request.Name)
	}
}

// debug is the verbosity of what is logged at level debug.
const debug = 4

// discreet is a reconciler of which controller-runtime, which recovers panics, logs no value that it panicked with, and no error where
// the operator merely ends: whatever it left is the next one's.
type discreet struct{ reconcile.Reconciler }

// Reconcile implements reconcile.Reconciler.
func (d discreet) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	defer panicked.Conceal()
	result, err := d.Reconciler.Reconcile(ctx, request)
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctrl.Result{}, nil
	}
	return result, err
}

// Reconcile brings one tenant closer to its spec. There is no finalizer: garbage collection deletes what a tenant owns.
func (r *ProvisioningTenantReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tenant := &v1alpha1.ProvisioningTenant{}
	switch err := r.Get(ctx, request.NamespacedName, tenant); {
	case apierrors.IsNotFound(err):
		return r.forget(ctx, request.NamespacedName)
	case err != nil:
		return ctrl.Result{}, err // which says nothing about the tenant
	}
	if leaves, result, err := r.leaves(ctx, tenant); leaves {
		return result, err
	}
	if err := r.Classes.wait(ctx); err != nil {
		return ctrl.Result{}, err
	}
	s := newScope(r, tenant, r.memoryOf(request.NamespacedName))
	if err := r.resolveTenantClass(ctx, s); err != nil {
		return ctrl.Result{}, errors.Join(err, r.tellOfWaiting(ctx, s, err))
	}
	switch {
	case s.class.Held:
		return r.conclude(ctx, s)
	case !r.Gateways.mayJudge(s.tenant):
		return ctrl.Result{RequeueAfter: problem.RecheckStale}, nil
	}
	if err := r.resolve(ctx, s); err != nil { // UserDefaults, where the directory is, the host and the route to it
		return ctrl.Result{}, errors.Join(err, r.tellOfWaiting(ctx, s, err))
	}
	for _, step := range []func(context.Context, *scope) error{
		r.issueCredentials, // the token, and the hash that the server checks it against
		r.applyChildren,    // everything else, built by package desired
		r.observe,          // how storage, server and route are doing
		r.prune,            // what is no longer wanted
		r.letGoUnused,      // hosts that it no longer serves
		r.verifyEntra,      // whether the Entra tenant exists
	} {
		// Later steps run after an error too, so that the status tells all there is to tell.
		s.fail(step(ctx, s))
		if s.outcome.gone {
			return ctrl.Result{}, nil
		}
	}
	return r.conclude(ctx, s)
}

// conclude writes what was found out of a tenant, and says when to look again.
func (r *ProvisioningTenantReconciler) conclude(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.outcome.forgives(&s.memory.outdated) {
		return ctrl.Result{RequeueAfter: problem.RecheckStale}, nil // there is nothing to tell anyone
	}
	switch err := r.writeStatus(ctx, s); {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: problem.RecheckStale}, nil
	default:
		s.outcome.add(err)
		return s.outcome.result()
	}
}

// forget is for a tenant that is gone: nothing of it is remembered, and its hosts are let go.
func (r *ProvisioningTenantReconciler) forget(ctx context.Context, tenant client.ObjectKey) (ctrl.Result, error) {
	r.Entra.Forget(tenant)
	r.memories.Delete(tenant)
	r.Upgrades.Release(serverKey(tenant))
	return r.tenantGone(ctx, tenant)
}

// leaves tells whether this look does nothing for a tenant but say so, and when to look again.
func (r *ProvisioningTenantReconciler) leaves(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (leaves bool, result ctrl.Result, err error) {
	elsewhere, err := r.servedElsewhere(ctx, tenant)
	switch {
	case err != nil:
		return true, ctrl.Result{}, err
	case elsewhere:
		result.RequeueAfter = wait.Jitter(r.operators.recent.every, 0.2)
	case tenant.DeletionTimestamp != nil:
		err = r.tellOfDeletion(ctx, tenant)
	case leftAlone(tenant):
		err = r.tellOfLeaving(ctx, tenant)
	default:
		return false, ctrl.Result{}, nil
	}
	r.Upgrades.Release(serverKey(client.ObjectKeyFromObject(tenant))) // nobody looks whether its upgrade ends
	return true, result, err
}
