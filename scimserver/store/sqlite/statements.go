package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// Most statements are written here and few filters differ in shape, so a bound is only met by who tries to.
const (
	maxStatements = 128
	maxStatement  = 2048 // bytes of a statement worth keeping
)

// connection is what *sql.DB and *sql.Conn have in common.
type connection interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// statements prepares each text once, up to a bound; the rest is prepared anew every time.
type statements struct {
	on connection
	// uninterrupted statements do not end with their context: the writer's, because SQLite rolls the whole transaction
	// back when it interrupts a statement that writes.
	uninterrupted bool
	// turns are taken by statements of readers; nil for those on a connection of their own.
	turns *scan.Turns

	mu     sync.RWMutex
	kept   map[string]*sql.Stmt
	closed bool
}

func newStatements(on connection) *statements {
	return &statements{on: on, kept: map[string]*sql.Stmt{}}
}

func (s *statements) context(ctx context.Context) context.Context {
	if s.uninterrupted {
		return context.Background()
	}
	return ctx
}

// brief is for statements that read a few pages: they end sooner than a watch on their context would notice, and what the
// driver does for one that can be interrupted costs as much as such a statement itself.
func brief(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// prepared returns nil for a text that is not worth keeping.
func (s *statements) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt, full, closed := s.kept[query], len(s.kept) >= maxStatements, s.closed
	s.mu.RUnlock()
	if closed {
		return nil, errClosed
	}
	if stmt != nil || full || len(query) > maxStatement {
		return stmt, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if stmt = s.kept[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, query)
	if err == nil {
		s.kept[query] = stmt
	}
	return stmt, err
}

// rows are what a statement finds.
type rows struct {
	*sql.Rows

	turn share.Held
}

// done closes the rows and ends their turn.
func (r *rows) done() {
	_ = r.Rows.Close() // what can fail is told by Err
	r.turn.Release()
}

func (s *statements) query(ctx context.Context, query string, args ...any) (found rows, err error) {
	ctx = s.context(ctx)
	if found.turn, err = s.turns.Take(ctx); err != nil {
		return found, err
	}
	stmt, err := s.prepared(ctx, query)
	switch {
	case err != nil:
	case stmt == nil:
		found.Rows, err = s.on.QueryContext(ctx, query, args...) //nolint:rowserrcheck // callers do
	default:
		found.Rows, err = stmt.QueryContext(ctx, args...) //nolint:rowserrcheck // callers do
	}
	if err != nil {
		found.turn.Release()
	}
	return found, s.unlessClosed(err)
}

func (s *statements) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = s.context(ctx)
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	var result sql.Result
	if stmt == nil {
		result, err = s.on.ExecContext(ctx, query, args...)
	} else {
		result, err = stmt.ExecContext(ctx, args...)
	}
	return result, s.unlessClosed(err)
}

// unlessClosed says what is behind an error where the statement was closed between its preparation and its use.
func (s *statements) unlessClosed(err error) error {
	if err == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return err
}

// row scans the first row of the answer, or returns sql.ErrNoRows.
func (s *statements) row(ctx context.Context, dest []any, query string, args ...any) error {
	rows, err := s.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.done()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for query, stmt := range s.kept {
		_ = stmt.Close() // the connection is closed next, and that is what can fail
		delete(s.kept, query)
	}
}
