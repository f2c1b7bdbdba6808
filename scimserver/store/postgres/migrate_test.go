package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// newer makes of a schema what a later version's migration might: it only adds.
func newer(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), testenv.Direct(t, url))
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
	conn := must(pgx.Connect(t.Context(), testenv.Direct(t, url)))(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	storetest.OlderServerWrites(t, s, func(statement string) {
		must(conn.Exec(t.Context(), statement))(t)
	})
}

// olderTables makes a schema whose tables are those of version 2, filled by a replica of that time.
func olderTables(t *testing.T) (url string, conn *pgx.Conn) {
	t.Helper()
	url = testenv.Schema(t)
	conn = must(pgx.Connect(t.Context(), testenv.Direct(t, url)))(t)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	must(conn.Exec(t.Context(), "CREATE SCHEMA "+conn.Config().RuntimeParams["search_path"]))(t)
	must(0, postgres.MigrateTo(t.Context(), testenv.Direct(t, url), 2))(t)
	must(conn.Exec(t.Context(), "BEGIN"))(t)
	for _, r := range storetest.Older() {
		must(0, writeOlder(t.Context(), conn, r))(t)
	}
	must(conn.Exec(t.Context(), "INSERT INTO log (time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome, id, count)"+
		strings.Replace(storetest.OlderEntry, ")", ", '1', 1)", 1)))(t)
	must(conn.Exec(t.Context(), "COMMIT"))(t)
	return url, conn
}

// writeOlder inserts as a replica of the version before does.
func writeOlder(ctx context.Context, conn *pgx.Conn, r *store.Record) error {
	uuid, _ := store.ParseID(r.ID)
	var external []byte
	if r.ExternalID != "" {
		external = []byte(r.ExternalID)
	}
	_, err := conn.Exec(ctx, "WITH r AS (INSERT INTO resources (kind, id, key, external_id, active, version, created, modified, defaults, matched)"+
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '') ON CONFLICT DO NOTHING RETURNING kind, id)"+
		" INSERT INTO documents (kind, id, document, paths, keys) SELECT r.kind, r.id, $9, '{}', '{}' FROM r",
		int64(r.Kind), uuid[:], []byte(r.Key), external, r.Active, r.Version, r.Created.UnixMicro(), r.Modified.UnixMicro(), r.Document)
	return err
}

func TestReplicasThatStartAtOnceBringKeysOfAnOlderOneUpToDate(t *testing.T) {
	url, _ := olderTables(t)
	stores := replicasOn(t, url)
	storetest.OlderIsUpToDate(t, stores[0])
}

// A Deployment rolls: replicas of the version before go on writing keys as they always did, and nothing as apart.
func TestWhatAnOlderReplicaWritesMeanwhileIsBroughtUpToDateByTheNextStart(t *testing.T) {
	url, conn := olderTables(t)
	open(t, url)
	must(conn.Exec(t.Context(), "BEGIN"))(t)
	for _, r := range storetest.Older() {
		uuid, _ := store.ParseID(r.ID)
		must(conn.Exec(t.Context(), "UPDATE resources SET key = $3 WHERE kind = $1 AND id = $2", int64(r.Kind), uuid[:], []byte(r.Key)))(t)
	}
	must(conn.Exec(t.Context(), "COMMIT"))(t)
	storetest.OlderIsUpToDate(t, open(t, url))
}

// A replica that starts brings keys up to date while others, older and newer, add users of the same names: however they meet, no
// name is new for two.
func TestKeysAreBroughtUpToDateWhileOthersWrite(t *testing.T) {
	url, conn := olderTables(t)
	running := open(t, url)
	ctx := t.Context()
	for round := range 5 {
		older, newer := make([]*store.Record, 20), make([]*store.Record, 20)
		for i := range older {
			n := 5000 + round*100 + i
			older[i], newer[i] = storetest.BenchUser(n), storetest.BenchUser(n+50)
			older[i].Key, older[i].Index = fmt.Sprintf("e\u0301va %d", n), nil
			newer[i].Key = schema.FoldName(older[i].Key)
			must(0, writeOlder(ctx, conn, older[i]))(t)
		}
		var wg sync.WaitGroup
		wg.Go(func() { open(t, url) })
		taken := make([]bool, len(newer))
		for i, r := range newer {
			wg.Go(func() {
				err := running.Update(ctx, func(tx store.Tx) error { return tx.Insert(ctx, r) })
				taken[i] = errors.Is(err, store.ErrConflict)
				if err != nil && !taken[i] {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, r := range newer {
			found := must(running.Find(ctx, store.Query{Kind: store.User, Limit: 9, Filter: filter.Compare{
				Path: must(schema.User().Path("userName"))(t), Op: filter.Eq, Value: filter.Value{Text: r.Key},
			}}))(t)
			if want := map[bool]int{true: 1, false: 2}[taken[i]]; found.Total != want {
				t.Errorf("round %d: %d users of one name, want %d", round, found.Total, want)
			}
		}
	}
}
