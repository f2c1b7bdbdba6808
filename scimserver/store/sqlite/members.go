package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
)

func (t *transaction) AddMembers(ctx context.Context, group string, members []store.Member) (added int, err error) {
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
		n, err := t.write(ctx, "INSERT INTO members (group_id, member_id, kind)"+
			" SELECT ?, unhex(value, '-'), ? FROM json_each(?) WHERE TRUE ON CONFLICT DO NOTHING",
			uuid[:], int64(kind), idList(byKind[kind]))
		if err != nil {
			return 0, fmt.Errorf("add members to group %s: %w", group, err)
		}
		added += int(n)
	}
	return added, nil
}

func (t *transaction) RemoveMembers(ctx context.Context, group string, ids []string) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, nil
	}
	n, err := t.write(ctx, "DELETE FROM members WHERE group_id = ? AND member_id IN (SELECT unhex(value, '-') FROM json_each(?))",
		uuid[:], idList(ids))
	if err != nil {
		return 0, fmt.Errorf("remove members of group %s: %w", group, err)
	}
	return int(n), nil
}

func (t *transaction) ClearMembers(ctx context.Context, group string, limit int) (removed int, err error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return 0, nil
	}
	n, err := t.write(ctx, "DELETE FROM members WHERE group_id = ?1 AND member_id IN"+
		" (SELECT member_id FROM members WHERE group_id = ?1 ORDER BY member_id LIMIT ?2)", uuid[:], int64(limit))
	if err != nil {
		return 0, fmt.Errorf("remove the members of group %s: %w", group, err)
	}
	return int(n), nil
}

// Some groups of a member, the same in each statement of LeaveGroups.
const groupsLeft = "(SELECT group_id FROM members WHERE member_id = ?1 ORDER BY group_id LIMIT ?2)"

const (
	touchGroupsLeft = "UPDATE resources SET version = version + 1, modified = max(?4, modified / 1000 * 1000 + 1000)" +
		" WHERE kind = ?3 AND id IN " + groupsLeft
	logGroupsLeft = "INSERT INTO log (" + entryColumns + ")" +
		" SELECT r.modified, ?4, ?5, r.kind, lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4)" +
		" || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21)), ?6, ?7, ?8, ?9, ?10" +
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
			e.Defaults, e.Outcome, max(e.Count, 1))...)
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
