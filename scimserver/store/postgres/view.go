package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

// viewing is a read-only transaction at REPEATABLE READ.
type viewing struct {
	conn   lent
	schema *namespace
}

func (v viewing) query(ctx context.Context, sql string, args []any) (pgx.Rows, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	rows, err := v.conn.Query(ctx, v.schema.statement(sql), args...)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return rows, func() { rows.Close(); cancel() }, nil
}

func (v viewing) failed(ctx context.Context, err error) error { return translate(ctx, err) }

// View implements store.Store. It takes the place of a scan for as long as it lasts; the database keeps what it sees, and whoever
// reads slowly may be idle in between, as a view holds no locks.
func (s *Store) View(ctx context.Context, read func(r store.Reader) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	end, err := s.gate.Enter(ctx, share.Client{})
	if err != nil {
		return err
	}
	defer end()
	var conn lent
	err = s.served(ctx, func() error {
		if err := s.numberAll(ctx); err != nil {
			return err
		}
		return s.retry(ctx, func(ctx context.Context) (err error) {
			conn, err = s.beginView(ctx)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	defer conn.Release()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, "ROLLBACK") // should it fail, the connection is not used again
	}()
	return read(&reader{on: viewing{conn, s.pool.schema}, few: few})
}

func (s *Store) beginView(ctx context.Context) (lent, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return lent{}, err
	}
	batch := &pgx.Batch{}
	batch.Queue("BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ")
	if settings := carriedBy(conn.Conn.Conn().PgConn()); settings != nil {
		batch.Queue(settings.statement())
	}
	s.owned.prove(conn.Conn.Conn().PgConn(), batch)
	batch.Queue("SET LOCAL idle_in_transaction_session_timeout = 0")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		conn.Release()
		return lent{}, translate(ctx, err)
	}
	return conn, nil
}
