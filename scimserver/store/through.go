package store

import (
	"context"
	"time"
)

// Through is a store that is not there at all times. It returns the one that requests are sent to, or the error that they have instead. Its
// methods are those of a Store but for Check and Close, which are about what is not there.
type Through func() (Store, error)

// Update implements Store.
func (t Through) Update(ctx context.Context, change func(tx Tx) error) error {
	on, err := t()
	if err != nil {
		return err
	}
	return on.Update(ctx, change)
}

// View implements Store.
func (t Through) View(ctx context.Context, read func(r Reader) error) error {
	on, err := t()
	if err != nil {
		return err
	}
	return on.View(ctx, read)
}

func through[T any](t Through, read func(on Store) (T, error)) (value T, err error) {
	on, err := t()
	if err != nil {
		return value, err
	}
	return read(on)
}

// Get implements Reader.
func (t Through) Get(ctx context.Context, kind Kind, id string) (Record, error) {
	return through(t, func(on Store) (Record, error) { return on.Get(ctx, kind, id) })
}

// Find implements Reader.
func (t Through) Find(ctx context.Context, query Query) (Page, error) {
	return through(t, func(on Store) (Page, error) { return on.Find(ctx, query) })
}

// Kinds implements Reader.
func (t Through) Kinds(ctx context.Context, ids []string) (map[string]Kind, error) {
	return through(t, func(on Store) (map[string]Kind, error) { return on.Kinds(ctx, ids) })
}

// Members implements Reader.
func (t Through) Members(ctx context.Context, group string) ([]Member, error) {
	return through(t, func(on Store) ([]Member, error) { return on.Members(ctx, group) })
}

// MembersOf implements Reader.
func (t Through) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]Link, error) {
	return through(t, func(on Store) ([]Link, error) { return on.MembersOf(ctx, groups, after, limit) })
}

// GroupsOf implements Reader.
func (t Through) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]Link, error) {
	return through(t, func(on Store) ([]Link, error) { return on.GroupsOf(ctx, members, after, limit) })
}

// Records implements Reader.
func (t Through) Records(ctx context.Context, kind Kind, ids []string) ([]Record, error) {
	return through(t, func(on Store) ([]Record, error) { return on.Records(ctx, kind, ids) })
}

// Memberships implements Reader.
func (t Through) Memberships(ctx context.Context, after Membership, limit int) ([]Membership, error) {
	return through(t, func(on Store) ([]Membership, error) { return on.Memberships(ctx, after, limit) })
}

// Stats implements Reader.
func (t Through) Stats(ctx context.Context) (Stats, error) {
	return through(t, func(on Store) (Stats, error) { return on.Stats(ctx) })
}

// Ambiguous implements Reader.
func (t Through) Ambiguous(ctx context.Context, kind Kind, limit int) ([]string, error) {
	return through(t, func(on Store) ([]string, error) { return on.Ambiguous(ctx, kind, limit) })
}

// Deactivated implements Reader.
func (t Through) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return through(t, func(on Store) ([]string, error) { return on.Deactivated(ctx, before, limit) })
}

// Log implements Reader.
func (t Through) Log(ctx context.Context, after int64, limit int) ([]Entry, error) {
	return through(t, func(on Store) ([]Entry, error) { return on.Log(ctx, after, limit) })
}

// LogBack implements Reader.
func (t Through) LogBack(ctx context.Context, before int64, limit int) ([]Entry, error) {
	return through(t, func(on Store) ([]Entry, error) { return on.LogBack(ctx, before, limit) })
}

// Newest implements Reader.
func (t Through) Newest(ctx context.Context) (Entry, error) {
	return through(t, func(on Store) (Entry, error) { return on.Newest(ctx) })
}

// Meta implements Reader.
func (t Through) Meta(ctx context.Context, key string) (string, error) {
	return through(t, func(on Store) (string, error) { return on.Meta(ctx, key) })
}
