package clustertest

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

func TestATenantGetsEverythingThatItNeedsAndThenItsURL(t *testing.T) {
	race.Meets(t) // every child is applied
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready, "EntraTenantVerified=True/Verified", "CredentialsReady=True/Issued")

	if want := "https://" + tenant.Spec.Exposure.Host + "/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	credentials := get(w, &corev1.Secret{}, "contoso-credentials")
	verifier := get(w, &corev1.Secret{}, "contoso-verifier")
	if got := string(credentials.Data[v1alpha1.CredentialsTenantURLKey]); got != tenant.Status.TenantURL {
		t.Errorf("the credentials Secret has tenantURL %q, want %q", got, tenant.Status.TenantURL)
	}
	set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.Find(string(credentials.Data[v1alpha1.CredentialsTokenKey])); !ok {
		t.Error("the verifier Secret does not know the token")
	}
	if len(verifier.Data) != 1 {
		t.Errorf("the verifier Secret has %d keys, want one", len(verifier.Data))
	}
	get(w, &appsv1.Deployment{}, "contoso-scim")
	get(w, &corev1.Service{}, "contoso-scim")
	get(w, &networkingv1.Ingress{}, "contoso-scim")
}
