package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// Admission fills the cluster's default class into an Ingress that names none, and does so once, when the Ingress is made. The default may
// be another one a minute later. So it is asked for again in two cases:
//
//	an Ingress that                                 where the default is its class         where the default is another
//	has a class that the spec no longer names       stays, as one of the default class     stays until a second Ingress works
//	has the default class, and nobody has taken it  waits                                  gets that class
//
// An Ingress of the default class that a controller has taken stays where it is.

// classManager is the field manager that holds the class of an Ingress as admission would have filled it in.
const classManager = apply.FieldManager + "-class"

const (
	// recheckClass is how long an Ingress waits for a controller before the default class is asked for again, where the options do not say. A
	// controller that restarts empties the status of its Ingresses, and has filled it again by then.
	recheckClass = 2 * time.Minute
	// comesAgain is within which time Microsoft Entra ID starts the next cycle.
	comesAgain = 45 * time.Minute
	// recheckFailed is when to ask again where the API server failed.
	recheckFailed = 30 * time.Second
)

// classLookout is what is remembered of an Ingress of the default class that no controller has taken; zero while there is none.
type classLookout struct {
	// due is when the default class is asked for.
	due time.Time
	// instead is the default class where somebody else gave the Ingress its own; empty otherwise.
	instead string
}

// resolveClass has the Ingress of a tenant that names no class follow the cluster's default, as the table above says. Where it is not
// known, everything stays at the class that it has.
func (r *ProvisioningTenantReconciler) resolveClass(ctx context.Context, s *scope) error {
	var named []*route
	var unnamed *route
	for i := range s.routes {
		switch found := &s.routes[i]; {
		case found.kind != kindIngress:
		case found.moved:
			return nil // its place is mended first
		case found.place != "":
			named = append(named, found)
		case unnamed == nil || found.need() > unnamed.need():
			unnamed = found
		}
	}
	switch {
	case unnamed != nil:
		if !r.classDue(s, unnamed) {
			return nil
		}
	case len(named) > 0:
		s.class = slices.MaxFunc(named, func(a, b *route) int { return cmp.Compare(a.need(), b.need()) }).place
	default:
		return nil
	}
	class, err := r.defaultClass(ctx, s.tenant.Namespace)
	if err == nil {
		s.memory.class.instead = ""
		if at := slices.IndexFunc(named, func(found *route) bool { return class != "" && found.class == class }); at >= 0 {
			err = r.keepClass(ctx, named[at])
		} else if unnamed != nil && class != "" && class != unnamed.class {
			err = r.changeClass(ctx, s, unnamed, class)
		}
	}
	if err != nil {
		return classUnknown(ctx, err)
	}
	s.class = ""
	if unnamed != nil {
		s.memory.class.due = r.Options.Clock.Now().Add(r.recheckClass())
		s.outcome.at(s.memory.class.due, r.Options.Clock.Now())
	}
	return nil
}

func (r *ProvisioningTenantReconciler) recheckClass() time.Duration {
	return cmp.Or(r.Options.RecheckIngressClass, recheckClass)
}

// classDue tells whether the Ingress has waited for a controller so long that its class may be the wrong one.
func (r *ProvisioningTenantReconciler) classDue(s *scope, found *route) bool {
	lookout, now := &s.memory.class, r.Options.Clock.Now()
	_, annotated := found.GetAnnotations()[networkingv1beta1.AnnotationIngressClass]
	switch until := reached(s, found).Add(comesAgain); {
	case found.works, annotated:
		*lookout = classLookout{}
		return false
	case now.Before(until):
		*lookout = classLookout{}
		s.outcome.at(until, now)
		return false
	}
	if lookout.due.IsZero() {
		lookout.due = now.Add(r.recheckClass())
	}
	if now.Before(lookout.due) {
		s.outcome.at(lookout.due, now)
		return false
	}
	return true
}

// reached is when a client was last seen of those that come by an Ingress though no controller says that it took it; zero for never. Some
// controllers never say so.
func reached(s *scope, found *route) time.Time {
	activity := s.tenant.Status.Activity
	if activity == nil || activity.LastRequestTime == nil || activity.LastCycle == nil || activity.LastCycle.StartTime == nil ||
		!activity.LastCycle.StartTime.After(found.GetCreationTimestamp().Time) ||
		slices.ContainsFunc(s.routes, func(other route) bool { return other.works }) {
		return time.Time{}
	}
	return activity.LastRequestTime.Time
}

// keepClass makes an Ingress whose class the spec no longer names, and which is the default, one of the default class. Another object of the
// same controller would serve the same host twice, which some controllers refuse.
func (r *ProvisioningTenantReconciler) keepClass(ctx context.Context, found *route) error {
	// A field that nobody manages goes.
	release := networkingv1ac.Ingress(found.GetName(), found.GetNamespace()).WithUID(found.GetUID()).
		WithSpec(networkingv1ac.IngressSpec().WithIngressClassName(found.class))
	if err := r.Apply(ctx, release, client.FieldOwner(classManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("leave the class of Ingress %q as it is: %w", found.GetName(), err)
	}
	found.place = ""
	return nil
}

// changeClass gives an Ingress another class, unless a controller has taken it meanwhile, or somebody else gave it the class that it has. It
// stays the same object, because its empty status says nothing that would be wrong of another class.
func (r *ProvisioningTenantReconciler) changeClass(ctx context.Context, s *scope, found *route, class string) error {
	change := networkingv1ac.Ingress(found.GetName(), found.GetNamespace()).WithUID(found.GetUID()).WithResourceVersion(found.GetResourceVersion()).
		WithSpec(networkingv1ac.IngressSpec().WithIngressClassName(class))
	err := r.Apply(ctx, change, client.FieldOwner(classManager))
	switch {
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		s.memory.class.instead = class
		return nil
	case err != nil:
		return fmt.Errorf("change the class of Ingress %q: %w", found.GetName(), err)
	}
	ctrl.LoggerFrom(ctx).Info("No controller took the Ingress, and another class is the default now", "ingress", found.GetName(),
		"before", found.class, "now", class)
	return nil
}

// classUnknown is how a tenant is told that its Ingress cannot follow the default class.
func classUnknown(ctx context.Context, err error) error {
	const stays = "The Ingress keeps the class that it has until it is known whether that is the default. "
	err = classify(err, v1alpha1.ConditionExposureInEffect, v1alpha1.ReasonRejected)
	if _, refused := errors.AsType[*Stalled](err); refused || errors.Is(err, apply.ErrOwnerGone) || apierrors.IsConflict(err) {
		return err
	}
	ctrl.LoggerFrom(ctx).Error(err, "The Ingress keeps the class that it has")
	return &Waiting{
		Condition: v1alpha1.ConditionExposureInEffect, Reason: v1alpha1.ReasonError, Message: stays + failure(err), After: recheckFailed,
	}
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

// untaken says of an Ingress that no controller has taken which class it has, and what to do about that. One without a name was not seen
// yet. wanted is the class that the spec or the operator names, and instead the default one where somebody else set the class.
func untaken(ingress *networkingv1.Ingress, name, wanted, instead string) string {
	class := ptr.Deref(ingress.Spec.IngressClassName, "")
	if annotated := ingress.Annotations[networkingv1beta1.AnnotationIngressClass]; wanted == "" && class == "" {
		wanted = annotated
	}
	class = cmp.Or(class, wanted)
	message := fmt.Sprintf("No ingress controller has taken Ingress %s yet.", name)
	switch {
	case wanted != "":
		return message + fmt.Sprintf(" It has class %s: if this lasts, check spec.exposure.ingress and the controller of that class.", class)
	case ingress.Name == "":
		return message
	case class == "":
		return message + " It has no class, because spec.exposure.ingress.className names none and the cluster had no default: " +
			"set className, or make an IngressClass the default."
	case instead != "" && instead != class:
		return message + fmt.Sprintf(" It has class %s, which somebody else gave it, and the default is %s: "+
			"set spec.exposure.ingress.className, or delete the Ingress, and it is made anew.", class, instead)
	}
	return message + fmt.Sprintf(" It has class %s, as spec.exposure.ingress.className names none: "+
		"if this lasts, check the controller of that class, or set className.", class)
}
