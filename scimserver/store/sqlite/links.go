package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
)

// MembersOf implements store.Reader.
func (r *reader) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	const one = "SELECT group_id, member_id, kind FROM members WHERE group_id = ? AND member_id > ? ORDER BY member_id LIMIT ?"
	const many = "SELECT m.group_id, m.member_id, m.kind FROM json_each(?) j CROSS JOIN members m ON m.group_id = unhex(j.value, '-') LIMIT ?"
	return r.links(ctx, one, many, groups, after, limit)
}

// GroupsOf implements store.Reader. The index by members has no kinds, which nobody needs.
func (r *reader) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	const one = "SELECT group_id, member_id, 0 FROM members WHERE member_id = ? AND group_id > ? ORDER BY group_id LIMIT ?"
	const many = "SELECT m.group_id, m.member_id, 0 FROM json_each(?) j CROSS JOIN members m ON m.member_id = unhex(j.value, '-') LIMIT ?"
	return r.links(ctx, one, many, members, after, limit)
}

// fewLinks is how many rows take no longer than a look-up.
const fewLinks = 1000

// links reads rows of members by one of two statements: for one id, or for several.
func (r *reader) links(ctx context.Context, one, many string, ids []string, after string, limit int) (links []store.Link, err error) {
	if limit <= fewLinks {
		ctx = brief(ctx)
	}
	var rows rows
	if len(ids) == 1 {
		id, ok := store.ParseID(ids[0])
		if !ok {
			return nil, nil
		}
		from := []byte{} // before every id
		if last, ok := store.ParseID(after); ok {
			from = last[:]
		}
		rows, err = r.query(ctx, one, id[:], from, int64(limit))
	} else {
		rows, err = r.query(ctx, many, idList(ids), int64(limit))
	}
	if err != nil {
		return nil, fmt.Errorf("memberships of %d resources: %w", len(ids), r.translate(err))
	}
	defer rows.done()
	var group, member sql.RawBytes
	var kind int64
	for rows.Next() {
		if err := rows.Scan(&group, &member, &kind); err != nil {
			return nil, r.translate(err)
		}
		links = append(links, store.Link{Group: [16]byte(group), Member: [16]byte(member), Kind: store.Kind(kind)})
	}
	return links, r.translate(rows.Err())
}

// Records implements store.Reader.
func (r *reader) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	if len(ids) <= few {
		ctx = brief(ctx)
	}
	records, err := r.byID(ctx, kind, ids)
	if err != nil {
		return nil, fmt.Errorf("get %d %ss: %w", len(ids), kind, r.translate(err))
	}
	return records, nil
}
