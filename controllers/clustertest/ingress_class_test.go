package clustertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// classless is an Ingress that names no class.
func (w *world) classless() *networkingv1.Ingress {
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "probe", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}},
	}
}

// setDefault makes an IngressClass that is the default or not, and waits until the API server goes by it.
func (w *world) setDefault(name string, is bool, want string) {
	w.Helper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	switch err := w.Get(w.Context(), client.ObjectKeyFromObject(class), class); {
	case apierrors.IsNotFound(err):
		class.Spec.Controller = "example.com/" + name
		create(w, class)
		w.Cleanup(func() { _ = cluster.Client.Delete(context.Background(), class) })
	case err != nil:
		w.Fatal(err)
	}
	edit(w, class, func(c *networkingv1.IngressClass) {
		c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "false"}
		if is {
			c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] = "true"
		}
	})
	w.eventually("the default class is "+want, func() string {
		probe := w.classless()
		if err := w.Create(w.Context(), probe, client.DryRunAll); err != nil {
			return err.Error()
		}
		if got := ptr.Deref(probe.Spec.IngressClassName, ""); got != want {
			return "it is " + got
		}
		return ""
	})
}

// untilClass waits until the Ingress has the class.
func (w *world) untilClass(want string) *networkingv1.Ingress {
	w.Helper()
	ingress := &networkingv1.Ingress{}
	w.eventually("the Ingress has class "+want, func() string {
		w.look()
		if got := ptr.Deref(get(w, ingress, "contoso-scim").Spec.IngressClassName, ""); got != want {
			return "it has " + got
		}
		return ""
	})
	return ingress
}

// untilSaid waits until the message of Exposed has a text.
func (w *world) untilSaid(tenant *v1alpha1.ProvisioningTenant, text string) {
	w.Helper()
	w.eventually("Exposed says "+text, func() string {
		w.look()
		w.until(tenant, "Exposed=False/WaitingForIngressController")
		if got := message(tenant, "Exposed"); !strings.Contains(got, text) {
			return "it says " + got
		}
		return ""
	})
}

// Not parallel: the default class is that of all tests.
func TestAnIngressFollowsTheClustersDefaultClassUntilAControllerHasTakenIt(t *testing.T) {
	w := newWorld(t, testenv.HoldLabel)
	options := testenv.Options(entra.URL)
	options.Namespaces = map[string]cache.Config{w.namespace: {}}
	options.RecheckIngressClass = time.Millisecond
	running := w.operator(options)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{testenv.OwnOperatorLabel: ""} }))
	w.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	w.pretend(&appsv1.Deployment{}, "contoso-scim")
	w.untilSaid(tenant, "It has no class")
	made := get(w, &networkingv1.Ingress{}, "contoso-scim").UID

	w.setDefault("second", true, "second")
	w.untilClass("second")
	w.untilSaid(tenant, "It has class second")
	w.setDefault("first", true, "first") // of two the API server takes the newer, and of one second the first by name
	w.untilClass("first")
	w.setDefault("first", false, "second")
	w.untilClass("second")

	// A class that somebody else gives it is theirs, until they take it away.
	edit(w, get(w, &networkingv1.Ingress{}, "contoso-scim"), func(i *networkingv1.Ingress) { i.Spec.IngressClassName = new("theirs") })
	w.untilSaid(tenant, "It has class theirs, which somebody else gave it, and the default is second:")
	edit(w, get(w, &networkingv1.Ingress{}, "contoso-scim"), func(i *networkingv1.Ingress) { i.Spec.IngressClassName = nil })
	w.untilClass("second")

	w.pretend(&networkingv1.Ingress{}, "contoso-scim")
	w.until(tenant, ready)
	writes := func() []testenv.Request {
		before := len(running.Requests.In(w.namespace))
		w.look()
		w.look()
		return slices.DeleteFunc(running.Requests.In(w.namespace)[before:], func(r testenv.Request) bool { return !r.IsWrite() })
	}
	w.eventually("the operator comes to rest", func() string {
		if written := writes(); len(written) > 0 {
			return fmt.Sprintf("it still writes: %v", written)
		}
		return ""
	})
	w.setDefault("first", true, "first")
	if written := writes(); len(written) > 0 {
		t.Errorf("a tenant that is served costs %v", written)
	}
	if ingress := w.untilClass("second"); ingress.UID != made {
		t.Error("the Ingress was made anew")
	}
	if err := running.Stop(); err != nil {
		t.Error(err)
	}
}

// A policy engine that is away has the API server fail the question for the default class. Nothing else waits for that.
func TestWhileTheDefaultClassCannotBeAskedForTheRouteStaysAndAllElseGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "first"}
	}))
	w.until(tenant, ready)
	leaked, url := w.plaintext(), tenant.Status.TenantURL
	webhook := w.failing("networking.k8s.io", "ingresses", w.classless())
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = nil
		p.Spec.DisplayName = "Contoso"
	})
	annotate(w, tenant, rotateToken, asked(0)+",overlap=0s")
	w.eventually("the token that has leaked ends", func() string {
		if _, ok := w.verifiers().Find(leaked); ok {
			return "it is accepted"
		}
		return ""
	})
	w.until(tenant, ready, "Exposed=True/IngressReady", "ExposureInEffect=False/Error", "RequestsObeyed=True/Obeyed")
	if ingress := w.untilClass("first"); tenant.Status.TenantURL != url || len(ingress.Status.LoadBalancer.Ingress) == 0 {
		t.Errorf("the URL is %q", tenant.Status.TenantURL)
	}
	if err := w.Delete(t.Context(), webhook); err != nil {
		t.Fatal(err)
	}
	w.eventually("the API server does without the webhook", func() string {
		w.look()
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err.Error()
		}
		return lacking(tenant.Status.Conditions, tenant.Generation, []string{"ExposureInEffect=True/InEffect", ready})
	})
	if tenant.Status.TenantURL != url {
		t.Errorf("the URL is %q", tenant.Status.TenantURL)
	}
}
