package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// memberWork is what it counts in a budget that a member of a group is read.
const memberWork = 10

// changeMembers carries out the changes of a group's members. It tells whether any had an effect, and how many of those
// that were to become members do not exist.
func changeMembers(
	ctx context.Context, tx store.Tx, group string, ops []patch.MemberOp, budget *patch.Budget,
) (changed bool, unknown int, err error) {
	for _, op := range ops {
		var named named
		if op.Op != patch.Remove {
			if named, err = lookUp(ctx, tx, group, op.IDs); err != nil {
				return false, 0, err
			}
			if unknown += named.unknown; op.Replaces && len(named.existing) == 0 && named.unknown > 0 {
				return false, 0, schema.Errorf(schema.InvalidValue, "none of the members that were sent exists here; nothing was changed")
			}
		}
		if op.Op == patch.Add && op.Filter != nil && slices.ContainsFunc(named.existing, notMatching(op.Filter)) {
			return false, 0, schema.Errorf(schema.InvalidValue, "members accepts what the filter of the path selects; another kind of member was sent")
		}
		if op.Op == patch.Remove {
			held, err := lookUp(ctx, tx, group, idsWithin(op.IDs))
			if err != nil {
				return false, 0, err
			}
			if len(held.existing) > 0 {
				return false, 0, schema.Errorf(schema.InvalidValue, "members are removed by one id each; a text with an id and more was sent")
			}
		}
		n := 0
		switch {
		case op.Op == patch.Add:
			n, err = tx.AddMembers(ctx, group, named.existing)
		case op.Op == patch.Replace:
			n, err = replaceMembers(ctx, tx, group, named.existing, budget)
		case op.All:
			n, err = tx.ClearMembers(ctx, group)
		case op.Filter != nil:
			n, err = removeMatching(ctx, tx, group, op, budget)
		default:
			n, err = tx.RemoveMembers(ctx, group, op.IDs)
		}
		if err != nil {
			return false, 0, err
		}
		if op.MustMatch && n == 0 {
			return false, 0, schema.Errorf(schema.NoTarget, "no value of members matches the filter of the path")
		}
		changed = changed || n > 0
	}
	return changed, unknown, nil
}

// idsWithin returns the ids in texts that have one and are none, such as "ID1,ID2" or an element written as JSON. Where one of them is that
// of a resource, a removal by the text would remove nobody, though somebody was meant.
func idsWithin(texts []string) (ids []string) {
	const length = len("00000000-0000-7000-8000-000000000000")
	for _, text := range texts {
		for i := 0; i+length <= len(text) && len(text) > length; i++ {
			id := strings.ToLower(text[i : i+length])
			if _, ok := store.ParseID(id); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// named are the members that a client named.
type named struct {
	existing []store.Member
	unknown  int // how many do not exist
}

// lookUp looks for the resources that are to be members of a group. An id that names none is left out: Entra's own test
// suites send such ids and expect success, and a membership of nobody would grant nobody anything. So is the group's own.
func lookUp(ctx context.Context, tx store.Tx, group string, ids []string) (named, error) {
	if len(ids) == 0 {
		return named{}, nil
	}
	kinds, err := tx.Kinds(ctx, ids)
	if err != nil {
		return named{}, err
	}
	members := make([]store.Member, 0, len(ids))
	for _, id := range ids {
		kind, exists := kinds[id]
		if exists && id != group {
			members = append(members, store.Member{ID: id, Kind: kind})
		}
	}
	return named{members, len(ids) - len(members)}, nil
}

// allMembers reads the members of a group.
func allMembers(ctx context.Context, tx store.Tx, group string, budget *patch.Budget) ([]store.Member, error) {
	members, err := tx.Members(ctx, group)
	if err == nil {
		err = budget.Spend(memberWork * len(members))
	}
	return members, err
}

// replaceMembers leaves exactly these members, writing only the difference.
func replaceMembers(ctx context.Context, tx store.Tx, group string, members []store.Member, budget *patch.Budget) (int, error) {
	current, err := allMembers(ctx, tx, group, budget)
	if err != nil {
		return 0, err
	}
	wanted := make(map[string]bool, len(members))
	for _, m := range members {
		wanted[m.ID] = true
	}
	var gone []string
	for _, m := range current {
		if !wanted[m.ID] {
			gone = append(gone, m.ID)
		}
	}
	removed, err := tx.RemoveMembers(ctx, group, gone)
	if err != nil {
		return 0, err
	}
	added, err := tx.AddMembers(ctx, group, members)
	return removed + added, err
}

// removeMatching removes the members that a filter selects by more than their ids, or those of them that are named besides.
func removeMatching(ctx context.Context, tx store.Tx, group string, op patch.MemberOp, budget *patch.Budget) (int, error) {
	current, err := allMembers(ctx, tx, group, budget)
	if err != nil {
		return 0, err
	}
	named := make(map[string]bool, len(op.IDs))
	for _, id := range op.IDs {
		named[id] = true
	}
	var gone []string
	for _, m := range current {
		if len(named) > 0 && !named[m.ID] {
			continue
		}
		if !notMatching(op.Filter)(m) {
			gone = append(gone, m.ID)
		}
	}
	return tx.RemoveMembers(ctx, group, gone)
}

// notMatching tells of a member whether a filter leaves it aside.
func notMatching(f filter.Filter) func(store.Member) bool {
	return func(m store.Member) bool {
		return !filter.MatchElement(f, schema.Object{"value": m.ID, "type": m.Kind.String()})
	}
}

// takeMembers removes the members from a group that arrived and returns their ids: they are kept as rows.
func takeMembers(kind store.Kind, arrived schema.Object) []string {
	if kind != store.Group {
		return nil
	}
	list, _ := arrived["members"].([]any)
	delete(arrived, "members")
	var ids []string
	seen := make(map[string]bool, len(list))
	for _, element := range list {
		if member, ok := element.(schema.Object); ok {
			if id, _ := member["value"].(string); id != "" && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
