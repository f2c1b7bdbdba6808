package protocol_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
)

// bearer is the header with another token than the fixture's.
func bearer(plaintext string) http.Header {
	return http.Header{"Authorization": {"Bearer " + plaintext}}
}

// tokenOf returns a well-formed token made of the text.
func tokenOf(t *testing.T, text string) string {
	t.Helper()
	made, err := token.New(strings.NewReader(strings.Repeat(text, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// trust adds verifiers to the settings in force.
func (f *fixture) trust(verifiers ...token.Verifier) {
	changed := *f.snapshot
	changed.Verifiers.Verifiers = append(append([]token.Verifier{}, changed.Verifiers.Verifiers...), verifiers...)
	f.snapshot = &changed
}

func TestAReaderReadsEverythingAndChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("sales", "/Groups", `{"displayName":"Sales","members":[{"value":"{anna}"}]}`)
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))

	for _, path := range []string{
		"", "/Users", "/Users/{anna}", "/Groups", "/Groups/{sales}", `/Users?filter=userName eq "anna.k@contoso.test"`,
		"/Schemas", "/ResourceTypes", "/ServiceProviderConfig",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if got := f.sendWith(method, path, "", bearer(reader)); got.status != 200 {
				t.Errorf("%s %s = %d, want 200\n%s", method, path, got.status, got.body)
			}
		}
	}
	before := f.expect("GET", "/Users/{anna}", "", 200, "")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/Users", `{"userName":"bo@contoso.test"}`}, {"POST", "/Users", "no JSON"}, {"POST", "/Groups", `{"displayName":"x"}`},
		{"PUT", "/Users/{anna}", `{"userName":"bo@contoso.test"}`}, {"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":"x"}`)},
		{"PATCH", "/Users/no-such-user", patchOf(`{"op":"Replace","path":"title","value":"x"}`)},
		{"DELETE", "/Users/{anna}", ""}, {"DELETE", "/Groups/{sales}", ""},
	} {
		got := f.sendWith(c.method, c.path, c.body, bearer(reader))
		f.wantError(got, http.StatusForbidden, "")
		if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, "this credential is a reader's, which reads the directory and may not change it; ") {
			t.Errorf("%s %s: detail = %q", c.method, c.path, detail)
		}
		if challenge := got.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="insufficient_scope"`) {
			t.Errorf("%s %s: WWW-Authenticate = %q", c.method, c.path, challenge)
		}
	}
	after := f.expect("GET", "/Users/{anna}", "", 200, "")
	if string(before.body) != string(after.body) {
		t.Errorf("a reader changed\n%s\nto\n%s", before.body, after.body)
	}
	f.expect("GET", "/Groups/{sales}", "", 200, "")
}

func TestARoleThatTheServerDoesNotKnowMayDoNothing(t *testing.T) {
	f := newFixture(t)
	other := tokenOf(t, "other")
	f.trust(token.NewVerifier(other, "auditor", f.now), token.NewVerifier(tokenOf(t, "none"), "", f.now))
	for _, plaintext := range []string{other, tokenOf(t, "none")} {
		f.wantError(f.sendWith("GET", "/Users", "", bearer(plaintext)), http.StatusForbidden, "")
		f.wantError(f.sendWith("POST", "/Users", anna, bearer(plaintext)), http.StatusForbidden, "")
	}
}

// Nobody is sent to ask for a credential that may do more than what they have.
func TestAReaderIsToldOfItsOwnCredential(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", anna)
	former, reader := tokenOf(t, "former"), f.withReader("payroll")
	ended := token.NewReader(former, "payroll", f.now)
	ended.NotAfter = f.now
	f.trust(ended)
	f.advance(time.Second)
	for name, c := range map[string]struct {
		header http.Header
		method string
		status int
		want   string
	}{
		"one that has ended":   {bearer(former), "GET", 401, "this reader's token has expired: send the current token of this reader"},
		"a write":              {bearer(reader), "DELETE", 403, "this credential is a reader's, which reads the directory and may not change it; a client that provisions has a credential of its own"},
		"a person who reads":   {bearer(f.userToken(nil)), "GET", 403, "this token is a person's, which opens /Me alone; an application reads the directory with a reader's credential"},
		"a person who writes":  {bearer(f.userToken(nil)), "DELETE", 403, "this token is a person's, which opens /Me alone; an application reads the directory with a reader's credential"},
		"a person who is late": {bearer(f.userToken(authtest.Claims{"exp": f.now.Add(-time.Hour).Unix()})), "GET", 401, "the token has expired or is not valid yet: send one that was issued just now"},
		"none":                 {http.Header{}, "GET", 401, "the request has no bearer token: send a credential of this tenant in the header Authorization: Bearer"},
	} {
		got := f.sendWith(c.method, "/Users/{anna}", "", c.header)
		f.wantError(got, c.status, "")
		if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, c.want+" (request ") {
			t.Errorf("%s: detail = %q, want %q", name, detail, c.want)
		}
		if challenge := got.header.Get("WWW-Authenticate"); name != "none" && !strings.Contains(challenge, c.want) {
			t.Errorf("%s: WWW-Authenticate = %q", name, challenge)
		}
	}
}

func TestDuringARotationBothTokensWorkUntilTheOldOneExpires(t *testing.T) {
	f := newFixture(t)
	next := tokenOf(t, "next")
	old := f.snapshot.Verifiers.Verifiers[0]
	old.NotAfter = f.now.Add(time.Hour)
	changed := *f.snapshot
	changed.Verifiers = token.Set{Verifiers: []token.Verifier{old, token.NewVerifier(next, token.RoleProvisioner, f.now)}}
	f.snapshot = &changed

	f.create("anna", "/Users", anna)
	f.advance(time.Hour)
	f.expect("GET", "/Users/{anna}", "", 200, "")
	if got := f.sendWith("GET", "/Users/{anna}", "", bearer(next)); got.status != 200 {
		t.Errorf("the new token: %d\n%s", got.status, got.body)
	}
	f.advance(time.Second)
	got := f.send("GET", "/Users/{anna}", "")
	f.wantError(got, http.StatusUnauthorized, "")
	if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, "the bearer token has expired") {
		t.Errorf("detail = %q", detail)
	}
	if got := f.sendWith("GET", "/Users/{anna}", "", bearer(next)); got.status != 200 {
		t.Errorf("the new token after the old one expired: %d\n%s", got.status, got.body)
	}
}

func TestTheChallengeTellsAWrongTokenFromNone(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"none":           {http.Header{}, `Bearer realm="contoso"`},
		"another scheme": {http.Header{"Authorization": {"Basic YTpi"}}, `Bearer realm="contoso"`},
		"a wrong one": {bearer(tokenOf(t, "wrong")),
			`Bearer realm="contoso", error="invalid_token", error_description="the bearer token is not valid for this tenant: ` +
				`a client that provisions sends the tenant's current Secret Token, and a reader the current token of that reader"`},
	} {
		got := f.sendWith("GET", "/Users", "", c.header)
		f.wantError(got, http.StatusUnauthorized, "")
		if challenge := got.header.Get("WWW-Authenticate"); challenge != c.want {
			t.Errorf("%s: WWW-Authenticate = %s, want %s", name, challenge, c.want)
		}
	}
}

func TestTheSecretOfAnOAuthClientIsNoBearerToken(t *testing.T) {
	f := newFixture(t)
	secret := tokenOf(t, "secret")
	f.trust(token.NewClient(secret, "contoso", f.now))
	f.wantError(f.sendWith("GET", "/Users", "", bearer(secret)), http.StatusUnauthorized, "")
}
