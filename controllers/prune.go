package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// prune deletes what the tenant owns and no longer wants, such as the autoscaler of one that has a fixed number of replicas. The Secrets and
// the volume claim are never pruned. Of a tenant for which nothing is made, only routes go.
func (r *ProvisioningTenantReconciler) prune(ctx context.Context, s *scope) error {
	var err error
	if len(s.children) > 0 {
		err = s.owner.Prune(ctx, s.children, slices.DeleteFunc(controlledLists(), func(list client.ObjectList) bool {
			_, routes := list.(*networkingv1.IngressList)
			return routes // they may be wanted for a while yet
		})...)
	}
	return errors.Join(err, r.pruneRoutes(ctx, s))
}

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

// letGoUnused lets go of the hosts that the tenant neither claims nor routes any more.
func (r *ProvisioningTenantReconciler) letGoUnused(ctx context.Context, s *scope) error {
	if s.exposure.Unknown() || s.storage.Engine == "" {
		return nil // its routes were not looked at
	}
	next, err := r.letGo(ctx, hosts.HolderOf(s.tenant), s.exposure.Uses)
	s.outcome.at(next, r.Options.Clock.Now())
	return err
}

// tenantGone lets go of the hosts of a tenant that exists no more, and deletes the routes that it left behind for hosts of others.
func (r *ProvisioningTenantReconciler) tenantGone(ctx context.Context, tenant client.ObjectKey) (ctrl.Result, error) {
	s := newScope(r, &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: tenant.Name}}, &memory{})
	if err := r.findRoutes(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.pruneRoutes(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	next, err := r.letGo(ctx, hosts.Holder{NamespacedName: tenant}, func(string) bool { return false })
	if err != nil || next.IsZero() {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(next.Sub(r.Options.Clock.Now()), time.Second)}, nil
}
