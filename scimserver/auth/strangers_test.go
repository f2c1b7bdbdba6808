package auth_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// madeUp is a token with good claims that somebody signed with a key of their own.
func (f *fixture) madeUp(claims authtest.Claims) string {
	f.t.Helper()
	return authtest.Sign(f.t, jose.RS256, authtest.SecondKey(f.t), rand.Text(), claims)
}

func TestAnOutageOfTheLoginAuthorityIsLoggedAtItsBeginningAndAtItsEnd(t *testing.T) {
	f := newFixture(t)
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	assertion, bearer := f.madeUp(f.assertion()), f.madeUp(f.service())
	for range 300 {
		if _, err := f.IssueForAssertion(t.Context(), assertion, f.settings); !errors.Is(err, auth.ErrAuthorityUnavailable) {
			t.Fatalf("got %v", err)
		}
		if _, err := f.bearer(bearer); !errors.Is(err, auth.ErrAuthorityUnavailable) {
			t.Fatalf("got %v", err)
		}
		f.advance(200 * time.Millisecond)
	}
	if lines := f.logged(); len(lines) != 1 || !strings.Contains(lines[0], "cannot be fetched") || !strings.Contains(lines[0], "502") {
		t.Errorf("a minute of 600 requests has the lines %q, want one that says why", lines)
	}
	if got := f.issuer.Fetches(); got > 61 {
		t.Errorf("in a minute the authority was asked %d times, want once a second at most", got)
	}
	f.issuer.Answer(nil)
	f.advance(time.Second)
	f.tokenByAssertion()
	if lines := f.logged(); len(lines) != 2 || !strings.Contains(lines[1], "fetched again") {
		t.Errorf("after the outage the lines are %q, want one more", lines)
	}
	f.advance(2 * time.Hour)
	f.tokenByAssertion()
	if lines := f.logged(); len(lines) != 2 {
		t.Errorf("without another outage the lines are %q", lines)
	}
}

func TestStrangersDoNotKeepTheServerFromAnAuthorityThatIsBack(t *testing.T) {
	f := newFixture(t)
	f.issuer.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	strange := f.madeUp(f.assertion())
	flood := func() {
		for range 50 {
			_, _ = f.IssueForAssertion(t.Context(), strange, f.settings)
		}
	}
	for range 120 {
		flood()
		f.advance(time.Second)
	}
	f.issuer.Answer(nil)
	flood()
	f.tokenByAssertion()
	if _, err := f.bearer(f.issuer.Sign(f.service())); err != nil {
		t.Errorf("as a bearer: %v", err)
	}
}

// A token whose signature was not checked may be anybody's, and the difference between two answers would tell them the tenant's settings.
func TestATokenThatTheAuthorityDidNotSignIsToldNothingOfTheSettings(t *testing.T) {
	f := newFixture(t)
	f.tokenByAssertion()
	const word = "the token is not one that this tenant's login authority signed for it; the server's log has the reason"
	reason := func(err error) string {
		refusal, ok := errors.AsType[*auth.Refusal](err)
		if !ok {
			t.Fatalf("got %v, want a refusal", err)
		}
		if refusal.Known {
			t.Errorf("a stranger's token counts as known: %s", refusal.Cause)
		}
		if refusal.Cause == "" {
			t.Errorf("nobody is told why: %v", err)
		}
		return refusal.Reason
	}
	for what, claims := range map[string]authtest.Claims{"an assertion": f.assertion(), "Entra's token": f.service(), "a user's token": f.user()} {
		cases := claimCases(f)
		cases["as it should be"] = nil
		cases["another application"] = authtest.Claims{"appid": "x", "azp": "x"}
		cases["another subject"] = authtest.Claims{"sub": "x", "oid": "x"}
		cases["an application's"] = authtest.Claims{"idtyp": "app"}
		for name, changes := range cases {
			strange := f.madeUp(claims.With(changes))
			if what == "an assertion" {
				_, err := f.IssueForAssertion(t.Context(), strange, f.settings)
				if got := reason(err); got != word {
					t.Errorf("%s, %s: %q", what, name, got)
				}
				continue
			}
			all := f.settings
			for _, takes := range []string{"both", "services", "users", "none"} {
				f.change(func(s *settings.Snapshot) {
					if takes == "users" || takes == "none" {
						s.Tenant.Spec.Authentication.EntraToken = nil
					}
					if takes == "services" || takes == "none" {
						s.Tenant.Spec.Authentication.UserToken = nil
					}
				})
				_, err := f.bearer(strange)
				if got := reason(err); got != word {
					t.Errorf("%s, %s, where the tenant takes %s: %q", what, name, takes, got)
				}
				f.settings = all
			}
		}
	}
}

// The status tells of a credential of the tenant's own client, and of nobody else's.
func TestACredentialThatWasOrCouldBeOfThisTenantIsKnown(t *testing.T) {
	f := newFixture(t)
	ended := newToken(t)
	f.change(func(s *settings.Snapshot) {
		verifier := token.NewVerifier(ended, token.RoleProvisioner, start)
		verifier.NotAfter = start.Add(-time.Hour)
		s.Verifiers.Verifiers = append(s.Verifiers.Verifiers, verifier)
	})
	former := newToken(t) // of which the server has no hash any more
	access := f.accessToken()
	f.advance(2 * time.Hour)
	byBearer := func(value string) func() error {
		return func() error { _, err := f.bearer(value); return err }
	}
	bySecret := func(client, secret string) func() error {
		return func() error { _, err := f.IssueForSecret(t.Context(), client, secret, f.settings); return err }
	}
	byAssertion := func(value string) func() error {
		return func() error { _, err := f.IssueForAssertion(t.Context(), value, f.settings); return err }
	}
	for name, c := range map[string]struct {
		try   func() error
		known bool
	}{
		"a former Secret Token":                        {byBearer(former), true},
		"a Secret Token that ended":                    {byBearer(ended), true},
		"a former client secret":                       {bySecret("contoso", former), true},
		"a client secret of another ID":                {bySecret("another", f.secret), true},
		"an access token that ended":                   {byBearer(access), true},
		"Entra's token for another audience":           {byBearer(f.issuer.Sign(f.service().With(authtest.Claims{"aud": "api://x"}))), true},
		"Entra's token of another application":         {byBearer(f.issuer.Sign(f.service().With(authtest.Claims{"appid": "x"}))), true},
		"Entra's token that ended":                     {byBearer(f.issuer.Sign(f.service().With(authtest.Claims{"exp": start.Unix()}))), true},
		"an assertion for another audience":            {byAssertion(f.issuer.Sign(f.assertion().With(authtest.Claims{"aud": "api://x"}))), true},
		"an assertion of another subject":              {byAssertion(f.issuer.Sign(f.assertion().With(authtest.Claims{"sub": "x"}))), true},
		"no token at all":                              {byBearer(""), false},
		"a made-up bearer":                             {byBearer("admin"), false},
		"a made-up bearer with our prefix":             {byBearer("tnt_" + strings.Repeat("A", 49)), false},
		"a made-up secret":                             {bySecret("contoso", "hunter2"), false},
		"a made-up assertion":                          {byAssertion("a.b.c"), false},
		"an assertion that nobody signed":              {byAssertion(f.madeUp(f.assertion())), false},
		"an access token with another key":             {byBearer(authtest.Sign(t, jose.HS256, make([]byte, 32), "", f.assertion())), false},
		"a token of another Entra tenant":              {byBearer(f.issuer.Sign(f.service().With(authtest.Claims{"tid": "x"}))), false},
		"an employee's token for something else":       {byBearer(f.issuer.Sign(f.user().With(authtest.Claims{"aud": "api://x"}))), false},
		"an employee's token in place of an app's":     {byBearer(f.issuer.Sign(f.user().With(authtest.Claims{"aud": "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"}))), false},
		"an employee's token that ended":               {byBearer(f.issuer.Sign(f.user().With(authtest.Claims{"exp": start.Unix()}))), false},
		"an employee's token in place of an assertion": {byAssertion(f.issuer.Sign(f.user())), false},
	} {
		refusal, ok := errors.AsType[*auth.Refusal](c.try())
		if !ok || refusal.Known != c.known {
			t.Errorf("%s: %+v, want it known: %v", name, refusal, c.known)
		}
	}
}

// Which of two credentials counts would differ between this server and a proxy before it that checks them too.
func TestARequestWithTwoCredentialsIsNobodys(t *testing.T) {
	f := newFixture(t)
	good := "Bearer " + f.accessToken()
	for _, lines := range [][]string{{good, good}, {good, "Bearer x"}, {"Bearer x", good}, {good, "Basic eDp4"}, {"Basic eDp4", good}, {good, ""}, {"", good}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = lines
		if got, err := f.Authenticate(request, f.settings); !errors.Is(err, auth.ErrTwoCredentials) {
			t.Errorf("%d lines: %+v, %v", len(lines), got, err)
		}
	}
}
