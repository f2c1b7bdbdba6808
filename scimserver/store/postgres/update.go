package postgres

import (
	"context"
	"errors"
	"time"

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
	started := false
	return s.served(ctx, func() error { return s.update(ctx, &started, change) })
}

// update makes a change, again and again while others are in the way. Once it has started, it goes on when ctx ends.
func (s *Store) update(ctx context.Context, started *bool, change func(tx store.Tx) error) error {
	wrote := false
	run := func(t *transaction) error {
		*started = true
		s.owned.prove(t.conn.PgConn(), t.batch)
		err := change(t)
		wrote = t.wrote
		return err
	}
	err := s.retry(context.WithoutCancel(ctx), func(lasting context.Context) error {
		if *started {
			return s.attempt(lasting, run)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.attempt(ctx, run)
	})
	if err == nil && wrote {
		s.commits.Add(1)
		s.refused.Store(nil)
	}
	if refused, ok := errors.AsType[*engineError](err); ok {
		s.refused.Store(refused)
		s.resetIfStale(err)
		if refused.failure == filled {
			err = store.Unwritable(err)
		}
	}
	return err
}

// retry calls f until it succeeds, fails for good, or has been tried often enough. Its error is f's last.
func (s *Store) retry(ctx context.Context, f func(ctx context.Context) error) error {
	var last error
	err := wait.ExponentialBackoffWithContext(ctx, again(), func(ctx context.Context) (bool, error) {
		last = f(ctx)
		s.resetIfStale(last)
		return !failed(last, lost) && !failed(last, nameless) && !failed(last, conflict), nil
	})
	if err != nil && last == nil {
		return err
	}
	return last
}

// attempt runs an update once. ctx only bounds waiting for a connection.
func (s *Store) attempt(ctx context.Context, change func(t *transaction) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	t := s.newTransaction(conn.Conn.Conn())
	err = t.run(ctx, change)
	conn.Release()
	if failed(err, lost) && t.committing && t.entry != nil {
		return s.outcome(ctx, t.entry, err)
	}
	return err
}

// run makes a change and commits it, or undoes it.
func (t *transaction) run(ctx context.Context, change func(t *transaction) error) error {
	committed := false
	defer func() {
		t.ended = true
		if !committed {
			t.rollback(ctx)
		}
	}()
	err := call(change, t)
	switch _, ended := errors.AsType[*panicked.Error](err); {
	case ended:
		return err
	case t.broke != nil:
		return t.broke
	case err != nil:
		return err
	}
	err = t.commit(ctx)
	committed = err == nil
	return err
}

// call makes an error of a panic.
func call(change func(t *transaction) error, t *transaction) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked.With(value)
		}
	}()
	return change(t)
}

// outcomeTimeout is how long an update waits for the database to come back in order to tell whether it happened.
const outcomeTimeout = 10 * time.Second

// outcome finds out what became of a transaction whose connection was lost while it committed. The error is nil if the transaction
// happened, the one it was lost with if it did not.
func (s *Store) outcome(ctx context.Context, entry []byte, loss error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	asking := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 1, Cap: time.Second, Steps: 100}
	happened := false
	var last error
	err := asking.DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		s.reset()
		happened, last = s.happened(ctx, entry)
		if failed(last, uncertain) {
			return true, last
		}
		return last == nil, nil // asked again until the time is over
	})
	switch {
	case failed(err, uncertain):
		return err
	case err != nil:
		return &engineError{uncertain, "the connection to the database was lost while a change was made final, and did not come back; " + notKnown}
	case happened:
		return nil
	default:
		return loss
	}
}

// happened looks for a transaction by the entry that it wrote to the provisioning log. It tries to write the same again: while the
// transaction has not ended that waits, then it finds the entry there or not. An entry that is there need not be on a second machine that
// must have it; a write after it is final only where it is, too.
func (s *Store) happened(ctx context.Context, entry []byte) (there bool, err error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	t := s.newTransaction(conn.Conn.Conn())
	t.patience = min(t.patience, outcomeTimeout)
	s.owned.prove(t.conn.PgConn(), t.batch)
	err = t.run(ctx, func(t *transaction) error {
		n, err := t.write(ctx, appendEntry+" ON CONFLICT DO NOTHING", entryRow(entry, nil, store.Entry{})...)
		if err != nil {
			return err
		}
		if there = n == 0; !there {
			return errAbsent
		}
		return t.SetMeta(ctx, checkKey, "")
	})
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	return there, err
}

var errAbsent = errors.New("the entry is not there")

// checkKey is what is written in meta to find out whether something can be.
const checkKey = "check"
