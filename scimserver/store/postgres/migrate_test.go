package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// newer makes of a schema what a later version's migration might: it only adds.
func newer(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range []string{
		"ALTER TABLE resources ADD COLUMN later text NOT NULL DEFAULT ''",
		"ALTER TABLE documents ADD COLUMN later bytea",
		"CREATE INDEX resources_later ON resources (kind, later)",
		"CREATE TABLE later (id bigint PRIMARY KEY)",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// While a Deployment rolls, the replicas of the version before go on, and one of them may even start once more.
func TestAServerWorksBesideANewerSchema(t *testing.T) {
	url := testenv.Schema(t)
	running := open(t, url)
	storetest.Fill(t, running, 10)
	newer(t, url)
	replicas := map[string]*postgres.Store{"runs already": running, "starts": open(t, url)}
	for name, replica := range replicas {
		for n := 1; n <= 10; n++ {
			if err := storetest.Replace(replica, n, n); err != nil {
				t.Errorf("a server that %s cannot change a user: %v", name, err)
			}
		}
		page, err := replica.Find(t.Context(), store.Query{Kind: store.User, Limit: 100})
		if err != nil || page.Total != 10 || len(page.Records) != 10 {
			t.Errorf("a server that %s finds %d users, want 10 (%v)", name, page.Total, err)
		}
	}
}

// A replica of the version before writes users without knowing of their time of deactivation.
func TestWhatAnOlderReplicaWritesMakesNobodyInactiveForLonger(t *testing.T) {
	url := testenv.Schema(t)
	s := open(t, url)
	conn := must(pgx.Connect(t.Context(), url))(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	storetest.OlderServerWrites(t, s, func(statement string) {
		must(conn.Exec(t.Context(), statement))(t)
	})
}
