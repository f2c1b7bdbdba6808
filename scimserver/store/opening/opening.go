// Package opening has a store that cannot be opened yet, so that a server can stay up and say why, and goes on by itself once it can.
package opening

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Store is a store.Store that is opened by Run. Until then all that it is asked for is a store.ErrUnavailable that says why. It may be used
// by any number of goroutines.
type Store struct {
	store.Through

	open   func(context.Context) (store.Store, error)
	now    func() time.Time
	state  atomic.Pointer[state]
	opened chan struct{}

	mu     sync.Mutex // held while opening and closing
	closed bool
	// held is since when another process has the directory, zero where none has.
	held time.Time
}

const (
	// heldInterval is how often a directory is tried to be opened that another process has: clients are answered 503 until it ends.
	heldInterval = 200 * time.Millisecond
	// heldPatience is how long another process may take to end before that is a problem. It is the grace period of a server's pod.
	heldPatience = 30 * time.Second
)

// state is an open store, or why there is none.
type state struct {
	store.Store

	err error
}

var _ owner.Store = (*Store)(nil)

// New returns a Store which open has just failed to open with err. The text of err must show no secret. A failure that is a store.ErrHeld is a
// store.ErrHandover too for the first half a minute by the clock now.
func New(open func(context.Context) (store.Store, error), err error, now func() time.Time) *Store {
	s := &Store{open: open, now: now, opened: make(chan struct{})}
	s.Through = s.current
	s.failed(err)
	return s
}

func (s *Store) failed(err error) {
	if !errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	now := s.now()
	switch {
	case !errors.Is(err, store.ErrHeld):
		s.held = time.Time{}
	case s.held.IsZero():
		s.held = now
		fallthrough
	case now.Sub(s.held) < heldPatience:
		err = store.Handover(err)
	}
	s.state.Store(&state{err: err})
}

// Opened returns a channel that is closed once the store is open.
func (s *Store) Opened() <-chan struct{} { return s.opened }

// Run tries to open the store, once in an interval, until that succeeds, and returns nil then. It tries more often while another process has
// it. If ctx ends before, it returns ctx's error.
func (s *Store) Run(ctx context.Context, interval time.Duration) error {
	for {
		pause := interval
		if errors.Is(s.state.Load().err, store.ErrHeld) {
			pause = min(interval, heldInterval)
		}
		again := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-again.C:
			if s.try(ctx) {
				return nil
			}
		}
	}
}

// try tells whether nothing is left to do.
func (s *Store) try(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	opened, err := s.open(ctx)
	if err != nil {
		s.failed(err)
		return false
	}
	s.state.Store(&state{Store: opened})
	close(s.opened)
	return true
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if now := s.state.Load(); now.err == nil {
		return now.Close()
	}
	return nil
}

// Check implements store.Store.
func (s *Store) Check(ctx context.Context) error {
	now := s.state.Load()
	if now.err != nil {
		return fmt.Errorf("open: %w", now.err)
	}
	return now.Check(ctx)
}

// URLProblem is that of a store which has one and is open, or nil.
func (s *Store) URLProblem() error {
	if named, ok := s.state.Load().Store.(interface{ URLProblem() error }); ok {
		return named.URLProblem()
	}
	return nil
}

// current returns the store that is open, or why there is none.
func (s *Store) current() (store.Store, error) {
	now := s.state.Load()
	return now.Store, now.err
}

// Review implements owner.Store. A store that asks no guard is let in.
func (s *Store) Review(ctx context.Context) error {
	now := s.state.Load()
	if now.err != nil {
		return now.err
	}
	if guarded, ok := now.Store.(owner.Store); ok {
		return guarded.Review(ctx)
	}
	return nil
}
