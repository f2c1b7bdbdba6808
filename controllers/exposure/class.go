package exposure

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Admission fills the cluster's default class into an Ingress that names none, and does so once, when the Ingress is made. The default may
// be another one a minute later. So it is asked for again in two cases:
//
//	an Ingress that                                 where the default is its class         where the default is another
//	has a class that the spec no longer names       stays, as one of the default class     stays until a second Ingress works
//	has the default class, and nobody has taken it  waits                                  gets that class
//
// An Ingress of the default class that a controller has taken stays where it is.

const (
	// comesAgain is within which time Microsoft Entra ID starts the next cycle.
	comesAgain = 45 * time.Minute
	// recheckFailed is when to ask again where the API server failed.
	recheckFailed = 30 * time.Second
)

// Lookout is what is remembered of an Ingress of the default class that no controller has taken; zero while there is none.
type Lookout struct {
	// due is when the default class is asked for.
	due time.Time
	// Instead is the default class where somebody else gave the Ingress its own; empty otherwise.
	Instead string
}

// IngressClass is the class that the Ingress should have, empty for the cluster's default. otherwise is that for tenants that name none.
func (s *State) IngressClass(otherwise string) string {
	class := cmp.Or(otherwise, s.Class)
	if ingress := s.Tenant.Spec.Exposure.Ingress; ingress != nil && ingress.ClassName != "" {
		class = ingress.ClassName
	}
	return class
}

// ingresses are those that the spec or the operator has given a class, and of those with the default class the one that is needed most; none where
// the place of one is to be mended first.
func (s *State) ingresses() (named []*Route, byDefault *Route) {
	for i := range s.Routes {
		switch found := &s.Routes[i]; {
		case found.Kind != KindIngress:
		case found.moved:
			return nil, nil
		case found.place != "":
			named = append(named, found)
		case byDefault == nil || found.need() > byDefault.need():
			byDefault = found
		}
	}
	return named, byDefault
}

// AsksForClass tells whether the default class is to be asked for, as the table above says, or else when; the zero time for never. Until the answer is
// followed an Ingress that has another class keeps it. recheck is how long one waits for a controller.
func (s *State) AsksForClass(before Lookout, recheck time.Duration, now time.Time) (after Lookout, asks bool, next time.Time) {
	named, byDefault := s.ingresses()
	switch {
	case byDefault != nil:
		return s.due(byDefault, before, recheck, now)
	case len(named) > 0:
		s.Class = slices.MaxFunc(named, func(a, b *Route) int { return cmp.Compare(a.need(), b.need()) }).place
		return before, true, time.Time{}
	default:
		return before, false, time.Time{}
	}
}

// due tells whether the Ingress has waited for a controller so long that its class may be the wrong one.
func (s *State) due(found *Route, before Lookout, recheck time.Duration, now time.Time) (after Lookout, is bool, next time.Time) {
	_, annotated := found.GetAnnotations()[networkingv1beta1.AnnotationIngressClass]
	switch until := s.reached(found).Add(comesAgain); {
	case found.works, annotated:
		return Lookout{}, false, time.Time{}
	case now.Before(until):
		return Lookout{}, false, until
	}
	after = before
	if after.due.IsZero() {
		after.due = now.Add(recheck)
	}
	if now.Before(after.due) {
		return after, false, after.due
	}
	return after, true, time.Time{}
}

// reached is when a client was last seen of those that come by an Ingress though no controller says that it took it; zero for never. Some
// controllers never say so.
func (s *State) reached(found *Route) time.Time {
	activity := s.Tenant.Status.Activity
	if activity == nil || activity.LastRequestTime == nil || activity.LastCycle == nil || activity.LastCycle.StartTime == nil ||
		!activity.LastCycle.StartTime.After(found.GetCreationTimestamp().Time) ||
		slices.ContainsFunc(s.Routes, func(other Route) bool { return other.works }) {
		return time.Time{}
	}
	return activity.LastRequestTime.Time
}

// FollowClass returns the Ingress that is to change because this is the default class, "" where there is none or it is not told; nil where none is. stays
// tells whether it is to be one of the default class as it is: another object of the same controller would serve the same host twice, which some
// controllers refuse. Otherwise it gets the class, and stays the same object, because its empty status says nothing that would be wrong of another.
func (s *State) FollowClass(class string) (found *Route, stays bool) {
	named, byDefault := s.ingresses()
	if class == "" {
		return nil, false
	}
	if at := slices.IndexFunc(named, func(found *Route) bool { return found.Class == class }); at >= 0 {
		return named[at], true
	}
	if byDefault != nil && class != byDefault.Class {
		return byDefault, false
	}
	return nil, false
}

// ClassFollowed takes notice that the Ingresses follow the default class, and returns when to ask for it again; the zero time for never. stayed is the
// one that is of the default class from now on, nil for none.
func (s *State) ClassFollowed(before Lookout, stayed *Route, recheck time.Duration, now time.Time) (after Lookout, next time.Time) {
	s.Class, after = "", before
	if _, byDefault := s.ingresses(); byDefault != nil {
		after.due = now.Add(recheck)
		next = after.due
	}
	if stayed != nil {
		stayed.place = ""
	}
	return after, next
}

// ClassUnknown says that it could not be found out which class the default is.
func ClassUnknown(err error) *problem.Waiting {
	return &problem.Waiting{
		Condition: v1alpha1.ConditionExposureInEffect, Reason: v1alpha1.ReasonError, After: recheckFailed,
		Message: "The Ingress keeps the class that it has until it is known whether that is the default. " + problem.Failure(err),
	}
}

// unconfirmed says what to do about a controller that takes Ingresses without a word.
const unconfirmed = "If that controller writes no status, set spec.exposure.ingress.readiness to Assumed."

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
		return message + fmt.Sprintf(" It has class %s: if this lasts, check spec.exposure.ingress and the controller of that class. %s", class, unconfirmed)
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
		"if this lasts, check the controller of that class, or set className. %s", class, unconfirmed)
}
