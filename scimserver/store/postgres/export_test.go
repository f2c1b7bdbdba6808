package postgres

import (
	"context"
	"database/sql"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of goose
	"github.com/pressly/goose/v3"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// Again is when and how often an update is tried again.
func Again() wait.Backoff { return again() }

// Translate makes store's errors of the driver's.
func Translate(err error) error { return translate(context.Background(), err) }

// Stale tells whether an error closes all connections.
func Stale(err error) bool { return stale(err) }

// Steady leaves out of a text what is another each time.
func Steady(text string) string { return steady(text) }

// SetFew makes a store take the ways for many candidates although it has few resources.
func (s *Store) SetFew(n int) { s.few = n }

// SetPatience makes a store wait no longer than this for a statement of an update.
func (s *Store) SetPatience(d time.Duration) { s.patience = d }

// SetNewID makes a store take its ids elsewhere.
func (s *Store) SetNewID(newID func() (uuid.UUID, error)) { s.newID = newID }

// SetPage makes a store scan where it would have to look at more than so many rows otherwise.
func (s *Store) SetPage(n int) { s.page = n }

// Gate is what admits scans.
func (s *Store) Gate() *scan.Gate { return s.gate }

// HoldReaders takes all connections but so many that readers have, until the test ends, and returns how many it took.
func (s *Store) HoldReaders(t *testing.T, but int32) (held int32) {
	t.Helper()
	for ; held < s.pool.Config().MaxConns-but; held++ {
		conn, err := s.pool.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Release)
	}
	return held
}

// Statement is one that a read sends, or would.
type Statement struct {
	SQL  string
	Args []any
}

// recording keeps the statements that pass.
type recording struct {
	connection

	statements *[]Statement
}

func (r recording) query(ctx context.Context, sql string, args []any) (pgx.Rows, func(), error) {
	*r.statements = append(*r.statements, Statement{sql, args})
	return r.connection.query(ctx, sql, args)
}

// Statements returns what a read sends to the database.
func (s *Store) Statements(read func() error) ([]Statement, error) {
	var statements []Statement
	before := s.on
	s.on = recording{before, &statements}
	defer func() { s.on = before }()
	return statements, read()
}

// LookForKeys is the name in Writes of what each start looks for.
const LookForKeys = "look for keys of an earlier version"

// Writes are the statements that writes send one row or one resource at a time, by their name.
func Writes() map[string]Statement {
	writes := map[string]Statement{}
	for name, sql := range map[string]string{
		"insert a user": insertUser, "insert a group": insertGroup, "change a resource": updateResource, "rename a resource": updateApart,
		"change a document": updateDocument, "remove entries of the index": deleteEntries, "add entries to the index": insertEntries,
		"append to the log": appendEntry, "leave groups": leaveGroups, "lock groups": lockGroups, "look for entries without a number": anyUnnumbered,
		"clear members": clearMembers, "remove members": "DELETE FROM main.members WHERE group_id = $1 AND member_id = ANY($2)",
		LookForKeys:       keysNotASCII,
		"look for a name": "SELECT id FROM main.resources WHERE kind = $1 AND key = $2 AND id <> $3 LIMIT 1",
	} {
		n := 0
		for strings.Contains(sql, "$"+strconv.Itoa(n+1)) {
			n++
		}
		writes[name] = Statement{sql, make([]any, n)}
	}
	return writes
}

// Explain returns as JSON how the database would go about a statement with these arguments, or, generic, with any: as it does once a
// connection has sent it a few times.
func (s *Store) Explain(ctx context.Context, statement Statement, generic bool) (plan []byte, err error) {
	if !generic {
		err = s.pool.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+s.pool.schema.qualify(statement.SQL), statement.Args...).Scan(&plan)
		return plan, err
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	none := strings.TrimSuffix(strings.Repeat("NULL, ", len(statement.Args)), ", ")
	if none != "" {
		none = "(" + none + ")"
	}
	for _, sql := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE explained AS " + s.pool.schema.qualify(statement.SQL)} {
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	err = conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) EXECUTE explained"+none, pgx.QueryExecModeSimpleProtocol).Scan(&plan)
	if _, reset := conn.Exec(ctx, "DEALLOCATE explained; RESET plan_cache_mode", pgx.QueryExecModeSimpleProtocol); err == nil {
		err = reset
	}
	return plan, err
}

// Analyze has the database look at how the values are distributed, as it does by itself when much has changed.
func (s *Store) Analyze(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, s.pool.schema.qualify("ANALYZE main.resources, main.documents, main.members, main.attributes, main.log"))
	return err
}

// NeverCount keeps the database from analyzing the tables by itself.
func (s *Store) NeverCount(ctx context.Context) error {
	for _, table := range []string{"resources", "documents", "members", "attributes", "log"} {
		if _, err := s.pool.Exec(ctx, s.pool.schema.qualify("ALTER TABLE main."+table+" SET (autovacuum_enabled = off)")); err != nil {
			return err
		}
	}
	return nil
}

// Qualified returns a function that puts a schema into statements, which keeps those that it has seen.
func Qualified(schema string) func(sql string) string { return newNamespace(schema).statement }

// MigrateTo makes the tables as version n has them. It finds its own table by the search path, as servers did then.
func MigrateTo(ctx context.Context, url string, n int64) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, schema, err := Options{URL: func() (string, error) { return url, nil }}.parse(direct)
	if err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, qualified{files, newNamespace(schema)})
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, n)
	return err
}

// Setting returns what a setting is in an update.
func (s *Store) Setting(ctx context.Context, name string) (setting string, err error) {
	err = s.Update(ctx, func(tx store.Tx) error {
		t, _ := tx.(*transaction)
		return t.one(ctx, []any{&setting}, "SELECT current_setting('"+name+"')")
	})
	return setting, err
}

// Mode returns how statements are sent.
func (s *Store) Mode(ctx context.Context) (string, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	return conn.Conn.Conn().Config().DefaultQueryExecMode.String(), nil
}

// Each calls f with one user after the other, while the statement that finds them is under way.
func (s *Store) Each(ctx context.Context, f func(*store.Record) (bool, error)) error {
	return s.reader.eachRecord(ctx, store.User, f, "SELECT "+columns+" FROM main.resources r JOIN main.documents d ON d.kind = r.kind AND d.id = r.id")
}

// Waiting is how many statements of readers wait for their turns.
func (s *Store) Waiting() int { return s.reader.on.(pooled).turns.Waiting() }

// SetTurnover makes a store give up a surplus connection so often.
func (s *Store) SetTurnover(d time.Duration) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.turnover = d
}

// Use takes a connection for a slow statement.
func (s *Store) Use(ctx context.Context) error {
	conn, err := s.pool.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	_, err = conn.Exec(ctx, "SELECT pg_sleep(0.01)")
	return err
}
