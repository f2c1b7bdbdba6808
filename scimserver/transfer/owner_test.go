package transfer_test

import (
	"errors"
	"testing"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

func TestAMoveTakesTheMarkAlongAndOverwritesNobodyElses(t *testing.T) {
	mark := func(directory string, of owner.Identity) string {
		return owner.Mark{Directory: directory, Identity: of}.Encode()
	}
	const own, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	shouted := storetest.Contoso()
	shouted.EntraTenantID = "8B1C3F0E-0A52-4A5B-9B61-3F2F6F6D2C11"
	otherEntra := storetest.Contoso()
	otherEntra.EntraTenantID = storetest.Fabrikam().EntraTenantID
	for _, c := range []struct {
		name, from, to, want string
	}{
		{"to nobody's", mark(own, storetest.Contoso()), "", mark(own, storetest.Contoso())},
		{"to an empty one of the tenant", mark(own, storetest.Contoso()), mark(other, shouted), mark(own, storetest.Contoso())},
		{"again", mark(own, storetest.Contoso()), mark(own, storetest.Contoso()), mark(own, storetest.Contoso())},
		{"of an earlier version", "", "", ""},
		{"to another tenant's", mark(own, storetest.Contoso()), mark(other, storetest.Fabrikam()), ""},
		{"to one of another Entra tenant", mark(own, storetest.Contoso()), mark(other, otherEntra), ""},
		{"of an earlier version, to another tenant's", "", mark(other, storetest.Fabrikam()), ""},
		{"to one whose mark cannot be read", mark(own, storetest.Contoso()), "?", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := open(t, t.TempDir()), open(t, t.TempDir())
			for s, text := range map[store.Store]string{from: c.from, to: c.to} {
				if text == "" {
					continue
				}
				if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), store.MetaOwner, text) }); err != nil {
					t.Fatal(err)
				}
			}
			fill(t, from, 7)
			counts, err := transfer.Move(t.Context(), from, to, of(to))
			if c.want == "" && c.to != "" {
				stats, missing := to.Stats(t.Context())
				if !errors.Is(err, transfer.ErrOccupied) || missing != nil || stats.Users > 0 {
					t.Errorf("%v, and %d users are there", err, stats.Users)
				}
				return
			}
			got, missing := to.Meta(t.Context(), store.MetaOwner)
			if err != nil || missing != nil || got != c.want || counts.Users == 0 {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
}
