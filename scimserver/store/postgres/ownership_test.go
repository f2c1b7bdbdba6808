package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// place is a schema, by a connection URL that a test may change.
func place(t *testing.T, address func() string) storetest.Place {
	t.Helper()
	at := func() (string, error) { return address(), nil }
	return storetest.Place{
		Guarded: func(guard *owner.Guard) (owner.Store, error) {
			return postgres.Open(context.Background(), postgres.Options{URL: at, Guard: guard})
		},
		Open: func() (store.Store, error) { return postgres.Open(context.Background(), postgres.Options{URL: at}) },
		Drop: func() error {
			testenv.Execute(t, "DROP SCHEMA "+schemaOf(t, address())+" CASCADE")
			return nil
		},
	}
}

func fixed(address string) func() string { return func() string { return address } }

func TestOwners(t *testing.T) {
	storetest.Owners(t, func(t *testing.T) storetest.Place { return place(t, fixed(testenv.Schema(t))) })
}

// Two tenants are led to one schema by mistake. The second is refused before it asks for more than whose the directory is.
func TestAnotherTenantsDirectoryIsNotRead(t *testing.T) {
	address := testenv.Schema(t)
	first := place(t, fixed(address)).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, first, 3)
	var mu sync.Mutex
	var statements []string
	through := newTap(t, address, func(message pgproto3.FrontendMessage) {
		mu.Lock()
		defer mu.Unlock()
		switch m := message.(type) {
		case *pgproto3.Query:
			statements = append(statements, m.String)
		case *pgproto3.Parse:
			statements = append(statements, m.Query)
		}
	})
	second := place(t, fixed(through)).Serve(t, owner.Claim{Identity: storetest.Fabrikam()})
	second.Refuses(v1alpha1.ReasonForeignDirectory)
	mu.Lock()
	defer mu.Unlock()
	if len(statements) == 0 {
		t.Error("no statement was seen")
	}
	for _, sql := range statements {
		sql = strings.ReplaceAll(sql, "resources'::regclass", "") // the catalog's, and nothing of the table's
		for _, table := range []string{"resources", "documents", "members", "attributes", ".log", "goose", "migrating", "INSERT", "UPDATE"} {
			if strings.Contains(sql, table) {
				t.Fatalf("it was asked %q", sql)
			}
		}
	}
	first.Holds(3)
}

// Whichever of two tenants is first makes the schema that both are led to, and the other is refused.
func TestOfTwoTenantsThatMakeOneSchemaOneHasIt(t *testing.T) {
	for range 3 {
		at := place(t, fixed(testenv.HastySchema(t)))
		var wg sync.WaitGroup
		servers := make([]*storetest.Server, 4)
		for n := range servers {
			wg.Go(func() {
				claim := owner.Claim{Identity: storetest.Contoso()}
				if n%2 == 1 {
					claim.Identity = storetest.Fabrikam()
				}
				servers[n] = at.Serve(t, claim)
			})
		}
		wg.Wait()
		served := map[string]int{}
		for _, s := range servers {
			_, err := s.Stats(t.Context())
			if refused, ok := errors.AsType[*owner.Refusal](err); err != nil && (!ok || refused.Reason != v1alpha1.ReasonForeignDirectory) {
				t.Error(err)
			}
			if err == nil {
				served[s.Claim.Name]++
			}
		}
		if len(served) != 1 || served["contoso"]+served["fabrikam"] != 2 {
			t.Errorf("served: %v, want both servers of one tenant", served)
		}
	}
}

// A URL that is rotated to another tenant's database, or a pooler that leads there, is refused connection by connection: nothing is read
// on the first of them.
func TestWhatLeadsElsewhereBelowARunningServerIsRefused(t *testing.T) {
	own, foreign, empty := testenv.Schema(t), testenv.Schema(t), testenv.Schema(t)
	databases := map[string]string{}
	for _, address := range []string{own, foreign, empty} {
		databases[address] = sameSchema(t, address, schemaOf(t, own))
	}
	storetest.Fill(t, place(t, fixed(databases[foreign])).Serve(t, owner.Claim{Identity: storetest.Fabrikam()}), 5)
	var current atomic.Value
	current.Store(own)
	pooler := &proxy{begin: func(parameters map[string]string) {
		parameters["database"] = must(url.Parse(databases[current.Load().(string)]))(t).Path[1:]
	}}
	through := fixed(pooler.start(t, databases[own]))
	rotated := func() string { return databases[current.Load().(string)] }
	for name, address := range map[string]func() string{"a URL that is rotated": rotated, "a pooler": through} {
		t.Run(name, func(t *testing.T) {
			s := place(t, address).Serve(t, owner.Claim{Identity: storetest.Contoso()})
			if s.Directory() == "" {
				t.Fatal("nothing is served")
			}
			must(0, arrive(s, storetest.BenchID(1<<40), 1))(t)
			id := s.Directory()
			lead := func(to string) {
				current.Store(to)
				pooler.cut()
			}
			for to, reason := range map[string]string{foreign: v1alpha1.ReasonForeignDirectory, empty: v1alpha1.ReasonDirectoryMissing} {
				lead(to)
				for what, call := range map[string]func() error{
					"ask whether it is ready": func() error { return s.Check(t.Context()) },
					"read":                    func() error { _, err := s.Find(t.Context(), store.Query{Kind: store.User, Limit: 9}); return err },
					"write":                   func() error { return arrive(s, storetest.BenchID(1<<40), 9) },
				} {
					if name != "a pooler" {
						_ = s.Check(t.Context()) // as the kubelet does, which notices
					}
					if refused, ok := errors.AsType[*owner.Refusal](call()); !ok || refused.Reason != reason {
						t.Errorf("%s: %v", what, refused)
					}
				}
				s.Refuses(reason)
				lead(own)
				_ = s.Check(t.Context())
				s.Holds(1)
			}
			if s.Directory() != id {
				t.Errorf("directory %s, want %s", s.Directory(), id)
			}
			must(0, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(t.Context(), store.User, storetest.BenchID(1)) }))(t)
		})
	}
}

// sameSchema is a database of its own with a URL that names a schema.
func sameSchema(t *testing.T, address, schema string) string {
	t.Helper()
	database := "d_" + schemaOf(t, address)
	testenv.Execute(t, "CREATE DATABASE "+database)
	t.Cleanup(func() { testenv.Execute(t, "DROP DATABASE "+database+" WITH (FORCE)") })
	u := must(url.Parse(address))(t)
	u.Path = "/" + database
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// A schema is dropped below a running server, and another tenant's comes in its place, or its own again, at once or in between.
func TestASchemaThatIsReplacedBelowARunningServer(t *testing.T) {
	address := testenv.Schema(t)
	schema := schemaOf(t, address)
	at := place(t, fixed(address))
	s := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, s, 2)
	s.Holds(2)
	aside := func(from, to string) { testenv.Execute(t, "ALTER SCHEMA "+from+" RENAME TO "+to) }
	t.Cleanup(func() { testenv.Execute(t, "DROP SCHEMA IF EXISTS "+schema+"_own, "+schema+"_other CASCADE") })

	aside(schema, schema+"_own")
	if _, err := s.Find(t.Context(), store.Query{Kind: store.User, Limit: 10}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without the schema: %v", err)
	}
	s.Refuses(v1alpha1.ReasonDirectoryMissing)
	if n := testenv.Ask(t, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = '"+schema+"'"); n != "0" {
		t.Error("an empty directory was made")
	}
	other := at.Serve(t, owner.Claim{Identity: storetest.Fabrikam()})
	storetest.Fill(t, other, 7)
	s.Refuses(v1alpha1.ReasonForeignDirectory)
	aside(schema, schema+"_other")
	aside(schema+"_own", schema)
	s.Holds(2) // without a restart

	// In one moment, so that no statement fails in between.
	testenv.Execute(t, "DO $$ BEGIN ALTER SCHEMA "+schema+" RENAME TO "+schema+"_own; ALTER SCHEMA "+schema+"_other RENAME TO "+schema+"; END $$")
	if err := s.Review(t.Context()); err == nil {
		t.Error("another tenant's directory is served")
	}
	s.Refuses(v1alpha1.ReasonForeignDirectory)
}

// A backup from before an upgrade is put back while the server runs, as an administrator of a database for many tenants may.
func TestADirectoryOfAnOlderVersionThatIsRestoredBelowARunningServerIsBroughtUpToDate(t *testing.T) {
	address := testenv.Schema(t)
	schema := schemaOf(t, address)
	s := place(t, fixed(address)).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, s, 2)
	testenv.Execute(t, strings.ReplaceAll(`DO $$ BEGIN
		CREATE UNIQUE INDEX resources_key ON main.resources (kind, key);
		ALTER TABLE main.resources DROP COLUMN apart;
		DROP INDEX main.resources_key_not_ascii;
		ALTER TABLE main.log DROP COLUMN members;
		DROP TABLE main.name_locks;
		DELETE FROM main.goose_db_version WHERE version_id > 2;
	END $$`, "main.", schema+"."))
	insert := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), storetest.BenchUser(3)) })
	}
	if err := insert(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("of an older version: %v", err)
	}
	if err := insert(); err != nil {
		t.Errorf("once it is brought up to date: %v", err)
	}
	s.Holds(3)
}

// Two clusters have a tenant of the same name in one schema. The one that holds it keeps it, for as long as it says so.
func TestATenantOfAnotherClusterWaitsUntilTheHolderIsGone(t *testing.T) {
	address := testenv.Schema(t)
	schema := schemaOf(t, address)
	age := func(by time.Duration) {
		testenv.Execute(t, fmt.Sprintf("UPDATE %s.meta SET value = (value::bigint - %d)::text WHERE key = '%s'", schema, by.Microseconds(), store.MetaOwnerSeen))
	}
	at := place(t, fixed(address))
	first := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	replica := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, first, 2)
	replica.Holds(2)
	theirs := storetest.Contoso()
	theirs.UID = "uid-of-another-cluster"
	second := at.Serve(t, owner.Claim{Identity: theirs})
	if message := second.Refuses(v1alpha1.ReasonForeignDirectory); !strings.Contains(message, "uid-1") || !strings.Contains(message, "ago") {
		t.Errorf("%q", message)
	}
	seen := func() string {
		return testenv.Ask(t, "SELECT value FROM "+schema+".meta WHERE key = '"+store.MetaOwnerSeen+"'")
	}
	before := seen()
	for _, holder := range []*storetest.Server{first, replica, first} {
		must(0, holder.Review(t.Context()))(t)
	}
	if seen() != before {
		t.Error("the hold is renewed within a minute")
	}
	age(owner.HeldFor - time.Second)
	must(0, replica.Review(t.Context()))(t) // one of the replicas renews it
	if err := second.Review(t.Context()); err == nil {
		t.Error("a directory that is held is taken over")
	}
	if before = seen(); before < "1" {
		t.Fatal(before)
	}
	must(0, first.Review(t.Context()))(t)
	if seen() != before {
		t.Error("each replica renews the hold")
	}

	age(owner.HeldFor)
	must(0, second.Review(t.Context()))(t)
	second.Holds(2)
	for _, holder := range []*storetest.Server{first, replica} {
		_ = holder.Review(t.Context())
		holder.Refuses(v1alpha1.ReasonForeignDirectory)
	}
	second.Holds(2)
}

// A tenant that is deleted and applied again has another UID. Its servers need not wait, because the last one of the former lets go.
func TestATenantThatWasDeletedHoldsNothing(t *testing.T) {
	at := place(t, fixed(testenv.Schema(t)))
	first := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	replica := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, first, 2)
	again := storetest.Contoso()
	again.UID = "uid-3"
	second := at.Serve(t, owner.Claim{Identity: again})
	second.Refuses(v1alpha1.ReasonForeignDirectory)
	gone := func(c *owner.Claim) { c.Gone = true }
	must(0, first.Set(gone))(t)
	must(0, replica.Set(gone))(t)
	must(0, second.Review(t.Context()))(t)
	second.Holds(2)
	for _, former := range []*storetest.Server{first, replica} {
		_ = former.Review(t.Context())
		former.Refuses(v1alpha1.ReasonForeignDirectory)
	}
}

// pg_restore makes tables, then rows, then keys, each in a transaction of its own unless it is told otherwise. The mark comes before the users.
func TestADirectoryThatIsBeingRestoredIsNotServedInPart(t *testing.T) {
	address := testenv.Schema(t)
	at := place(t, fixed(address))
	s := at.Serve(t, owner.Claim{Identity: storetest.Contoso()})
	storetest.Fill(t, s, 2)
	alter := func(sql string) { testenv.Execute(t, "ALTER TABLE "+schemaOf(t, address)+".resources "+sql) }
	alter("DROP CONSTRAINT resources_pkey")
	fresh := at.Serve(t, owner.Claim{Identity: storetest.Contoso(), Known: s.Directory()})
	for _, of := range []*storetest.Server{fresh, s} {
		_ = of.Review(t.Context())
		if _, err := of.Stats(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "not whole") {
			t.Errorf("%v", err)
		}
	}
	alter("ADD CONSTRAINT resources_pkey PRIMARY KEY (kind, id)")
	fresh.Holds(2)
	s.Holds(2)
}

// A role may read the mark only where it may use the schema, and is told what it lacks.
func TestAMarkThatMayNotBeReadIsARefusalOfTheDatabase(t *testing.T) {
	address := testenv.Schema(t)
	place(t, fixed(address)).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	name, as := role(t, address, "")
	testenv.Execute(t, "REVOKE ALL ON SCHEMA "+schemaOf(t, address)+" FROM "+name)
	s := place(t, fixed(as)).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no USAGE on the schema") || strings.Contains(err.Error(), name+" ") {
		t.Errorf("%v", err)
	}
	testenv.Execute(t, "GRANT USAGE ON SCHEMA "+schemaOf(t, address)+" TO "+name)
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "permission denied for table meta") {
		t.Errorf("%v", err)
	}
	testenv.Execute(t, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+schemaOf(t, address)+" TO "+name)
	s.Holds(0)
}

// A name of a schema that a person has mistyped leads to none, while the tenant's directory is in another schema. A role that may not read that one
// cannot find it. Tables that are not ours are passed over.
func TestANewDirectoryIsNotBegunBesideTheTenantsOwn(t *testing.T) {
	own, strange, mistyped := testenv.Schema(t), testenv.Schema(t), testenv.Schema(t)
	contoso := owner.Claim{Identity: owner.Identity{Namespace: "customers", Name: schemaOf(t, own)}} // which no other test is
	storetest.Fill(t, place(t, fixed(own)).Serve(t, contoso), 3)
	testenv.Execute(t, "CREATE SCHEMA "+schemaOf(t, strange)+"; CREATE TABLE "+schemaOf(t, strange)+".meta (key int, value text)")
	check := func(address string, claim owner.Claim) (said string, err error) {
		guard := owner.NewGuard(func() (owner.Claim, bool) { return claim, true }, logr.Discard())
		log := funcr.New(func(_, line string) { said += line }, funcr.Options{})
		s := must(postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return address, nil }, Guard: guard, Log: log, Search: true}))(t)
		defer s.Close()
		return said, s.Check(t.Context())
	}
	_, err := check(mistyped, contoso)
	refused, ok := errors.AsType[*owner.Refusal](err)
	if !ok || refused.Reason != v1alpha1.ReasonDirectoryMissing || !strings.Contains(refused.Error(), `in schema "`+schemaOf(t, own)+`"`) {
		t.Fatalf("%v", err)
	}
	if testenv.Ask(t, "SELECT count(*) FROM pg_namespace WHERE nspname = '"+schemaOf(t, mistyped)+"'") != "0" {
		t.Error("the schema was made")
	}
	fabrikam := contoso
	fabrikam.Name += "-not"
	_, as := role(t, testenv.Direct(t, testenv.Schema(t)), "")
	adopting := contoso
	_, adopting.Adopt, _ = strings.Cut(refused.Error(), v1alpha1.AdoptDirectoryAnnotation+": ")
	for _, c := range []struct { // in this order: the last begins a second directory of the tenant's
		name    string
		address string
		claim   owner.Claim
		begun   bool
	}{
		{"its own", own, contoso, false},
		{"another tenant", testenv.Schema(t), fabrikam, true},
		{"as the message says", mistyped, adopting, true},
		{"a role that cannot see it", as, contoso, true},
	} {
		said, err := check(c.address, c.claim)
		want := `"began a directory" "schema"="` + schemaOf(t, c.address) + `" "database"="postgres"`
		if err != nil || strings.Contains(said, want) != c.begun {
			t.Errorf("%s: %v; said is %s", c.name, err, said)
		}
	}
}
