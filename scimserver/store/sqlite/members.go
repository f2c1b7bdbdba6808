package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

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
		const insert = "INSERT INTO members (group_id, member_id, kind) SELECT ?, unhex(value, '-'), ? FROM json_each(?)"
		ids := byKind[kind]
		n, all, err := 0, false, error(nil)
		if changes.Collects() && len(ids) > 1 && len(ids) <= askedAtOnce {
			n, all, err = t.addNew(ctx, changes, ids, insert, uuid[:], int64(kind))
		}
		if err == nil && !all {
			n, err = t.moveNamed(ctx, changes, true, ids, insert+" WHERE TRUE ON CONFLICT DO NOTHING", uuid[:], int64(kind))
		}
		if err != nil {
			return 0, fmt.Errorf("add members to group %s: %w", group, err)
		}
		added += n
	}
	return added, nil
}

func (t *transaction) RemoveMembers(ctx context.Context, group string, ids []string, changes *store.MemberChanges) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, nil
	}
	removed, err = t.moveNamed(ctx, changes, false, ids,
		"DELETE FROM members WHERE group_id = ? AND member_id IN (SELECT unhex(value, '-') FROM json_each(?))", uuid[:])
	if err != nil {
		return 0, fmt.Errorf("remove members of group %s: %w", group, err)
	}
	return removed, nil
}

func (t *transaction) ClearMembers(ctx context.Context, group string, limit int, changes *store.MemberChanges) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, nil
	}
	for last := false; !last; {
		some := limit - removed
		if changes.Collects() {
			some = min(some, askedAtOnce)
		}
		n, err := t.move(ctx, changes, false, "DELETE FROM members WHERE group_id = ?1 AND member_id IN"+
			" (SELECT member_id FROM members WHERE group_id = ?1 ORDER BY member_id LIMIT ?2)", uuid[:], int64(some))
		if err != nil {
			return 0, fmt.Errorf("remove the members of group %s: %w", group, err)
		}
		removed += n
		last = n < some || removed == limit
	}
	return removed, nil
}

// addNew adds members of whom none is one yet, as nearly always. Then nobody has to be asked which they were, which would take as long again.
// all is false, and nothing has happened, where one is.
func (t *transaction) addNew(
	ctx context.Context, changes *store.MemberChanges, ids []string, insert string, args ...any,
) (added int, all bool, err error) {
	ids = possible(ids)
	n, err := t.write(ctx, insert, append(slices.Clip(args), jsonList(ids))...)
	if err != nil {
		if failedWith(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
			err = nil
		}
		return 0, false, err
	}
	for _, id := range ids {
		b, _ := store.ParseID(id)
		changes.Step(b, true)
	}
	return int(n), true, nil
}

// askedAtOnce is how many members a statement changes that says which they were. That takes it as long again as to change them, so no more are
// asked for than are collected.
const askedAtOnce = 1000

// moveNamed executes a statement that adds or removes the members with these ids, as its last argument, and returns how many those were.
func (t *transaction) moveNamed(
	ctx context.Context, changes *store.MemberChanges, added bool, ids []string, query string, args ...any,
) (moved int, err error) {
	if len(ids) > askedAtOnce {
		ids = slices.Sorted(slices.Values(ids)) // neighbours are looked up together
	}
	for len(ids) > 0 {
		some := ids
		if changes.Collects() && len(ids) > askedAtOnce {
			some = ids[:askedAtOnce]
		}
		n := 0
		if with := append(slices.Clip(args), idList(some)); len(some) == 1 {
			n, err = t.move(ctx, nil, added, query, with...)
			if id, ok := store.ParseID(some[0]); ok && n == 1 {
				changes.Step(id, added)
			}
		} else {
			n, err = t.move(ctx, changes, added, query, with...)
		}
		if err != nil {
			return 0, err
		}
		moved, ids = moved+n, ids[len(some):]
	}
	return moved, t.usable()
}

// move executes a statement that adds or removes members, and returns how many those were. It asks which they were where that is collected.
func (t *transaction) move(ctx context.Context, changes *store.MemberChanges, added bool, query string, args ...any) (moved int, err error) {
	if !changes.Collects() {
		n, err := t.write(ctx, query, args...)
		return int(n), err
	}
	if err := t.usable(); err != nil {
		return 0, err
	}
	t.any, t.read = true, nil
	rows, err := t.query(ctx, query+" RETURNING member_id", args...)
	if err != nil {
		return 0, t.translate(err)
	}
	for changes.Collects() && rows.Next() { // before the first row all is done, so nobody need read them all
		var id sql.RawBytes
		if err = rows.Scan(&id); err != nil {
			break
		}
		changes.Step([16]byte(id), added)
	}
	if err == nil {
		err = rows.Err()
	}
	rows.done()
	if err == nil {
		err = t.row(ctx, []any{&moved}, "SELECT changes()")
	}
	t.rows += int64(moved)
	return moved, t.translate(err)
}

// Some groups of a member, the same in each statement of LeaveGroups.
const groupsLeft = "(SELECT group_id FROM members WHERE member_id = ?1 ORDER BY group_id LIMIT ?2)"

const (
	touchGroupsLeft = "UPDATE resources SET version = version + 1, modified = max(?4, modified / 1000 * 1000 + 1000)" +
		" WHERE kind = ?3 AND id IN " + groupsLeft
	logGroupsLeft = "INSERT INTO log (" + entryColumns + ")" +
		" SELECT r.modified, ?4, ?5, r.kind, lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4)" +
		" || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21)), ?6, ?7, ?8, ?9, ?10, ?11" +
		" FROM resources r WHERE r.kind = ?3 AND r.id IN " + groupsLeft + " ORDER BY r.id"
	deleteGroupsLeft = "DELETE FROM members WHERE member_id = ?1 AND group_id IN " + groupsLeft
)

func (t *transaction) LeaveGroups(ctx context.Context, member string, limit int, e store.Entry) (left int, err error) {
	uuid, ok := store.ParseID(member)
	if !ok {
		return 0, nil
	}
	var some bool
	if err := t.row(ctx, []any{&some}, "SELECT EXISTS (SELECT 1 FROM members WHERE member_id = ?)", uuid[:]); err != nil || !some {
		return 0, t.translate(err)
	}
	of := []any{uuid[:], int64(limit)}
	groups := append(slices.Clip(of), int64(store.Group))
	if _, err = t.write(ctx, touchGroupsLeft, append(slices.Clip(groups), e.Time.UnixMicro())...); err == nil {
		_, err = t.write(ctx, logGroupsLeft, append(slices.Clip(groups), e.Client, e.RequestID, e.Operation, strings.Join(e.Attributes, "\n"),
			e.Defaults, e.Outcome, max(e.Count, 1), store.EncodeMemberChanges([]store.MemberChange{{ID: uuid}}))...)
	}
	var n int64
	if err == nil {
		n, err = t.write(ctx, deleteGroupsLeft, of...)
	}
	if err != nil {
		return 0, fmt.Errorf("leave the groups of %s: %w", member, err)
	}
	return int(n), nil
}
