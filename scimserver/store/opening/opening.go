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

	open  func(context.Context) (store.Store, error)
	state atomic.Pointer[state]

	mu     sync.Mutex // held while opening and closing
	closed bool
}

// state is an open store, or why there is none.
type state struct {
	store.Store

	err error
}

var _ owner.Store = (*Store)(nil)

// New returns a Store which open has just failed to open with err. The text of err must show no secret.
func New(open func(context.Context) (store.Store, error), err error) *Store {
	s := &Store{open: open}
	s.Through = s.opened
	s.state.Store(failed(err))
	return s
}

func failed(err error) *state {
	if !errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return &state{err: err}
}

// Run tries to open the store, once in an interval, until that succeeds, and returns nil then. If ctx ends before, it returns ctx's error.
func (s *Store) Run(ctx context.Context, interval time.Duration) error {
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
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
		s.state.Store(failed(err))
		return false
	}
	s.state.Store(&state{Store: opened})
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

// opened returns the store that is open, or why there is none.
func (s *Store) opened() (store.Store, error) {
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
