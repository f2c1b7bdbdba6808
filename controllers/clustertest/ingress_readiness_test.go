package clustertest

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/test/testenv"
)

// silentController is an Ingress of a class whose controller writes no status.
func silentController(readiness v1alpha1.IngressReadiness) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "silent", Readiness: readiness}
	}
}

func TestATenantOfAControllerThatWritesNoStatusIsReadyOnceItsIngressIsAssumedToWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel) // in which no Ingress gets a status
	tenant := create(w, w.tenant(silentController("")))
	w.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	w.pretend(&appsv1.Deployment{}, "contoso-scim")
	w.until(tenant, "ServerAvailable=True/Available", "Exposed=False/WaitingForIngressController", "Ready=False/WaitingForIngressController")
	if got := message(tenant, "Exposed"); !strings.HasSuffix(got, "If that controller writes no status, set spec.exposure.ingress.readiness to Assumed.") {
		t.Errorf("the way out is not told: %s", got)
	}
	if tenant.Status.TenantURL != "" {
		t.Errorf("%s is published though nobody has taken the Ingress", tenant.Status.TenantURL)
	}

	edit(w, tenant, silentController(v1alpha1.ReadinessAssumed))
	w.until(tenant, "Exposed=True/IngressAssumed", "ExposureInEffect=True/InEffect", ready)
	if got := message(tenant, "Exposed"); !strings.Contains(got, "nobody has confirmed that a controller routes it") {
		t.Errorf("Exposed says %q", got)
	}
	url := "https://" + w.namespace + ".example.com/scim/v2"
	if tenant.Status.TenantURL != url {
		t.Errorf("the Tenant URL is %q", tenant.Status.TenantURL)
	}
	if ingress := get(w, &networkingv1.Ingress{}, "contoso-scim"); len(ingress.Status.LoadBalancer.Ingress) != 0 || ingress.Annotations[desired.AnnotationReadiness] != "Assumed" {
		t.Errorf("the Ingress has status %+v and annotations %v", ingress.Status, ingress.Annotations)
	}

	// An address confirms what was assumed, and its absence then takes nothing away.
	w.pretend(&networkingv1.Ingress{}, "contoso-scim")
	w.until(tenant, "Exposed=True/IngressReady", ready)
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim")
	ingress.Status = networkingv1.IngressStatus{}
	if err := w.Status().Update(t.Context(), ingress); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "Exposed=True/IngressAssumed", ready)

	// A class whose controller speaks: the assumed Ingress stays until that has spoken, though the spec speaks of it no more.
	speaking := func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "speaking", Readiness: v1alpha1.ReadinessLoadBalancerStatus}
	}
	edit(w, tenant, speaking)
	w.until(tenant, "Exposed=True/RouteKept", "ExposureInEffect=False/WaitingForIngressController", ready)
	if kept := get(w, &networkingv1.Ingress{}, "contoso-scim"); *kept.Spec.IngressClassName != "silent" || tenant.Status.TenantURL != url {
		t.Errorf("the Ingress is of class %s, and the Tenant URL %q", *kept.Spec.IngressClassName, tenant.Status.TenantURL)
	}
	w.pretend(&networkingv1.Ingress{}, "contoso-scim-2")
	w.until(tenant, "Exposed=True/IngressReady", "ExposureInEffect=True/InEffect", ready)
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	if second := get(w, &networkingv1.Ingress{}, "contoso-scim-2"); second.Annotations[desired.AnnotationReadiness] != "" {
		t.Errorf("the second Ingress has annotations %v", second.Annotations)
	}
}

func TestAWayToKnowThatAnIngressWorksMustBeOneOfTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.Create(t.Context(), w.tenant(silentController("Hopefully")))
	const want = `spec.exposure.ingress.readiness: Unsupported value: "Hopefully": supported values: "LoadBalancerStatus", "Assumed"`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
