package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantry/tenantry/scimserver/store"
)

// transaction is store.Tx: one update in a transaction at READ COMMITTED. What it reads in order to change is locked, so that
// others wait for their turn instead of failing; whoever changes a resource locks its row in resources first.
//
// Statements whose answer nobody waits for are queued and sent together with the next one that is waited for: a create is two
// round trips, with BEGIN in the first and COMMIT in the second.
type transaction struct {
	reader

	conn   *pgx.Conn
	schema *namespace
	batch  *pgx.Batch
	newID  func() (uuid.UUID, error)
	// patience is how long a statement is waited for, and a COMMIT for the machines that must have it.
	patience time.Duration

	held    map[resource]*stored // what this transaction has locked and read
	entry   []byte               // id of its first entry in the provisioning log
	written int64                // the time of its last entry there, in microseconds
	sent    bool                 // there is something to roll back
	wrote   bool
	ended   bool
	// committing says that COMMIT was sent.
	committing bool
	broke      error // the engine failed, whatever the update makes of it
}

type resource struct {
	kind store.Kind
	id   string
}

// Inside an update, resources that are read stay as they are, and those that are only asked for stay where they are.
const (
	lockRows  = " FOR NO KEY UPDATE OF r, d"
	lockGone  = " FOR UPDATE OF r, d"
	shareRows = " FOR KEY SHARE"
)

const (
	begin  = "BEGIN ISOLATION LEVEL READ COMMITTED"
	commit = "COMMIT"
)

func (s *Store) newTransaction(conn *pgx.Conn) *transaction {
	t := &transaction{conn: conn, schema: s.pool.schema, newID: s.newID, patience: s.patience, batch: &pgx.Batch{}, held: map[resource]*stored{}}
	t.reader = reader{on: t, lock: lockRows, share: shareRows, few: s.few}
	t.batch.Queue(begin)
	own := s.restores(conn.PgConn())
	switch settings := carriedBy(conn.PgConn()); {
	case settings != nil:
		t.batch.Queue(settings.statement())
	case own:
		t.batch.Queue("SET LOCAL synchronous_commit = on")
	}
	return t
}

var errEnded = errors.New("the transaction was used after its update function returned")

func (t *transaction) usable() error {
	if t.ended {
		return errEnded
	}
	return t.broke
}

// failed remembers the first failure of the engine, after which the transaction is of no use.
func (t *transaction) failed(ctx context.Context, err error) error {
	if errors.Is(err, errEnded) {
		return err
	}
	err = translate(context.WithoutCancel(ctx), err)
	if t.broke == nil && err != nil {
		t.broke = err
	}
	return err
}

// queue has a statement sent with the next that is waited for.
func (t *transaction) queue(sql string, args ...any) {
	t.wrote = true
	t.batch.Queue(t.schema.statement(sql), args...)
}

// query implements connection. Its statements do not end with their context: an update that has begun tells its outcome.
func (t *transaction) query(ctx context.Context, sql string, args []any) (pgx.Rows, func(), error) {
	if err := t.usable(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.patience)
	before := t.batch.Len()
	t.batch.Queue(t.schema.statement(sql), args...)
	results := t.send(ctx)
	done := func() {
		if err := results.Close(); err != nil { // which can come after the last row
			_ = t.failed(ctx, err)
		}
		cancel()
	}
	for range before {
		if _, err := results.Exec(); err != nil {
			done()
			return nil, nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		done()
		return nil, nil, err
	}
	return rows, func() { rows.Close(); done() }, nil
}

// write sends a statement and returns how many rows it changed.
func (t *transaction) write(ctx context.Context, sql string, args ...any) (changed int64, err error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	t.queue(sql, args...)
	return t.flush(ctx)
}

// flush sends what is queued and returns how many rows the last statement changed.
func (t *transaction) flush(ctx context.Context) (changed int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.patience)
	defer cancel()
	last, err := t.sendAll(ctx)
	return last.RowsAffected(), t.failed(ctx, err)
}

// sendAll sends what is queued and returns what the database says of the last statement. Of its warnings, those of that one are kept.
func (t *transaction) sendAll(ctx context.Context) (last pgconn.CommandTag, err error) {
	n := t.batch.Len()
	results := t.send(ctx)
	for range n {
		warnings.forget(t.conn.PgConn())
		if last, err = results.Exec(); err != nil {
			_ = results.Close()
			return last, err
		}
	}
	return last, results.Close()
}

func (t *transaction) send(ctx context.Context) pgx.BatchResults {
	batch := t.batch
	t.batch, t.sent = &pgx.Batch{}, true
	return t.conn.SendBatch(ctx, batch)
}

// commit makes what was written durable. The database also calls it a success if it was to wait until a second machine has the change, and
// was made to wait no longer, as we do when the time is over: then it warns. Such a change can get lost with the first machine.
func (t *transaction) commit(ctx context.Context) error {
	if err := t.usable(); err != nil {
		return err
	}
	if !t.sent && !t.wrote {
		return nil
	}
	t.batch.Queue(commit)
	t.committing = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.patience)
	defer cancel()
	done, err := t.sendAll(ctx)
	warning := warnings.of(t.conn.PgConn())
	switch err := t.failed(ctx, err); {
	case failed(err, silent):
		return &engineError{uncertain, "the database did not say in time that a change is final; " + notKnown}
	case err != nil:
		return err
	case warning != nil:
		return &engineError{uncertain, fmt.Sprintf("the database made a change final with a warning (%s: %s); %s", warning.Code, warning.Message, notKnown)}
	case ctx.Err() != nil:
		return &engineError{uncertain, "the time was over while the database made a change final; " + notKnown}
	case done.String() != "COMMIT":
		return &engineError{unavailable, "the database undid a change that was to be made final"}
	}
	return nil
}

const notKnown = "whether the change happened is not known"

// rollback undoes what was written. Where that fails the connection is closed, which undoes it too.
func (t *transaction) rollback(ctx context.Context) {
	if !t.sent {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	_, _ = t.conn.Exec(ctx, "ROLLBACK")
}
