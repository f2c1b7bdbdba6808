package sqlite

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

// Guarded is the directory in a folder behind a guard. It is opened when the guard first lets it in, and the folder is locked from then on.
type Guarded struct {
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
func (g *Guarded) admitted() (*Store, error) {
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

// Update implements store.Store.
func (g *Guarded) Update(ctx context.Context, change func(tx store.Tx) error) error {
	s, err := g.admitted()
	if err != nil {
		return err
	}
	return s.Update(ctx, change)
}

// View implements store.Store.
func (g *Guarded) View(ctx context.Context, read func(r store.Reader) error) error {
	s, err := g.admitted()
	if err != nil {
		return err
	}
	return s.View(ctx, read)
}

// through sends a read to the store, if it is served.
func through[T any](g *Guarded, read func(s *Store) (T, error)) (value T, err error) {
	s, err := g.admitted()
	if err != nil {
		return value, err
	}
	return read(s)
}

// Get implements store.Reader.
func (g *Guarded) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	return through(g, func(s *Store) (store.Record, error) { return s.Get(ctx, kind, id) })
}

// Find implements store.Reader.
func (g *Guarded) Find(ctx context.Context, query store.Query) (store.Page, error) {
	return through(g, func(s *Store) (store.Page, error) { return s.Find(ctx, query) })
}

// Kinds implements store.Reader.
func (g *Guarded) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	return through(g, func(s *Store) (map[string]store.Kind, error) { return s.Kinds(ctx, ids) })
}

// Members implements store.Reader.
func (g *Guarded) Members(ctx context.Context, group string) ([]store.Member, error) {
	return through(g, func(s *Store) ([]store.Member, error) { return s.Members(ctx, group) })
}

// MembersOf implements store.Reader.
func (g *Guarded) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	return through(g, func(s *Store) ([]store.Link, error) { return s.MembersOf(ctx, groups, after, limit) })
}

// GroupsOf implements store.Reader.
func (g *Guarded) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	return through(g, func(s *Store) ([]store.Link, error) { return s.GroupsOf(ctx, members, after, limit) })
}

// Records implements store.Reader.
func (g *Guarded) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	return through(g, func(s *Store) ([]store.Record, error) { return s.Records(ctx, kind, ids) })
}

// Memberships implements store.Reader.
func (g *Guarded) Memberships(ctx context.Context, after store.Membership, limit int) ([]store.Membership, error) {
	return through(g, func(s *Store) ([]store.Membership, error) { return s.Memberships(ctx, after, limit) })
}

// Stats implements store.Reader.
func (g *Guarded) Stats(ctx context.Context) (store.Stats, error) {
	return through(g, func(s *Store) (store.Stats, error) { return s.Stats(ctx) })
}

// Ambiguous implements store.Reader.
func (g *Guarded) Ambiguous(ctx context.Context, kind store.Kind, limit int) ([]string, error) {
	return through(g, func(s *Store) ([]string, error) { return s.Ambiguous(ctx, kind, limit) })
}

// Deactivated implements store.Reader.
func (g *Guarded) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return through(g, func(s *Store) ([]string, error) { return s.Deactivated(ctx, before, limit) })
}

// Log implements store.Reader.
func (g *Guarded) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	return through(g, func(s *Store) ([]store.Entry, error) { return s.Log(ctx, after, limit) })
}

// Meta implements store.Reader.
func (g *Guarded) Meta(ctx context.Context, key string) (string, error) {
	return through(g, func(s *Store) (string, error) { return s.Meta(ctx, key) })
}
