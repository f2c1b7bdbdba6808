package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// role makes a role, and returns the URL of a schema with it.
func role(t *testing.T, address, options string) (name, as string) {
	t.Helper()
	parsed := must(url.Parse(address))(t)
	name = "r" + strings.TrimPrefix(parsed.Query().Get("search_path"), "test")
	testenv.Execute(t, "CREATE ROLE "+name+" LOGIN PASSWORD 'tenantry' "+options+"; GRANT CREATE ON DATABASE postgres TO "+name)
	t.Cleanup(func() { testenv.Execute(t, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
	return name, asRole(t, address, name)
}

func asRole(t *testing.T, address, name string) string {
	t.Helper()
	parsed := must(url.Parse(address))(t)
	parsed.User = url.UserPassword(name, "tenantry")
	query := parsed.Query()
	query.Set("connect_timeout", "60") // a machine that is busy is no database that is away
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// Five tenants with eight clients each share seven connections. Each has one at least, and waits for its own.
func TestWhoeverIsOutOfConnectionsWaitsForThoseThatThereAre(t *testing.T) {
	first := testenv.Direct(t, testenv.Schema(t))
	name, _ := role(t, first, "")
	var stores []*postgres.Store
	for i := range 5 {
		address := first
		if i > 0 {
			address = testenv.Direct(t, testenv.Schema(t))
		}
		stores = append(stores, open(t, asRole(t, address, name)))
		newGroup(t, stores[i])
	}
	testenv.Execute(t, "ALTER ROLE "+name+" CONNECTION LIMIT 7")
	group := storetest.BenchID(1 << 40)
	connections := testenv.Ask(t, "SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_activity WHERE usename = '"+name+"'")
	if n := len(strings.Split(connections, ",")); n != 5 {
		t.Errorf("at rest five tenants have %d connections", n)
	}
	var wg sync.WaitGroup
	for i, s := range stores {
		for c := range 8 {
			wg.Go(func() {
				for n := range 25 {
					if err := arrive(s, group, 1000*c+n); err != nil {
						t.Errorf("tenant %d: %v", i, err)
						return
					}
					if _, err := s.Get(context.Background(), store.Group, group); err != nil {
						t.Errorf("tenant %d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				if err := s.Check(context.Background()); err != nil {
					t.Errorf("tenant %d is not ready: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	kept := testenv.Ask(t, "SELECT count(*) FROM pg_stat_activity WHERE pid IN ("+connections+")")
	if kept != "5" {
		t.Errorf("%s of 5 connections were kept", kept)
	}
}

// One connection is enough for all background work at the same moment, and for the readiness check with it.
func TestAtRestATenantHasOneConnection(t *testing.T) {
	address := testenv.Direct(t, testenv.Schema(t))
	name, as := role(t, address, "")
	s := open(t, as)
	ctx := store.Background(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				must(s.Stats(ctx))(t)
				must(s.Meta(ctx, "a"))(t)
			}
		})
	}
	wg.Wait()
	must(0, s.Check(context.Background()))(t)
	if n := testenv.Ask(t, "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+name+"'"); n != "1" {
		t.Errorf("%s connections", n)
	}
}

// A database may have one connection to give to a new tenant, and to the next version of an old one.
func TestOneConnectionIsEnoughToMakeTheTables(t *testing.T) {
	for name, url := range map[string]func() string{
		"new": func() string { return testenv.Schema(t) },
		"old": func() string { url, conn := olderTables(t); _ = conn.Close(t.Context()); return url },
	} {
		t.Run(name, func(t *testing.T) {
			address := testenv.Direct(t, url())
			name, as := role(t, address, "CONNECTION LIMIT 1")
			testenv.Execute(t, "GRANT postgres TO "+name)
			s := open(t, as)
			if err := arrive(s, newGroup(t, s), 7777); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARoleThatMayCreateNothingServesAFinishedSchema(t *testing.T) {
	address := testenv.Schema(t)
	open(t, address)
	name, as := role(t, address, "")
	schema := must(url.Parse(address))(t).Query().Get("search_path")
	testenv.Execute(t, "REVOKE CREATE ON DATABASE postgres FROM "+name)
	testenv.Execute(t, fmt.Sprintf("GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[2]s", schema, name))
	s := open(t, as)
	group := newGroup(t, s)
	must(0, arrive(s, group, 1))(t)
	must(0, s.Check(context.Background()))(t)
	checkArrived(t, s, group, map[int]bool{1: true}, nil)
}

// Where commits do not wait for the disk by default, ours do. Where the platform chose another setting, it is said once.
func TestWhatSynchronousCommitIsForTheServersTransactions(t *testing.T) {
	for _, c := range []struct {
		setting, parameter, want string
		said                     int
	}{
		{"off", "", "on", 1},
		{"off", "&synchronous_commit=off", "off", 1},
		{"local", "", "local", 1},
		{"remote_write", "", "remote_write", 1},
		{"on", "", "on", 0},
		{"remote_apply", "", "remote_apply", 0},
	} {
		t.Run(c.setting+c.parameter, func(t *testing.T) {
			address := testenv.Schema(t)
			name, as := role(t, address, "")
			testenv.Execute(t, "ALTER ROLE "+name+" SET synchronous_commit = "+c.setting)
			said := 0
			log := funcr.New(func(_, line string) {
				if strings.Contains(line, "synchronous_commit is not on") {
					said++
				}
			}, funcr.Options{})
			ctx := context.Background()
			s := must(postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return as + c.parameter, nil }, Log: log}))(t)
			defer s.Close()
			for range 3 {
				if got := must(s.Setting(ctx, "synchronous_commit"))(t); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
			if said != c.said {
				t.Errorf("said %d times", said)
			}
		})
	}
}
