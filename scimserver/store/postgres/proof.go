package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantry/tenantry/scimserver/store"
)

// proof fails, with a division by zero, where a session leads to a directory that has not the mark which was judged. It goes in front of each
// transaction, and of each statement outside of one, on a connection to a pooler: the pooler may hand any of them to a session that leads
// elsewhere than the one before, as after it was told of another host. PostgreSQL skips what is sent behind a statement that fails.
const proof = "SELECT 1 / count(*) FROM main.meta WHERE key = '" + store.MetaOwner + "' AND value = $1"

// provable returns the mark that a session has to prove, and false where it need not: a connection without a pooler is one session, which was
// looked at when it was made.
func (o *ownership) provable(connection *pgconn.PgConn) (mark string, ok bool) {
	judged := o.judged.Load()
	if judged == nil || carriedBy(connection) == nil {
		return "", false
	}
	return *judged, true
}

// prove puts the proof into a batch, where the connection needs one.
func (o *ownership) prove(connection *pgconn.PgConn, batch *pgx.Batch) {
	if mark, ok := o.provable(connection); ok {
		batch.Queue(o.schema.statement(proof), mark)
	}
}

// ask sends a statement outside of a transaction, in one round trip with the proof, where the connection needs one.
func (o *ownership) ask(ctx context.Context, connection *pgx.Conn, sql string, args []any) (pgx.Rows, error) {
	mark, ok := o.provable(connection.PgConn())
	if !ok {
		return connection.Query(ctx, sql, args...)
	}
	batch := &pgx.Batch{}
	batch.Queue(o.schema.statement(proof), mark)
	batch.Queue(sql, args...)
	results := connection.SendBatch(ctx, batch)
	_, err := results.Exec()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return proved{rows, results}, nil
}

// proved are the rows behind a proof.
type proved struct {
	pgx.Rows

	results pgx.BatchResults
}

// Close implements pgx.Rows.
func (p proved) Close() {
	p.Rows.Close()
	_ = p.results.Close()
}

// served calls f for a directory that was judged, and once more where a pooler led to one with another mark: it is judged again in between.
func (s *Store) served(ctx context.Context, f func() error) error {
	err := s.prepare(ctx)
	if err == nil {
		err = f()
	}
	if !failed(err, foreign) {
		return err
	}
	s.resetIfStale(err)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return f()
}
