package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// The driver interrupts a statement up to its first row only. So a scan does what can take long before that: it counts, or it finds
// ids and what Match is told of them, and looks records up afterwards.
func TestAScanCanBeInterruptedWhereverItTakesLong(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	storetest.Fill(t, s, 20)
	s.SetFew(0)
	s.SetPage(0)
	for name, q := range storetest.Scans() {
		texts, err := s.Texts(func() error { _, err := s.Find(t.Context(), q); return err })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, text := range texts {
			interruptible := false
			for _, beginning := range []string{"SELECT count(*) FROM", "SELECT 1 FROM main.attributes", "WITH s AS MATERIALIZED ("} {
				interruptible = interruptible || strings.HasPrefix(text, beginning)
			}
			if !interruptible && !strings.Contains(text, " FROM json_each(?) j CROSS JOIN resources r ON") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

func TestAScanDoesNothingBeforeItHasAPlace(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	storetest.Fill(t, s, 20)
	s.SetFew(0)
	s.Gate().Bound(scan.Limit, 0)
	payroll := share.Client{Class: share.Reader, ID: "payroll"}
	leave, err := s.Gate().Enter(t.Context(), payroll)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	for name, q := range storetest.Scans() {
		q.Client = share.Client{Class: share.Reader, ID: "hr"}
		texts, err := s.Texts(func() error {
			if page, err := s.Find(t.Context(), q); page.Wide || !errors.Is(err, store.ErrBusy) {
				t.Errorf("%s: %+v, %v, want store.ErrBusy", name, page, err)
			}
			return nil
		})
		if err != nil || len(texts) > 0 {
			t.Errorf("%s: %d statements before there was a place: %q", name, len(texts), texts)
		}
		q.Client = share.Client{Class: share.Provisioner, ID: "token-1"}
		if _, err := s.Find(t.Context(), q); err != nil {
			t.Errorf("%s: the client that provisions gets %v", name, err)
		}
	}
}

func TestAScanEndsAfterItsLimitAndWithItsClient(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	q := heavy(t, s)
	s.Gate().Bound(time.Millisecond, time.Hour)
	if page, err := s.Find(t.Context(), q); !page.Wide || !errors.Is(err, store.ErrTooWide) {
		t.Errorf("beyond its limit it is %+v, %v, want that it was a scan all the same", page, err)
	}
	s.Gate().Bound(time.Hour, time.Hour)
	ctx, hangUp := context.WithTimeout(t.Context(), time.Millisecond)
	defer hangUp()
	if _, err := s.Find(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a client that hung up it is %v", err)
	}
	// An import or an export is not cut off.
	s.Gate().Bound(0, 0)
	light := store.Query{Kind: store.User, Sort: storetest.Scans()["a sort"].Sort, Limit: 1}
	for what, find := range map[string]func(func(store.Reader) error) error{
		"an update": func(read func(store.Reader) error) error {
			return s.Update(t.Context(), func(tx store.Tx) error { return read(tx) })
		},
		"a view": func(read func(store.Reader) error) error { return s.View(t.Context(), read) },
	} {
		if err := find(func(r store.Reader) error { _, err := r.Find(t.Context(), light); return err }); err != nil {
			t.Errorf("%s gets %v", what, err)
		}
	}
}

func TestTheCheckWaitsForNoReader(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	s.HoldReaders(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // which a check that waits for a reader would need
	defer cancel()
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}

// heavy fills a directory and returns a query that would take seconds.
func heavy(t *testing.T, s *sqlite.Store) store.Query {
	t.Helper()
	const many = 3000
	storetest.Fill(t, s, many)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		group := storetest.BenchUser(many + 1)
		group.Kind, group.Key, group.ExternalID, group.Index = store.Group, "everybody", "", nil
		if err := tx.Insert(t.Context(), group); err != nil {
			return err
		}
		members := make([]store.Member, many)
		for n := range members {
			members[n] = store.Member{ID: storetest.BenchID(n + 1), Kind: store.User}
		}
		_, err := tx.AddMembers(t.Context(), group.ID, members, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	terms := make([]string, 200)
	for i := range terms {
		terms[i] = fmt.Sprintf(`groups.$ref co "no%d"`, i)
	}
	return store.Query{
		Kind: store.User, Filter: must(filter.Parse(schema.User(), strings.Join(terms, " or ")))(t), Limit: 10,
		Location: func(store.Kind) string { return "https://contoso.test/" },
	}
}
