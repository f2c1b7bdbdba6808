package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tenantry/tenantry/api/token"
)

func TestNobodyGetsInWithoutTheTenantsToken(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	foreign, err := token.New(strings.NewReader(strings.Repeat("fabrikam's token", 2)))
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]http.Header{
		"no credential":              {},
		"another tenant's token":     {"Authorization": {"Bearer " + foreign}},
		"a token with a digit less":  {"Authorization": {"Bearer " + f.token[:len(f.token)-1]}},
		"the token in another case":  {"Authorization": {"Bearer " + strings.ToUpper(f.token)}},
		"the token as Basic":         {"Authorization": {"Basic " + f.token}},
		"an empty bearer":            {"Authorization": {"Bearer "}},
		"the token without a scheme": {"Authorization": {f.token}},
	} {
		for _, path := range []string{"/Users", "/Users/{anna}", "/Groups", "/Schemas", "/ServiceProviderConfig", "/nowhere", ""} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				got := f.sendWith(method, path, "", header)
				if got.status != http.StatusUnauthorized {
					t.Fatalf("%s: %s %s = %d, want 401\n%s", name, method, path, got.status, got.body)
				}
				f.wantError(got, http.StatusUnauthorized, "")
				if challenge := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer ") {
					t.Errorf("%s: WWW-Authenticate = %q", name, challenge)
				}
			}
		}
	}
	f.expect("GET", "/Users/{anna}", "", 200, "")
	if got := f.sendWith("GET", "/Users/{anna}", "", http.Header{"Authorization": {"bearer " + f.token}}); got.status != 200 {
		t.Errorf("the scheme must be compared without regard to case, got %d", got.status)
	}
}

func TestARotatedTokenCountsAtOnce(t *testing.T) {
	f := newFixture(t)
	next, err := token.New(strings.NewReader(strings.Repeat("contoso's second", 2)))
	if err != nil {
		t.Fatal(err)
	}
	changed := *f.snapshot
	changed.Verifiers = token.Set{Verifiers: []token.Verifier{token.NewVerifier(next, token.RoleProvisioner, f.now)}}
	f.snapshot = &changed
	f.wantError(f.send("GET", "/Users", ""), 401, "")
	f.token = next
	f.expect("GET", "/Users", "", 200, "")
}

func TestWithoutSettingsTheServerAsksToTryAgain(t *testing.T) {
	f := newFixture(t)
	f.snapshot = nil
	got := f.send("GET", "/Users", "")
	f.wantError(got, http.StatusServiceUnavailable, "")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.unserved = "the directory is elsewhere"
	f.wantError(f.send("GET", "/Users", ""), http.StatusServiceUnavailable, "")
	for _, got := range []answer{f.send("GET", "/Users", ""), f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "x"))} {
		if !strings.Contains(string(got.body), f.unserved) {
			t.Errorf("%s does not say why", got.body)
		}
	}
}

func TestNeitherTokensNorPersonalDataReachLogsOrMetrics(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.send("POST", "/Users", anna)
	f.send("POST", "/Users", `{"userName":"x","name":"anna.k@contoso.test"}`)
	f.send("GET", `/Users?filter=userName eq "anna.k@contoso.test"`, "")
	f.send("GET", `/Users?filter=userName is "anna.k@contoso.test"`, "")
	f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":{"anna.k@contoso.test":1}}`))
	f.sendWith("GET", "/Users/anna.k@contoso.test", "", http.Header{"Authorization": {"Bearer " + f.token + "x"}})
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(f.registry, "scim_requests_total"); err != nil || n == 0 {
		t.Fatalf("no requests were counted: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.logs.String()
	for _, family := range families {
		said += family.String()
	}
	if !strings.Contains(said, "requestID") {
		t.Fatal("nothing was logged; this test would prove nothing")
	}
	for _, secret := range []string{f.token, f.token[4:30], "anna.k", "Anna"} {
		if strings.Contains(said, secret) {
			t.Errorf("logs or metrics contain %q", secret)
		}
	}
}

func TestErrorsDoNotRepeatPersonalData(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/Users", anna},
		{"POST", "/Users", `{"userName":"anna.k@contoso.test","name":"anna.k@contoso.test"}`},
		{"GET", `/Users?filter=userName is "anna.k@contoso.test"`, ""},
		{"GET", `/Users?filter=userName eq "anna.k@contoso.test`, ""},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"anna.k@contoso.test"}`)},
	} {
		got := f.send(c.method, c.path, c.body)
		if got.status < 400 {
			t.Errorf("%s %s = %d, want an error", c.method, c.path, got.status)
		}
		if strings.Contains(string(got.body), "anna.k") {
			t.Errorf("%s %s: the error repeats the value: %s", c.method, c.path, got.body)
		}
		if id := got.header.Get("X-Request-Id"); id == "" || !strings.Contains(string(got.body), id) {
			t.Errorf("%s %s: the error does not name its request id: %s", c.method, c.path, got.body)
		}
	}
}

func TestAClientWithoutAcceptOrWithAnyIsServed(t *testing.T) {
	f := newFixture(t)
	for _, accept := range []string{"", "*/*", "application/json", "application/scim+json", "text/html"} {
		got := f.sendWith("GET", "/Users", "", http.Header{"Authorization": {"Bearer " + f.token}, "Accept": {accept}, "Adscimversion": {"5.0"}})
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/scim+json") {
			t.Errorf("Accept %q: %d %s", accept, got.status, got.header.Get("Content-Type"))
		}
	}
}
