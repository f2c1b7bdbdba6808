package auth_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
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
		"the Entra tenant is another": func(s *settings.Snapshot) { s.Tenant.Spec.Entra().TenantID = "00000000-0000-0000-0000-000000000000" },
		"there is no Entra tenant":    func(s *settings.Snapshot) { s.Tenant.Spec.IdentityProvider = nil },
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

// signing returns the key that signed an access token, and its ID.
func (f *fixture) signing(accessToken string) (ed25519.PrivateKey, string) {
	f.t.Helper()
	parsed, err := jwt.ParseSigned(accessToken, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, seed := range f.random.seeds {
		if key := ed25519.NewKeyFromSeed(seed); parsed.Claims(key.Public()) == nil {
			return key, parsed.Headers[0].KeyID
		}
	}
	f.t.Fatal("the key of the token is not one that was made")
	return nil, ""
}

func TestAnAccessTokenThatIsNotAsIssuedIsRefused(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	key, id := f.signing(accessToken)
	another, otherID := f.signing(f.tokenByAssertion())
	ours := authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": string(f.settings.Tenant.UID), "sub": "client-" + token.Fingerprint(f.secret),
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(), "jti": "id",
	}
	at := func(name string, times ...time.Duration) authtest.Claims {
		changed := ours.With(authtest.Claims{name: start.Add(times[0]).Unix()})
		if len(times) > 1 {
			changed = changed.With(authtest.Claims{"exp": start.Add(times[1]).Unix()})
		}
		return changed
	}
	const day = 24 * time.Hour
	sign := func(claims authtest.Claims) string { return authtest.SignAs(t, "at+jwt", jose.EdDSA, key, id, claims) }
	for name, good := range map[string]authtest.Claims{
		"as issued":                      ours,
		"issued by a clock that is fast": at("iat", 59*time.Second, time.Hour),
		"a shorter one":                  at("exp", time.Minute),
	} {
		if _, err := f.bearer(sign(good)); err != nil {
			t.Fatalf("%s: %v; this test would prove nothing", name, err)
		}
	}
	var public []byte = key.Public().(ed25519.PublicKey)
	parts := strings.Split(accessToken, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	for name, forged := range map[string]string{
		"signed with another key":          authtest.SignAs(t, "at+jwt", jose.EdDSA, another, id, ours),
		"signed with another grant's key":  authtest.SignAs(t, "at+jwt", jose.EdDSA, another, otherID, ours),
		"an unknown key":                   authtest.SignAs(t, "at+jwt", jose.EdDSA, another, "unknown", ours),
		"no key ID":                        authtest.SignAs(t, "at+jwt", jose.EdDSA, key, "", ours),
		"the public key as a secret":       authtest.SignAs(t, "at+jwt", jose.HS256, public, id, ours),
		"the same without its ID":          authtest.SignAs(t, "at+jwt", jose.HS256, public, "", ours),
		"a key of zeros":                   authtest.SignAs(t, "at+jwt", jose.HS256, make([]byte, 32), "", ours),
		"signed with RSA":                  f.issuer.Sign(ours),
		"another algorithm":                authtest.SignAs(t, "at+jwt", jose.HS512, append(public, public...), "", ours),
		"no algorithm":                     none + "." + parts[1] + ".",
		"no algorithm, old signature":      none + "." + parts[1] + "." + parts[2],
		"no signature":                     parts[0] + "." + parts[1] + ".",
		"another payload":                  parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2],
		"another typ":                      authtest.SignAs(t, "JWT", jose.EdDSA, key, id, ours),
		"no typ":                           authtest.SignAs(t, "", jose.EdDSA, key, id, ours),
		"another issuer":                   sign(ours.With(authtest.Claims{"iss": "another"})),
		"without an issuer":                sign(ours.With(authtest.Claims{"iss": nil})),
		"another tenant":                   sign(ours.With(authtest.Claims{"aud": "another"})),
		"for another beside this one":      sign(ours.With(authtest.Claims{"aud": []string{"another", string(f.settings.Tenant.UID)}})),
		"without an audience":              sign(ours.With(authtest.Claims{"aud": nil})),
		"without an ID":                    sign(ours.With(authtest.Claims{"jti": nil})),
		"not before a time":                sign(at("nbf", -time.Hour)),
		"without an end":                   sign(ours.With(authtest.Claims{"exp": nil})),
		"an end in thirty years":           sign(at("exp", 30*365*day)),
		"an end beyond the longest":        sign(at("exp", 6*time.Hour+time.Second)),
		"an end before its beginning":      sign(at("iat", 50*time.Second, 30*time.Second)),
		"expired":                          sign(at("iat", -time.Hour, -time.Second)),
		"without a beginning":              sign(ours.With(authtest.Claims{"iat": nil})),
		"a beginning in the future":        sign(at("iat", 61*time.Second, time.Hour)),
		"a beginning long ago":             sign(at("iat", -time.Hour-time.Second, time.Minute)),
		"a beginning in 1970":              sign(ours.With(authtest.Claims{"iat": 0})),
		"a beginning that is text":         sign(ours.With(authtest.Claims{"iat": "now"})),
		"of an Entra tenant":               sign(ours.With(authtest.Claims{"tid": authtest.TenantID})),
		"of a bearer token":                sign(ours.With(authtest.Claims{"sub": "token-" + token.Fingerprint(f.secret)})),
		"of nobody":                        sign(ours.With(authtest.Claims{"sub": ""})),
		"of a reader":                      sign(ours.With(authtest.Claims{"sub": "reader-payroll"})),
		"of a workload, with another key":  sign(ours.With(authtest.Claims{"sub": "workload-" + subject, "tid": authtest.TenantID})),
		"of a workload of no Entra tenant": authtest.SignAs(t, "at+jwt", jose.EdDSA, another, otherID, ours.With(authtest.Claims{"sub": "workload-" + subject})),
		"of an unknown workload":           sign(ours.With(authtest.Claims{"sub": "workload-x", "tid": authtest.TenantID})),
		"larger than a header":             accessToken + strings.Repeat("A", 16<<10),
		"two dots":                         "..", "dots and no JSON": "a.b.c",
	} {
		f.wantRefused(name, forged)
	}
}

func TestALifetimeThatIsShortenedShortensTokensThatWereIssued(t *testing.T) {
	f := newFixture(t)
	lifetime := func(d time.Duration) func(s *settings.Snapshot) {
		return func(s *settings.Snapshot) {
			s.Tenant.Spec.Authentication.OAuth.AccessTokenLifetime = &metav1.Duration{Duration: d}
		}
	}
	f.change(lifetime(6 * time.Hour))
	accessToken := f.accessToken()
	f.change(lifetime(time.Hour))
	f.advance(time.Hour)
	if _, err := f.bearer(accessToken); err != nil {
		t.Errorf("within the lifetime that is in force: %v", err)
	}
	f.advance(time.Second)
	f.wantRefused("after it", accessToken)
}

func TestServersThatStartTogetherTakeEachOthersTokens(t *testing.T) {
	f := newFixture(t)
	servers := make([]*auth.Authenticator, 8)
	accessTokens := make([]string, len(servers))
	var starting sync.WaitGroup
	for i := range servers {
		servers[i] = f.server()
		starting.Go(func() {
			if err := servers[i].Follow(t.Context(), f.settings); err != nil {
				t.Error(err)
			}
			issued, err := servers[i].IssueForSecret(t.Context(), "contoso", f.secret, f.settings)
			if err != nil {
				t.Error(err)
			}
			accessTokens[i] = issued.Value
			for _, other := range servers[:i] {
				if other == nil {
					continue
				}
				if _, err := f.bearerAt(other, issued.Value); err != nil {
					t.Errorf("a token that was issued a moment ago: %v", err)
				}
			}
		})
	}
	starting.Wait()
	for _, server := range servers {
		for _, value := range accessTokens {
			if _, err := f.bearerAt(server, value); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAStoreThatIsAwayIsNoFaultOfTheToken(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	f.keys.failure = store.ErrUnavailable
	for _, later := range []time.Duration{0, time.Minute} {
		f.advance(later)
		if _, err := f.bearer(accessToken); err != nil {
			t.Errorf("a server that knows the key, %s later: %v", later, err)
		}
	}
	if _, err := f.bearerAt(f.server(), accessToken); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want that the store is unavailable", err)
	}
	for _, server := range []*auth.Authenticator{f.Authenticator, f.server()} {
		if _, err := server.IssueForSecret(t.Context(), "contoso", f.secret, f.settings); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want that the store is unavailable", err)
		}
	}
	// A request that waits while another asks the store gives up when it ends itself.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.IssueForSecret(ended, "contoso", f.secret, f.settings); err == nil {
		t.Error("a token was issued while the store is away")
	}
}

func TestDamagedKeysAreSaidAndNotShown(t *testing.T) {
	f := newFixture(t)
	f.keys.kept[auth.AccessTokenKeys] = "canary"
	_, err := f.IssueForSecret(t.Context(), "contoso", f.secret, f.settings)
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), `delete "access-token-keys" from the store's metadata`) {
		t.Errorf("got %v", err)
	}
}

func TestCheckingTokensAsksTheStoreNowAndThen(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	reads := func(what string, want int, requests func()) {
		t.Helper()
		before := f.keys.reads
		requests()
		if got := f.keys.reads - before; got != want {
			t.Errorf("%s: the store was asked %d times, want %d", what, got, want)
		}
	}
	hundred := func(credential string) func() {
		return func() {
			for range 100 {
				_, _ = f.bearer(credential)
			}
		}
	}
	reads("a hundred requests", 0, hundred(accessToken))
	f.advance(15 * time.Second)
	reads("a hundred requests a while later", 1, hundred(accessToken))
	key, _ := f.signing(accessToken)
	claims := authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": "another", "sub": "x", "iat": start.Unix(), "exp": start.Add(time.Hour).Unix(), "jti": "id",
	}
	reads("unknown keys of a stranger", 0, hundred(authtest.SignAs(t, "at+jwt", jose.EdDSA, key, "unknown", claims)))
	reads("the key of the earlier version", 0, hundred(authtest.SignAs(t, "at+jwt", jose.HS256, make([]byte, 32), "", claims)))
}

// gated is what is kept in a store that answers when it is told to.
type gated struct {
	*memory

	answer chan struct{}
}

func (g gated) Kept(ctx context.Context, names ...string) ([]string, error) {
	<-g.answer
	return g.memory.Kept(ctx, names...)
}

func TestManyWhoAskAtOnceShareReads(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	key, _ := f.signing(accessToken)
	claims := authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": string(f.settings.Tenant.UID), "sub": "client-" + token.Fingerprint(f.secret),
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(), "jti": "id",
	}
	unknown := authtest.SignAs(t, "at+jwt", jose.EdDSA, key, "unknown", claims)
	for name, ask := range map[string]func(context.Context, *auth.Authenticator) error{
		"with an unknown key": func(ctx context.Context, server *auth.Authenticator) error {
			request := &http.Request{Header: http.Header{"Authorization": {"Bearer " + unknown}}}
			if _, err := server.Authenticate(request.WithContext(ctx), f.settings); err == nil {
				return errors.New("the token is good")
			}
			return nil
		},
		"for a token": func(ctx context.Context, server *auth.Authenticator) error {
			_, err := server.IssueForSecret(ctx, "contoso", f.secret, f.settings)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.keys.reads
			synctest.Test(t, func(t *testing.T) {
				kept := gated{f.keys, make(chan struct{})}
				server := auth.New(auth.Options{Now: f.clock, Random: f.random, Keys: kept})
				var asking sync.WaitGroup
				for range 100 {
					asking.Go(func() {
						if err := ask(t.Context(), server); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait() // one reads, and all others wait
				close(kept.answer)
				asking.Wait()
			})
			if reads := f.keys.reads - before; reads > 2 {
				t.Errorf("a hundred requests read %d times, want one for all that came before it began, and one for the others", reads)
			}
		})
	}
	if _, err := f.bearer(accessToken); err != nil {
		t.Error(err)
	}
}
