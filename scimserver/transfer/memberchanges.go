package transfer

import (
	"bytes"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
)

// MemberChanges are the ids of members that a change added to a group and removed from it, each in order.
type MemberChanges struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

func newMemberChanges(list []store.MemberChange) *MemberChanges {
	if len(list) == 0 {
		return nil
	}
	var changes MemberChanges
	for i := range list {
		id := store.FormatID(list[i].ID)
		if list[i].Added {
			changes.Added = append(changes.Added, id)
		} else {
			changes.Removed = append(changes.Removed, id)
		}
	}
	return &changes
}

// restored returns the members in an entry of a group that comes from a file.
func (c *MemberChanges) restored(kind store.Kind) ([]store.MemberChange, error) {
	if c == nil {
		return nil, nil
	}
	switch n := len(c.Added) + len(c.Removed); {
	case kind != store.Group:
		return nil, damaged("only the entry of a group has members")
	case n == 0:
		return nil, damaged("members has neither added nor removed ones")
	case n > store.MaxMemberChanges:
		return nil, damaged("members has more than %d ids", store.MaxMemberChanges)
	}
	var list []store.MemberChange
	for _, some := range []struct {
		ids   []string
		added bool
	}{{c.Added, true}, {c.Removed, false}} {
		for _, text := range some.ids {
			id, valid := store.ParseID(text)
			if !valid {
				return nil, damaged("the id of a member is not a UUID in canonical form")
			}
			list = append(list, store.MemberChange{ID: id, Added: some.added})
		}
	}
	slices.SortFunc(list, func(a, b store.MemberChange) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range list[1:] {
		if list[i].ID == list[i+1].ID {
			return nil, damaged("members has an id twice")
		}
	}
	return list, nil
}
