package protocol_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

// put brings changed settings into force on all servers, as their main loop does.
func (f *fixture) put(change func(*settings.Snapshot)) {
	f.t.Helper()
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	changed.Verifiers.Verifiers = append([]token.Verifier{}, changed.Verifiers.Verifiers...)
	change(&changed)
	for _, server := range f.callers {
		if err := server.Follow(f.t.Context(), &changed); err != nil {
			f.t.Fatal(err)
		}
	}
	f.snapshot = &changed
}

func (f *fixture) opens(what, accessToken string, want int) {
	f.t.Helper()
	if got := f.sendWith("GET", "/Users", "", bearer(accessToken)); got.status != want {
		f.t.Errorf("%s: %d, want %d\n%s", what, got.status, want, got.body)
	}
}

func TestACopyOfTheDirectoryIsNotEnoughToSignAccessTokens(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.opens("what the endpoint issued", f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret))), http.StatusOK)
	claims := authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": "customers/contoso", "sub": "client-" + token.Fingerprint(secret), "jti": "forged",
		"iat": f.clock().Unix(), "exp": f.clock().Add(time.Hour).Unix(),
	}
	tried := 0
	for _, name := range []string{"oauth-signing-key", auth.AccessTokenKeys} {
		kept, err := f.database.Meta(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range secretsIn(kept) {
			if len(key) < 32 {
				continue // the library signs with no such key
			}
			tried++
			f.opens("a token signed with what is kept under "+name, authtest.SignAs(t, "at+jwt", jose.HS256, key, "", claims), http.StatusUnauthorized)
		}
	}
	if tried == 0 {
		t.Error("nothing is kept of the key that signs; this test proves nothing")
	}
}

// A directory of the version before this one has the key in clear, and so has each copy of it.
func TestTheKeyInACopyOfAnOlderDirectoryOpensNothingSoonAfterTheUpgrade(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	key := []byte(strings.Repeat("k", 32))
	if err := f.database.Update(t.Context(), func(tx store.Tx) error {
		return tx.SetMeta(t.Context(), "oauth-signing-key", base64.StdEncoding.EncodeToString(key))
	}); err != nil {
		t.Fatal(err)
	}
	f.put(func(*settings.Snapshot) {})
	forge := func(kind jose.ContentType, lifetime time.Duration) string {
		return authtest.SignAs(t, kind, jose.HS256, key, "", authtest.Claims{
			"iss": v1alpha1.GroupName, "aud": "customers/contoso", "sub": "client-" + token.Fingerprint(secret), "jti": "forged",
			"iat": f.clock().Unix(), "exp": f.clock().Add(lifetime).Unix(),
		})
	}
	f.opens("a token of the older server", forge("at+jwt", time.Hour), http.StatusOK)
	f.opens("one for thirty years", forge("at+jwt", 30*365*24*time.Hour), http.StatusUnauthorized)
	f.opens("one of another typ", forge("JWT", time.Hour), http.StatusUnauthorized)
	f.advance(2*time.Hour + time.Second)
	f.opens("one that is signed later", forge("at+jwt", time.Hour), http.StatusUnauthorized)
	replica := f.replica()
	for range 2 {
		accessToken := f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret)))
		if got := f.sendWith("GET", replica+"/Users", "", bearer(accessToken)); got.status != http.StatusOK {
			t.Errorf("another replica refuses a new token: %d\n%s", got.status, got.body)
		}
	}
	if kept, err := f.database.Meta(t.Context(), "oauth-signing-key"); err != nil || kept != "" {
		t.Errorf("the key stays in the directory: %q (%v)", kept, err)
	}
}

func TestReplicasTakeEachOthersTokensAndEndThemTogether(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.put(func(s *settings.Snapshot) {
		s.Tenant.Spec.Authentication.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
	})
	replicas := []string{f.http.URL + v1alpha1.BasePath, f.replica(), f.replica()}
	var accessTokens []string
	for range 2 { // the second time with a key of the next day
		accessTokens = nil
		for _, replica := range replicas {
			endpoint := strings.TrimSuffix(replica, v1alpha1.BasePath) + v1alpha1.TokenPath
			form := func() http.Header { return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}} }
			header := form()
			header.Set("Authorization", basicOf("contoso", secret).Get("Authorization"))
			accessTokens = append(accessTokens,
				f.issued(f.sendWith("POST", endpoint, "grant_type=client_credentials", header)),
				f.issued(f.sendWith("POST", endpoint, f.assertionForm(nil), form())))
		}
		for _, accessToken := range accessTokens {
			for _, replica := range replicas {
				if got := f.sendWith("GET", replica+"/Users", "", bearer(accessToken)); got.status != http.StatusOK {
					t.Errorf("a replica refuses the token of another: %d\n%s", got.status, got.body)
				}
			}
		}
		f.advance(24*time.Hour + time.Second)
	}
	f.advance(-24*time.Hour - time.Second)
	f.put(func(s *settings.Snapshot) {
		s.Verifiers.Obeyed = map[string]token.Obeyed{v1alpha1.AccessTokensCredential: {Rotate: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)}}
	})
	f.put(func(s *settings.Snapshot) { s.Verifiers.Obeyed = nil })
	for _, accessToken := range accessTokens {
		for _, replica := range append(replicas, f.replica()) {
			if got := f.sendWith("GET", replica+"/Users", "", bearer(accessToken)); got.status != http.StatusUnauthorized {
				t.Errorf("a token of an earlier epoch: %d\n%s", got.status, got.body)
			}
		}
	}
}

// secretsIn lists what somebody who has found a text would try as a key: each string in it, as it is and decoded.
func secretsIn(text string) [][]byte {
	var found [][]byte
	var parsed any
	if json.Unmarshal([]byte(text), &parsed) != nil {
		parsed = text
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, inner := range value {
				walk(inner)
			}
		case []any:
			for _, inner := range value {
				walk(inner)
			}
		case string:
			found = append(found, []byte(value))
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				if decoded, err := encoding.DecodeString(value); err == nil {
					found = append(found, decoded)
				}
			}
		}
	}
	walk(parsed)
	return found
}

func TestATokenStaysRefusedWhenWhatItWasIssuedForComesBack(t *testing.T) {
	withdrawn := map[string]func(*settings.Snapshot){
		"workload identity": func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil },
		"the subject": func(s *settings.Snapshot) {
			s.Tenant.Spec.Authentication.WorkloadIdentity.Subjects = []string{"another"}
		},
		"the audience": func(s *settings.Snapshot) {
			s.Tenant.Spec.Authentication.WorkloadIdentity.Audiences = []string{"api://another"}
		},
		"the Entra tenant": func(s *settings.Snapshot) { s.Tenant.Spec.Entra().TenantID = "00000000-0000-0000-0000-000000000000" },
		"the cloud":        func(s *settings.Snapshot) { s.Tenant.Spec.Entra().Cloud = v1alpha1.EntraCloudChina },
	}
	for name, withdraw := range withdrawn {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.put(func(s *settings.Snapshot) {
				s.Tenant.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: authtest.TenantID})
				s.Tenant.Spec.Authentication.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
			})
			before := f.snapshot
			old := f.issued(f.ask("POST", f.assertionForm(nil), nil))
			f.opens("at first", old, http.StatusOK)
			f.put(withdraw)
			f.opens("withdrawn", old, http.StatusUnauthorized)
			f.put(func(s *settings.Snapshot) { *s = *before })
			f.opens("put back", old, http.StatusUnauthorized)
			f.opens("a new one", f.issued(f.ask("POST", f.assertionForm(nil), nil)), http.StatusOK)
		})
	}
}
