package directory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// memberWork is what it counts in a budget that a member of a group is read.
const memberWork = 10

// maxGone is how many members one request may take from a group, because others wait for it to be carried out. It takes about a third of a
// second on SQLite.
const maxGone = 200_000

// changeMembers carries out the changes of a group's members, which changes collects, and tells how many of those that were to become members
// do not exist: kinds has those that do. However many operations there are, those that name members are a few statements together.
func changeMembers(
	ctx context.Context, tx store.Tx, group string, ops []patch.MemberOp, kinds map[string]store.Kind, budget *patch.Budget,
	changes *store.MemberChanges,
) (unknown int, err error) {
	var next moves
	for _, op := range ops {
		named := exist(kinds, group, op.IDs)
		if err := checkMembers(kinds, group, op, named); err != nil {
			return 0, err
		}
		if op.Op != patch.Remove {
			unknown += named.unknown
		}
		n := 0
		switch {
		case op.Op == patch.Add:
			next.add(named.existing)
			continue
		case op.All, op.Op == patch.Replace && len(named.existing) == 0:
			next.clear()
			continue
		case op.Op == patch.Remove && op.Filter == nil:
			next.remove(op.IDs)
			continue
		}
		if err := next.make(ctx, tx, group, changes); err != nil {
			return 0, err
		}
		if op.Op == patch.Replace {
			n, err = replaceMembers(ctx, tx, group, named.existing, budget, changes)
		} else {
			n, err = removeMatching(ctx, tx, group, op, budget, changes)
		}
		if err != nil {
			return 0, err
		}
		if op.MustMatch && n == 0 {
			return 0, wrongMembers(schema.NoTarget, "no value of members matches the filter of the path")
		}
	}
	return unknown, next.make(ctx, tx, group, changes)
}

// kindsOf looks for all resources that the operations need to know of, and keeps them from being deleted.
func kindsOf(ctx context.Context, tx store.Tx, ops []patch.MemberOp) (map[string]store.Kind, error) {
	var ids []string
	for _, op := range ops {
		if op.Op == patch.Remove {
			ids = append(ids, idsWithin(op.IDs)...)
		} else {
			ids = append(ids, op.IDs...)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return tx.Kinds(ctx, ids)
}

// checkMembers says what is wrong with the members that an operation names.
func checkMembers(kinds map[string]store.Kind, group string, op patch.MemberOp, named named) error {
	switch {
	case op.Op == patch.Remove:
		if len(exist(kinds, group, idsWithin(op.IDs)).existing) > 0 {
			return wrongMembers(schema.InvalidValue, "members are removed by one id each; a text with an id and more was sent")
		}
	case op.Replaces && len(named.existing) == 0 && named.unknown > 0:
		return wrongMembers(schema.InvalidValue, "none of the members that were sent exists here; nothing was changed")
	case op.Op == patch.Add && op.Filter != nil && slices.ContainsFunc(named.existing, notMatching(op.Filter)):
		return wrongMembers(schema.InvalidValue, "members accepts what the filter of the path selects; another kind of member was sent")
	}
	return nil
}

func wrongMembers(scimType, format string, args ...any) *schema.Error {
	return schema.Errorf(scimType, format, args...).About(membersAttribute)
}

// moves are what becomes of members by operations that name them: of each, what the last says. The zero value is none.
type moves struct {
	cleared bool
	added   map[string]store.Member
	removed map[string]bool
}

func (m *moves) clear() { *m = moves{cleared: true} }

func (m *moves) add(members []store.Member) {
	if m.added == nil {
		m.added = make(map[string]store.Member, len(members))
	}
	for _, member := range members {
		delete(m.removed, member.ID)
		m.added[member.ID] = member
	}
}

func (m *moves) remove(ids []string) {
	if m.removed == nil {
		m.removed = make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		delete(m.added, id)
		m.removed[id] = true
	}
}

// make carries them out, after which there are none.
func (m *moves) make(ctx context.Context, tx store.Tx, group string, changes *store.MemberChanges) (err error) {
	switch {
	case m.cleared:
		var gone int
		if gone, err = tx.ClearMembers(ctx, group, maxGone+1, changes); gone > maxGone {
			err = tooManyGone()
		}
	case len(m.removed) > 0:
		_, err = tx.RemoveMembers(ctx, group, slices.Collect(maps.Keys(m.removed)), changes)
	}
	if err == nil && len(m.added) > 0 {
		_, err = tx.AddMembers(ctx, group, slices.Collect(maps.Values(m.added)), changes)
	}
	*m = moves{}
	return err
}

func tooManyGone() error {
	return wrongMembers(schema.TooMany, "one request can take at most %d members from a group; name the members to remove, some in each request", maxGone)
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
	return exist(kinds, group, ids), err
}

// exist divides ids by whether they name a resource that can be a member of the group.
func exist(kinds map[string]store.Kind, group string, ids []string) named {
	members := make([]store.Member, 0, len(ids))
	for _, id := range ids {
		kind, exists := kinds[id]
		if exists && id != group {
			members = append(members, store.Member{ID: id, Kind: kind})
		}
	}
	return named{members, len(ids) - len(members)}
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
func replaceMembers(
	ctx context.Context, tx store.Tx, group string, members []store.Member, budget *patch.Budget, changes *store.MemberChanges,
) (int, error) {
	current, err := allMembers(ctx, tx, group, budget)
	if err != nil {
		return 0, err
	}
	missing := make(map[string]store.Member, len(members))
	for _, m := range members {
		missing[m.ID] = m
	}
	var gone []string
	for _, m := range current {
		if _, stays := missing[m.ID]; stays {
			delete(missing, m.ID)
		} else {
			gone = append(gone, m.ID)
		}
	}
	removed, err := removeMembers(ctx, tx, group, gone, changes)
	if err != nil {
		return 0, err
	}
	added, err := tx.AddMembers(ctx, group, slices.Collect(maps.Values(missing)), changes)
	return removed + added, err
}

// removeMatching removes the members that a filter selects by more than their ids, or those of them that are named besides.
func removeMatching(
	ctx context.Context, tx store.Tx, group string, op patch.MemberOp, budget *patch.Budget, changes *store.MemberChanges,
) (int, error) {
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
	return removeMembers(ctx, tx, group, gone, changes)
}

func removeMembers(ctx context.Context, tx store.Tx, group string, ids []string, changes *store.MemberChanges) (int, error) {
	if len(ids) > maxGone {
		return 0, tooManyGone()
	}
	return tx.RemoveMembers(ctx, group, ids, changes)
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
