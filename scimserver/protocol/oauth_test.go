package protocol_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
)

const workload = "5e2f7c1d-91c4-4f0e-8a49-5d3b6b1f9e10"

// allow changes how clients may prove who they are.
func (f *fixture) allow(change func(*v1alpha1.Authentication)) {
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	changed.Tenant.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: authtest.TenantID})
	change(&changed.Tenant.Spec.Authentication)
	f.snapshot = &changed
}

// withClient gives the tenant an OAuth client and returns its secret.
func (f *fixture) withClient() string {
	secret := tokenOf(f.t, "secret")
	f.trust(token.NewClient(secret, "contoso", f.now))
	f.allow(func(a *v1alpha1.Authentication) { a.OAuth = &v1alpha1.OAuth{} })
	return secret
}

// ask sends a token request.
func (f *fixture) ask(method, form string, header http.Header) answer {
	f.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return f.sendWith(method, f.http.URL+v1alpha1.TokenPath, form, header)
}

func formOf(pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

func basicOf(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}

// issued checks an answer of RFC 6749 section 5.1 and returns the access token.
func (f *fixture) issued(a answer) string {
	f.t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != http.StatusOK {
		f.t.Fatalf("%d %s (%v)", a.status, a.body, err)
	}
	value, _ := body["access_token"].(string)
	if value == "" || body["token_type"] != "Bearer" || body["expires_in"] != 3600.0 || body["scope"] != "scim" || len(body) != 4 {
		f.t.Errorf("the answer is %s", a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("the headers are %v", a.header)
	}
	return value
}

func TestAClientIsIssuedATokenWhereverItSendsItsCredentials(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	inBody := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret, "scope", "anything")
	for name, c := range map[string]struct {
		form   string
		header http.Header
	}{
		"in the header":              {formOf("grant_type", "client_credentials"), basicOf("contoso", secret)},
		"in the header, encoded":     {formOf("grant_type", "client_credentials"), basicOf("c%6Fntoso", strings.ReplaceAll(secret, "_", "%5F"))},
		"in the body":                {inBody, nil},
		"in both, as Entra can":      {inBody, basicOf("contoso", secret)},
		"the ID in the body too":     {formOf("grant_type", "client_credentials", "client_id", "contoso"), basicOf("contoso", secret)},
		"with a charset":             {inBody, http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}},
		"with what nobody asked for": {inBody + "&resource=x&client_assertion=", nil},
	} {
		t.Run(name, func(t *testing.T) {
			accessToken := f.issued(f.ask("POST", c.form, c.header))
			if got := f.sendWith("GET", "/Users", "", bearer(accessToken)); got.status != 200 {
				t.Errorf("the token opens nothing: %d\n%s", got.status, got.body)
			}
		})
	}
	accessToken := f.issued(f.ask("POST", inBody, nil))
	if got := f.sendWith("POST", "/Users", anna, bearer(accessToken)); got.status != http.StatusCreated {
		t.Errorf("the token does not provision: %d\n%s", got.status, got.body)
	}
	changed := *f.snapshot
	changed.Verifiers.Verifiers = changed.Verifiers.Verifiers[:1]
	f.snapshot = &changed
	f.wantError(f.sendWith("GET", "/Users", "", bearer(accessToken)), http.StatusUnauthorized, "")
}

// describable are the characters that RFC 6749 section 5.2 allows in an error_description.
var describable = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)

// wantOAuthError checks that an answer is an error of RFC 6749 section 5.2 that nobody may store.
func (f *fixture) wantOAuthError(a answer, status int, code string) {
	f.t.Helper()
	var body map[string]string
	if err := json.Unmarshal(a.body, &body); err != nil {
		f.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if a.status != status || body["error"] != code || !describable.MatchString(body["error_description"]) || len(body) != 2 {
		f.t.Errorf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("the headers are %v", a.header)
	}
}

func TestWhoGuessesSecretsSharesTheAllowanceOfWhoGuessesTokens(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.limit(1, 6)
	guess := func() answer { return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret+"x")) }
	wrong := bearer(f.token + "x")
	f.wantOAuthError(guess(), http.StatusUnauthorized, "invalid_client")
	f.wantOAuthError(f.ask("POST", "grant_type=client_credentials", nil), http.StatusUnauthorized, "invalid_client")
	f.wantOAuthError(f.ask("POST", "grant_type=password", nil), http.StatusBadRequest, "unsupported_grant_type")
	f.wantOAuthError(f.ask("POST", strings.Repeat("x", 65<<10), nil), http.StatusRequestEntityTooLarge, "invalid_request")
	f.wantError(f.sendWith("GET", "/Users", "", wrong), http.StatusUnauthorized, "")
	f.wantOAuthError(guess(), http.StatusUnauthorized, "invalid_client")

	held := guess()
	f.wantOAuthError(held, http.StatusTooManyRequests, "temporarily_unavailable")
	if held.header.Get("Retry-After") != "1" || held.header.Get("WWW-Authenticate") != "" {
		t.Errorf("the headers are %v", held.header)
	}
	f.wantLater(f.sendWith("GET", "/Users", "", wrong), http.StatusTooManyRequests, 1)
	f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret))) // locks nobody out
	f.expect("GET", "/Users", "", 200, "")
	f.advance(time.Second)
	f.wantOAuthError(guess(), http.StatusUnauthorized, "invalid_client")
	f.wantOAuthError(guess(), http.StatusTooManyRequests, "temporarily_unavailable")
}

func TestATokenRequestThatIsNotGoodIsAnsweredInOAuthsWords(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	good := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	assertion := "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	for name, c := range map[string]struct {
		method, form string
		header       http.Header
		status       int
		code         string
	}{
		"GET":                           {"GET", "", nil, 405, "invalid_request"},
		"another media type":            {"POST", good, http.Header{"Content-Type": {"application/json"}}, 400, "invalid_request"},
		"no form":                       {"POST", "%zz", nil, 400, "invalid_request"},
		"nothing":                       {"POST", "", nil, 400, "invalid_request"},
		"a body without end":            {"POST", good + "&x=" + strings.Repeat("x", 64<<10), nil, 413, "invalid_request"},
		"no grant type":                 {"POST", formOf("client_id", "contoso", "client_secret", secret), nil, 400, "invalid_request"},
		"an empty grant type":           {"POST", "grant_type=&" + formOf("client_id", "contoso", "client_secret", secret), nil, 400, "invalid_request"},
		"another grant type":            {"POST", strings.Replace(good, "client_credentials", "authorization_code", 1), nil, 400, "unsupported_grant_type"},
		"a parameter twice":             {"POST", good + "&client_id=contoso", nil, 400, "invalid_request"},
		"a parameter twice, once empty": {"POST", good + "&client_secret=", nil, 400, "invalid_request"},
		"an unknown parameter twice":    {"POST", good + "&x=1&x=2", nil, 400, "invalid_request"},
		"a broken secret":               {"POST", strings.Replace(good, secret, secret+"%", 1), nil, 400, "invalid_request"},
		"a broken unknown parameter":    {"POST", good + "&x=%zz", nil, 400, "invalid_request"},
		"a broken name":                 {"POST", good + "&%zz", nil, 400, "invalid_request"},
		"a name behind a semicolon":     {"POST", "grant_type=client_credentials;client_id=contoso&client_secret=" + secret, nil, 400, "unsupported_grant_type"},
		"text that is not UTF-8":        {"POST", good + "&scope=%ff", nil, 400, "invalid_request"},
		"no credentials":                {"POST", "grant_type=client_credentials", nil, 401, "invalid_client"},
		"no secret":                     {"POST", formOf("grant_type", "client_credentials", "client_id", "contoso"), nil, 401, "invalid_client"},
		"a wrong secret in the body":    {"POST", strings.Replace(good, secret, tokenOf(t, "wrong"), 1), nil, 401, "invalid_client"},
		"a wrong secret in the header":  {"POST", "grant_type=client_credentials", basicOf("contoso", "wrong"), 401, "invalid_client"},
		"the Secret Token as a secret":  {"POST", "grant_type=client_credentials", basicOf("contoso", f.token), 401, "invalid_client"},
		"another client":                {"POST", "grant_type=client_credentials", basicOf("fabrikam", secret), 401, "invalid_client"},
		"a header that is no encoding":  {"POST", "grant_type=client_credentials", basicOf("contoso", "%zz"), 401, "invalid_client"},
		"a bearer":                      {"POST", good, bearer(f.token), 401, "invalid_client"},
		"header and body differ":        {"POST", good, basicOf("contoso", "another"), 400, "invalid_request"},
		"secret and assertion":          {"POST", good + "&" + formOf("client_assertion", "a.b.c", "client_assertion_type", assertion), nil, 400, "invalid_request"},
		"an assertion of another type":  {"POST", formOf("grant_type", "client_credentials", "client_assertion", "x", "client_assertion_type", "saml2"), nil, 400, "invalid_request"},
		"an assertion, not asked for":   {"POST", formOf("grant_type", "client_credentials", "client_assertion", "a.b.c", "client_assertion_type", assertion), nil, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.ask(c.method, c.form, c.header)
			f.wantOAuthError(got, c.status, c.code)
			if challenge := got.header.Get("WWW-Authenticate"); (challenge == `Basic realm="contoso"`) != (c.status == 401) {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
			if strings.Contains(string(got.body), secret) || strings.Contains(string(got.body), "fabrikam") {
				t.Errorf("the answer repeats what was sent: %s", got.body)
			}
		})
	}
}

// RFC 6749 section 2.3.1: credentials must not stand in the URL, where logs keep them.
func TestATokenRequestWithParametersInItsURLIsRefused(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	good := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	header := func() http.Header { return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}} }
	for _, query := range []string{"grant_type=client_credentials", "client_id=contoso", "x=1&client%5Fsecret=" + secret, "client_secret=%zz", "client_assertion", "scope=x"} {
		got := f.rawWith(http.MethodPost, v1alpha1.TokenPath+"?"+query, good, header())
		f.wantOAuthError(got, http.StatusBadRequest, "invalid_request")
		if strings.Contains(string(got.body), secret) {
			t.Errorf("the answer repeats what was sent: %s", got.body)
		}
	}
	f.issued(f.rawWith(http.MethodPost, v1alpha1.TokenPath+"?tenant=contoso&x=%zz;", good, header()))
	f.issued(f.rawWith(http.MethodPost, v1alpha1.TokenPath, good+"&resource=a;b", header())) // a semicolon is an ordinary character
}

func TestATenantThatIssuesNoTokensSaysSo(t *testing.T) {
	f := newFixture(t)
	got := f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "x"))
	if got.status != 404 || !strings.Contains(string(got.body), "spec.authentication.oauth") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	f.snapshot = nil
	got = f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "x"))
	if got.status != 503 || got.header.Get("Retry-After") == "" || f.field(got, "error") != "temporarily_unavailable" {
		t.Errorf("without settings: %d %s", got.status, got.body)
	}
}

// assertionForm is a token request as Entra sends it (workload identity federation).
func (f *fixture) assertionForm(changes authtest.Claims) string {
	return formOf("grant_type", "client_credentials", "client_id", "1f0c9e6a-6f43-4c43-9f0a-6a3b0d6f9a51",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "scope", "api://contoso/.default",
		"client_assertion", f.issuer.Sign(authtest.Times(f.clock()).With(authtest.Claims{
			"iss": f.issuer.Issuer(), "aud": "api://contoso", "sub": workload, "tid": authtest.TenantID,
		}).With(changes)))
}

func TestEntraIsIssuedATokenWithAnAssertionThatItSigned(t *testing.T) {
	f := newFixture(t)
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
	})
	accessToken := f.issued(f.ask("POST", f.assertionForm(nil), nil))
	if got := f.sendWith("POST", "/Users", anna, bearer(accessToken)); got.status != http.StatusCreated {
		t.Errorf("the token does not provision: %d\n%s", got.status, got.body)
	}
	entries, err := f.database.Log(context.Background(), 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Client != "workload-"+workload {
		t.Errorf("the provisioning log has %+v (%v)", entries, err)
	}
	again := f.assertionForm(nil)
	f.issued(f.ask("POST", again, nil))
	f.issued(f.ask("POST", again, nil)) // decision 0017: an assertion counts as long as it says
	now := f.clock()
	for name, claims := range map[string]authtest.Claims{
		"another subject":  {"sub": "another"},
		"another audience": {"aud": "api://fabrikam"},
		"another tenant":   {"tid": "another"},
		"another issuer":   {"iss": "https://example.com/"},
		"expired":          {"exp": now.Add(-2 * time.Minute).Unix()},
		"not yet valid":    {"nbf": now.Add(2 * time.Minute).Unix()},
		"without an end":   {"exp": nil},
	} {
		t.Run(name, func(t *testing.T) {
			f.wantOAuthError(f.ask("POST", f.assertionForm(claims), nil), http.StatusUnauthorized, "invalid_client")
		})
	}
	form, err := url.ParseQuery(again)
	if err != nil {
		t.Fatal(err)
	}
	signed := form.Get("client_assertion")
	for name, assertion := range map[string]string{
		"signed by nobody": signed[:len(signed)-20], "no JSON Web Token": "a.b", "far too long": strings.Repeat("x", 20<<10),
	} {
		t.Run(name, func(t *testing.T) {
			form.Set("client_assertion", assertion)
			f.wantOAuthError(f.ask("POST", form.Encode(), nil), http.StatusUnauthorized, "invalid_client")
		})
	}
	f.advance(2 * time.Hour)
	f.wantOAuthError(f.ask("POST", again, nil), http.StatusUnauthorized, "invalid_client")
}

func TestWhileTheLoginAuthorityIsAwayEntraIsToldToComeBack(t *testing.T) {
	f := newFixture(t)
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
		a.EntraToken = &v1alpha1.EntraToken{Audiences: []string{"api://contoso"}, Applications: []string{"app"}}
	})
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	got := f.ask("POST", f.assertionForm(nil), nil)
	if got.status != 503 || got.header.Get("Retry-After") == "" || f.field(got, "error") != "temporarily_unavailable" {
		t.Errorf("the token endpoint: %d %s", got.status, got.body)
	}
	service := f.issuer.Sign(authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.IssuerV1(), "aud": "api://contoso", "tid": authtest.TenantID, "appid": "app",
	}))
	got = f.sendWith("GET", "/Users", "", bearer(service))
	f.wantError(got, http.StatusServiceUnavailable, "")
	if got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("the headers are %v", got.header)
	}
	f.issuer.Answer(nil)
	f.advance(time.Minute)
	f.issued(f.ask("POST", f.assertionForm(nil), nil))
}

func TestServiceProviderConfigTellsTheWaysInThatTheTenantOffers(t *testing.T) {
	f := newFixture(t)
	offered := func() string {
		var names []string
		for _, scheme := range f.field(f.expect("GET", "/ServiceProviderConfig", "", 200, ""), "authenticationSchemes").([]any) {
			names = append(names, scheme.(map[string]any)["type"].(string)+" "+scheme.(map[string]any)["name"].(string))
		}
		return strings.Join(names, ", ")
	}
	if got := offered(); got != "oauthbearertoken Secret Token" {
		t.Errorf("by default %s", got)
	}
	f.allow(func(a *v1alpha1.Authentication) {
		a.OAuth, a.WorkloadIdentity = &v1alpha1.OAuth{}, &v1alpha1.WorkloadIdentity{}
		a.EntraToken, a.UserToken = &v1alpha1.EntraToken{}, &v1alpha1.UserToken{}
	})
	want := "oauthbearertoken Secret Token, oauth2 OAuth 2.0 client credentials, oauth2 Workload identity federation, " +
		"oauthbearertoken Microsoft Entra token, oauthbearertoken Microsoft Entra user token"
	if got := offered(); got != want {
		t.Errorf("with everything %s, want %s", got, want)
	}
}

func TestNoTokenOrClaimReachesTheLog(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
		a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}}
	})
	accessToken := f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret)))
	f.ask("POST", "grant_type=client_credentials", basicOf("canary-client", secret+"x"))
	f.ask("POST", f.assertionForm(authtest.Claims{"sub": "canary-subject"}), nil)
	f.ask("POST", f.assertionForm(authtest.Claims{"tid": "canary-tenant"}), nil)
	person := f.userToken(authtest.Claims{"preferred_username": "canary@contoso.test", "oid": "canary-oid"})
	f.sendWith("GET", "/Me", "", bearer(person))
	f.sendWith("GET", "/Users", "", bearer(person))
	f.sendWith("GET", "/Users", "", bearer(accessToken+"x"))
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	f.issuer.Rotate("canary-key", authtest.SecondKey(t))
	f.ask("POST", f.assertionForm(nil), nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.logs.String()
	if !strings.Contains(said, "request refused") || !strings.Contains(said, "no access token was issued") || !strings.Contains(said, "a token cannot be checked") {
		t.Fatalf("what should be logged is not; this test would prove nothing\n%s", said)
	}
	for _, value := range []string{"canary", secret, accessToken[:24], person[:24], "eyJ"} {
		if strings.Contains(said, value) {
			t.Errorf("the log has %q", value)
		}
	}
}
