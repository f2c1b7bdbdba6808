package clustertest

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 8: deleting and making again in a loop while the deletion is still under way.
func TestAnObjectThatIsBeingDeletedIsWaitedForAndThenMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	server := get(w, &appsv1.Deployment{}, "contoso-scim")
	before := server.UID
	hold := func(finalizers ...string) {
		t.Helper()
		edit(w, server, func(d *appsv1.Deployment) { d.Finalizers = finalizers })
	}
	// As a deletion in the foreground does, which waits for the pods.
	hold("test/hold")
	if err := w.Delete(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "ServerAvailable=False/Progressing")
	if text := message(tenant, v1alpha1.ConditionServerAvailable); !strings.Contains(text, "test/hold") {
		t.Errorf("what holds the Deployment is told as %q", text)
	}
	requests := len(operator.Requests.In(w.namespace))
	for _, class := range []string{"one", "two", "three"} {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = class })
		w.until(tenant, "ServerAvailable=False/Progressing")
	}
	for _, request := range operator.Requests.In(w.namespace)[requests:] {
		if !request.IsWrite() || strings.HasSuffix(request.Path, "/status") {
			continue
		}
		t.Errorf("%s %s while the Deployment was being deleted", request.Method, request.Path)
	}
	hold()
	w.eventually("the Deployment is made again", func() string {
		var now appsv1.Deployment
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-scim"}, &now); err != nil {
			return err.Error()
		}
		if now.UID == before || now.Spec.Template.Spec.PriorityClassName != "three" {
			return "not yet"
		}
		return ""
	})
	w.until(tenant, ready)
}

// Tools put finalizers on what they manage, and forget them.
func TestATenantThatIsHeldByAFinalizerIsSaidToBeDeletedAndNothingOfItIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = []string{"test/hold"} }))
	w.until(tenant, ready)
	if err := w.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "Ready=False/Terminating", "Reconciling=True/Terminating", "RequestsObeyed=Unknown/Terminating")
	if text := message(tenant, v1alpha1.ConditionReady); !strings.Contains(text, "test/hold") {
		t.Errorf("what holds the tenant is told as %q", text)
	}
	if err := w.Delete(t.Context(), get(w, &corev1.Service{}, "contoso-scim")); err != nil {
		t.Fatal(err)
	}
	requests := len(operator.Requests.In(w.namespace))
	w.look()
	if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
		t.Errorf("a tenant that is being deleted costs %v", more)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = nil })
	gone(w, &v1alpha1.ProvisioningTenant{}, "contoso")
}

func TestTheOperatorKeepsItsHandsOffATenantThatAsksForThat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pause := func(value string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Annotations = map[string]string{v1alpha1.ReconcileAnnotation: value, v1alpha1.RotateAnnotationPrefix + "token": asked(1)}
		}
	}
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	url, fingerprint := tenant.Status.TenantURL, tenant.Status.Credentials.Fingerprint
	edit(w, tenant, pause(v1alpha1.ReconcileDisabled))
	w.until(tenant, "Ready=Unknown/ReconcileDisabled", "RequestsObeyed=Unknown/ReconcileDisabled")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "high" })
	if err := w.Delete(t.Context(), get(w, &corev1.Service{}, "contoso-scim")); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	requests := len(operator.Requests.In(w.namespace))
	w.look()
	if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
		t.Errorf("a tenant that is to be left alone costs %v", more)
	}
	gone(w, &corev1.Service{}, "contoso-scim")
	get(w, tenant, "contoso")
	if now := tenant.Status; now.TenantURL != url || now.Credentials.Fingerprint != fingerprint || now.ObservedGeneration == tenant.Generation {
		t.Errorf("the status of generation %d says %+v", tenant.Generation, now)
	}

	edit(w, tenant, pause("true"))
	w.until(tenant, ready, "RequestsObeyed=False/InvalidRequest")
	if text := message(tenant, v1alpha1.ConditionRequestsObeyed); !strings.Contains(text, `"true" asks for nothing`) {
		t.Errorf("a value that means nothing is told as %q", text)
	}
	get(w, &corev1.Service{}, "contoso-scim")
	if tenant.Status.Credentials.Fingerprint == fingerprint {
		t.Error("the rotation was not made up for")
	}
}
