package clustertest

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func reading(names ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = nil
		for _, name := range names {
			p.Spec.Authentication.Readers = append(p.Spec.Authentication.Readers, v1alpha1.Reader{Name: name})
		}
	}
}

// untilIssued waits until the server takes these credentials and no others, and the credentials Secret has these keys; it
// returns the Secret's data.
func (w *world) untilIssued(ids int, keys ...string) map[string][]byte {
	w.Helper()
	var data map[string][]byte
	w.eventually("the credentials are as the spec says", func() string {
		var credentials, verifier corev1.Secret
		for name, secret := range map[string]*corev1.Secret{"contoso-credentials": &credentials, "contoso-verifier": &verifier} {
			if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, secret); err != nil {
				return err.Error()
			}
		}
		data = credentials.Data
		set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
		if err != nil {
			return err.Error()
		}
		if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, keys) || len(set.Verifiers) != ids {
			return "they are not yet"
		}
		return ""
	})
	return data
}

func TestAReaderThatIsAddedGetsATokenWhichEndsWhenItIsRenamedOrRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext := w.plaintext()

	edit(w, tenant, reading("payroll", "audit"))
	first := w.untilIssued(3, "reader.audit", "reader.payroll", "tenantURL", "token")
	for _, name := range []string{"payroll", "audit"} {
		if v, ok := w.verifiers().Find(string(first["reader."+name])); !ok || v.Role != token.RoleReader || v.ID != "reader-"+name {
			t.Errorf("the server takes the token of %s for %+v", name, v)
		}
	}

	edit(w, tenant, reading("accounts", "audit"))
	renamed := w.untilIssued(3, "reader.accounts", "reader.audit", "tenantURL", "token")
	if string(renamed["reader.audit"]) != string(first["reader.audit"]) {
		t.Error("the token of the reader that stays changed")
	}
	if string(renamed["reader.accounts"]) == string(first["reader.payroll"]) {
		t.Error("the renamed reader has the old token")
	}
	if _, ok := w.verifiers().Find(string(first["reader.payroll"])); ok {
		t.Error("the server still takes the token of the old name")
	}

	edit(w, tenant, reading())
	w.untilIssued(1, "tenantURL", "token")
	if _, ok := w.verifiers().Find(plaintext); !ok || w.plaintext() != plaintext {
		t.Error("the Secret Token changed with the readers")
	}
	w.until(tenant, ready)
}

func TestOAuthGivesAClientAndATokenURLAndTakesThemAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} }))
	w.until(tenant, ready)
	data := w.untilIssued(2, "clientID", "clientSecret", "tenantURL", "token", "tokenURL")
	url := "https://" + w.namespace + ".example.com/oauth2/token"
	if string(data["clientID"]) != "contoso" || string(data["tokenURL"]) != url || tenant.Status.TokenURL != url {
		t.Errorf("client ID %q, token URL %q and in the status %q", data["clientID"], data["tokenURL"], tenant.Status.TokenURL)
	}
	if _, ok := w.verifiers().FindClient("contoso", string(data["clientSecret"])); !ok {
		t.Error("the server does not take the client secret")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = nil })
	w.untilIssued(1, "tenantURL", "token")
	w.until(tenant, ready)
	if tenant.Status.TokenURL != "" {
		t.Errorf("status.tokenURL is still %q", tenant.Status.TokenURL)
	}
}

func TestAReaderThatIsAddedAfterTheCredentialsSecretWasDeletedIsAloneInTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	before := w.untilIssued(2, "reader.payroll", "tenantURL", "token")
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied")

	edit(w, tenant, reading("payroll", "audit"))
	after := w.untilIssued(3, "reader.audit", "tenantURL")
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	for _, plaintext := range [][]byte{before["token"], before["reader.payroll"], after["reader.audit"]} {
		if _, ok := w.verifiers().Find(string(plaintext)); !ok {
			t.Error("the server does not take every token that was handed over")
		}
	}
	// And it may be deleted again.
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied", ready)
}
