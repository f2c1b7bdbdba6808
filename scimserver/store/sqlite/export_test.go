package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// recording keeps the texts of statements that are prepared, or are run without.
type recording struct {
	connection

	texts *[]string
}

func (r recording) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	*r.texts = append(*r.texts, query)
	return r.connection.PrepareContext(ctx, query)
}

func (r recording) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*r.texts = append(*r.texts, query)
	return r.connection.QueryContext(ctx, query, args...)
}

// Texts returns the texts of the statements that a read uses, each that it has not used before.
func (s *Store) Texts(read func() error) (texts []string, err error) {
	before := s.reader.on
	s.reader.on = recording{before, &texts}
	defer func() { s.reader.on = before }()
	err = read()
	return texts, err
}

// SetFew makes a store take the ways for many candidates although it has few resources.
func (s *Store) SetFew(n int) { s.reader.few = n }

// SetPage makes a store scan where it would have to look at more than so many rows otherwise.
func (s *Store) SetPage(n int) { s.page = n }

// Gate is what admits scans.
func (s *Store) Gate() *scan.Gate { return s.gate }

// HoldReaders takes all connections that readers have, until the test ends.
func (s *Store) HoldReaders(t *testing.T) {
	t.Helper()
	for range s.read.Stats().MaxOpenConnections {
		conn, err := s.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// Plans tells, for each statement that was used for reading, how SQLite goes about it.
func (s *Store) Plans(ctx context.Context) (map[string][]string, error) {
	plans := map[string][]string{}
	for text := range s.reader.kept {
		rows, err := s.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return nil, err
			}
			plans[text] = append(plans[text], detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// Exec executes a statement while the store is not used.
func (s *Store) Exec(statement string) error {
	_, err := s.writer.conn.ExecContext(context.Background(), statement)
	return err
}

// LimitPages makes the database full when it has so many pages.
func (s *Store) LimitPages(n int) error {
	_, err := s.writer.conn.ExecContext(context.Background(), "PRAGMA max_page_count = "+strconv.Itoa(n))
	return err
}

// AwaitQueue returns when so many updates wait.
func (s *Store) AwaitQueue(n int) {
	for len(s.writer.queue) < n {
		runtime.Gosched()
	}
}

// Commits is how many transactions changed something.
func (s *Store) Commits() int64 { return s.writer.commits.Load() }

// PutOff has a transaction put entries of the index off that inserts more than so many resources, keep few of them in memory,
// and sort them in a folder.
func (s *Store) PutOff(after int, folder string) {
	s.writer.putting = putting{after: after, chunk: 1000, folder: folder}
}

// Entry is a row of the index.
type Entry struct {
	Path          int64
	Key, Resource string
}

// Entries is the whole index.
func (s *Store) Entries(ctx context.Context) (entries []Entry, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT path, key, resource FROM attributes ORDER BY path, key, resource")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Path, &e.Key, &e.Resource); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// OpenOlder makes a directory as version n of its tables has it, executes statements on it and closes it again. Version 0 has what goose makes
// first.
func OpenOlder(ctx context.Context, folder string, n int64, write func(execute func(statement string, args ...any) error) error) (err error) {
	db, err := connect(filepath.Join(folder, fileName), writerCache, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := migrationsOf(db, steps)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err = provider.GetDBVersion(ctx)
	} else {
		_, err = provider.UpTo(ctx, n)
	}
	if err != nil {
		return err
	}
	return write(func(statement string, args ...any) error {
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	})
}

// Each calls f with one user after the other, while the statement that finds them is under way.
func (s *Store) Each(ctx context.Context, f func(*store.Record) (bool, error)) error {
	return s.reader.each(ctx, store.User, f, "SELECT "+columns+" FROM resources r CROSS JOIN documents d ON d.row = r.row")
}

// Waiting is how many statements of readers wait for their turns.
func (s *Store) Waiting() int { return s.statements.turns.Waiting() }

// Missed is how many pages an update did not find in the page cache.
func (s *Store) Missed(update func()) int {
	before := s.writer.missed
	update()
	return s.writer.missed - before
}

// RefuseWrites makes the writing connection answer as one to a file that is read-only, or no longer.
func (s *Store) RefuseWrites(t *testing.T, refuse bool) {
	t.Helper()
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA query_only("+strconv.FormatBool(refuse)+")"); err != nil {
		t.Fatal(err)
	}
}

// Refused is the error of a change in a folder that failed with err.
func Refused(folder string, err error) error {
	return (&writer{putting: putting{folder: folder}}).refused(err)
}
