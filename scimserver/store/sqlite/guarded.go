package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Guarded is the directory in a folder behind a guard. It is opened when the guard first lets it in, and the folder is locked from then on.
type Guarded struct {
	store.Through

	folder string
	guard  *owner.Guard

	// served is what requests are sent to.
	served atomic.Pointer[served]

	mu     sync.Mutex // held by Review and Close
	opened *Store     // nil until it was let in
	closed bool
}

// served is a store, or the error that stands in its place.
type served struct {
	store *Store
	err   error
}

var _ owner.Store = (*Guarded)(nil)

// OpenGuarded opens the directory in a folder, which it makes if need be. Where the guard does not let it in, or cannot say yet, each Review
// and each Check tries again; other failures are OpenGuarded's.
func OpenGuarded(ctx context.Context, folder string, guard *owner.Guard) (*Guarded, error) {
	g := &Guarded{folder: folder, guard: guard}
	g.Through = g.admitted
	err := g.Review(ctx)
	if _, refused := errors.AsType[*owner.Refusal](err); err != nil && !refused {
		return nil, err
	}
	return g, nil
}

// Review implements owner.Store.
func (g *Guarded) Review(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	err := g.review(ctx)
	switch _, refused := errors.AsType[*owner.Refusal](err); {
	case err == nil:
		g.served.Store(&served{store: g.opened})
	case refused || g.opened == nil:
		g.served.Store(&served{err: err})
	}
	return err
}

func (g *Guarded) review(ctx context.Context) (err error) {
	if g.opened == nil {
		g.opened, err = open(ctx, g.folder, g.guard)
		return err
	}
	found := owner.Found{There: true}
	if found.Mark, err = g.opened.Meta(ctx, store.MetaOwner); err != nil {
		return err
	}
	if g.guard.Hinges(found) {
		if err := untouched(ctx, g.opened.read, &found); err != nil {
			return translate(err)
		}
	}
	verdict, err := g.guard.Judge(found)
	if err != nil {
		return fmt.Errorf("the directory in %s: %w", g.folder, err)
	}
	if mark := verdict.Mark.Encode(); mark != found.Mark {
		err := g.opened.Update(ctx, func(tx store.Tx) error { return tx.SetMeta(ctx, store.MetaOwner, mark) })
		if err != nil {
			return err
		}
	}
	g.guard.Admit(verdict)
	return nil
}

// admitted returns the store, or why it is not served.
func (g *Guarded) admitted() (store.Store, error) {
	current := g.served.Load()
	return current.store, current.err
}

// Check implements store.Store. It tries again to open a directory that was refused.
func (g *Guarded) Check(ctx context.Context) error {
	s, err := g.admitted()
	if err != nil {
		if err = g.Review(ctx); err != nil {
			return err
		}
		s, err = g.admitted()
	}
	if err != nil {
		return err
	}
	return s.Check(ctx)
}

// Close implements store.Store.
func (g *Guarded) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.served.Store(&served{err: errClosed})
	if g.opened == nil {
		return nil
	}
	return g.opened.Close()
}
