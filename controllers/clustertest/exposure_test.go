package clustertest

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

func TestAnIngressOfAnotherClassTakesThePlaceOfTheFirstWhenItsControllerHasTakenIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	class := func(name string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: name}
		}
	}
	tenant := create(w, w.tenant(class("first")))
	w.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	w.pretend(&appsv1.Deployment{}, "contoso-scim")
	w.pretend(&networkingv1.Ingress{}, "contoso-scim")
	w.until(tenant, ready)
	url := tenant.Status.TenantURL

	// First a class that nobody serves, and then one that somebody does.
	for _, mistake := range []string{"nobody", "nobody-either"} {
		edit(w, tenant, class(mistake))
		w.until(tenant, "ExposureInEffect=False/WaitingForIngressController", "Exposed=True/RouteKept", "Reconciling=True/WaitingForIngressController", ready)
		if got := message(tenant, "ExposureInEffect"); !strings.HasPrefix(got, "No ingress controller has taken Ingress contoso-scim-2 yet.") {
			t.Errorf("Exposed says %q", got)
		}
		w.eventually("the Ingress has the class", func() string {
			if got := get(w, &networkingv1.Ingress{}, "contoso-scim-2"); *got.Spec.IngressClassName != mistake {
				return "it has " + *got.Spec.IngressClassName
			}
			return ""
		})
		if got := get(w, &networkingv1.Ingress{}, "contoso-scim"); *got.Spec.IngressClassName != "first" || got.DeletionTimestamp != nil || tenant.Status.TenantURL != url {
			t.Errorf("the Ingress is of class %s, and the URL is %q", *got.Spec.IngressClassName, tenant.Status.TenantURL)
		}
	}
	edit(w, tenant, class("second"))
	w.eventually("the Ingress has the class", func() string {
		if got := get(w, &networkingv1.Ingress{}, "contoso-scim-2"); *got.Spec.IngressClassName != "second" {
			return "it has " + *got.Spec.IngressClassName
		}
		return ""
	})
	w.pretend(&networkingv1.Ingress{}, "contoso-scim-2")
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	if tenant.Status.TenantURL != url {
		t.Errorf("the URL is %q", tenant.Status.TenantURL)
	}
}

// Applications follow the Secrets: these say what works.
func TestSecretsHandOutTheURLThatWorksWhileAnOldRouteIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	at := func(class, host string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Exposure.Ingress, p.Spec.Exposure.Host = &v1alpha1.IngressExposure{ClassName: class}, host
		}
	}
	tenant := create(w, w.tenant(reading("payroll"), at("first", w.namespace+".example.com")))
	w.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	w.pretend(&appsv1.Deployment{}, "contoso-scim")
	w.pretend(&networkingv1.Ingress{}, "contoso-scim")
	w.until(tenant, ready)
	handed := func() (urls []string) {
		t.Helper()
		return []string{
			string(get(w, &corev1.Secret{}, "contoso-credentials").Data[v1alpha1.CredentialsTenantURLKey]),
			string(get(w, &corev1.Secret{}, "contoso-reader.payroll").Data[v1alpha1.ReaderURIKey]),
		}
	}
	before := tenant.Status.TenantURL

	edit(w, tenant, at("second", "new."+w.namespace+".example.com"))
	w.until(tenant, "ExposureInEffect=False/WaitingForIngressController", "Exposed=True/RouteKept", ready)
	w.settled()
	for _, url := range handed() {
		if url != before || url != tenant.Status.TenantURL {
			t.Errorf("a Secret hands out %q while %q works, and the status has %q", url, before, tenant.Status.TenantURL)
		}
	}
	w.pretend(&networkingv1.Ingress{}, "contoso-scim-2")
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	want := "https://new." + w.namespace + ".example.com/scim/v2"
	w.eventually("the Secrets follow", func() string {
		for _, url := range append(handed(), get(w, tenant, "contoso").Status.TenantURL) {
			if url != want {
				return url
			}
		}
		return ""
	})
}

// The Service may learn of a pod after the Deployment has.
func TestATenantIsReadyOnlyWhenItsServiceHasAnEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	tenant := create(w, w.tenant())
	w.pretend(&corev1.PersistentVolumeClaim{}, "contoso-data")
	w.pretend(&networkingv1.Ingress{}, "contoso-scim")
	slice := create(w, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: "contoso-scim", Labels: map[string]string{discoveryv1.LabelServiceName: "contoso-scim"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}}},
	})
	w.pretend(&appsv1.Deployment{}, "contoso-scim")
	w.until(tenant, "ServerAvailable=True/Available", "Exposed=False/WaitingForEndpoints", "Ready=False/WaitingForEndpoints")
	if tenant.Status.TenantURL != "" {
		t.Errorf("%s is published before anything leads there", tenant.Status.TenantURL)
	}
	edit(w, slice, func(slice *discoveryv1.EndpointSlice) { slice.Endpoints[0].Conditions.Ready = new(true) })
	w.until(tenant, ready)
}

func TestATenantThatIsNotExposedHasNoIngressAndTheURLOfItsService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure = v1alpha1.Exposure{Type: v1alpha1.ExposureNone} })
	w.until(tenant, ready, "Exposed=True/NotExposed")
	w.untilWarned("TenantURLChanged")
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
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{SecretName: "contoso-tls"}}
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
	race.Meets(t) // answers come from goroutines of their own
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
			tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra().TenantID = id }))
			w.until(tenant, ready, want)
			edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra().TenantID = knownEntraTenant })
			w.until(tenant, ready, "EntraTenantVerified=True/Verified")
		})
	}
}
