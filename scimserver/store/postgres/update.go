package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/store"
)

// again is when and how often something is tried again that met another transaction or lost its connection: 13 times within
// about two seconds. It has no Cap, at which a backoff gives up whatever Steps it has left.
func again() wait.Backoff {
	return wait.Backoff{Duration: 2 * time.Millisecond, Factor: 1.6, Jitter: 1, Steps: 13}
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, change func(tx store.Tx) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	select {
	case s.updates <- struct{}{}:
		defer func() { <-s.updates }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	started := false
	err = s.retry(context.WithoutCancel(ctx), func(lasting context.Context) error {
		if started {
			return s.attempt(lasting, change)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.attempt(ctx, func(tx store.Tx) error {
			started = true
			return change(tx)
		})
	})
	if _, ok := errors.AsType[*engineError](err); ok {
		s.refused.Store(true)
		s.reset() // after a fail-over, new connections reach the one that takes writes
	}
	return err
}

// retry calls f until it succeeds, fails for good, or has been tried often enough. Its error is f's last.
func (s *Store) retry(ctx context.Context, f func(ctx context.Context) error) error {
	var last error
	err := wait.ExponentialBackoffWithContext(ctx, again(), func(ctx context.Context) (bool, error) {
		last = f(ctx)
		if failed(last, lost) {
			s.reset() // the others were most likely lost with it
		}
		return !failed(last, lost) && !failed(last, conflict), nil
	})
	if err != nil && last == nil {
		return err
	}
	return last
}

// attempt runs an update once. ctx only bounds waiting for a connection.
func (s *Store) attempt(ctx context.Context, change func(tx store.Tx) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	t := newTransaction(conn, s.newID, s.few)
	committed := false
	defer func() {
		t.ended = true
		if !committed {
			t.rollback(ctx)
		}
	}()
	err = call(change, t)
	switch _, ended := errors.AsType[*panicked.Error](err); {
	case ended:
		return err
	case t.broke != nil:
		return t.broke
	case err != nil:
		return err
	}
	err = t.commit(ctx)
	if failed(err, lost) && t.entry != nil {
		err = s.outcome(ctx, t.entry, err)
	}
	committed = err == nil
	if committed && t.wrote {
		s.commits.Add(1)
		s.refused.Store(false)
	}
	return err
}

// call makes an error of a panic.
func call(change func(store.Tx) error, tx store.Tx) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked.With(value)
		}
	}()
	return change(tx)
}

// outcomeTimeout is how long an update waits for the database to come back in order to tell whether it happened.
const outcomeTimeout = 10 * time.Second

// outcome finds out what became of a transaction whose connection was lost while it committed, by the entry that it wrote to
// the provisioning log. It tries to write the same again: while the lost transaction has not ended that waits, then it finds
// the entry there or not. The error is nil if the transaction happened, the one it was lost with if it did not.
func (s *Store) outcome(ctx context.Context, entry []byte, loss error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	asking := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 1, Cap: time.Second, Steps: 100}
	happened := false
	err := asking.DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		s.reset()
		tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
		if err != nil {
			return false, nil // asked again until the time is over
		}
		defer func() { _ = tx.Rollback(ctx) }()
		done, err := tx.Exec(ctx, appendEntry+" ON CONFLICT DO NOTHING", entry, nil, int64(0), "", "", int64(0), "", "", "", "", "", int64(0))
		happened = err == nil && done.RowsAffected() == 0
		return err == nil, nil
	})
	switch {
	case err != nil:
		return &engineError{unavailable, "the connection to the database was lost while a change was made final, and did not come back;" +
			" whether the change happened is not known"}
	case happened:
		return nil
	default:
		return loss
	}
}
