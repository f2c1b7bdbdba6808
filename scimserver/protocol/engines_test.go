package protocol_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// engine is the one that newFixture keeps its directory in just now.
var engine = "sqlite"

// schemas are those that tests on PostgreSQL keep their directories in.
var schemas testenv.Reused

// TestMain runs every test of this package once on each engine: the protocol must not be able to tell them apart.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run()) // a fuzz target has an engine of its own
	}
	failed := 0
	for _, engine = range testenv.Engines() {
		if _, err := testenv.URL(); err != nil && engine == "postgres" {
			fmt.Printf("on postgres: %v\nOr leave it out with TENANTRY_TEST_ENGINES=sqlite\nFAIL\n", err)
			os.Exit(1)
		}
		fmt.Printf("=== on %s\n", engine)
		failed = max(failed, m.Run())
	}
	if err := schemas.Drop(); err != nil {
		fmt.Println(err)
		failed = 1
	}
	os.Exit(failed)
}

// openStore opens a new directory in the engine, and tells how another replica opens it. On SQLite, which belongs to one
// process, that is the same store. What was opened is closed when the test has ended.
func openStore(t testing.TB) (database store.Store, replica func() store.Store) {
	t.Helper()
	_ = testenv.Engines() // a test must ask too, or the go command takes what one engine answered for the answer of both
	opened := func(database store.Store, err error) store.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := database.Close(); err != nil {
				t.Error(err)
			}
		})
		return database
	}
	guard := owner.NewGuard(func() (owner.Claim, bool) { return owner.Claim{Identity: storetest.Contoso()}, true }, logr.Discard())
	if engine == "postgres" {
		url := schemas.Schema(t)
		replica = func() store.Store {
			t.Helper()
			database, err := postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return url, nil }, Guard: guard})
			return opened(database, err)
		}
		return replica(), replica
	}
	one, err := sqlite.OpenGuarded(t.Context(), t.TempDir(), guard)
	database = opened(one, err)
	return database, func() store.Store { return database }
}
