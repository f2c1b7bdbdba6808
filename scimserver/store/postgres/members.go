package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantry/tenantry/scimserver/store"
)

func (t *transaction) AddMembers(
	ctx context.Context, group string, members []store.Member, changes *store.MemberChanges,
) (added int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, store.ErrNotFound
	}
	byKind := map[store.Kind][]string{}
	for _, m := range members {
		byKind[m.Kind] = append(byKind[m.Kind], m.ID)
	}
	for _, kind := range []store.Kind{store.User, store.Group} {
		if len(byKind[kind]) == 0 {
			continue
		}
		n, err := t.move(ctx, changes, true, byKind[kind], "INSERT INTO main.members (group_id, member_id, kind)"+
			" SELECT $1, m.id, $2 FROM unnest($3::bytea[]) AS m (id) ON CONFLICT DO NOTHING",
			uuid[:], int64(kind), idList(byKind[kind]))
		if err != nil {
			return 0, fmt.Errorf("add members to group %s: %w", group, err)
		}
		added += n
	}
	return added, nil
}

func (t *transaction) RemoveMembers(ctx context.Context, group string, ids []string, changes *store.MemberChanges) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	list := idList(ids)
	if !ok || len(list) == 0 {
		return 0, t.usable()
	}
	removed, err = t.move(ctx, changes, false, ids, "DELETE FROM main.members WHERE group_id = $1 AND member_id = ANY($2)", uuid[:], list)
	if err != nil {
		return 0, fmt.Errorf("remove members of group %s: %w", group, err)
	}
	return removed, nil
}

// clearMembers removes the first members of a group, up to the last of so many. The ids of all of them would be compared with each member, where
// PostgreSQL counted few.
const clearMembers = "DELETE FROM main.members WHERE group_id = $1 AND (group_id, member_id) <= ($1, (SELECT m.member_id FROM" +
	" (SELECT member_id FROM main.members WHERE group_id = $1 ORDER BY member_id LIMIT $2) m ORDER BY m.member_id DESC LIMIT 1))"

func (t *transaction) ClearMembers(ctx context.Context, group string, limit int, changes *store.MemberChanges) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, nil
	}
	removed, err = t.move(ctx, changes, false, nil, clearMembers, uuid[:], int64(limit))
	if err != nil {
		return 0, fmt.Errorf("remove the members of group %s: %w", group, err)
	}
	return removed, nil
}

// move executes a statement that adds or removes members, and returns how many those were. It asks which they were only where that does not
// follow from their number: ids are those that the statement names, nil if it names none.
func (t *transaction) move(
	ctx context.Context, changes *store.MemberChanges, added bool, ids []string, query string, args ...any,
) (moved int, err error) {
	if !changes.Collects() || len(ids) == 1 {
		n, err := t.write(ctx, query, args...)
		if err == nil && n == 1 && len(ids) == 1 {
			id, _ := store.ParseID(ids[0])
			changes.Step(id, added)
		}
		return int(n), err
	}
	t.wrote = true
	var all []byte // NULL for too many
	// In one value, because a thousand rows cost both sides as much again as the change.
	err = t.one(ctx, []any{&moved, &all}, "WITH moved AS ("+query+" RETURNING member_id) SELECT count(*),"+
		" CASE WHEN count(*) <= "+strconv.Itoa(store.MaxCollected)+" THEN string_agg(member_id, ''::bytea) END FROM moved", args...)
	if err != nil {
		return 0, err
	}
	if all == nil && moved > 0 {
		changes.TooMany()
	}
	for id := range slices.Chunk(all, len(store.MemberChange{}.ID)) {
		changes.Step([16]byte(id), added)
	}
	return moved, nil
}

const (
	lockGroups  = "SELECT 1 FROM main.resources WHERE kind = (SELECT 2::smallint) AND id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
	leaveGroups = "WITH gone AS (DELETE FROM main.members WHERE member_id = $1 AND group_id = ANY($2) RETURNING group_id)" +
		", changed AS (UPDATE main.resources r SET version = r.version + 1, modified = greatest($3, r.modified / 1000 * 1000 + 1000)" +
		" FROM gone WHERE r.kind = (SELECT 2::smallint) AND r.id = ANY($2) AND r.id = gone.group_id RETURNING r.id, r.modified)" +
		" SELECT id, modified FROM changed ORDER BY id"
	logGroups = "INSERT INTO main.log (id, " + entryColumns + ")" +
		" SELECT i.id, i.time, $4, $5, 2, i.resource, $6, $7, $8, $9, $10, $11::bytea" +
		" FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS i (id, time, resource)"
)

// LeaveGroups locks the groups first, in the order in which everybody does. Those that another transaction took the member from
// meanwhile are left alone.
func (t *transaction) LeaveGroups(ctx context.Context, member string, limit int, e store.Entry) (left int, err error) {
	uuid, ok := store.ParseID(member)
	if !ok {
		return 0, nil
	}
	groups, err := t.ids(ctx, "SELECT group_id FROM main.members WHERE member_id = $1 ORDER BY group_id LIMIT $2", uuid[:], int64(limit))
	if err != nil || len(groups) == 0 {
		return 0, err
	}
	t.queue(lockGroups, groups)
	var entries [][]byte
	var times []int64
	var resources []string
	var group pgtype.DriverBytes
	var modified int64
	err = t.each(ctx, []any{&group, &modified}, func() (bool, error) {
		id, err := t.newEntry(modified)
		entries, times, resources = append(entries, id), append(times, modified), append(resources, formatID(group))
		return true, err
	}, leaveGroups, uuid[:], groups, e.Time.UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("leave the groups of %s: %w", member, err)
	}
	if len(entries) > 0 {
		t.queue(logGroups, entries, times, resources, text(e.Client), text(e.RequestID), text(e.Operation),
			text(strings.Join(e.Attributes, "\n")), text(e.Defaults), text(e.Outcome), max(e.Count, 1),
			store.EncodeMemberChanges([]store.MemberChange{{ID: uuid}}))
	}
	return len(groups), nil
}

func (t *transaction) ids(ctx context.Context, sql string, args ...any) (ids [][]byte, err error) {
	var id pgtype.DriverBytes
	err = t.each(ctx, []any{&id}, func() (bool, error) {
		ids = append(ids, slices.Clone(id))
		return true, nil
	}, sql, args...)
	return ids, err
}
