package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// classManager is the field manager that holds the class of an Ingress as admission would have filled it in.
const classManager = apply.FieldManager + "-class"

// recheckClass is how long an Ingress waits for a controller before the default class is asked for again, where the options do not say. A
// controller that restarts empties the status of its Ingresses, and has filled it again by then.
const recheckClass = 2 * time.Minute

// resolveClass has the Ingress of a tenant that names no class follow the cluster's default. Where that is not known, everything stays at the class
// that it has.
func (r *ProvisioningTenantReconciler) resolveClass(ctx context.Context, s *scope) error {
	lookout, recheck, now := &s.memory.class, cmp.Or(r.Options.RecheckIngressClass, recheckClass), r.Options.Clock.Now
	after, asks, next := s.exposure.AsksForClass(*lookout, recheck, now())
	*lookout = after
	s.outcome.at(next, now())
	if !asks {
		return nil
	}
	stayed, err := r.followClass(ctx, s)
	if err != nil {
		return classUnknown(ctx, err)
	}
	*lookout, next = s.exposure.ClassFollowed(*lookout, stayed, recheck, now())
	s.outcome.at(next, now())
	return nil
}

// followClass asks for the default class, and has the Ingress be of it. It returns the one that stays as it is, nil where none does.
func (r *ProvisioningTenantReconciler) followClass(ctx context.Context, s *scope) (stayed *exposure.Route, err error) {
	class, err := r.defaultClass(ctx, s.tenant.Namespace)
	if err != nil {
		return nil, err
	}
	s.memory.class.Instead = ""
	switch found, stays := s.exposure.FollowClass(class); {
	case found == nil:
		return nil, nil
	case stays:
		return found, r.keepClass(ctx, found)
	default:
		return nil, r.changeClass(ctx, s, found, class)
	}
}

// keepClass leaves the class of an Ingress as it is, which the spec no longer names.
func (r *ProvisioningTenantReconciler) keepClass(ctx context.Context, found *exposure.Route) error {
	// A field that nobody manages goes.
	release := networkingv1ac.Ingress(found.GetName(), found.GetNamespace()).WithUID(found.GetUID()).
		WithSpec(networkingv1ac.IngressSpec().WithIngressClassName(found.Class))
	if err := r.Apply(ctx, release, client.FieldOwner(classManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("leave the class of Ingress %q as it is: %w", found.GetName(), err)
	}
	return nil
}

// changeClass gives an Ingress another class, unless a controller has taken it meanwhile, or somebody else gave it the class that it has.
func (r *ProvisioningTenantReconciler) changeClass(ctx context.Context, s *scope, found *exposure.Route, class string) error {
	change := networkingv1ac.Ingress(found.GetName(), found.GetNamespace()).WithUID(found.GetUID()).WithResourceVersion(found.GetResourceVersion()).
		WithSpec(networkingv1ac.IngressSpec().WithIngressClassName(class))
	err := r.Apply(ctx, change, client.FieldOwner(classManager))
	switch {
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		s.memory.class.Instead = class
		return nil
	case err != nil:
		return fmt.Errorf("change the class of Ingress %q: %w", found.GetName(), err)
	}
	ctrl.LoggerFrom(ctx).Info("No controller took the Ingress, and another class is the default now", "ingress", found.GetName(),
		"before", found.Class, "now", class)
	return nil
}

// classUnknown is how a tenant is told that its Ingress cannot follow the default class.
func classUnknown(ctx context.Context, err error) error {
	err = problem.Classify(err, v1alpha1.ConditionExposureInEffect, v1alpha1.ReasonRejected)
	if _, refused := errors.AsType[*problem.Stalled](err); refused || errors.Is(err, apply.ErrOwnerGone) || apierrors.IsConflict(err) {
		return err
	}
	ctrl.LoggerFrom(ctx).Error(err, "The Ingress keeps the class that it has")
	return exposure.ClassUnknown(err)
}

// defaultClass is the class that admission gives to an Ingress which names none, "" where there is none or policies refuse the question.
// IngressClasses are the cluster's, and an operator with a Role alone could not read them.
func (r *ProvisioningTenantReconciler) defaultClass(ctx context.Context, namespace string) (string, error) {
	trial := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "tenantry-"},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "none", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}},
	}
	err := r.Create(ctx, trial, client.DryRunAll)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the default class of Ingresses: %w", err)
	}
	return ptr.Deref(trial.Spec.IngressClassName, ""), nil
}
