package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// UserDefaultsReconciler tells on UserDefaults whether they are accepted and applied. It writes nothing but their status.
type UserDefaultsReconciler struct {
	client.Client
	Events  events.EventRecorder
	Options Options
}

// SetupWithManager says what makes a UserDefaults be looked at again.
func (r *UserDefaultsReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.UserDefaults{}).
		// The catalog of its tenant, and what the tenant's server reports.
		Watches(&v1alpha1.ProvisioningTenant{}, handler.EnqueueRequestsFromMapFunc(r.ofTenant), builder.WithPredicates(concernsDefaults())).
		WithOptions(controllerOptions(mgr, "userdefaults", r.Options, backoff())).
		Complete(discreet{r})
}

// concernsDefaults lets through what can change the status of a tenant's UserDefaults.
func concernsDefaults() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.ProvisioningTenant)
		after, ok2 := e.ObjectNew.(*v1alpha1.ProvisioningTenant)
		return !ok || !ok2 || before.Generation != after.Generation || before.UID != after.UID ||
			full(before) != full(after) || full(after) && !slices.Equal(before.Status.UserDefaults, after.Status.UserDefaults) ||
			pending(before) != pending(after) || !equality.Semantic.DeepEqual(counts(before), counts(after))
	}}
}

func (r *UserDefaultsReconciler) ofTenant(ctx context.Context, tenant client.Object) []ctrl.Request {
	var all v1alpha1.UserDefaultsList
	if err := r.List(ctx, &all, client.InNamespace(tenant.GetNamespace()), client.MatchingFields{tenantIndex: tenant.GetName()}); err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the UserDefaults of a tenant")
		return nil
	}
	requests := make([]ctrl.Request, len(all.Items))
	for i := range all.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&all.Items[i])
	}
	return requests
}

// Reconcile judges one UserDefaults against its tenant.
func (r *UserDefaultsReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	defaults := &v1alpha1.UserDefaults{}
	if err := r.Get(ctx, request.NamespacedName, defaults); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	tenant := &v1alpha1.ProvisioningTenant{}
	err := r.Get(ctx, client.ObjectKey{Namespace: defaults.Namespace, Name: defaults.Spec.TenantRef.Name}, tenant)
	switch {
	case apierrors.IsNotFound(err):
		tenant = nil
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("get the tenant of the UserDefaults: %w", err)
	}

	after := defaults.DeepCopy()
	after.Status = defaultsStatus(defaults, tenant, r.Options, metav1.NewTime(r.Options.Clock.Now()))
	if equality.Semantic.DeepEqual(defaults.Status, after.Status) {
		return ctrl.Result{}, nil
	}
	now := slices.Clone(after.Status.Conditions) // after is filled with the answer
	patch := client.MergeFromWithOptions(defaults.DeepCopy(), client.MergeFromWithOptimisticLock{})
	err = r.Status().Patch(ctx, after, patch, client.FieldOwner(statusManager))
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: problem.RecheckStale}, nil
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("write the status: %w", err)
	}
	tell(r.Events, defaults, defaults.Status.Conditions, now)
	return ctrl.Result{}, nil
}

// defaultsStatus computes the status. It is pure. tenant is nil where there is none.
func defaultsStatus(defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant, options Options, now metav1.Time) v1alpha1.UserDefaultsStatus {
	status := *defaults.Status.DeepCopy()
	status.ObservedGeneration = defaults.Generation
	required := []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionApplied}
	found := conditions.Found{
		Types: required, Required: required,
		ReadyReason: v1alpha1.ReasonReady, ReadyMessage: "The tenant's server works with these defaults.",
	}
	var count v1alpha1.DefaultsCount
	if tenant != nil {
		count = counts(tenant)[defaults.Name]
	}
	switch refused := acceptedBy(defaults, tenant, count, options); {
	case defaults.DeletionTimestamp != nil:
		message := "The UserDefaults is being deleted and counts as deleted for users. " + heldBy(defaults.Finalizers)
		status.MatchedUsers, status.AppliedUsers = 0, 0
		found.Conditions = []metav1.Condition{
			conditions.False(v1alpha1.ConditionAccepted, v1alpha1.ReasonTerminating, message),
			conditions.False(v1alpha1.ConditionApplied, v1alpha1.ReasonTerminating, message),
		}
	case tenant == nil:
		// The tenant may be on its way, in the same file even, so this is no reason to give up.
		message := fmt.Sprintf("There is no ProvisioningTenant %s in this namespace: create it, or delete this resource.", defaults.Spec.TenantRef.Name)
		status.MatchedUsers, status.AppliedUsers = 0, 0
		found.Conditions = []metav1.Condition{
			conditions.False(v1alpha1.ConditionAccepted, v1alpha1.ReasonTenantNotFound, message),
			conditions.False(v1alpha1.ConditionApplied, v1alpha1.ReasonTenantNotFound, message),
		}
	case refused != nil:
		status.MatchedUsers, status.AppliedUsers = count.MatchedUsers, count.AppliedUsers
		instead := inForce(count)
		message := strings.TrimSpace(refused.Message + " " + instead)
		found.Stalled = &conditions.Problem{Reason: refused.Reason, Message: message}
		found.Conditions = []metav1.Condition{
			conditions.False(v1alpha1.ConditionAccepted, refused.Reason, message),
			conditions.False(v1alpha1.ConditionApplied, refused.Reason, strings.TrimSpace("Defaults that are not accepted are not applied. "+instead)),
		}
	default:
		status.MatchedUsers, status.AppliedUsers = count.MatchedUsers, count.AppliedUsers
		found.Conditions = []metav1.Condition{
			conditions.True(v1alpha1.ConditionAccepted, v1alpha1.ReasonAccepted, "The tenant can use these defaults."),
			applied(defaults.Generation, count, pending(tenant)),
		}
	}
	status.Conditions = conditions.Summarise(status.Conditions, found, defaults.Generation, now)
	return status
}

// applied tells how far the tenant's server is with a generation of UserDefaults. The number changes with each report of the
// server, so it stands only where the server is at work on them.
func applied(generation int64, count v1alpha1.DefaultsCount, left int64) metav1.Condition {
	switch generation {
	case count.PendingGeneration:
		return conditions.False(v1alpha1.ConditionApplied, v1alpha1.ReasonProgressing, fmt.Sprintf(
			"The tenant's server holds its users against these defaults; users still to be looked at: %d.", left))
	case count.Generation:
		if count.PendingGeneration == 0 {
			return conditions.True(v1alpha1.ConditionApplied, v1alpha1.ReasonApplied, "The tenant's server works with these defaults.")
		}
	}
	return conditions.False(v1alpha1.ConditionApplied, v1alpha1.ReasonWaitingForServer, "The tenant's server has not reported these defaults yet.")
}

// inForce says what the tenant's server does while it refuses the present version, "" where it has not reported these defaults.
func inForce(count v1alpha1.DefaultsCount) string {
	switch {
	case count.Name == "":
		return ""
	case count.Generation == 0:
		return "No version was good yet: users that arrive and match it wait until one is, and get nothing of other UserDefaults."
	default:
		return fmt.Sprintf("The version of generation %d goes on being applied.", count.Generation)
	}
}

func acceptedBy(
	defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant, count v1alpha1.DefaultsCount, options Options,
) *problem.Stalled {
	switch {
	case tenant == nil:
		return nil
	case isLeft(defaults, tenant):
		return tooMany()
	}
	if refused := accept(defaults, tenant, options); refused != nil {
		return refused
	}
	return refusedByServer(defaults, count)
}

// pending is how many users the tenant's server has still to hold against its UserDefaults.
func pending(tenant *v1alpha1.ProvisioningTenant) int64 {
	if tenant.Status.Directory == nil {
		return 0
	}
	return tenant.Status.Directory.DefaultsPending
}
