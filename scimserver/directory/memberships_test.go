package directory_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

func numbered(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)<<16)
	b[6], b[8] = 0x70, 0x80
	return store.FormatID(b)
}

// company has users with the numbers up to 999,999 and groups with those above.
type company struct {
	*directory.Directory
	*counting
	t *testing.T
}

func newCompany(t *testing.T) company {
	t.Helper()
	d, c := openCounting(t)
	return company{d, c, t}
}

// has puts users, or groups with so many members each, into the directory. The first member of each group is user 1.
func (c company) has(kind store.Kind, first int, members ...int) (resources []directory.Resource) {
	c.t.Helper()
	err := c.Store.Update(c.t.Context(), func(tx store.Tx) error {
		resources = nil
		for i, n := range members {
			id := numbered(first + i)
			rec := &store.Record{Kind: kind, ID: id, Key: id, Active: true, Version: 1, Document: []byte(`{"displayName":"` + fmt.Sprint(first+i) + `"}`)}
			if err := tx.Insert(c.t.Context(), rec); err != nil {
				return err
			}
			of := make([]store.Member, n)
			for m := range of {
				of[m] = store.Member{ID: numbered(m + 1), Kind: store.User}
			}
			if _, err := tx.AddMembers(c.t.Context(), id, of, nil); err != nil {
				return err
			}
			resources = append(resources, directory.Resource{Kind: kind, ID: id})
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return resources
}

// TestMembersOfAPageAreReadInBoundedStatements: however they lie among the groups, there are few statements, and none has many rows.
func TestMembersOfAPageAreReadInBoundedStatements(t *testing.T) {
	same := func(n, members int) []int { return slices.Repeat([]int{members}, n) }
	for _, tt := range []struct {
		name       string
		members    []int
		statements int // at most
	}{
		{"no group", nil, 0},
		{"one small group", []int{3}, 1},
		{"one group with a thousand", []int{1000}, 2},
		{"one group with more", []int{9_999}, 2},
		{"one group of many thousands", []int{25_000}, 3},
		{"fifty groups without members", same(50, 0), 1},
		{"fifty small groups", same(50, 20), 1},
		{"a thousand groups", same(1000, 10), 1},
		{"fifty groups with more than a statement reads", same(50, 1000), 16},
		{"a large group at the beginning", append([]int{12_000}, same(50, 10)...), 11},
		{"a large group at the end", append(same(50, 10), 12_000), 10},
		{"large groups among small ones", append(append(same(20, 5), 12_000, 11_000), same(20, 5)...), 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCompany(t)
			groups := c.has(store.Group, 1_000_000, tt.members...)
			slices.Reverse(groups) // as a sorted list may have them
			reader := c.Memberships(groups, directory.Related{Members: true, Groups: true}, func(int64) bool { return true })
			for i := range groups {
				want := tt.members[len(groups)-1-i]
				read := 0
				err := reader.Members(t.Context(), groups[i].ID, func(links []store.Link) error {
					for _, link := range links {
						if read++; store.FormatID(link.Member) != numbered(read) || store.FormatID(link.Group) != groups[i].ID || link.Kind != store.User {
							t.Fatalf("member %d is %s of %s", read, store.FormatID(link.Member), store.FormatID(link.Group))
						}
					}
					return nil
				})
				if err != nil || read != want {
					t.Fatalf("read %d members of group %d, %v, want %d", read, i, err, want)
				}
			}
			if c.counting.members > tt.statements || c.counting.groups > 0 {
				t.Errorf("took %d statements, want at most %d", c.counting.members, tt.statements)
			}
		})
	}
}

func TestWithoutRoomMembersAreReadInSmallPortions(t *testing.T) {
	c := newCompany(t)
	groups := c.has(store.Group, 1_000_000, 25_000)
	for _, allowed := range []int64{0, 10_000 * directory.LinkSize} {
		most, read := 0, 0
		reader := c.Memberships(groups, directory.Related{Members: true}, func(bytes int64) bool { return bytes <= allowed })
		err := reader.Members(t.Context(), groups[0].ID, func(links []store.Link) error {
			most, read = max(most, len(links)), read+len(links)
			return nil
		})
		if err != nil || read != 25_000 || int64(most) > max(1000, allowed/directory.LinkSize) {
			t.Errorf("with room for %d bytes, %d members were read, up to %d together, %v", allowed, read, most, err)
		}
	}
}

// TestGroupsOfAPageAreReadInBoundedStatements: a group's name is read once for all users who are in it.
func TestGroupsOfAPageAreReadInBoundedStatements(t *testing.T) {
	for _, tt := range []struct {
		users, groups       int
		statements, records int // at most
	}{
		{1, 0, 1, 0}, {1, 3, 1, 1}, {1, 999, 1, 4}, {1, 1500, 2, 6},
		{100, 0, 1, 0}, {100, 3, 1, 1}, {1000, 9, 1, 1}, {100, 300, 14, 2},
	} {
		t.Run(fmt.Sprintf("%d users in %d groups each", tt.users, tt.groups), func(t *testing.T) {
			c := newCompany(t)
			users := c.has(store.User, 1, make([]int, tt.users)...)
			c.has(store.Group, 1_000_000, slices.Repeat([]int{tt.users}, tt.groups)...)
			reader := c.Memberships(users, directory.Related{Members: true, Groups: true}, func(int64) bool { return true })
			for i := range users {
				read := 0
				err := reader.Groups(t.Context(), users[i].ID, func(groups []directory.Membership) error {
					for _, group := range groups {
						if want := (directory.Membership{Group: numbered(1_000_000 + read), Display: fmt.Sprint(1_000_000 + read)}); group != want {
							t.Fatalf("group %d is %+v, want %+v", read, group, want)
						}
						read++
					}
					return nil
				})
				if err != nil || read != tt.groups {
					t.Fatalf("read %d groups of user %d, %v, want %d", read, i, err, tt.groups)
				}
			}
			if c.counting.groups > tt.statements || c.records > tt.records || c.counting.members > 0 {
				t.Errorf("took %d statements for memberships and %d for groups, want at most %d and %d", c.counting.groups, c.records, tt.statements, tt.records)
			}
		})
	}
}

func TestOnlyMembershipsThatAreWantedAreRead(t *testing.T) {
	c := newCompany(t)
	page := append(c.has(store.User, 1, 0, 0), c.has(store.Group, 1_000_000, 2, 1)...)
	for _, want := range []directory.Related{{}, {Members: true}, {Groups: true}, {Members: true, Groups: true}} {
		c.counting.members, c.counting.groups, c.records = 0, 0, 0
		reader := c.Memberships(page, want, func(int64) bool { return true })
		members, groups := 0, 0
		for i := range page {
			err := cmp.Or(
				reader.Members(t.Context(), page[i].ID, func(links []store.Link) error { members += len(links); return nil }),
				reader.Groups(t.Context(), page[i].ID, func(of []directory.Membership) error { groups += len(of); return nil }),
			)
			if err != nil {
				t.Fatal(err)
			}
		}
		read := directory.Related{Members: members == 3, Groups: groups == 3}
		asked := directory.Related{Members: c.counting.members == 1, Groups: c.counting.groups == 1 && c.records == 1}
		if read != want || asked != want {
			t.Errorf("want %+v: read %d members and %d groups by %d and %d statements", want, members, groups, c.counting.members, c.counting.groups+c.records)
		}
	}
}

func TestAGroupThatIsDeletedMeanwhileIsLeftOut(t *testing.T) {
	c := newCompany(t)
	users := c.has(store.User, 1, 0)
	c.has(store.Group, 1_000_000, 1, 1)
	c.gone = func() {
		if err := c.Delete(t.Context(), directory.Caller{}, directory.Target{Kind: store.Group, ID: numbered(1_000_000)}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	err := c.Memberships(users, directory.Related{Groups: true}, nil).Groups(t.Context(), users[0].ID, func(groups []directory.Membership) error {
		for _, group := range groups {
			names = append(names, group.Display)
		}
		return nil
	})
	if err != nil || !slices.Equal(names, []string{"1000001"}) {
		t.Errorf("got %v, %v", names, err)
	}
}
