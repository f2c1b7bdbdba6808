package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/scan"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

func TestAScanDoesNothingBeforeItHasAPlace(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.HastySchema(t))
	storetest.Fill(t, s, 20)
	s.SetFew(0)
	s.Gate().Bound(scan.Limit, 0)
	leave, err := s.Gate().Enter(t.Context(), share.Client{Class: share.Reader, ID: "payroll"})
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	for name, q := range storetest.Scans() {
		q.Client = share.Client{Class: share.Reader, ID: "hr"}
		statements, err := s.Statements(func() error {
			if page, err := s.Find(t.Context(), q); page.Wide || !errors.Is(err, store.ErrBusy) {
				t.Errorf("%s: %+v, %v, want store.ErrBusy", name, page, err)
			}
			return nil
		})
		if err != nil || len(statements) > 0 {
			t.Errorf("%s: %d statements before there was a place: %v", name, len(statements), statements)
		}
		q.Client = share.Client{Class: share.Provisioner, ID: "token-1"}
		if _, err := s.Find(t.Context(), q); err != nil {
			t.Errorf("%s: the client that provisions gets %v", name, err)
		}
	}
}

// A list counts in a scan, and turns to a far page in one, where that is more than a few pages.
func TestOnlyListsOfFewResourcesAreNoScans(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.HastySchema(t))
	storetest.Fill(t, s, 30)
	s.SetPage(20)
	s.Gate().Bound(scan.Limit, 0)
	leave, err := s.Gate().Enter(t.Context(), share.Client{Class: share.Reader, ID: "payroll"})
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	hr := share.Client{Class: share.Reader, ID: "hr"}
	for name, c := range map[string]struct {
		query store.Query
		busy  bool
	}{
		"a count of all":    {store.Query{Kind: store.User}, true},
		"a page of all":     {store.Query{Kind: store.User, Limit: 5}, true},
		"a step of a walk":  {store.Query{Kind: store.User, After: store.Start, Limit: 5}, false},
		"a page of nothing": {store.Query{Kind: store.Group, Offset: 1 << 40, Limit: 5}, false},
	} {
		c.query.Client = hr
		if _, err := s.Find(t.Context(), c.query); errors.Is(err, store.ErrBusy) != c.busy || !c.busy && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAScanEndsAfterItsLimitAndWithItsClient(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.HastySchema(t))
	q := heavy(t, s)
	s.Gate().Bound(5*time.Millisecond, time.Hour)
	if page, err := s.Find(t.Context(), q); !page.Wide || !errors.Is(err, store.ErrTooWide) {
		t.Errorf("beyond its limit it is %+v, %v, want that it was a scan all the same", page, err)
	}
	s.Gate().Bound(time.Hour, time.Hour)
	ctx, hangUp := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer hangUp()
	if _, err := s.Find(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a client that hung up it is %v", err)
	}
	// An import or an export is not cut off.
	s.Gate().Bound(0, time.Hour)
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

// heavy fills a directory and returns a query that would take so long that to interrupt it comes before its end.
func heavy(t *testing.T, s *postgres.Store) store.Query {
	t.Helper()
	const many, groups = 3000, 4
	storetest.Fill(t, s, many)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		members := make([]store.Member, many)
		for n := range members {
			members[n] = store.Member{ID: storetest.BenchID(n + 1), Kind: store.User}
		}
		for n := range groups {
			group := storetest.BenchUser(many + 1 + n)
			group.Kind, group.Key, group.ExternalID, group.Index = store.Group, fmt.Sprint("group ", n), "", nil
			if err := tx.Insert(t.Context(), group); err != nil {
				return err
			}
			if _, err := tx.AddMembers(t.Context(), group.ID, members, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	terms := make([]string, 250)
	for i := range terms {
		terms[i] = fmt.Sprintf(`groups.$ref co "no%d"`, i)
	}
	parsed, err := filter.Parse(resourceType(store.User), strings.Join(terms, " or "))
	if err != nil {
		t.Fatal(err)
	}
	return store.Query{
		Kind: store.User, Filter: parsed, Limit: 10, Location: func(store.Kind) string { return "https://contoso.test/" },
	}
}

func TestTheCheckWaitsForNoReader(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.HastySchema(t)+"&pool_max_conns=6")
	if held := s.HoldReaders(t, 0); held != 5 {
		t.Errorf("readers have %d connections of 6", held)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // which a check that waits for a reader would need
	defer cancel()
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestTheCheckDoesWithoutAConnectionThatTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(testenv.HastySchema(t))
	if err != nil {
		t.Fatal(err)
	}
	role := strings.ToLower("role_" + rand.Text()[:12])
	schema := address.Query().Get("search_path")
	testenv.Execute(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret' CONNECTION LIMIT 3")
	t.Cleanup(func() { testenv.Execute(t, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role) })
	testenv.Execute(t, "CREATE SCHEMA "+schema+" AUTHORIZATION "+role)
	address.User = url.UserPassword(role, "secret")
	s := open(t, address.String()+"&pool_max_conns=4")
	s.HoldReaders(t, 1)
	if _, err := s.Find(t.Context(), store.Query{Kind: store.User, Limit: 1}); err != nil { // on the third
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
