package testenv

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/store/postgres"
)

// Reused are schemas that tests use one after another, because making and dropping one takes longer than most tests do. They are for tests that
// reach the tables through a store alone, and that say nothing of what outlives the database: commits do not wait for the disk.
type Reused struct {
	mu    sync.Mutex
	owner *pgx.Conn // of the database; nil until a test asks for a schema
	fresh string    // a schema that was migrated and that no test uses
	free  []string  // the others that no test uses just now
	made  []string
}

// Schema returns a connection URL whose search_path is a schema that nobody else uses until the test has ended. Its tables are those that
// migrations made, with the rows that migrations wrote.
func (r *Reused) Schema(t testing.TB) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	name, err := r.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if _, err := r.owner.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf(renewal, r.fresh, name)); err != nil {
			t.Errorf("empty the schema of this test: %v", err)
			return
		}
		r.free = append(r.free, name)
	})
	address, err := leadingTo(name)
	if err != nil {
		t.Fatal(err)
	}
	return address + hasty
}

func (r *Reused) take(ctx context.Context) (name string, err error) {
	if r.owner == nil {
		if r.owner, err = connectAsOwner(context.WithoutCancel(ctx)); err != nil {
			return "", err
		}
		if r.fresh, err = r.migrated(ctx); err != nil {
			return "", err
		}
	}
	last := len(r.free) - 1
	if last < 0 {
		return r.migrated(ctx)
	}
	name, r.free = r.free[last], r.free[:last]
	return name, nil
}

// migrated makes a schema as a server does.
func (r *Reused) migrated(ctx context.Context) (name string, err error) {
	name = newName()
	address, err := leadingTo(name)
	if err != nil {
		return "", err
	}
	r.made = append(r.made, name)
	s, err := postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return address + hasty, nil }})
	if err != nil {
		return "", err
	}
	return name, s.Close()
}

// renewal gives the tables of the second schema the rows that those of the first have. It waits for transactions of a test that have yet to end.
// A table that grew is truncated, which costs more than deleting a few rows, but leaves no dead ones behind.
const renewal = `SET synchronous_commit = off; DO $$
DECLARE
	fresh CONSTANT text := '%s';
	used CONSTANT text := '%s';
	names CONSTANT text[] := ARRAY(SELECT tablename FROM pg_tables WHERE schemaname = fresh ORDER BY tablename);
	name text;
BEGIN
	FOREACH name IN ARRAY names LOOP
		EXECUTE format('LOCK TABLE %%I.%%I', used, name);
	END LOOP;
	FOREACH name IN ARRAY names LOOP
		IF pg_table_size(format('%%I.%%I', used, name)) > 131072 THEN
			EXECUTE format('TRUNCATE %%I.%%I', used, name);
		ELSE
			EXECUTE format('DELETE FROM %%I.%%I', used, name);
		END IF;
		EXECUTE format('INSERT INTO %%I.%%I SELECT * FROM %%I.%%I', used, name, fresh, name);
	END LOOP;
END $$`

// Drop drops the schemas, once all tests have ended.
func (r *Reused) Drop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owner == nil {
		return nil
	}
	ctx := context.Background()
	defer r.owner.Close(ctx)
	_, err := r.owner.Exec(ctx, "SET synchronous_commit = off; DROP SCHEMA "+strings.Join(r.made, ", ")+" CASCADE")
	return err
}
