package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

func TestBackToTheDefaultClassAnIngressStaysWhereItIsTheSame(t *testing.T) {
	t.Parallel()
	refused := apierrors.NewForbidden(networkingv1.Resource("ingresses"), "", errors.New("a policy"))
	for name, test := range map[string]struct {
		byDefault *string
		err       error
		stays     bool
	}{
		"the same class":       {new("nginx"), nil, true},
		"another class":        {new("traefik"), nil, false},
		"no default class":     {nil, nil, false},
		"one that is not told": {nil, refused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "nginx"}
			}))
			s.class, s.classRefused = test.byDefault, test.err
			ingresses := func() []networkingv1.Ingress {
				t.Helper()
				var list networkingv1.IngressList
				s.must(s.List(t.Context(), &list))
				return list.Items
			}
			s.settle()
			tenant := s.tenant()
			tenant.Spec.Exposure.Ingress = nil
			tenant.Generation++
			s.must(s.WithWatch.Update(t.Context(), tenant))
			s.settle()
			now := ingresses()
			if (len(now) == 1) != test.stays {
				t.Fatalf("there are %d Ingresses", len(now))
			}
			first := now[0] // whose controller goes on serving it where the other is to come
			if (first.Annotations[desired.AnnotationPlace] == "") != test.stays || ptr.Deref(first.Spec.IngressClassName, "") != "nginx" {
				t.Errorf("it is at %q and has the class %q", first.Annotations[desired.AnnotationPlace], ptr.Deref(first.Spec.IngressClassName, ""))
			}
			settled := s.writes
			s.settle()
			if s.writes != settled {
				t.Error("it is written again")
			}
		})
	}
}

// waiting is a tenant of the default class whose Ingress nobody takes. Its operator remembers.
type waiting struct {
	*simulated
	operator *ProvisioningTenantReconciler
}

func waitForController(t *testing.T, class *string) *waiting {
	t.Helper()
	s := simulate(t, contoso())
	w := &waiting{s, s.operator()}
	w.look()
	w.class = class
	return w
}

func (w *waiting) look() {
	w.Helper()
	for range 5 {
		before := w.writes
		_, err := w.operator.Reconcile(w.Context(), theTenant)
		w.must(err)
		if w.writes == before {
			return
		}
	}
	w.Fatal("the tenant does not settle")
}

func (w *waiting) later(pause time.Duration) {
	w.Helper()
	w.now.SetTime(w.now.Now().Add(pause))
	w.look()
}

func (w *waiting) ingress() *networkingv1.Ingress {
	w.Helper()
	var ingress networkingv1.Ingress
	w.must(w.WithWatch.Get(w.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-scim"}, &ingress))
	return &ingress
}

func (w *waiting) has(class string, asked int) {
	w.Helper()
	if got := ptr.Deref(w.ingress().Spec.IngressClassName, ""); got != class || w.classAsked != asked {
		w.Errorf("the Ingress has class %q, want %q; the default was asked for %d times, want %d", got, class, w.classAsked, asked)
	}
}

func TestAnIngressThatNobodyTakesFollowsTheDefaultClass(t *testing.T) {
	t.Parallel()
	w := waitForController(t, new("other"))
	w.later(recheckClass - time.Second)
	w.has("", 0) // a new tenant pays nothing
	w.later(time.Second)
	w.has("other", 1)
	w.class = new("traefik")
	w.later(recheckClass - time.Second)
	w.has("other", 1)
	w.later(time.Second)
	w.has("traefik", 2)
	settled := w.writes
	w.later(recheckClass)
	w.has("traefik", 3)
	if w.writes != settled {
		t.Error("it is written again")
	}
	w.class = nil
	w.later(recheckClass)
	w.has("traefik", 4)
	w.class, w.classRefused = new("nginx"), apierrors.NewForbidden(networkingv1.Resource("ingresses"), "", errors.New("a policy"))
	w.later(recheckClass)
	w.has("traefik", 5)
}

func TestAnIngressThatIsTakenKeepsItsClass(t *testing.T) {
	t.Parallel()
	w := waitForController(t, new("traefik"))
	w.later(recheckClass)
	w.pretend()
	w.class = new("nginx")
	w.later(recheckClass)
	w.later(recheckClass)
	w.has("traefik", 1)

	// The controller restarts, and takes its time.
	ingress := w.ingress()
	ingress.Status = networkingv1.IngressStatus{}
	w.must(w.Status().Update(t.Context(), ingress))
	w.look()
	w.later(recheckClass - time.Second)
	w.has("traefik", 1)
	w.later(time.Second)
	w.has("nginx", 2)
}

func TestAClassThatSomebodyElseGaveTheIngressStaysAndIsTold(t *testing.T) {
	t.Parallel()
	w := waitForController(t, new("traefik"))
	ingress := w.ingress()
	ingress.Spec.IngressClassName = new("other")
	w.must(w.WithWatch.Update(t.Context(), ingress, client.FieldOwner("somebody")))
	w.look()
	w.later(recheckClass)
	w.has("other", 1)
	w.later(time.Second)
	w.has("other", 1)
	const want = "It has class other, which somebody else gave it, and the default is traefik:"
	if c := meta.FindStatusCondition(w.tenant().Status.Conditions, v1alpha1.ConditionExposed); !strings.Contains(c.Message, want) {
		t.Errorf("the message is %q", c.Message)
	}
	ingress = w.ingress()
	ingress.Spec.IngressClassName = nil
	w.must(w.WithWatch.Update(t.Context(), ingress, client.FieldOwner("somebody")))
	w.later(recheckClass)
	w.has("traefik", 2)
}

// The second Ingress waits in a class that was the default by mistake, and the class of the first becomes the default.
func TestOfTwoIngressesTheOneOfTheDefaultClassStays(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "nginx"}
	}))
	s.settle()
	w := &waiting{s, s.operator()}
	w.class = new("other")
	tenant := w.tenant()
	tenant.Spec.Exposure.Ingress = nil
	tenant.Generation++
	w.must(w.WithWatch.Update(t.Context(), tenant))
	w.look()
	w.class = new("nginx")
	w.later(recheckClass)
	w.pretend() // for the fake client took the status away
	w.look()
	w.has("nginx", 2)
	var left networkingv1.IngressList
	w.must(w.List(t.Context(), &left))
	if len(left.Items) != 1 {
		t.Errorf("%d Ingresses are left", len(left.Items))
	}
	s.check()
}

func TestWhileTheDefaultClassCannotBeAskedForOneConditionSaysSo(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "nginx"}
	}))
	s.settle()
	w := &waiting{s, s.operator()}
	w.classRefused = apierrors.NewInternalError(errors.New("failed calling webhook"))
	tenant := w.tenant()
	tenant.Spec.Exposure.Ingress = nil
	tenant.Generation++
	w.must(w.WithWatch.Update(t.Context(), tenant))
	w.look()
	w.has("nginx", w.classAsked)
	all := w.tenant().Status.Conditions
	for _, want := range []string{"Ready=True/Ready", "Exposed=True/IngressReady", "ExposureInEffect=False/Error"} {
		conditionType, _, _ := strings.Cut(want, "=")
		if c := meta.FindStatusCondition(all, conditionType); conditionType+"="+string(c.Status)+"/"+c.Reason != want || c.ObservedGeneration != tenant.Generation {
			t.Errorf("got %+v, want %s", c, want)
		}
	}
	w.class, w.classRefused = new("nginx"), nil
	w.later(time.Minute)
	w.pretend() // for the fake client took the status away
	w.look()
	w.has("nginx", w.classAsked)
	if place := w.ingress().Annotations[desired.AnnotationPlace]; place != "" {
		t.Errorf("it is at %q", place)
	}
	s.check()
}

func TestAnIngressThatWaitsWhileTheDefaultClassCannotBeAskedForIsToldAndFollowsItLater(t *testing.T) {
	t.Parallel()
	w := waitForController(t, new("traefik"))
	w.classRefused = apierrors.NewInternalError(errors.New("failed calling webhook"))
	w.later(recheckClass)
	w.has("", w.classAsked)
	settled := w.writes
	w.later(time.Minute)
	if w.writes != settled {
		t.Error("it is written again")
	}
	for conditionType, want := range map[string]string{
		v1alpha1.ConditionExposed: v1alpha1.ReasonWaitingForIngressController, v1alpha1.ConditionExposureInEffect: v1alpha1.ReasonError,
	} {
		if c := meta.FindStatusCondition(w.tenant().Status.Conditions, conditionType); c.Status != metav1.ConditionFalse || c.Reason != want {
			t.Errorf("got %+v, want the reason %s", c, want)
		}
	}
	w.classRefused = nil
	w.later(time.Minute)
	w.has("traefik", w.classAsked)
	if c := meta.FindStatusCondition(w.tenant().Status.Conditions, v1alpha1.ConditionExposureInEffect); c.Status != metav1.ConditionTrue {
		t.Errorf("afterwards there is %+v", c)
	}
}
