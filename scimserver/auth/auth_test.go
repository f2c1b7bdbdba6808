package auth_test

import (
	"testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
)

func TestEachCredentialAndEachPersonIsAClientOfItsOwn(t *testing.T) {
	f := newFixture(t)
	secret, reader := newToken(t), newToken(t)
	f.change(func(s *settings.Snapshot) {
		s.Verifiers.Verifiers = append(s.Verifiers.Verifiers, token.NewVerifier(secret, token.RoleProvisioner, start), token.NewReader(reader, "payroll", start))
	})
	const bob = "b0b00000-0000-4000-8000-000000000001"
	for name, c := range map[string]struct {
		credential string
		want       share.Client
	}{
		"the Secret Token": {secret, share.Client{Class: share.Provisioner, ID: "token-" + token.Fingerprint(secret)}},
		"a reader's token": {reader, share.Client{Class: share.Reader, ID: "reader-payroll"}},
		"Entra's token":    {f.issuer.Sign(f.service()), share.Client{Class: share.Provisioner, ID: "entra"}},
		"a person's token": {f.issuer.Sign(f.user()), share.Client{Class: share.Person, ID: objectID}},
		"another person's": {f.issuer.Sign(f.user().With(authtest.Claims{"oid": bob})), share.Client{Class: share.Person, ID: bob}},
	} {
		identity, err := f.bearer(c.credential)
		if got := identity.AsClient(); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got := (auth.Identity{Client: "x", Role: "another"}).AsClient(); got != (share.Client{}) {
		t.Errorf("a role that nobody knows: %+v", got)
	}
}
