package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/classes"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// recheckClasses is how often the API server is asked whether it knows classes.
const recheckClasses = 30 * time.Second

// pollKnown is how often a look at a tenant asks whether it is known which classes there are.
const pollKnown = 10 * time.Millisecond

// Classes are the platform's. An operator that serves single namespaces may have no right to read them, and then there are none.
//
// +kubebuilder:rbac:groups=provisioning.tenantry.dev,resources=provisioningtenantclasses,verbs=get;list;watch

// tenantClasses follows the ProvisioningTenantClasses, whose kind an older CustomResourceDefinition does not have.
type tenantClasses struct{ optionalKind }

// followClasses has the controller of tenants hear of classes.
func (c *tenantClasses) followClasses(mgr ctrl.Manager, tenants controller.Controller) {
	c.mgr, c.kind, c.list = mgr, v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenantClass"), &v1alpha1.ProvisioningTenantClassList{}
	c.cache = cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
	}
	c.follow = func(_ context.Context, objects cache.Cache) error {
		concerned := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, class *v1alpha1.ProvisioningTenantClass) []ctrl.Request {
			return tenantsOf(ctx, mgr.GetClient(), class)
		})
		if err := tenants.Watch(source.Kind(objects, &v1alpha1.ProvisioningTenantClass{}, concerned)); err != nil {
			return fmt.Errorf("watch classes: %w", err)
		}
		return nil
	}
}

// tenantsOf are those that a class may concern: that name it, or follow it, or name none.
func tenantsOf(ctx context.Context, tenants client.Reader, class *v1alpha1.ProvisioningTenantClass) []ctrl.Request {
	var list v1alpha1.ProvisioningTenantList
	if err := tenants.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the tenants of a class", "class", class.Name)
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		tenant := &list.Items[i]
		if tenant.Spec.ClassName == class.Name || tenant.Spec.ClassName == "" || tenant.Status.Class != nil && tenant.Status.Class.Name == class.Name {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(tenant)})
		}
	}
	return requests
}

// known tells whether it is known which classes there are. Until then no tenant is judged: a new one would get what its class does not allow.
func (c *tenantClasses) known() bool { return c == nil || c.looked.Load() }

// wait waits until that is known, so that those that come first are looked at first.
func (c *tenantClasses) wait(ctx context.Context) error {
	if err := wait.PollUntilContextCancel(ctx, pollKnown, true, func(context.Context) (bool, error) { return c.known(), nil }); err != nil {
		return fmt.Errorf("wait until it is known which classes there are: %w", err)
	}
	return nil
}

// all are the classes that there are.
func (c *tenantClasses) all(ctx context.Context) ([]v1alpha1.ProvisioningTenantClass, error) {
	if c == nil || c.objects() == nil {
		return nil, nil
	}
	var list v1alpha1.ProvisioningTenantClassList
	if err := c.objects().List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the classes: %w", err)
	}
	return list.Items, nil
}

// resolveTenantClass gives the tenant of the scope the spec that holds for it, with what its class says.
func (r *ProvisioningTenantReconciler) resolveTenantClass(ctx context.Context, s *scope) error {
	decided, err := r.decideClass(ctx, s)
	if err != nil {
		return err
	}
	s.class = decided
	if !decided.Held {
		s.memory.decided = decided.Values
	}
	if decided.Values != nil {
		text, err := json.Marshal(decided.Values)
		if err != nil {
			return fmt.Errorf("write down what class %q decided: %w", decided.Values.Class, err)
		}
		s.classText = string(text)
	}
	holds := *s.tenant
	holds.Spec = decided.Spec
	s.tenant, s.exposure.Tenant = &holds, &holds
	switch {
	case decided.Problem != nil:
		s.fail(decided.Problem)
	case decided.Values != nil:
		s.found(conditions.True(v1alpha1.ConditionClassInEffect, v1alpha1.ReasonInEffect,
			"The tenant has what its spec and class "+decided.Values.Class+" say."))
	}
	return nil
}

// decideClass decides what its class makes of the tenant of the scope.
func (r *ProvisioningTenantReconciler) decideClass(ctx context.Context, s *scope) (classes.Decision, error) {
	all, err := r.Classes.all(ctx)
	if err != nil {
		return classes.Decision{}, err
	}
	state := classes.State{Tenant: s.tenant, Classes: all, BaseDomain: r.Options.BaseDomain, Last: s.memory.decided}
	if state.Last == nil {
		if state.Last, err = r.lastClass(ctx, s); err != nil {
			return classes.Decision{}, err
		}
	}
	byNamespace := classes.NeedNamespaces(all)
	if byNamespace {
		if state.Namespace, err = r.namespaces.of(ctx, s.tenant.Namespace); err != nil {
			return classes.Decision{}, err
		}
	}
	if len(all) > 0 || s.tenant.Spec.ClassName != "" {
		if state.Ran, err = r.hasServer(ctx, s); err != nil {
			return classes.Decision{}, err
		}
	}
	decided := classes.Decide(state)
	if decided.Problem != nil && decided.Problem.Reason == v1alpha1.ReasonClassMissing && r.Classes != nil && r.Classes.forbidden.Load() {
		decided.Problem.Message = "The operator may not read ProvisioningTenantClasses, so it knows of none: let it get, list and watch them. " +
			decided.Problem.Message
	}
	if decided.Problem != nil && byNamespace {
		decided.Problem.Recheck = cmp.Or(r.Options.RecheckHosts, recheckHosts) // nothing tells of the labels of a namespace
	}
	return decided, nil
}

// lastClass is what the ServiceAccount of the tenant says that its class decided last, nil where a class had no say.
func (r *ProvisioningTenantReconciler) lastClass(ctx context.Context, s *scope) (*classes.Values, error) {
	account := &corev1.ServiceAccount{}
	err := r.Get(ctx, s.serverKey(), account)
	if apierrors.IsNotFound(err) || err == nil && !s.owner.Owns(account, nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the ServiceAccount: %w", err)
	}
	text, said := account.Annotations[desired.AnnotationClass]
	if !said || !apply.Manages(account, "f:"+desired.AnnotationClass) {
		return nil, nil
	}
	last := &classes.Values{}
	if err := json.Unmarshal([]byte(text), last); err != nil {
		return nil, nil //nolint:nilerr // somebody else wrote it, and it is written over
	}
	return last, nil
}

// withClass returns another tenant than that of the reconcile with the spec that holds for it, or nil where its class does not accept it.
func (r *ProvisioningTenantReconciler) withClass(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (*v1alpha1.ProvisioningTenant, error) {
	decided, err := r.decideClass(ctx, newScope(r, tenant, &memory{}))
	if err != nil || decided.Held {
		return nil, err
	}
	holds := *tenant
	holds.Spec = decided.Spec
	return &holds, nil
}
