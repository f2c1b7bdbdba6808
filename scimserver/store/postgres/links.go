package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantry/tenantry/scimserver/store"
)

// MembersOf implements store.Reader. Each of several ids is looked up by itself: PostgreSQL expects of a limit that it does not know that it ends a
// walk through the table early, and would walk.
func (r *reader) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	const one = "SELECT group_id, member_id, kind FROM main.members WHERE group_id = $1 AND member_id > $2 ORDER BY member_id LIMIT $3"
	const many = "SELECT m.group_id, m.member_id, m.kind FROM unnest($1::bytea[]) AS i (id)" +
		" CROSS JOIN LATERAL (SELECT group_id, member_id, kind FROM main.members WHERE group_id = i.id OFFSET 0) m LIMIT $2"
	return r.links(ctx, one, many, groups, after, limit)
}

// GroupsOf implements store.Reader. The index by members has no kinds, which nobody needs.
func (r *reader) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	const one = "SELECT group_id, member_id, 0 FROM main.members WHERE member_id = $1 AND group_id > $2 ORDER BY group_id LIMIT $3"
	const many = "SELECT m.group_id, m.member_id, 0 FROM unnest($1::bytea[]) AS i (id)" +
		" CROSS JOIN LATERAL (SELECT group_id, member_id FROM main.members WHERE member_id = i.id OFFSET 0) m LIMIT $2"
	return r.links(ctx, one, many, members, after, limit)
}

// links reads rows of members by one of two statements: for one id, or for several.
func (r *reader) links(ctx context.Context, one, many string, ids []string, after string, limit int) (links []store.Link, err error) {
	sql, args := many, []any{idList(ids), int64(limit)}
	if len(ids) == 1 {
		id, ok := store.ParseID(ids[0])
		if !ok {
			return nil, nil
		}
		from := []byte{} // before every id
		if last, ok := store.ParseID(after); ok {
			from = last[:]
		}
		sql, args = one, []any{id[:], from, int64(limit)}
	}
	var group, member pgtype.DriverBytes
	var kind int64
	err = r.each(ctx, []any{&group, &member, &kind}, func() (bool, error) {
		links = append(links, store.Link{Group: [16]byte(group), Member: [16]byte(member), Kind: store.Kind(kind)})
		return true, nil
	}, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("memberships of %d resources: %w", len(ids), err)
	}
	return links, nil
}

// Records implements store.Reader.
func (r *reader) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	records, err := r.byID(ctx, kind, ids)
	if err != nil {
		return nil, fmt.Errorf("get %d %ss: %w", len(ids), kind, err)
	}
	return records, nil
}

// MembersOf implements store.Reader.
func (s *Store) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	return reading(ctx, s, func() ([]store.Link, error) { return s.reader.MembersOf(ctx, groups, after, limit) })
}

// GroupsOf implements store.Reader.
func (s *Store) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	return reading(ctx, s, func() ([]store.Link, error) { return s.reader.GroupsOf(ctx, members, after, limit) })
}

// Records implements store.Reader.
func (s *Store) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	return reading(ctx, s, func() ([]store.Record, error) { return s.reader.Records(ctx, kind, ids) })
}
