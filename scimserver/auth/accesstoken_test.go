package auth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

func (f *fixture) accessToken() string {
	f.t.Helper()
	issued, err := f.IssueForSecret(f.t.Context(), "contoso", f.secret, f.settings)
	if err != nil {
		f.t.Fatal(err)
	}
	return issued.Value
}

func (f *fixture) tokenByAssertion() string {
	f.t.Helper()
	issued, err := f.IssueForAssertion(f.t.Context(), f.issuer.Sign(f.assertion()), f.settings)
	if err != nil {
		f.t.Fatal(err)
	}
	return issued.Value
}

func (f *fixture) wantRefused(what, credential string) {
	f.t.Helper()
	var refused *auth.Refusal
	if identity, err := f.bearer(credential); !errors.As(err, &refused) {
		f.t.Errorf("%s: got %+v, %v, want a refusal", what, identity, err)
	}
}

func TestAnAccessTokenIsValidForItsLifetimeOnEveryServerAndAfterARestart(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	want := auth.Identity{Client: "client-" + token.Fingerprint(f.secret), Role: token.RoleProvisioner}
	for what, server := range map[string]*auth.Authenticator{"the same server": f.Authenticator, "another, or after a restart": f.server()} {
		if got, err := f.bearerAt(server, accessToken); err != nil || got != want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	f.advance(time.Hour)
	if _, err := f.bearer(accessToken); err != nil {
		t.Errorf("at the end of its lifetime: %v", err)
	}
	f.advance(time.Second)
	f.wantRefused("after its lifetime", accessToken)
}

func TestTheLifetimeIsTheTenants(t *testing.T) {
	f := newFixture(t)
	issued, err := f.IssueForSecret(t.Context(), "contoso", f.secret, f.settings)
	if err != nil || issued.Lifetime != time.Hour {
		t.Errorf("by default %s, %v", issued.Lifetime, err)
	}
	f.change(func(s *settings.Snapshot) {
		s.Tenant.Spec.Authentication.OAuth.AccessTokenLifetime = &metav1.Duration{Duration: 6 * time.Hour}
	})
	if issued, err = f.IssueForSecret(t.Context(), "contoso", f.secret, f.settings); err != nil || issued.Lifetime != 6*time.Hour {
		t.Errorf("as set %s, %v", issued.Lifetime, err)
	}
	f.advance(5 * time.Hour)
	if _, err := f.bearer(issued.Value); err != nil {
		t.Error(err)
	}
}

func TestAnAccessTokenEndsAtOnceWithWhatBoughtIt(t *testing.T) {
	for name, change := range map[string]func(*settings.Snapshot){
		"the client's secret is gone": func(s *settings.Snapshot) { s.Verifiers = token.Set{} },
		"the client has another secret": func(s *settings.Snapshot) {
			s.Verifiers.Verifiers = []token.Verifier{token.NewClient("another", "contoso", start)}
		},
		"the client's secret has expired": func(s *settings.Snapshot) {
			s.Verifiers.Verifiers = []token.Verifier{expired(s.Verifiers.Verifiers[0])}
		},
		"OAuth is switched off":             func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.OAuth = nil },
		"the tenant is another of its name": func(s *settings.Snapshot) { s.Tenant.UID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			accessToken := f.accessToken()
			if _, err := f.bearer(accessToken); err != nil {
				t.Fatal(err)
			}
			f.change(change)
			f.wantRefused(name, accessToken)
		})
	}
	for name, change := range map[string]func(*settings.Snapshot){
		"workload identity is switched off": func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil },
		"the subject is taken out": func(s *settings.Snapshot) {
			s.Tenant.Spec.Authentication.WorkloadIdentity.Subjects = []string{"another"}
		},
		"the Entra tenant is another": func(s *settings.Snapshot) { s.Tenant.Spec.Entra.TenantID = "00000000-0000-0000-0000-000000000000" },
		"there is no Entra tenant":    func(s *settings.Snapshot) { s.Tenant.Spec.Entra = nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			accessToken := f.tokenByAssertion()
			if got, err := f.bearer(accessToken); err != nil || got != (auth.Identity{Client: "workload-" + subject, Role: token.RoleProvisioner}) {
				t.Fatalf("%+v, %v", got, err)
			}
			f.change(change)
			f.wantRefused(name, accessToken)
		})
	}
}

func expired(v token.Verifier) token.Verifier {
	v.NotAfter = start.Add(-time.Second)
	return v
}

func TestOnlyTheClientsOwnSecretIsWorthAnAccessToken(t *testing.T) {
	f := newFixture(t)
	bearer, old := newToken(t), newToken(t)
	f.change(func(s *settings.Snapshot) {
		s.Verifiers.Verifiers = append(s.Verifiers.Verifiers,
			token.NewVerifier(bearer, token.RoleProvisioner, start), expired(token.NewClient(old, "contoso", start)))
	})
	for name, c := range map[string]struct{ id, secret string }{
		"another client ID":     {"fabrikam", f.secret},
		"no client ID":          {"", f.secret},
		"another secret":        {"contoso", newToken(t)},
		"no secret":             {"contoso", ""},
		"the Secret Token":      {"contoso", bearer},
		"an expired secret":     {"contoso", old},
		"the ID in other case":  {"Contoso", f.secret},
		"the ID of no verifier": {"", bearer},
	} {
		var refused *auth.Refusal
		if issued, err := f.IssueForSecret(t.Context(), c.id, c.secret, f.settings); !errors.As(err, &refused) || issued.Value != "" {
			t.Errorf("%s: %+v, %v", name, issued, err)
		}
	}
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.OAuth = nil })
	if _, err := f.IssueForSecret(t.Context(), "contoso", f.secret, f.settings); err == nil {
		t.Error("a tenant without OAuth issued a token")
	}
}

func TestAForgedAccessTokenIsRefused(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	ours := authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": string(f.settings.Tenant.UID), "sub": "client-" + token.Fingerprint(f.secret),
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	key := f.keys.kept[auth.SigningKey]
	if len(key) != 32 {
		t.Fatalf("the key has %d bytes", len(key))
	}
	sign := func(claims authtest.Claims) string { return authtest.Sign(t, jose.HS256, key, "", claims) }
	if _, err := f.bearer(sign(ours)); err != nil {
		t.Fatalf("the claims are not those of our own tokens: %v; this test would prove nothing", err)
	}
	parts := strings.Split(accessToken, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	for name, forged := range map[string]string{
		"signed with another key":     authtest.Sign(t, jose.HS256, make([]byte, 32), "", ours),
		"signed with RSA":             f.issuer.Sign(ours),
		"another algorithm":           authtest.Sign(t, jose.HS512, append(key, key...), "", ours),
		"no algorithm":                none + "." + parts[1] + ".",
		"no algorithm, old signature": none + "." + parts[1] + "." + parts[2],
		"no signature":                parts[0] + "." + parts[1] + ".",
		"another payload":             parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2],
		"another issuer":              sign(ours.With(authtest.Claims{"iss": "another"})),
		"another tenant":              sign(ours.With(authtest.Claims{"aud": "another"})),
		"without an end":              sign(ours.With(authtest.Claims{"exp": nil})),
		"of a bearer token":           sign(ours.With(authtest.Claims{"sub": "token-" + token.Fingerprint(f.secret)})),
		"of nobody":                   sign(ours.With(authtest.Claims{"sub": ""})),
		"of a reader":                 sign(ours.With(authtest.Claims{"sub": "reader-payroll"})),
		"of an unknown workload":      sign(ours.With(authtest.Claims{"sub": "workload-x", "tid": authtest.TenantID})),
		"larger than a header":        accessToken + strings.Repeat("A", 16<<10),
		"two dots":                    "..", "dots and no JSON": "a.b.c",
	} {
		f.wantRefused(name, forged)
	}
}

func TestServersThatStartTogetherSignWithOneKey(t *testing.T) {
	f := newFixture(t)
	var buyers sync.WaitGroup
	accessToken := make([]string, 8)
	for i := range accessToken {
		buyers.Go(func() {
			issued, err := f.server().IssueForSecret(t.Context(), "contoso", f.secret, f.settings)
			if err != nil {
				t.Error(err)
			}
			accessToken[i] = issued.Value
		})
	}
	buyers.Wait()
	for _, value := range accessToken {
		if _, err := f.bearer(value); err != nil {
			t.Error(err)
		}
	}
	if f.keys.writes != 1 {
		t.Errorf("the key was written %d times", f.keys.writes)
	}
}

func TestAStoreThatIsAwayIsNoFaultOfTheToken(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	f.keys.failure = store.ErrUnavailable
	if _, err := f.bearer(accessToken); err != nil {
		t.Errorf("a server that knows the key asks the store again: %v", err)
	}
	if _, err := f.bearerAt(f.server(), accessToken); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want that the store is unavailable", err)
	}
	if _, err := f.server().IssueForSecret(t.Context(), "contoso", f.secret, f.settings); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want that the store is unavailable", err)
	}
}

func TestADamagedKeyIsSaidAndNotShown(t *testing.T) {
	f := newFixture(t)
	f.keys.kept[auth.SigningKey] = []byte("short")
	if _, err := f.IssueForSecret(t.Context(), "contoso", f.secret, f.settings); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("got %v", err)
	}
}
