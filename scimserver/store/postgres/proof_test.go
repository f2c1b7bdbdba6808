package postgres_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// A pooler is told of another database while its clients stay connected, so no connection is new. Nothing of that database is read or written.
func TestAPoolerThatLeadsElsewhereBelowItsClients(t *testing.T) {
	own, foreign := testenv.Schema(t), testenv.Schema(t)
	schema := schemaOf(t, own)
	own, foreign = sameSchema(t, own, schema), sameSchema(t, foreign, schema)
	other := place(t, fixed(foreign)).Serve(t, owner.Claim{Identity: storetest.Fabrikam()})
	storetest.Fill(t, other, 5)
	p := &stub{refuses: all}
	p.start(t, 4, "")
	p.lead(own)
	s := place(t, fixed(p.through(t, own))).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	must(0, arrive(s, storetest.BenchID(1<<40), 1))(t)
	users := store.Query{Kind: store.User, Limit: 9}
	calls := map[string]func() error{
		"Find":  func() error { _, err := s.Find(t.Context(), users); return err },
		"Log":   func() error { _, err := s.Log(t.Context(), 0, 9); return err },
		"Stats": func() error { _, err := s.Stats(t.Context()); return err },
		"View": func() error {
			return s.View(t.Context(), func(store.Reader) error { t.Error("View runs"); return nil })
		},
		"Check":  func() error { return s.Check(t.Context()) },
		"Update": func() error { return arrive(s, storetest.BenchID(1<<40), 2) },
		"Update that asks for nothing": func() error {
			return s.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), "strange", "value") })
		},
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		p.lead(foreign)
		if refused, ok := errors.AsType[*owner.Refusal](calls[name]()); !ok || refused.Reason != v1alpha1.ReasonForeignDirectory {
			t.Errorf("%s: %v", name, refused)
		}
		p.lead(own)
		s.Holds(1)
	}
	other.Holds(5)
	if value := must(other.Meta(t.Context(), "strange"))(t); value != "" {
		t.Error("the other tenant's directory was written to")
	}
}

// Another replica brings the mark up to date. That is no failure of a request behind a pooler.
func TestAMarkThatAnotherReplicaBringsUpToDateBehindAPooler(t *testing.T) {
	for name, call := range map[string]func(s store.Store) error{
		"read": func(s store.Store) error {
			page, err := s.Find(t.Context(), store.Query{Kind: store.User, Limit: 9})
			if err == nil && page.Total != 2 {
				return fmt.Errorf("%d users", page.Total)
			}
			return err
		},
		"view":  func(s store.Store) error { return s.View(t.Context(), func(store.Reader) error { return nil }) },
		"check": func(s store.Store) error { return s.Check(t.Context()) },
		"write": func(s store.Store) error { return arrive(s, storetest.BenchID(1<<40), 9) },
	} {
		t.Run(name, func(t *testing.T) {
			address := testenv.Schema(t)
			p := &stub{refuses: all}
			p.start(t, 4, "")
			at := place(t, fixed(p.through(t, address)))
			claim := owner.Claim{Identity: storetest.Contoso()}
			claim.EntraTenantID = ""
			first, second := at.Serve(t, claim), at.Serve(t, claim)
			storetest.Fill(t, first, 2)
			second.Holds(2)
			must(0, first.Set(func(c *owner.Claim) { c.Identity = storetest.Contoso() }))(t)
			must(0, call(second))(t)
		})
	}
}
