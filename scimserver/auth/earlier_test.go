package auth_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// earlier is a server of the version before public keys, or somebody with a copy of its directory.
type earlier struct {
	*fixture

	key []byte
}

func (f *fixture) earlier(key byte) earlier {
	e := earlier{f, bytes.Repeat([]byte{key}, 32)}
	f.keys.kept["oauth-signing-key"] = base64.StdEncoding.EncodeToString(e.key)
	return e
}

func (e earlier) claims() authtest.Claims {
	return authtest.Claims{
		"iss": v1alpha1.GroupName, "aud": string(e.settings.Tenant.UID), "sub": "client-" + token.Fingerprint(e.secret),
		"iat": e.clock().Unix(), "exp": e.clock().Add(time.Hour).Unix(), "jti": "id",
	}
}

func (e earlier) workload() authtest.Claims {
	return e.claims().With(authtest.Claims{"sub": "workload-" + subject, "tid": authtest.TenantID})
}

func (e earlier) sign(claims authtest.Claims) string {
	return authtest.SignAs(e.t, "at+jwt", jose.HS256, e.key, "", claims)
}

// takes tells whether a server of the earlier version accepts the token.
func (e earlier) takes(accessToken string) bool {
	parsed, err := jwt.ParseSigned(accessToken, []jose.SignatureAlgorithm{jose.HS256})
	return err == nil && parsed.Claims(e.key) == nil
}

func (f *fixture) wantTaken(what, credential string) {
	f.t.Helper()
	if _, err := f.bearer(credential); err != nil {
		f.t.Errorf("%s: %v", what, err)
	}
}

func TestServersOfTwoVersionsTakeEachOthersTokensWhileAnUpgradeLasts(t *testing.T) {
	f := newFixture(t)
	older := f.earlier('a')
	f.put(func(*settings.Snapshot) {}, f.Authenticator, f.server())
	for _, claims := range []authtest.Claims{older.claims(), older.workload()} {
		f.wantTaken("a token of the older server", older.sign(claims))
	}
	for what, issued := range map[string]string{"client": f.accessToken(), "workload": f.tokenByAssertion()} {
		if !older.takes(issued) {
			t.Errorf("the older server refuses a token that was issued to the %s", what)
		}
		f.wantTaken("what it has issued itself", issued)
	}
	f.advance(time.Hour)
	last := older.sign(older.claims())
	if !older.takes(f.accessToken()) {
		t.Error("the upgrade was given less than an hour")
	}
	f.advance(time.Second)
	if older.takes(f.accessToken()) {
		t.Error("the key of the earlier version signs for ever")
	}
	f.advance(time.Hour - time.Second)
	f.wantTaken("the last token", last)
	f.advance(time.Second)
	f.wantRefused("a token of the older server, later", older.sign(older.claims()))
	f.accessToken()
	if kept := f.keys.kept["oauth-signing-key"]; kept != "" {
		t.Errorf("the key of the earlier version stays: %s", kept)
	}
	f.keys.kept["oauth-signing-key"] = base64.StdEncoding.EncodeToString(older.key) // an older server wrote it back
	for _, server := range []*auth.Authenticator{f.Authenticator, f.server()} {
		f.put(func(*settings.Snapshot) {}, server)
		if _, err := f.bearerAt(server, older.sign(older.claims())); err == nil {
			t.Error("the key has ended and counts again")
		}
	}
	f.accessToken()
	if kept := f.keys.kept["oauth-signing-key"]; kept != "" {
		t.Errorf("the key of the earlier version is back: %s", kept)
	}
}

// After going back to the earlier version and forward again there is another key.
func TestAnotherKeyOfTheEarlierVersionIsTakenUpWhenOneOfItsTokensIsMet(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	f.accessToken()
	for _, key := range []byte{'a', 'b'} {
		older := f.earlier(key)
		f.wantTaken("a token of the older server", older.sign(older.claims()))
		if !older.takes(f.accessToken()) {
			t.Error("the older server refuses what is issued")
		}
		f.advance(3 * time.Hour)
		f.wantRefused("a token of the older server, later", older.sign(older.claims()))
	}
}

func TestAForgedTokenOfTheEarlierVersionIsRefused(t *testing.T) {
	f := newFixture(t)
	copied := f.earlier('a')
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	good := copied.claims()
	f.wantTaken("a token as it was issued", copied.sign(good))
	another := earlier{f, bytes.Repeat([]byte{'b'}, 32)}
	for name, forged := range map[string]string{
		"another typ":            authtest.Sign(t, jose.HS256, copied.key, "", good),
		"a key ID":               authtest.SignAs(t, "at+jwt", jose.HS256, copied.key, "x", good),
		"another key":            another.sign(good),
		"an end in thirty years": copied.sign(good.With(authtest.Claims{"exp": start.Add(30 * 365 * 24 * time.Hour).Unix()})),
		"without a beginning":    copied.sign(good.With(authtest.Claims{"iat": nil})),
		"without an ID":          copied.sign(good.With(authtest.Claims{"jti": nil})),
		"an unknown client":      copied.sign(good.With(authtest.Claims{"sub": "client-x"})),
		"another Entra tenant":   copied.sign(copied.workload().With(authtest.Claims{"tid": "another"})),
		"of a reader":            copied.sign(good.With(authtest.Claims{"sub": "reader-payroll"})),
	} {
		f.wantRefused(name, forged)
	}
}

func TestWhatEndsATokenEndsTheKeyOfTheEarlierVersion(t *testing.T) {
	for name, withdrawal := range withdrawals() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			older := f.earlier('a')
			f.put(func(*settings.Snapshot) {}, f.Authenticator)
			before, client, workload := f.settings, older.sign(older.claims()), older.sign(older.workload())
			f.put(withdrawal.change, f.Authenticator)
			f.put(func(s *settings.Snapshot) { *s = *before }, f.Authenticator)
			started := f.server()
			f.put(func(*settings.Snapshot) {}, started)
			for _, server := range []*auth.Authenticator{f.Authenticator, started} {
				for _, presented := range []string{client, workload} {
					if _, err := f.bearerAt(server, presented); (err != nil) != (withdrawal.client || withdrawal.workload) {
						t.Errorf("%v, want that it has ended: %t", err, withdrawal.client || withdrawal.workload)
					}
				}
			}
			if older.takes(f.accessToken()) == (withdrawal.client || withdrawal.workload) {
				t.Error("the wrong key signs")
			}
		})
	}
}

func TestADamagedKeyOfTheEarlierVersionIsRemoved(t *testing.T) {
	for _, damaged := range []string{"no base64!", "c2hvcnQ="} {
		f := newFixture(t)
		f.keys.kept["oauth-signing-key"] = damaged
		f.put(func(*settings.Snapshot) {}, f.Authenticator)
		f.wantTaken("a token", f.accessToken())
		if kept := f.keys.kept["oauth-signing-key"]; strings.Contains(kept, damaged) {
			t.Errorf("it stays: %s", kept)
		}
	}
}
