package patch

import (
	"slices"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// MemberOp is a change of a group's members.
type MemberOp struct {
	// Op: Add and Remove change the given members only; Replace leaves exactly these.
	Op Op
	// All is set for a Remove of every member.
	All bool
	// IDs of the members, as they were sent, each once; of a Remove with a Filter, none where the filter alone selects them.
	IDs []string
	// Filter selects the members to remove where the client chose them by more than their ids; nil otherwise. Its paths
	// are those of filter.MatchElement. Of an Add, it is what those have to match who take the place of members that a path
	// selects by more than their ids.
	Filter filter.Filter
	// Replaces is set where the members take the place of others, so that one of them at least has to exist.
	Replaces bool
	// MustMatch is set where a removal that finds nobody is the error noTarget, because others were to take their place.
	MustMatch bool
}

// MaxMemberScans is how many operations of one request may go through all members of a group: those that replace them,
// and those that choose them by more than their ids.
const MaxMemberScans = 10

// SplitMembers separates the changes of a group's members, which a store keeps as rows, from the rest. Both keep their
// order; a member operation and another one never touch the same attribute.
func (r Request) SplitMembers() (members []MemberOp, rest []Operation) {
	for _, op := range r.Operations {
		if isMembers(op.Path.Path) {
			members = append(members, memberOps(op)...)
		} else {
			rest = append(rest, op)
		}
	}
	return members, rest
}

func isMembers(p schema.Path) bool {
	return p.Schema != nil && p.Schema.ID == schema.CoreGroup && p.Attribute.Name == "members"
}

// scansMembers tells whether an operation goes through all members of a group.
func scansMembers(op Operation) bool {
	switch {
	case !isMembers(op.Path.Path):
		return false
	case op.Path.Element == nil:
		return op.Op == Replace
	}
	return op.Op != Add && selectedIDs(op.Path.Element) == nil
}

func memberOps(op Operation) []MemberOp {
	ids := memberIDs(op.Value)
	if op.Path.Element == nil {
		return []MemberOp{{Op: op.Op, IDs: ids, All: op.Op == Remove && op.Value == nil, Replaces: op.Op == Replace}}
	}
	selected := MemberOp{Op: Remove, IDs: selectedIDs(op.Path.Element)}
	if selected.IDs == nil {
		selected.Filter = op.Path.Element
	}
	switch op.Op {
	case Remove:
		if op.Value != nil && selected.Filter != nil {
			selected.IDs = ids
		} else if op.Value != nil {
			selected.IDs = slices.DeleteFunc(selected.IDs, func(id string) bool { return !slices.Contains(ids, id) })
		}
		return []MemberOp{selected}
	case Replace: // members[value eq "a"] becomes another member
		selected.IDs = slices.DeleteFunc(selected.IDs, func(id string) bool { return slices.Contains(ids, id) })
		selected.MustMatch = selected.Filter != nil && !describe(op.Path.Element, schema.Object{})
		return []MemberOp{selected, {Op: Add, IDs: ids, Replaces: true, Filter: withoutIDs(selected.Filter)}}
	}
	return []MemberOp{{Op: Add, IDs: ids}}
}

// withoutIDs is what a filter asks of members beside their ids, which change when one takes the place of another.
func withoutIDs(f filter.Filter) filter.Filter {
	if f == nil || !describe(f, schema.Object{}) {
		return f
	}
	return filter.Rewrite(f, func(term filter.Filter) filter.Filter {
		if c, ok := term.(filter.Compare); ok && c.Path.Sub.Name == "value" {
			return filter.Constant(true)
		}
		return term
	})
}

// memberIDs takes the ids out of a canonical value: of members, of one element, or of members.value.
func memberIDs(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case schema.Object:
		if id, ok := v["value"].(string); ok {
			return []string{id}
		}
	case []any:
		ids := make([]string, 0, len(v))
		seen := make(map[string]bool, len(v))
		for _, element := range v {
			for _, id := range memberIDs(element) {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
		return ids
	}
	return nil
}

// selectedIDs returns the ids that a filter such as value eq "x" or value eq "y" selects, nil when it is another one.
func selectedIDs(f filter.Filter) []string {
	switch f := f.(type) {
	case filter.Compare:
		if f.Op == filter.Eq && f.Path.Sub.Name == "value" {
			return []string{f.Value.Text}
		}
	case filter.Or:
		var ids []string
		for _, term := range f.Terms {
			selected := selectedIDs(term)
			if selected == nil {
				return nil
			}
			ids = append(ids, selected...)
		}
		return ids
	}
	return nil
}
