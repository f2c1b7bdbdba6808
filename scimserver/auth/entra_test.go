package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
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
	"github.com/tenantry/tenantry/scimserver/signin"
)

// claimCases are what may be wrong with the claims of every token of Entra's.
func claimCases(f *fixture) map[string]authtest.Claims {
	at := func(d time.Duration) int64 { return f.clock().Add(d).Unix() }
	const other = "00000000-0000-0000-0000-000000000000"
	return map[string]authtest.Claims{
		"another Entra tenant":                 {"iss": strings.Replace(f.issuer.Issuer(), authtest.TenantID, other, 1), "tid": other},
		"another tenant's issuer, our tid":     {"iss": strings.Replace(f.issuer.Issuer(), authtest.TenantID, other, 1)},
		"our issuer, another tid":              {"tid": other},
		"no tid":                               {"tid": nil},
		"Microsoft's issuer, where it is away": {"iss": "https://login.microsoftonline.com/" + authtest.TenantID + "/v2.0"},
		"another authority":                    {"iss": "https://evil.example/" + authtest.TenantID + "/v2.0"},
		"no issuer":                            {"iss": nil},
		"another audience":                     {"aud": "api://somebody-else"},
		"several other audiences":              {"aud": []string{"api://x", "api://y"}},
		"no audience":                          {"aud": nil},
		"expired beyond the leeway":            {"exp": at(-61 * time.Second)},
		"not valid yet beyond the leeway":      {"nbf": at(61 * time.Second)},
		"issued in the future":                 {"iat": at(61 * time.Second)},
		"without an end":                       {"exp": nil},
		"an end that is no number":             {"exp": "tomorrow"},
	}
}

// clockCases are clocks that are off by no more than may be.
func clockCases(f *fixture) map[string]authtest.Claims {
	at := func(d time.Duration) int64 { return f.clock().Add(d).Unix() }
	return map[string]authtest.Claims{
		"expired a moment ago":  {"exp": at(-59 * time.Second)},
		"valid in a moment":     {"nbf": at(59 * time.Second), "iat": at(59 * time.Second)},
		"one of two audiences":  {"aud": []string{"api://x", audience}},
		"without nbf and iat":   {"nbf": nil, "iat": nil},
		"tid in capitals":       {"tid": strings.ToUpper(authtest.TenantID)},
		"a token of version 1":  {"iss": f.issuer.IssuerV1(), "ver": "1.0"},
		"claims nobody asks of": {"xms_x": map[string]any{"a": 1}},
	}
}

func TestAnAssertionIsTakenForWhatItProves(t *testing.T) {
	f := newFixture(t)
	for name, changes := range clockCases(f) {
		issued, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion().With(changes)), f.settings)
		if err != nil || issued.Lifetime != time.Hour {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := claimCases(f)
	refused["another subject"] = authtest.Claims{"sub": "somebody-else"}
	refused["no subject"] = authtest.Claims{"sub": nil}
	refused["the subject as object ID only"] = authtest.Claims{"sub": "x", "oid": subject}
	for name, changes := range refused {
		var refusal *auth.Refusal
		if issued, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion().With(changes)), f.settings); !errors.As(err, &refusal) || issued.Value != "" {
			t.Errorf("%s: %+v, %v", name, issued, err)
		}
	}
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil })
	if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); err == nil {
		t.Error("a tenant without workload identity issued a token")
	}
}

// forged are tokens with good claims whose signature is none.
func forged(t *testing.T, f *fixture, claims authtest.Claims) map[string]string {
	t.Helper()
	published := authtest.FirstKey(t).Public()
	der, err := x509.MarshalPKIXPublicKey(published)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := f.issuer.Sign(claims)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"key-1","typ":"JWT"}`))
	return map[string]string{
		"another RSA key of the same ID":     authtest.Sign(t, jose.RS256, authtest.SecondKey(t), "key-1", claims),
		"a key ID that is not published":     authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "key-9", claims),
		"no key ID":                          authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "", claims),
		"HMAC with the public key as PEM":    authtest.Sign(t, jose.HS256, asPEM, "key-1", claims),
		"HMAC with the public key as DER":    authtest.Sign(t, jose.HS256, der, "key-1", claims),
		"HMAC with the public key's modulus": authtest.Sign(t, jose.HS256, authtest.FirstKey(t).N.Bytes(), "key-1", claims),
		"RSA-PSS":                            authtest.Sign(t, jose.PS256, authtest.FirstKey(t), "key-1", claims),
		"RS512":                              authtest.Sign(t, jose.RS512, authtest.FirstKey(t), "key-1", claims),
		"an elliptic curve":                  authtest.Sign(t, jose.ES256, curve, "key-1", claims),
		"no algorithm":                       none + "." + parts[1] + ".",
		"no algorithm and an old signature":  none + "." + parts[1] + "." + parts[2],
		"no signature":                       parts[0] + "." + parts[1] + ".",
		"a signature of something else":      parts[0] + "." + parts[1] + "." + strings.Split(f.issuer.Sign(claims.With(authtest.Claims{"x": 1})), ".")[2],
		"two tokens":                         good + "." + good,
		"a token with blanks":                parts[0] + " ." + parts[1] + "." + parts[2],
		"a key of its own in the header":     embedded(t, claims),
		"a very long one":                    good + strings.Repeat("A", 16<<10),
		"nothing":                            "",
	}
}

// embedded is a token that brings the key to check it with along.
func embedded(t *testing.T, claims authtest.Claims) string {
	t.Helper()
	own := authtest.SecondKey(t)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: own}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestOnlyTheAuthoritysOwnSignatureCounts(t *testing.T) {
	f := newFixture(t)
	for name, value := range forged(t, f, f.assertion()) {
		f.advance(time.Minute) // So that the limit on fetches is not what refuses it.
		var refusal *auth.Refusal
		if issued, err := f.IssueForAssertion(t.Context(), value, f.settings); !errors.As(err, &refusal) || issued.Value != "" {
			t.Errorf("assertion, %s: %+v, %v", name, issued, err)
		}
	}
	for what, claims := range map[string]authtest.Claims{"Entra's token": f.service(), "a user's token": f.user()} {
		for name, value := range forged(t, f, claims) {
			f.advance(time.Minute)
			f.wantRefused(what+", "+name, value)
		}
	}
	if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); err != nil {
		t.Errorf("after all that the good one is refused: %v", err)
	}
}

func TestEntrasOwnTokenOpensTheDirectoryWhereTheTenantSaysSo(t *testing.T) {
	f := newFixture(t)
	for name, changes := range map[string]authtest.Claims{
		"as seen": {}, "of version 2": {"iss": f.issuer.Issuer(), "appid": nil, "azp": "00000014-0000-0000-c000-000000000000"},
	} {
		got, err := f.bearer(f.issuer.Sign(f.service().With(changes)))
		if err != nil || got != (auth.Identity{Client: "entra", Role: token.RoleProvisioner}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	refused := claimCases(f)
	refused["another application of the Entra tenant"] = authtest.Claims{"appid": "1f0c9e6a-6f43-4c43-9f0a-6a3b0d6f9a51"}
	refused["no application"] = authtest.Claims{"appid": nil}
	refused["a user who has a token for that audience"] = authtest.Claims{"scp": "user_impersonation", "upn": "anna@contoso.test"}
	for name, changes := range refused {
		f.wantRefused(name, f.issuer.Sign(f.service().With(changes)))
	}
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.EntraToken = nil })
	f.wantRefused("where the tenant does not say so", f.issuer.Sign(f.service()))
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.UserToken = nil })
	f.wantRefused("where no token of Entra's counts", f.issuer.Sign(f.service()))
}

func TestAUsersTokenTellsWhoTheyAre(t *testing.T) {
	f := newFixture(t)
	want := signin.Person{
		Issuers: []string{f.issuer.Issuer(), f.issuer.IssuerV1()}, ObjectID: objectID, Subject: "AAAAAsubject", UserName: "anna@contoso.test",
	}
	for name, changes := range map[string]authtest.Claims{
		"an access token of version 2": {},
		"an access token of version 1": {"iss": f.issuer.IssuerV1(), "preferred_username": nil, "upn": "anna@contoso.test"},
		"an ID token":                  {"scp": nil},
		"with its kind":                {"idtyp": "user"},
	} {
		got, err := f.bearer(f.issuer.Sign(f.user().With(changes)))
		if err != nil || got.Role != auth.RoleUser || got.User == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if strings.Join(got.User.Issuers, " ") != strings.Join(want.Issuers, " ") || got.User.ObjectID != want.ObjectID ||
			got.User.Subject != want.Subject || got.User.UserName != want.UserName {
			t.Errorf("%s: %+v, want %+v", name, *got.User, want)
		}
		if strings.Contains(got.Client, "anna") || strings.Contains(got.Client, objectID) {
			t.Errorf("%s: the client's ID is personal data: %s", name, got.Client)
		}
	}
	refused := claimCases(f)
	refused["an application's token"] = authtest.Claims{"idtyp": "app"}
	refused["an application's token that does not say so"] = authtest.Claims{"scp": nil, "preferred_username": nil}
	refused["no object ID"] = authtest.Claims{"oid": nil}
	for name, changes := range refused {
		f.wantRefused(name, f.issuer.Sign(f.user().With(changes)))
	}
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.UserToken = nil })
	f.wantRefused("where the tenant does not say so", f.issuer.Sign(f.user()))
}

// A name counts where the Entra tenant gave it, and gave no other.
func TestANameIsTheEntraTenantsOrNone(t *testing.T) {
	f := newFixture(t)
	const name = "anna@contoso.test"
	for what, c := range map[string]struct {
		changes authtest.Claims
		want    string
	}{
		"preferred_username":            {authtest.Claims{}, name},
		"upn":                           {authtest.Claims{"preferred_username": nil, "upn": name}, name},
		"both, alike":                   {authtest.Claims{"upn": "Anna@Contoso.test"}, name},
		"both, and they differ":         {authtest.Claims{"upn": "bo@contoso.test"}, ""},
		"neither":                       {authtest.Claims{"preferred_username": nil}, ""},
		"unique_name and email":         {authtest.Claims{"preferred_username": nil, "unique_name": name, "email": name, "verified_primary_email": []string{name}}, ""},
		"a member who is said to be so": {authtest.Claims{"idp": f.issuer.IssuerV1(), "acct": 0}, name},
		"a guest of another tenant":     {authtest.Claims{"idp": "https://sts.windows.net/11111111-1111-4111-8111-111111111111/"}, ""},
		"a guest by e-mail":             {authtest.Claims{"idp": "mail"}, ""},
		"a guest by acct":               {authtest.Claims{"acct": 1}, ""},
		"a guest by acct, as text":      {authtest.Claims{"acct": "1"}, ""},
	} {
		got, err := f.bearer(f.issuer.Sign(f.user().With(c.changes)))
		if err != nil || got.User.UserName != c.want || got.User.ObjectID != objectID {
			t.Errorf("%s: %+v, %v, want the name %q", what, got.User, err, c.want)
		}
	}
}

func TestKeysAreFetchedOnceAndAgainWhenEntraRotatesThem(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		f.tokenByAssertion()
	}
	if got := f.issuer.Fetches(); got != 1 {
		t.Errorf("the keys were fetched %d times for 5 assertions", got)
	}
	old := f.issuer.Sign(f.assertion())
	f.issuer.Rotate("key-2", authtest.SecondKey(t))
	f.tokenByAssertion()
	if got := f.issuer.Fetches(); got != 2 {
		t.Errorf("the keys were fetched %d times, want once more for a key ID that is new", got)
	}
	var refusal *auth.Refusal
	if _, err := f.IssueForAssertion(t.Context(), old, f.settings); !errors.As(err, &refusal) {
		t.Errorf("a key that was withdrawn still counts: %v", err)
	}
}

func TestMadeUpKeyIDsDoNotMakeTheServerKnockWithoutEnd(t *testing.T) {
	f := newFixture(t)
	f.tokenByAssertion()
	for range 50 {
		_, err := f.IssueForAssertion(t.Context(), authtest.Sign(t, jose.RS256, authtest.SecondKey(t), rand.Text(), f.assertion()), f.settings)
		if _, ok := errors.AsType[*auth.Refusal](err); !ok {
			t.Fatalf("got %v, want a refusal", err)
		}
	}
	if got := f.issuer.Fetches(); got > 3 {
		t.Errorf("the keys were fetched %d times", got)
	}
	f.tokenByAssertion()
}

func TestATokenOfAnotherTenantDoesNotMakeTheServerFetchKeys(t *testing.T) {
	f := newFixture(t)
	for name, changes := range claimCases(f) {
		_, issuer := changes["iss"]
		if _, tenant := changes["tid"]; !issuer && !tenant {
			continue
		}
		t.Log(name)
		_, _ = f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion().With(changes)), f.settings)
	}
	if got := f.issuer.Fetches(); got != 0 {
		t.Errorf("the keys were fetched %d times", got)
	}
}

func TestAnAuthorityThatCannotTellIsUnavailableAndNotARefusal(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"broken":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusInternalServerError) },
		"throttling": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"a proxy":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Please log in</html>")) },
		"elsewhere":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"empty":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[],"x":"` + strings.Repeat("x", 300<<10) + `"}`))
		},
		"weak keys": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"RSA","kid":"key-1","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 128)) + `"}]}`))
		},
		"hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.issuer.Answer(answer)
			for range 5 {
				if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); !errors.Is(err, auth.ErrAuthorityUnavailable) {
					t.Fatalf("got %v", err)
				}
			}
			if got := f.issuer.Fetches(); got > 3 {
				t.Errorf("the authority was asked %d times", got)
			}
			if _, err := f.bearer(f.issuer.Sign(f.service())); !errors.Is(err, auth.ErrAuthorityUnavailable) {
				t.Errorf("as a bearer: %v", err)
			}
			f.issuer.Answer(nil)
			f.advance(time.Minute)
			f.tokenByAssertion()
		})
	}
}

func TestAClosedNetworkIsUnavailable(t *testing.T) {
	f := newFixture(t)
	f.Authenticator = auth.New(auth.Options{
		Now: f.clock, Random: rand.Reader, Keys: f.keys, LoginAuthority: f.issuer.URL(),
		Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }),
	})
	if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); !errors.Is(err, auth.ErrAuthorityUnavailable) {
		t.Errorf("got %v", err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestNobodyWaitsLongForASlowAuthority(t *testing.T) {
	f := newFixture(t)
	bounded := false
	f.Authenticator = auth.New(auth.Options{
		Now: f.clock, Random: rand.Reader, Keys: f.keys, LoginAuthority: f.issuer.URL(),
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			deadline, ok := r.Context().Deadline()
			bounded = ok && time.Until(deadline) <= 5*time.Second
			return nil, errors.New("gave up")
		}),
	})
	if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); !errors.Is(err, auth.ErrAuthorityUnavailable) || !bounded {
		t.Errorf("got %v, bounded %v", err, bounded)
	}
}

func TestKeysGoOnCountingForADayWhileTheAuthorityIsAway(t *testing.T) {
	f := newFixture(t)
	f.tokenByAssertion()
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	f.advance(23 * time.Hour)
	f.tokenByAssertion()
	f.advance(2 * time.Hour)
	if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), f.settings); !errors.Is(err, auth.ErrAuthorityUnavailable) {
		t.Errorf("after a day: %v", err)
	}
}

func TestMicrosoftsCloudsHaveTheirIssuers(t *testing.T) {
	const id = authtest.TenantID
	for cloud, want := range map[string]struct{ keys, v2, v1 string }{
		"Public":       {"https://login.microsoftonline.com/" + id + "/discovery/v2.0/keys", "https://login.microsoftonline.com/" + id + "/v2.0", "https://sts.windows.net/" + id + "/"},
		"USGovernment": {"https://login.microsoftonline.us/" + id + "/discovery/v2.0/keys", "https://login.microsoftonline.us/" + id + "/v2.0", "https://sts.windows.net/" + id + "/"},
		"China":        {"https://login.partner.microsoftonline.cn/" + id + "/discovery/v2.0/keys", "https://login.partner.microsoftonline.cn/" + id + "/v2.0", "https://sts.chinacloudapi.cn/" + id + "/"},
	} {
		f := newFixture(t)
		f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Entra().Cloud = v1alpha1.EntraCloud(cloud) })
		asked := ""
		f.Authenticator = auth.New(auth.Options{
			Now: f.clock, Random: rand.Reader, Keys: f.keys,
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				r.URL.Scheme, r.URL.Host = "https", strings.TrimPrefix(f.issuer.URL(), "https://")
				return f.issuer.Transport().RoundTrip(r)
			}),
		})
		for _, issuer := range []string{want.v2, want.v1} {
			if _, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion().With(authtest.Claims{"iss": issuer})), f.settings); err != nil {
				t.Errorf("%s, %s: %v", cloud, issuer, err)
			}
		}
		if asked != want.keys {
			t.Errorf("%s: asked %s, want %s", cloud, asked, want.keys)
		}
	}
}

func TestNeitherTokensNorClaimsAreInErrors(t *testing.T) {
	f := newFixture(t)
	accessToken := f.accessToken()
	said := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	var all strings.Builder
	for _, claims := range []authtest.Claims{f.assertion(), f.service(), f.user()} {
		for _, changes := range claimCases(f) {
			signed := f.issuer.Sign(claims.With(changes).With(authtest.Claims{"name": "Canary Karlsson"}))
			_, err := f.IssueForAssertion(t.Context(), signed, f.settings)
			all.WriteString(said(err))
			_, err = f.bearer(signed)
			all.WriteString(said(err))
		}
		for _, value := range forged(t, f, claims) {
			_, err := f.bearer(value)
			all.WriteString(said(err))
		}
	}
	_, err := f.bearer(accessToken[:len(accessToken)-1])
	all.WriteString(said(err))
	_, err = f.IssueForSecret(t.Context(), "canary", f.secret+"x", f.settings)
	all.WriteString(said(err))
	if all.Len() == 0 {
		t.Fatal("there were no errors; this test would prove nothing")
	}
	for _, secret := range []string{"Canary", "canary", "anna", objectID, subject, f.secret, accessToken[:20], "api://", "AAAAAsubject"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("an error contains %q", secret)
		}
	}
}
