package opening

import (
	"context"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

// ask asks the store if it is open.
func ask[T any](s *Store, read func(store.Store) (T, error)) (answer T, err error) {
	now := s.state.Load()
	if now.err != nil {
		return answer, now.err
	}
	return read(now.Store)
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	return ask(s, func(on store.Store) (store.Record, error) { return on.Get(ctx, kind, id) })
}

// Find implements store.Reader.
func (s *Store) Find(ctx context.Context, query store.Query) (store.Page, error) {
	return ask(s, func(on store.Store) (store.Page, error) { return on.Find(ctx, query) })
}

// Kinds implements store.Reader.
func (s *Store) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	return ask(s, func(on store.Store) (map[string]store.Kind, error) { return on.Kinds(ctx, ids) })
}

// Members implements store.Reader.
func (s *Store) Members(ctx context.Context, group string) ([]store.Member, error) {
	return ask(s, func(on store.Store) ([]store.Member, error) { return on.Members(ctx, group) })
}

// MembersOf implements store.Reader.
func (s *Store) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	return ask(s, func(on store.Store) ([]store.Link, error) { return on.MembersOf(ctx, groups, after, limit) })
}

// GroupsOf implements store.Reader.
func (s *Store) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	return ask(s, func(on store.Store) ([]store.Link, error) { return on.GroupsOf(ctx, members, after, limit) })
}

// Records implements store.Reader.
func (s *Store) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	return ask(s, func(on store.Store) ([]store.Record, error) { return on.Records(ctx, kind, ids) })
}

// Memberships implements store.Reader.
func (s *Store) Memberships(ctx context.Context, after store.Membership, limit int) ([]store.Membership, error) {
	return ask(s, func(on store.Store) ([]store.Membership, error) { return on.Memberships(ctx, after, limit) })
}

// Stats implements store.Reader.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	return ask(s, func(on store.Store) (store.Stats, error) { return on.Stats(ctx) })
}

// Ambiguous implements store.Reader.
func (s *Store) Ambiguous(ctx context.Context, kind store.Kind, limit int) ([]string, error) {
	return ask(s, func(on store.Store) ([]string, error) { return on.Ambiguous(ctx, kind, limit) })
}

// Deactivated implements store.Reader.
func (s *Store) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return ask(s, func(on store.Store) ([]string, error) { return on.Deactivated(ctx, before, limit) })
}

// Log implements store.Reader.
func (s *Store) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	return ask(s, func(on store.Store) ([]store.Entry, error) { return on.Log(ctx, after, limit) })
}

// Meta implements store.Reader.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	return ask(s, func(on store.Store) (string, error) { return on.Meta(ctx, key) })
}
