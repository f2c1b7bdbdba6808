package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

// withdrawals are changes that end tokens: of a client with a secret, of a workload, or of both.
func withdrawals() map[string]struct {
	client, workload bool
	change           func(*settings.Snapshot)
} {
	type withdrawal = struct {
		client, workload bool
		change           func(*settings.Snapshot)
	}
	identity := func(s *settings.Snapshot) *v1alpha1.WorkloadIdentity {
		return s.Tenant.Spec.Authentication.WorkloadIdentity
	}
	return map[string]withdrawal{
		"OAuth is switched off":       {true, false, func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.OAuth = nil }},
		"the client's secret is gone": {true, false, func(s *settings.Snapshot) { s.Verifiers.Verifiers = nil }},
		"the client has another ID": {true, false, func(s *settings.Snapshot) {
			changed := s.Verifiers.Verifiers[0]
			changed.ClientID = "another"
			s.Verifiers.Verifiers = []token.Verifier{changed}
		}},
		"workload identity is switched off": {false, true, func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil }},
		"the subject is taken out":          {false, true, func(s *settings.Snapshot) { identity(s).Subjects = []string{"another"} }},
		"the audience is taken out":         {false, true, func(s *settings.Snapshot) { identity(s).Audiences = []string{"api://another"} }},
		"the Entra tenant is another":       {false, true, func(s *settings.Snapshot) { s.Tenant.Spec.Entra().TenantID = "00000000-0000-0000-0000-000000000000" }},
		"the cloud is another":              {false, true, func(s *settings.Snapshot) { s.Tenant.Spec.Entra().Cloud = v1alpha1.EntraCloudChina }},
		"there is no Entra tenant":          {false, true, func(s *settings.Snapshot) { s.Tenant.Spec.IdentityProvider = nil }},
		"the epoch is another": {true, true, func(s *settings.Snapshot) {
			s.Verifiers.Obeyed = map[string]token.Obeyed{v1alpha1.AccessTokensCredential: {Rotate: start}}
		}},
		"a subject is added": {false, false, func(s *settings.Snapshot) {
			identity(s).Subjects = append([]string{"one more"}, identity(s).Subjects...)
		}},
		"an audience is added": {false, false, func(s *settings.Snapshot) {
			identity(s).Audiences = append([]string{"api://more"}, identity(s).Audiences...)
		}},
		"a second secret": {false, false, func(s *settings.Snapshot) {
			s.Verifiers.Verifiers = append([]token.Verifier{token.NewClient("second", "contoso", start)}, s.Verifiers.Verifiers...)
		}},
		"the tenant ID in other case": {false, false, func(s *settings.Snapshot) {
			s.Tenant.Spec.Entra().TenantID = strings.ToLower(s.Tenant.Spec.Entra().TenantID)
		}},
		"another display name": {false, false, func(s *settings.Snapshot) { s.Tenant.Spec.DisplayName = "Contoso" }},
	}
}

// Every story is told on a server that saw the change, one that did not because it was too quick, and one that starts afterwards.
func TestWhatEndsATokenEndsItForGood(t *testing.T) {
	for name, withdrawal := range withdrawals() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			quick := f.server()
			f.put(func(*settings.Snapshot) {}, f.Authenticator, quick)
			before := f.settings
			client, workload := f.accessToken(), f.tokenByAssertion()
			wants := func(when string, server *auth.Authenticator) {
				t.Helper()
				for _, one := range []struct {
					what, token string
					ended       bool
				}{{"client", client, withdrawal.client}, {"workload", workload, withdrawal.workload}} {
					if _, err := f.bearerAt(server, one.token); (err != nil) != one.ended {
						t.Errorf("%s, the token of the %s: %v, want that it has ended: %t", when, one.what, err, one.ended)
					}
				}
			}
			f.put(withdrawal.change, f.Authenticator)
			wants("changed", f.Authenticator)
			wants("changed, at a server that was not told", quick)
			f.put(func(s *settings.Snapshot) { *s = *before }, f.Authenticator)
			wants("put back", f.Authenticator)
			f.advance(15 * time.Second)
			wants("put back, at a server that saw nothing", quick)
			started := f.server()
			f.put(func(*settings.Snapshot) {}, started)
			wants("put back, after a start", started)
			for what, fresh := range map[string]string{"client": f.accessToken(), "workload": f.tokenByAssertion()} {
				for _, server := range []*auth.Authenticator{f.Authenticator, quick, started} {
					if _, err := f.bearerAt(server, fresh); err != nil {
						t.Errorf("a new token of the %s: %v", what, err)
					}
				}
			}
		})
	}
}

func TestWhatChangedWhileNoServerRanEndsTokensAtTheStart(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	before, workload := f.settings, f.tokenByAssertion()
	f.put(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil }, f.server())
	f.put(func(s *settings.Snapshot) { *s = *before }, f.server())
	if _, err := f.bearerAt(f.server(), workload); err == nil {
		t.Error("the token is good again")
	}
}

func TestATokenThatEndsWhileTheStoreIsAwayEndsForGoodWhenItIsBack(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	before, workload := f.settings, f.tokenByAssertion()
	f.keys.failure = store.ErrUnavailable
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil })
	if err := f.Follow(t.Context(), f.settings); err == nil {
		t.Error("nothing was kept, and nothing said of it")
	}
	f.settings = before
	if err := f.Follow(t.Context(), f.settings); err == nil {
		t.Error("nothing was kept, and nothing said of it")
	}
	f.keys.failure = nil
	f.wantRefused("before it is kept", workload)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	f.wantRefused("when it is kept", workload)
	if _, err := f.bearerAt(f.server(), workload); err == nil {
		t.Error("at another server the token is good again")
	}
}

// A request that began before the settings changed is still served by the old ones.
func TestASlowTokenRequestLeavesNoTokenThatComesBack(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	before := f.settings
	f.put(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.WorkloadIdentity = nil }, f.Authenticator)
	if issued, err := f.IssueForAssertion(t.Context(), f.issuer.Sign(f.assertion()), before); err == nil {
		t.Errorf("a token was issued for what the server has taken away: %+v", issued)
	}
}

func TestASettledTenantWritesNoKeys(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	for range 3 {
		f.accessToken()
		f.tokenByAssertion()
	}
	f.put(func(s *settings.Snapshot) { s.Tenant.Spec.DisplayName = "Contoso" }, f.Authenticator, f.server())
	if f.keys.writes != 2 {
		t.Errorf("keys were written %d times, want once for each of two clients", f.keys.writes)
	}
}

func TestKeysAreReplacedByAgeAndEndWithTheirLastToken(t *testing.T) {
	f := newFixture(t)
	other := f.server()
	first := f.accessToken()
	_, firstID := f.signing(first)
	f.advance(24 * time.Hour)
	last := f.accessToken()
	if _, id := f.signing(last); id != firstID {
		t.Error("the key is another before its time")
	}
	f.advance(time.Second)
	next := f.accessToken()
	if _, id := f.signing(next); id == firstID {
		t.Error("the key has not changed after a day")
	}
	for what, value := range map[string]string{"before": last, "after": next} {
		for _, server := range []*auth.Authenticator{f.Authenticator, other} {
			if _, err := f.bearerAt(server, value); err != nil {
				t.Errorf("a token from %s the change: %v", what, err)
			}
		}
	}
	f.wantRefused("a token of yesterday", first)
	for range 3 {
		f.advance(25 * time.Hour)
		f.accessToken()
	}
	if kept := f.keys.kept[auth.AccessTokenKeys]; strings.Contains(kept, firstID) || strings.Count(kept, `"id"`) > 3 {
		t.Errorf("keys are kept for ever: %s", kept)
	}
}

func TestAClockThatIsSetLocksNobodyOutForLong(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"a day back": -24 * time.Hour, "two years back": -2 * 365 * 24 * time.Hour, "a day ahead": 24 * time.Hour, "two years ahead": 2 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			before := f.accessToken()
			f.advance(jump)
			f.wantRefused("a token of another time", before)
			for range 2 {
				if _, err := f.bearer(f.accessToken()); err != nil {
					t.Errorf("a new token: %v", err)
				}
			}
			f.advance(-jump)
			for _, server := range []*auth.Authenticator{f.Authenticator, f.server()} {
				if _, err := f.bearerAt(server, f.accessToken()); err != nil {
					t.Errorf("a new token when the clock is right again: %v", err)
				}
			}
		})
	}
}

func TestAServerWhoseKeyIsNoLongerKeptMakesAnother(t *testing.T) {
	f := newFixture(t)
	before := f.accessToken()
	clear(f.keys.kept) // an old backup was restored under a running server
	after := f.accessToken()
	for _, server := range []*auth.Authenticator{f.Authenticator, f.server()} {
		if _, err := f.bearerAt(server, after); err != nil {
			t.Errorf("a token that was issued afterwards: %v", err)
		}
		if _, err := f.bearerAt(server, before); err == nil {
			t.Error("a token whose key is not kept is good")
		}
	}
}

// All who need keys wait for the one that reads or writes them, and so do settings that take a credential away.
func TestNobodyWaitsForTheStorageWithoutEnd(t *testing.T) {
	f := newFixture(t)
	f.put(func(*settings.Snapshot) {}, f.Authenticator)
	if _, err := f.bearer(f.accessToken()); err != nil {
		t.Fatal(err)
	}
	f.put(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.OAuth = nil }, f.Authenticator)
	if f.keys.endless > 0 {
		t.Errorf("%d of %d reads and %d writes have no deadline", f.keys.endless, f.keys.reads, f.keys.writes)
	}
}
