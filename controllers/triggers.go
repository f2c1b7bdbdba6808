package controllers

import (
	"context"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// changedByOthersThanItsServer lets everything through but updates that touch only what the tenant's server reports
// about itself, which it does as often as every minute, and which seldom changes a condition.
func changedByOthersThanItsServer() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.ProvisioningTenant)
		after, ok2 := e.ObjectNew.(*v1alpha1.ProvisioningTenant)
		if !ok || !ok2 {
			return true
		}
		return before.Generation != after.Generation || before.UID != after.UID ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil) ||
			!maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations) ||
			!equality.Semantic.DeepEqual(operatorsPart(before.Status), operatorsPart(after.Status)) ||
			provisioningHealthy(before) != provisioningHealthy(after)
	}}
}

// unseenFirst brings forward the tenants that were made or changed while no operator ran. An operator that starts looks at all the
// others too, for which nothing comes of it.
func unseenFirst() handler.Funcs {
	return handler.Funcs{CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
		tenant, ok := e.Object.(*v1alpha1.ProvisioningTenant)
		ordered, ok2 := queue.(priorityqueue.PriorityQueue[ctrl.Request])
		if ok && ok2 && tenant.Status.ObservedGeneration != tenant.Generation {
			ordered.AddWithOpts(priorityqueue.AddOpts{Priority: new(0)}, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(tenant)})
		}
	}}
}

// operatorsPart is the status without what the tenant's pods write, but for what becomes a condition.
func operatorsPart(status v1alpha1.ProvisioningTenantStatus) v1alpha1.ProvisioningTenantStatus {
	var part v1alpha1.DirectoryStatus
	if status.Directory != nil {
		part.RefusedSchemas = status.Directory.RefusedSchemas
		if status.Storage != nil && status.Storage.AdoptedFrom != "" {
			part.ID = status.Directory.ID // once a server tells of its directory, the adoption is over
		}
		for _, count := range status.Directory.Defaults {
			if count.RefusedGeneration != 0 {
				part.Defaults = append(part.Defaults, v1alpha1.DefaultsCount{
					Name: count.Name, RefusedGeneration: count.RefusedGeneration, Refused: count.Refused,
				})
			}
		}
	}
	var activity *v1alpha1.ActivityStatus
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionCredentialsReady)
	toldUntilUsed := ready != nil && (ready.Reason == v1alpha1.ReasonTokenLost || ready.Reason == v1alpha1.ReasonTokenReplaced)
	if toldUntilUsed && status.Activity != nil && status.Activity.LastCycle != nil {
		// Once a client is let in, the new token is in use.
		activity = &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: status.Activity.LastCycle.StartTime}}
	}
	status.Directory, status.Activity = &part, activity
	if status.Storage != nil {
		storage := *status.Storage
		for _, problem := range []**v1alpha1.StorageProblem{&storage.Problem, &storage.ConnectionProblem} {
			if *problem != nil {
				*problem = &v1alpha1.StorageProblem{Reason: (*problem).Reason, Message: (*problem).Message}
			}
		}
		status.Storage = &storage
	}
	return status
}

func referredTenant(_ context.Context, object client.Object) []ctrl.Request {
	defaults, ok := object.(*v1alpha1.UserDefaults)
	if !ok {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: defaults.Namespace, Name: defaults.Spec.TenantRef.Name}}}
}
