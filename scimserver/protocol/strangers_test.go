package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/store"
)

// trustEntra makes the tenant take what Entra signs, in every way but a user's token.
func (f *fixture) trustEntra() {
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
		a.EntraToken = &v1alpha1.EntraToken{Audiences: []string{"api://contoso"}, Applications: []string{"app"}}
	})
}

// madeUp is a token with good claims that somebody signed with a key of their own.
func (f *fixture) madeUp(changes authtest.Claims) string {
	f.t.Helper()
	return authtest.Sign(f.t, jose.RS256, authtest.SecondKey(f.t), "made-up", authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.Issuer(), "aud": "api://contoso", "sub": workload, "tid": authtest.TenantID, "appid": "app",
	}).With(changes))
}

// withAssertion is a token request with a client assertion.
func withAssertion(assertion string) string {
	return formOf("grant_type", "client_credentials", "client_assertion", assertion,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
}

// loud are the lines of the process log that an administrator sees who asks for no more.
func (f *fixture) loud() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for line := range strings.Lines(f.logs.String()) {
		if !strings.Contains(line, `"level"=1`) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestEveryRequestThatIsIssuedNoTokenCountsAsAStrangers(t *testing.T) {
	for name, send := range map[string]func(*fixture) answer{
		"while the login authority is away": func(f *fixture) answer { return f.ask("POST", withAssertion(f.madeUp(nil)), nil) },
		"while the storage is away": func(f *fixture) answer {
			defer f.loseStorage()()
			return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", f.ids["secret"]))
		},
		"without a form":     func(f *fixture) answer { return f.ask("POST", "", http.Header{"Content-Type": {"text/plain"}}) },
		"by another method":  func(f *fixture) answer { return f.ask("PUT", "", nil) },
		"with another grant": func(f *fixture) answer { return f.ask("POST", "grant_type=password", nil) },
		"with a wrong secret": func(f *fixture) answer {
			return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "x"))
		},
		"with an assertion of one": func(f *fixture) answer { return f.ask("POST", withAssertion("a.b.c"), nil) },
		"with two headers Authorization": func(f *fixture) answer {
			header := basicOf("contoso", f.ids["secret"])
			header.Add("Authorization", "Basic x")
			return f.ask("POST", "grant_type=client_credentials", header)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.ids["secret"] = f.withClient()
			f.trustEntra()
			f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			f.limit(1, 3)
			for range 3 {
				if got := send(f); got.status == http.StatusTooManyRequests || got.status < 400 {
					t.Fatalf("%d %s", got.status, got.body)
				}
			}
			lines := len(f.loud())
			for range 100 {
				f.wantOAuthError(send(f), http.StatusTooManyRequests, "temporarily_unavailable")
			}
			if got := f.loud(); len(got) != lines {
				t.Errorf("requests that are answered 429 are logged: %q", got[lines:])
			}
			f.wantLater(f.sendWith("GET", "/Users", "", bearer("x")), http.StatusTooManyRequests, 1)
		})
	}
}

func TestAGoodClientIsHeldBackAtTheTokenEndpointByItsOwnAllowance(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.limit(1, 3)
	ask := func() answer { return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret)) }
	for range 3 {
		f.issued(ask())
	}
	f.wantOAuthError(ask(), http.StatusTooManyRequests, "temporarily_unavailable")
	f.wantError(f.sendWith("GET", "/Users", "", bearer("x")), http.StatusUnauthorized, "") // a stranger has another
	f.expect("GET", "/Users", "", 200, "")
	f.provisioning(v1alpha1.StateSuspended)
	f.advance(time.Second)
	f.issued(ask())
	f.wantOAuthError(ask(), http.StatusTooManyRequests, "temporarily_unavailable")
}

func TestAnOutageOfTheLoginAuthorityIsToldTwiceWhateverStrangersSend(t *testing.T) {
	f := newFixture(t)
	f.trustEntra()
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	form, token := withAssertion(f.madeUp(nil)), bearer(f.madeUp(nil))
	for range 100 {
		f.wantOAuthError(f.ask("POST", form, nil), http.StatusServiceUnavailable, "temporarily_unavailable")
		f.wantError(f.sendWith("GET", "/Users", "", token), http.StatusServiceUnavailable, "")
		f.advance(time.Second)
	}
	f.issuer.Answer(nil)
	f.issued(f.ask("POST", f.assertionForm(nil), nil))
	if lines := f.loud(); len(lines) != 2 || !strings.Contains(lines[0], "cannot be fetched") || !strings.Contains(lines[1], "fetched again") {
		t.Errorf("200 requests of an outage are logged as %q, want its beginning and its end", lines)
	}
}

func TestAnOutageOfTheStorageIsToldTwiceWhateverClientsSend(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	back := f.loseStorage()
	for range 20 {
		for _, path := range []string{"/Groups/{anna}", "/Users/{anna}", "/Users", "/Groups?filter=displayName eq \"x\""} {
			f.wantLater(f.send("GET", path, ""), http.StatusServiceUnavailable, 10)
		}
		f.wantLater(f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"x"}`)), http.StatusServiceUnavailable, 10)
		f.expect("POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"a"}`)), 200, "")
		f.expect("GET", "/ServiceProviderConfig", "", 200, "")
		f.advance(time.Minute)
	}
	back()
	for range 3 {
		f.expect("GET", "/Users/{anna}", "", 200, "")
	}
	if lines := f.loud(); len(lines) != 2 || !strings.Contains(lines[0], "the storage is unavailable") || !strings.Contains(lines[1], "the storage answers again") {
		t.Errorf("120 requests of an outage are logged as %q, want its beginning and its end", lines)
	}
}

// fullStore is a storage that takes no changes.
type fullStore struct{ store.Store }

func (fullStore) Update(context.Context, func(store.Tx) error) error {
	return store.Unwritable(fmt.Errorf("%w: database or disk is full", store.ErrUnavailable))
}

func TestWhileTheStorageTakesNoChangesReadsGoOnAndItIsToldTwice(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	kept := f.database.Store
	f.database.Store = fullStore{kept}
	for range 20 {
		for _, path := range []string{"/Users/{anna}", "/Users", "/Groups?filter=displayName eq \"x\""} {
			f.expect("GET", path, "", 200, "")
		}
		for method, path := range map[string]string{"POST": "/Users", "PUT": "/Users/{anna}", "DELETE": "/Users/{anna}"} {
			refused := f.send(method, path, map[string]string{"DELETE": ""}[method]+anna)
			f.wantLater(refused, http.StatusServiceUnavailable, 10)
			if !strings.Contains(string(refused.body), "the directory takes no changes for now; nothing was changed") {
				t.Errorf("%s is answered %s", method, string(refused.body))
			}
		}
		f.advance(time.Minute)
	}
	f.database.Store = kept
	f.advance(time.Minute)
	for range 3 {
		f.expect("GET", "/Users/{anna}", "", 200, "")
		f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"x"}`), 204, "")
	}
	if lines := f.loud(); len(lines) != 2 || !strings.Contains(lines[0], "takes no changes; reads go on") || !strings.Contains(lines[1], "takes changes again") {
		t.Errorf("the outage is logged as %q, want its beginning and its end", lines)
	}
}

// A scanner finds the URL of every tenant, and knows what is public about each: its name, its Entra tenant, Entra's applications.
func TestNoStrangerChangesWhatIsToldOfTheClient(t *testing.T) {
	f := newFixture(t)
	f.withClient()
	f.trustEntra()
	good := strings.Repeat("A", 43)
	for name, send := range map[string]func() answer{
		"no credential":            func() answer { return f.sendWith("GET", "/Users", "", http.Header{}) },
		"a made-up bearer":         func() answer { return f.sendWith("GET", "/Users", "", bearer("admin")) },
		"a made-up Secret Token":   func() answer { return f.sendWith("POST", "/Users", anna, bearer("tnt_"+good+"000000")) },
		"an unsigned token":        func() answer { return f.sendWith("PATCH", "/Groups/x", "{}", bearer(f.madeUp(nil))) },
		"an unsigned access token": func() answer { return f.sendWith("GET", "/Users", "", bearer("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")) },
		"one for another audience": func() answer { return f.sendWith("GET", "/Users", "", bearer(f.madeUp(authtest.Claims{"aud": "x"}))) },
		"a made-up secret":         func() answer { return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "hunter2")) },
		"a made-up assertion":      func() answer { return f.ask("POST", withAssertion(f.madeUp(nil)), nil) },
		"two credentials": func() answer {
			return f.sendWith("GET", "/Users", "", http.Header{"Authorization": {"Bearer " + f.token, "Bearer x"}})
		},
	} {
		for range 3 {
			if got := send(); got.status != 401 && got.status != 400 {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
			f.advance(time.Hour)
		}
		if got := f.server.TakeActivity(); got != (cycle.State{}) {
			t.Errorf("%s: %+v, want nothing", name, got)
		}
		if got := f.server.LastRequest(); !got.IsZero() {
			t.Errorf("%s: counts as the last request, of %v", name, got)
		}
	}
	if entries, err := f.database.Log(context.Background(), 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("the provisioning log has %+v (%v)", entries, err)
	}
	if text, err := f.database.Meta(context.Background(), "oauth-signing-key"); err != nil || text != "" {
		t.Errorf("a stranger had a signing key made (%v)", err)
	}
}

// Which of two credentials counts would differ between this server and a proxy before it that checks them too.
func TestARequestWithTwoCredentialsIsRefused(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	good := "Bearer " + f.token
	for _, lines := range [][]string{{good, "Bearer x"}, {"Bearer x", good}, {good, good}, {good, ""}} {
		for _, path := range []string{"/Users", "/Me", "/Schemas", "/nowhere"} {
			got := f.sendWith("GET", path, "", http.Header{"Authorization": lines})
			f.wantError(got, http.StatusBadRequest, "")
			if challenge := got.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_request"`) {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
		}
	}
	for _, other := range []string{"", "Bearer x", basicOf("contoso", secret).Get("Authorization"), basicOf("contoso", "x").Get("Authorization")} {
		header := basicOf("contoso", secret)
		header.Add("Authorization", other)
		f.wantOAuthError(f.ask("POST", "grant_type=client_credentials", header), http.StatusBadRequest, "invalid_request")
	}
}

// RFC 9110 section 5.3: a header that is no list has one line. Another may be what a proxy before the server looked at.
func TestAHeaderThatHasOneValueIsRefusedWhereItComesTwice(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	for _, types := range [][]string{
		{"application/scim+json", "text/plain"}, {"text/plain", "application/scim+json"}, {"application/scim+json", "application/scim+json"},
	} {
		got := f.sendWith("POST", "/Users", anna, http.Header{"Authorization": {"Bearer " + f.token}, "Content-Type": types})
		f.wantError(got, http.StatusBadRequest, "")
	}
	const form = "application/x-www-form-urlencoded"
	header := basicOf("contoso", secret)
	header["Content-Type"] = []string{form, form}
	f.wantOAuthError(f.ask("POST", "grant_type=client_credentials", header), http.StatusBadRequest, "invalid_request")
	f.create("anna", "/Users", anna)
	tags := http.Header{"Authorization": {"Bearer " + f.token}, "If-None-Match": {`W/"7"`, `W/"1"`}, "Prefer": {"respond-async", "return=minimal"}}
	if got := f.sendWith("GET", "/Users/{anna}?attributes=userName", "", tags); got.status != http.StatusNotModified {
		t.Errorf("two lines of a list: %d", got.status)
	}
}

// The stored value is the client's; what the server says of it is not drawn by it.
func TestNoNameReachesTheLogOrAnErrorWithItsControlCharacters(t *testing.T) {
	f := newFixture(t)
	const hostile = "a\u202e\u2028\u001b[2J\nb"
	body := func(name string) string {
		return fmt.Sprintf(`{"userName":%q,"displayName":"a\u202e\u2028\u001b[2J\nb"}`, name)
	}
	f.create("a", "/Users", strings.ReplaceAll(body("x"), `"x"`, `"a\u202e\u2028\u001b[2J\nb"`))
	if got := f.field(f.send("GET", "/Users/{a}", ""), "displayName"); got != hostile {
		t.Errorf("stored as %q, want it as it was sent", got)
	}
	said := ""
	for _, got := range []answer{
		f.send("POST", "/Users", strings.ReplaceAll(body("x"), `"x"`, `"a\u202e\u2028\u001b[2J\nb"`)),
		f.send("GET", "/Users?filter=userName%20eq%20%22a%1b", ""), f.send("PATCH", "/Users/{a}", patchOf(`{"op":"add","path":"\u202e\u001b","value":1}`)),
		f.send("GET", "/Users/%E2%80%AE%1b", ""),
	} {
		if got.status < 400 {
			t.Errorf("%d %s", got.status, got.body)
		}
		said += string(got.body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if said += f.logs.String(); strings.ContainsAny(said, "\u202e\u2028\u001b") {
		t.Errorf("an error or the log has control characters: %q", said)
	}
}

// awayStore is a storage that is away.
type awayStore struct{ store.Store }

var errAway = fmt.Errorf("%w: the disk is gone", store.ErrUnavailable)

func (awayStore) Get(context.Context, store.Kind, string) (store.Record, error) {
	return store.Record{}, errAway
}
func (awayStore) Find(context.Context, store.Query) (store.Page, error) { return store.Page{}, errAway }
func (awayStore) Meta(context.Context, string) (string, error)          { return "", errAway }
func (awayStore) Update(context.Context, func(store.Tx) error) error    { return errAway }

// loseStorage takes the storage away and returns what brings it back.
func (f *fixture) loseStorage() (back func()) {
	kept := f.database.Store
	f.database.Store = awayStore{kept}
	return func() { f.database.Store = kept }
}

// A method is any word of any length. A stranger's would be a line of the log, and a label of the metrics for good.
func TestAMadeUpMethodIsNeitherLoggedNorCounted(t *testing.T) {
	f := newFixture(t)
	made := "ANNA-" + strings.Repeat("X", 5000)
	for _, path := range []string{"/Users", "/nowhere", f.http.URL + v1alpha1.TokenPath, f.http.URL + v1alpha1.OAuthMetadataPath} {
		if got := f.sendWith(made, path, "", bearer(f.token)); got.status < 400 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.logs.String()
	for _, family := range families {
		said += family.String()
	}
	if strings.Contains(said, "ANNA") || !strings.Contains(said, `"method"="other"`) {
		t.Errorf("the log or a metric has the method:\n%.600s", said)
	}
}
