package token_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestASpecAsksForTheSecretTokenTheClientsSecretAndATokenForEachReaderThatIsNoServiceAccount(t *testing.T) {
	t.Parallel()
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: "contoso"}}
	secretToken := token.Credential{Key: "token"}
	if got := token.Wanted(tenant); !slices.Equal(got, []token.Credential{secretToken}) {
		t.Errorf("a tenant without settings wants %+v", got)
	}
	tenant.Spec.Authentication = v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{}, Readers: []v1alpha1.Reader{
		{Name: "payroll"}, {Name: "portal", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal"}}, {Name: "audit"},
	}}
	want := []token.Credential{
		secretToken, {Key: "clientSecret", ClientID: "contoso"}, {Key: "reader.payroll", Reader: "payroll"}, {Key: "reader.audit", Reader: "audit"},
	}
	got := token.Wanted(tenant)
	if !slices.Equal(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, want := range []string{"contoso-credentials token", "contoso-credentials clientSecret", "contoso-reader.payroll token", "contoso-reader.audit token"} {
		if name, key := got[i].Secret("contoso"); name+" "+key != want {
			t.Errorf("%s is handed out by %s %s, want %s", got[i].Key, name, key, want)
		}
	}
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	verifiers := []token.Verifier{
		token.NewVerifier("secret", token.RoleProvisioner, at), token.NewClient("secret", "contoso", at),
		token.NewReader("secret", "payroll", at), token.NewReader("secret", "audit", at),
	}
	for i, credential := range got {
		if v := credential.Verifier("secret", at); v != verifiers[i] {
			t.Errorf("%s has the verifier %+v, want %+v", credential.Key, v, verifiers[i])
		}
		for j := range verifiers {
			if credential.Matches(verifiers[j]) != (i == j) {
				t.Errorf("%s matches %+v: %v", credential.Key, verifiers[j], i != j)
			}
		}
	}
}
