package store

import (
	"bytes"
	"errors"
	"slices"
)

// MaxMemberChanges is how many changed members one entry of the provisioning log names. A reader of an entry that changed more reads the
// group, which is hardly longer than such a list.
const MaxMemberChanges = 1000

// MaxCollected is how many steps of one update are kept until it is known what they come to: a member that is removed and added again is
// two steps and no change.
const MaxCollected = 10 * MaxMemberChanges

// MemberChange says that a resource has become a direct member of a group, or is none any more.
type MemberChange struct {
	ID    [16]byte // of the member
	Added bool     // false: removed
}

// MemberChanges collects what one update does to the members of one group, for the group's entry in the provisioning log. The zero value is
// ready for use; nil collects nothing.
type MemberChanges struct {
	steps []MemberChange
	many  bool // more than are kept
}

// Collects reports whether Step has an effect. An engine need not find out which members it changes where it has none.
func (c *MemberChanges) Collects() bool { return c != nil && !c.many }

// Step notes that a resource became a member, or ceased to be one. Steps about one resource alternate.
func (c *MemberChanges) Step(id [16]byte, added bool) {
	if !c.Collects() {
		return
	}
	if len(c.steps) == MaxCollected {
		c.TooMany()
		return
	}
	c.steps = append(c.steps, MemberChange{id, added})
}

// TooMany notes more changes than are kept.
func (c *MemberChanges) TooMany() {
	if c != nil {
		c.steps, c.many = nil, true
	}
}

// Net returns what the steps come to, in the order of ids, each id once; a member that was added and removed again, or removed and added, has
// not changed. list is nil, too, where more than MaxMemberChanges changed. changed reports whether any did.
func (c *MemberChanges) Net() (list []MemberChange, changed bool) {
	slices.SortStableFunc(c.steps, func(a, b MemberChange) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	list = c.steps[:0]
	for i := 0; i < len(c.steps); {
		after := i + 1
		for after < len(c.steps) && c.steps[after].ID == c.steps[i].ID {
			after++
		}
		if (after-i)%2 == 1 {
			list = append(list, c.steps[i])
		}
		i = after
	}
	c.steps = list
	if len(list) == 0 || len(list) > MaxMemberChanges {
		return nil, c.many || len(list) > 0
	}
	return list, true
}

// memberChangeSize is how many bytes an encoded change has: 1 for an added and 0 for a removed member, then its id.
const memberChangeSize = 1 + 16

// ErrMemberChanges is what is wrong with a row of the provisioning log that no EncodeMemberChanges wrote.
var ErrMemberChanges = errors.New("the members in an entry of the provisioning log cannot be read")

// EncodeMemberChanges is how engines keep Entry.Members: 17 bytes each, and nil for none.
func EncodeMemberChanges(list []MemberChange) []byte {
	if len(list) == 0 {
		return nil
	}
	encoded := make([]byte, 0, len(list)*memberChangeSize)
	for i := range list {
		added := byte(0)
		if list[i].Added {
			added = 1
		}
		encoded = append(append(encoded, added), list[i].ID[:]...)
	}
	return encoded
}

// DecodeMemberChanges reads what EncodeMemberChanges wrote.
func DecodeMemberChanges(encoded []byte) (list []MemberChange, err error) {
	if len(encoded)%memberChangeSize != 0 {
		return nil, ErrMemberChanges
	}
	if len(encoded) == 0 {
		return nil, nil
	}
	list = make([]MemberChange, 0, len(encoded)/memberChangeSize)
	for one := range slices.Chunk(encoded, memberChangeSize) {
		if one[0] > 1 {
			return nil, ErrMemberChanges
		}
		list = append(list, MemberChange{ID: [16]byte(one[1:]), Added: one[0] == 1})
	}
	return list, nil
}
