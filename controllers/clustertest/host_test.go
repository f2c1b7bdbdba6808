package clustertest

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/testenv"
)

// bug class 14: two tenants, one name.
func TestOfTwoTenantsWithOneHostTheOlderKeepsItAndTheYoungerTakesOver(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host := first.namespace + ".shared.example.com"
	older := create(first, first.tenant(withHost(host)))
	first.until(older, ready)
	// A second later, or of the same second with a later namespace: younger either way.
	younger := create(second, second.tenant(withHost(host)))
	second.until(younger, "Accepted=False/HostTaken", "Exposed=False/HostTaken", "Stalled=True/HostTaken", "Ready=False/HostTaken", "ServerAvailable=True/Available")
	if younger.Status.TenantURL != "" {
		t.Errorf("the younger tenant publishes %s", younger.Status.TenantURL)
	}
	for _, c := range younger.Status.Conditions {
		if want := "Host " + host + " belongs to the older tenant " + first.namespace + "/contoso: choose another in spec.exposure.host."; c.Type == "Accepted" && c.Message != want {
			t.Errorf("got %q, want %q", c.Message, want)
		}
	}
	gone(second, &networkingv1.Ingress{}, "contoso-scim")
	if got := get(second, &corev1.Secret{}, "contoso-credentials").Data; len(got) != 1 {
		t.Errorf("the credentials Secret of the younger tenant has %d keys, want the token only: it has no URL", len(got))
	}
	first.until(older, ready)

	if err := first.Delete(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	second.until(younger, ready)
	if want := "https://" + host + "/scim/v2"; younger.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", younger.Status.TenantURL, want)
	}
}

func TestAnOlderTenantThatMovesToAHostTakesItsRouteAway(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host := second.namespace + ".moved.example.com"
	older := create(first, first.tenant())
	first.until(older, ready)
	younger := create(second, second.tenant(withHost(host)))
	second.until(younger, ready)
	edit(first, older, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = host })
	second.until(younger, "Accepted=False/HostTaken")
	gone(second, &networkingv1.Ingress{}, "contoso-scim")
	if younger.Status.TenantURL != "" {
		t.Errorf("the tenant that lost its host still publishes %s", younger.Status.TenantURL)
	}
	first.until(older, ready)
	// Moving away gives it back.
	edit(first, older, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = first.namespace + ".example.com" })
	second.until(younger, ready)
}

func TestATenantThatIsNotExposedHasNoIngressAndTheURLOfItsService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure = v1alpha1.Exposure{Type: v1alpha1.ExposureNone} })
	w.until(tenant, ready, "Exposed=True/NotExposed")
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	if want := "http://contoso-scim." + w.namespace + ".svc/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = w.namespace + ".example.com" })
	w.until(tenant, ready, "Exposed=True/NotExposed")
	if want := "https://" + w.namespace + ".example.com/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
}

// bug class 11: the URL is published when it is true, and not before.
func TestConditionsTellWhatATenantIsWaitingForAndTheURLComesLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	tenant := create(w, w.tenant())
	w.until(tenant, "Accepted=True/Accepted", "CredentialsReady=True/Issued", "StorageReady=False/ClaimPending",
		"ServerAvailable=False/Progressing", "Exposed=False/WaitingForIngressController", "Ready=False/ClaimPending", "Reconciling=True/ClaimPending")
	for _, step := range []struct {
		object client.Object
		name   string
		want   string
	}{
		{&corev1.PersistentVolumeClaim{}, "contoso-data", "StorageReady=True/Bound"},
		{&networkingv1.Ingress{}, "contoso-scim", "Exposed=True/IngressReady"},
	} {
		if err := testenv.Pretend(t.Context(), w.Client, get(w, step.object, step.name)); err != nil {
			t.Fatal(err)
		}
		w.until(tenant, step.want)
		if tenant.Status.TenantURL != "" {
			t.Errorf("%s is published before the server answers", tenant.Status.TenantURL)
		}
	}
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	if err := testenv.Pretend(t.Context(), w.Client, deployment); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, ready)
	url := tenant.Status.TenantURL
	if url == "" {
		t.Fatal("the tenant is ready and has no URL")
	}

	// The server restarts: not ready, and the URL stays.
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Status.AvailableReplicas, deployment.Status.Conditions[0].Status = 0, corev1.ConditionFalse
	if err := w.Status().Patch(t.Context(), deployment, patch); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "Ready=False/ServerUnavailable", "Reconciling=True/ServerUnavailable")
	if tenant.Status.TenantURL != url {
		t.Errorf("while the server restarts the URL is %q, want %q", tenant.Status.TenantURL, url)
	}

	// The host changes: the URL goes until the new one works.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = "new." + p.Spec.Exposure.Host })
	w.until(tenant, "Accepted=True/Accepted")
	if tenant.Status.TenantURL != "" {
		t.Errorf("after the host changed %q is still published", tenant.Status.TenantURL)
	}
}

func TestACertificateThatIsMissingIsToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.TLS = &v1alpha1.ExposureTLS{SecretName: "contoso-tls"}
	}))
	w.until(tenant, "Exposed=False/TLSSecretMissing", "Ready=False/TLSSecretMissing")
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim")
	if len(ingress.Spec.TLS) != 1 || ingress.Spec.TLS[0].SecretName != "contoso-tls" || strings.Join(ingress.Spec.TLS[0].Hosts, "") != tenant.Spec.Exposure.Host {
		t.Errorf("the Ingress has TLS %+v; an issuer would not make the certificate", ingress.Spec.TLS)
	}
	create(w, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-tls"},
		Type:       corev1.SecretTypeTLS, StringData: map[string]string{"tls.crt": "a certificate", "tls.key": "a key"},
	})
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "Contoso" })
	w.until(tenant, ready)
}

func TestWhatTheLoginAuthoritySaysIsToldAndHoldsNothingBack(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		knownEntraTenant:                       "EntraTenantVerified=True/Verified",
		strings.ToUpper(knownEntraTenant):      "EntraTenantVerified=True/Verified",
		brokenEntraTenant:                      "EntraTenantVerified=Unknown/AuthorityUnreachable",
		"11111111-2222-4333-8444-555555555555": "EntraTenantVerified=False/NotFound",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra.TenantID = id }))
			w.until(tenant, ready, want)
			edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra.TenantID = knownEntraTenant })
			w.until(tenant, ready, "EntraTenantVerified=True/Verified")
		})
	}
}
