package controllers

import (
	"cmp"
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Two operators of different versions or settings that serve one tenant would each undo what the other applies, and restart its server each
// time. Those of one namespace elect a leader. Of two namespaces, the one whose namespace is in the tenant's status goes on, for as long as its
// leader renews the lease, and the other leaves the tenant alone.

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=operator.provisioning.tenantry.dev,verbs=get

// recheckOperator is how often it is looked whether the leader of another namespace is still there, where the options do not say.
const recheckOperator = time.Minute

// operators are those of other namespaces that are known to work, or not to.
type operators struct {
	live   client.Reader
	clock  clock.PassiveClock
	recent recent[string, bool]
}

func newOperators(live client.Reader, options Options) operators {
	return operators{live, options.Clock, newRecent[string, bool](options.Clock, cmp.Or(options.RecheckOperators, recheckOperator))}
}

// work tells whether the operator of a namespace has a leader. One that cannot be asked for has none.
func (o operators) work(ctx context.Context, namespace string) (bool, error) {
	return o.recent.of(namespace, func() (bool, error) {
		var lease coordinationv1.Lease
		err := o.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.LeaderLease}, &lease)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("look for the operator of namespace %s: %w", namespace, err)
		}
		if !observed.Leads(lease.Spec, o.clock.Now()) {
			return false, nil
		}
		ctrl.LoggerFrom(ctx).Error(nil, "The operator of another namespace serves tenants that this one would serve, so they are left alone. "+
			"Have one release serve a namespace: see watchNamespaces", "operatorNamespace", namespace)
		return true, nil
	})
}

// servedElsewhere tells whether the operator of another namespace serves the tenant. The status says that, which the people of the tenant's
// namespace can write by its server: what follows concerns their tenant alone.
func (r *ProvisioningTenantReconciler) servedElsewhere(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (bool, error) {
	other := tenant.Status.OperatorNamespace
	if other == "" || other == r.Options.LeaseNamespace {
		return false, nil
	}
	return r.operators.work(ctx, other)
}
