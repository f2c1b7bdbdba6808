package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var memberTests = []testCase{
	{"a walk over all memberships is in the order of groups and members, each once", func(t *testing.T, s store.Store) {
		var want []store.Membership
		for _, g := range []int{1, 2, 3, 5, 6} {
			insert(t, s, record(store.Group, g, schema.Object{}))
		}
		for _, n := range []int{10, 11, 12} {
			insert(t, s, record(store.User, n, schema.Object{}))
		}
		addMembers(t, s, 3, store.Member{ID: id(10), Kind: store.User})
		addMembers(t, s, 6, store.Member{ID: id(11), Kind: store.User})
		update(t, s, func(tx store.Tx) error {
			return errors.Join(tx.Delete(context.Background(), store.User, id(10)), tx.Delete(context.Background(), store.Group, id(6)))
		})
		for _, g := range []int{5, 1, 3} { // group 2 has nobody
			addMembers(t, s, g, store.Member{ID: id(12), Kind: store.User}, store.Member{ID: id(2), Kind: store.Group})
			addMembers(t, s, g, store.Member{ID: id(11), Kind: store.User})
		}
		for _, g := range []int{1, 3, 5} {
			for _, m := range []store.Member{{ID: id(2), Kind: store.Group}, {ID: id(11), Kind: store.User}, {ID: id(12), Kind: store.User}} {
				want = append(want, store.Membership{Group: id(g), Member: m})
			}
		}
		for _, limit := range []int{1, 2, 3, 4, 9, 100} {
			var got []store.Membership
			var after store.Membership
			for {
				step, err := s.Memberships(context.Background(), after, limit)
				isError(t, "step", err, nil)
				if len(step) == 0 {
					break
				}
				got, after = append(got, step...), step[len(step)-1]
			}
			equal(t, fmt.Sprintf("in steps of %d", limit), want, got)
		}
	}},
	{"adding and removing members is idempotent and counts what changed", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}),
			record(store.User, 3, schema.Object{}), record(store.User, 4, schema.Object{}))
		user3, user4, group2 := store.Member{ID: id(3), Kind: store.User}, store.Member{ID: id(4), Kind: store.User}, store.Member{ID: id(2), Kind: store.Group}
		equal(t, "added", 2, addMembers(t, s, 1, user4, group2))
		equal(t, "added again", 1, addMembers(t, s, 1, user4, user3, user3))
		equal(t, "members, in the order of ids", []store.Member{group2, user3, user4}, members(t, s, 1))
		var removed int
		update(t, s, func(tx store.Tx) (err error) {
			removed, err = tx.RemoveMembers(context.Background(), id(1), []string{id(3), id(9), "nobody", id(3)}, nil)
			return err
		})
		equal(t, "removed", 1, removed)
		equal(t, "members left", []store.Member{group2, user4}, members(t, s, 1))
		update(t, s, func(tx store.Tx) (err error) {
			removed, err = tx.ClearMembers(context.Background(), id(1), 1, nil)
			return err
		})
		equal(t, "cleared, one at most", 1, removed)
		equal(t, "members left", []store.Member{user4}, members(t, s, 1))
		update(t, s, func(tx store.Tx) (err error) {
			removed, err = tx.ClearMembers(context.Background(), id(1), 9, nil)
			return err
		})
		equal(t, "cleared", 1, removed)
		equal(t, "members", []store.Member{}, members(t, s, 1))
	}},
	{"an empty list of members removes nobody", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.User, 2, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.User})
		update(t, s, func(tx store.Tx) error {
			_, err := tx.RemoveMembers(context.Background(), id(1), nil, nil)
			return err
		})
		equal(t, "members", 1, len(members(t, s, 1)))
	}},
	{"groups are found from the member's side", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}))
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.Group}, store.Member{ID: id(3), Kind: store.User})
		equal(t, "groups of the user", []int{1, 2}, groupsOf(t, s, 3))
		equal(t, "groups of the group", []int{1}, groupsOf(t, s, 2))
		equal(t, "groups of nobody", []int{}, groupsOf(t, s, 9))
	}},
	{"a look-up of one resource tells whether a group has it", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), named(3, "anna"), named(4, "bo"))
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.Group}, store.Member{ID: id(3), Kind: store.User})
		tell := func(kind store.Kind, n int, name string) (told []bool) {
			t.Helper()
			r, err := s.Get(context.Background(), kind, id(n))
			isError(t, "get", err, nil)
			told = append(told, r.Ungrouped)
			if name != "" {
				page := find(t, s, store.Query{Kind: kind, Filter: parse(t, kind, `userName eq "`+name+`"`), Limit: 1})
				told = append(told, page.Records[0].Ungrouped)
			}
			return told
		}
		equal(t, "a member", []bool{false, false}, tell(store.User, 3, "anna"))
		equal(t, "no member", []bool{true, true}, tell(store.User, 4, "bo"))
		equal(t, "a group that is a member", []bool{false}, tell(store.Group, 2, ""))
		equal(t, "a group that is none", []bool{true}, tell(store.Group, 1, ""))
		addMembers(t, s, 2, store.Member{ID: id(4), Kind: store.User})
		equal(t, "a member by now", []bool{false, false}, tell(store.User, 4, "bo"))
		update(t, s, func(tx store.Tx) error {
			_, err := tx.RemoveMembers(context.Background(), id(1), []string{id(3)}, nil)
			return err
		})
		equal(t, "a member no more", []bool{true, true}, tell(store.User, 3, "anna"))
		for _, r := range find(t, s, store.Query{Kind: store.User, Limit: 9}).Records {
			equal(t, "in a list nobody looks", false, r.Ungrouped)
		}
	}},
	{"the members of a group are read in portions", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), record(store.Group, 3, schema.Object{}))
		for n := 10; n < 17; n++ {
			insert(t, s, record(store.User, n, schema.Object{}))
			addMembers(t, s, 1, store.Member{ID: id(n), Kind: store.User})
		}
		addMembers(t, s, 1, store.Member{ID: id(3), Kind: store.Group})
		addMembers(t, s, 2, store.Member{ID: id(11), Kind: store.User})
		read := func(groups []string, after string, limit int) []string {
			t.Helper()
			links, err := s.MembersOf(context.Background(), groups, after, limit)
			isError(t, "members", err, nil)
			return linked(links)
		}
		equal(t, "the first", []string{"1:3 Group", "1:10 User", "1:11 User"}, read([]string{id(1)}, "", 3))
		equal(t, "the next", []string{"1:12 User", "1:13 User", "1:14 User"}, read([]string{id(1)}, id(11), 3))
		equal(t, "the last", []string{"1:15 User", "1:16 User"}, read([]string{id(1)}, id(14), 3))
		equal(t, "none behind the last", []string{}, read([]string{id(1)}, id(16), 3))
		equal(t, "of a group without members", []string{}, read([]string{id(3)}, "", 3))
		equal(t, "of no group", []string{}, read([]string{"nobody"}, "", 3))
		equal(t, "of none", []string{}, read(nil, "", 3))
		all := read([]string{id(3), id(2), "nobody", id(1), id(2), id(9)}, "", 100)
		slices.Sort(all)
		equal(t, "of several", []string{
			"1:10 User", "1:11 User", "1:12 User", "1:13 User", "1:14 User", "1:15 User", "1:16 User", "1:3 Group", "2:11 User",
		}, all)
		equal(t, "at most so many of several", 4, len(read([]string{id(1), id(2)}, "", 4)))
	}},
	{"the groups of a member are read in portions", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}), record(store.User, 2, schema.Object{}))
		for n := 10; n < 15; n++ {
			insert(t, s, record(store.Group, n, schema.Object{}))
			addMembers(t, s, n, store.Member{ID: id(1), Kind: store.User})
		}
		addMembers(t, s, 12, store.Member{ID: id(2), Kind: store.User}, store.Member{ID: id(13), Kind: store.Group})
		read := func(members []string, after string, limit int) []string {
			t.Helper()
			links, err := s.GroupsOf(context.Background(), members, after, limit)
			isError(t, "groups", err, nil)
			for i := range links {
				links[i].Kind = store.User
			}
			return linked(links)
		}
		equal(t, "the first", []string{"10:1 User", "11:1 User"}, read([]string{id(1)}, "", 2))
		equal(t, "the next", []string{"12:1 User", "13:1 User"}, read([]string{id(1)}, id(11), 2))
		equal(t, "the last", []string{"14:1 User"}, read([]string{id(1)}, id(13), 2))
		equal(t, "of a group", []string{"12:13 User"}, read([]string{id(13)}, "", 2))
		equal(t, "of nobody", []string{}, read([]string{"nobody"}, "", 2))
		all := read([]string{id(2), "nobody", id(1), id(2)}, "", 100)
		slices.Sort(all)
		equal(t, "of several", []string{"10:1 User", "11:1 User", "12:1 User", "12:2 User", "13:1 User", "14:1 User"}, all)
		equal(t, "at most so many of several", 4, len(read([]string{id(1), id(2)}, "", 4)))
	}},
	{"several records are read together", func(t *testing.T, s store.Store) {
		one := record(store.Group, 1, schema.Object{"displayName": "One"})
		insert(t, s, one, record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}))
		found, err := s.Records(context.Background(), store.Group, []string{id(2), id(3), "nobody", id(1), id(1), id(9)})
		isError(t, "records", err, nil)
		slices.SortFunc(found, func(a, b store.Record) int { return strings.Compare(a.ID, b.ID) })
		equal(t, "records", []int{1, 2}, numbers(t, found))
		equal(t, "document", `{"displayName":"One"}`, string(found[0].Document))
		none, err := s.Records(context.Background(), store.Group, nil)
		isError(t, "no records", err, nil)
		equal(t, "no records", 0, len(none))
	}},
	{"a thousand members at once", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		var all []store.Member
		var ids []string
		for n := 10; n < 1010; n++ {
			all = append(all, store.Member{ID: id(n), Kind: store.User})
			ids = append(ids, id(n))
		}
		equal(t, "added", 1000, addMembers(t, s, 1, all...))
		equal(t, "added again", 0, addMembers(t, s, 1, all...))
		equal(t, "members", all, members(t, s, 1))
		update(t, s, func(tx store.Tx) error {
			removed, err := tx.RemoveMembers(context.Background(), id(1), ids[1:], nil)
			equal(t, "removed", 999, removed)
			return err
		})
		equal(t, "left", all[:1], members(t, s, 1))
	}},
	{"kinds tells which ids exist", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.User, 2, schema.Object{}))
		ask := []string{id(1), id(2), id(3), "nobody", "", id(2)}
		want := map[string]store.Kind{id(1): store.Group, id(2): store.User}
		got, err := s.Kinds(context.Background(), ask)
		isError(t, "kinds", err, nil)
		equal(t, "outside", want, got)
		update(t, s, func(tx store.Tx) error {
			if err := tx.Insert(context.Background(), record(store.User, 3, schema.Object{})); err != nil {
				return err
			}
			got, err := tx.Kinds(context.Background(), ask)
			want[id(3)] = store.User
			equal(t, "inside", want, got)
			return err
		})
	}},
	{"filters find groups by their members and users by their groups, whatever the operator", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{"displayName": "Buyers"}), record(store.Group, 2, schema.Object{"displayName": "Clerks"}),
			record(store.Group, 5, schema.Object{"displayName": "Nobody"}), record(store.User, 3, schema.Object{}),
			record(store.User, 4, schema.Object{}), record(store.User, 6, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(3), Kind: store.User}, store.Member{ID: id(2), Kind: store.Group})
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User}, store.Member{ID: id(4), Kind: store.User})
		groups := map[string][]int{
			`members eq "` + id(3) + `"`:                                     {1, 2},
			`members.value eq "` + id(2) + `"`:                               {1},
			`members[value eq "` + id(3) + `"]`:                              {1, 2},
			`id eq "` + id(1) + `" and members eq "` + id(3) + `"`:           {1},
			`id eq "` + id(2) + `" and members eq "` + id(6) + `"`:           {},
			`not (members eq "` + id(2) + `")`:                               {2, 5},
			`members eq "nobody" or id eq "` + id(2) + `"`:                   {2},
			`members eq "` + id(2) + `" or members eq "` + id(3) + `"`:       {1, 2},
			`displayName pr and not (members eq "` + id(6) + `")`:            {1, 2, 5},
			`displayName sw "b" and members eq "` + id(2) + `"`:              {1},
			`not (members eq "` + id(3) + `") or members eq "` + id(2) + `"`: {1, 5},
			`members pr`:                            {1, 2},
			`not (members pr)`:                      {5},
			`members.value pr and members.type pr`:  {1, 2},
			`members.value ne "` + id(3) + `"`:      {1, 2, 5}, // each has another, or none
			`members[value ne "` + id(3) + `"]`:     {1, 2},
			`members.value ne "nobody"`:             {1, 2, 5},
			`members.value sw "` + id(2)[:14] + `"`: {1},
			`members.value ew "` + id(3)[30:] + `" and members.value co "-7000-"`:      {1, 2},
			`members.value co "` + id(4)[4:20] + `"`:                                   {2},
			`members.value co "-8000-0000-"`:                                           {},
			`members.value gt "` + id(3) + `"`:                                         {2},
			`members.value lt "` + id(3) + `"`:                                         {1},
			`members.type eq "GROUP"`:                                                  {1},
			`members.type ne "user"`:                                                   {1, 5},
			`members[type ne "user"]`:                                                  {1},
			`members.type sw "us" and members.type ew "OUP"`:                           {1},
			`members[type eq "User" and value eq "` + id(2) + `"]`:                     {},
			`members[type eq "Group" and value eq "` + id(2) + `"]`:                    {1},
			`members[type eq "Group" or value eq "` + id(4) + `"]`:                     {1, 2},
			`members[not (type eq "User")]`:                                            {1},
			`not (members[type eq "User"])`:                                            {5},
			`members[value pr and not (value eq "` + id(3) + `" or type eq "Group")]`:  {2},
			`members.display pr`:                                                       {}, // which no answer has
			`members.display ne "x"`:                                                   {1, 2, 5},
			`members.display co "x"`:                                                   {},
			`members.$ref pr`:                                                          {1, 2},
			`members.$ref eq "` + location(store.User) + id(4) + `"`:                   {2},
			`members.$ref eq "` + location(store.Group) + id(4) + `"`:                  {},
			`members.$ref sw "` + location(store.Group) + `"`:                          {1},
			`members[$ref co "/Users/" and $ref ew "` + id(4)[9:] + `"]`:               {2},
			`members.$ref ne "` + location(store.User) + id(4) + `"`:                   {1, 2, 5},
			`meta.location ew "` + id(5) + `" and not (members pr)`:                    {5},
			`meta.version co "x" or members eq "` + id(2) + `"`:                        {1}, // of which the engine decides a half
			`members eq "` + id(3) + `" and not (meta.version co "x") and members pr`:  {1, 2},
			`not (members[type eq "Group"] or meta.version co "x") and displayName pr`: {2, 5},
		}
		users := map[string][]int{
			`groups eq "` + id(1) + `"`:                                     {3},
			`groups pr`:                                                     {3, 4},
			`not (groups pr)`:                                               {6},
			`groups.value ne "` + id(2) + `"`:                               {3, 6},
			`groups.display eq "CLERKS"`:                                    {3, 4},
			`groups.display ne "clerks"`:                                    {3, 6},
			`groups.display sw "bu" or groups.display co "LERK"`:            {3, 4},
			`groups.display ew "ers"`:                                       {3},
			`groups.display gt "buyers"`:                                    {3, 4},
			`groups.display eq "nobody"`:                                    {},
			`groups.display pr and groups.type eq "Direct"`:                 {3, 4},
			`groups.type eq "indirect"`:                                     {},
			`groups[display eq "Buyers" and value eq "` + id(1) + `"]`:      {3},
			`groups[display eq "Buyers" and value eq "` + id(2) + `"]`:      {},
			`groups[not (display eq "clerks")]`:                             {3},
			`groups.$ref ew "/Groups/` + id(1) + `"`:                        {3},
			`groups.$ref sw "` + location(store.User) + `"`:                 {},
			`x509Certificates.value pr or groups[display co "c"]`:           {3, 4}, // of which the engine decides a half
			`not (x509Certificates.value pr) and not (groups.display pr)`:   {6},
			`groups.display eq "clerks" and not (x509Certificates.type pr)`: {3, 4},
		}
		for kind, filters := range map[store.Kind]map[string][]int{store.Group: groups, store.User: users} {
			for text, want := range filters {
				f := parse(t, kind, text)
				q := store.Query{Kind: kind, Filter: f, Limit: 10, Match: match(f), Location: location}
				page := find(t, s, q)
				equal(t, text, want, numbers(t, page.Records))
				equal(t, "total of "+text, len(want), page.Total)
				q.Sort = sortBy(kind, "id", false)
				equal(t, "sorted: "+text, want, numbers(t, find(t, s, q).Records))
			}
		}
		page := find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, `groups eq "`+id(1)+`"`), Limit: 10})
		equal(t, "users of a group that has a group too, without Match", []int{3}, numbers(t, page.Records))
	}},
}

func addMembers(t testing.TB, s store.Store, group int, members ...store.Member) (added int) {
	t.Helper()
	update(t, s, func(tx store.Tx) (err error) {
		added, err = tx.AddMembers(context.Background(), id(group), members, nil)
		return err
	})
	return added
}

// linked writes links as group:member and the member's kind.
func linked(links []store.Link) []string {
	out := make([]string, len(links))
	for i, link := range links {
		out[i] = fmt.Sprintf("%d:%d %s", binary.BigEndian.Uint64(link.Group[:])>>16, binary.BigEndian.Uint64(link.Member[:])>>16, link.Kind)
	}
	return out
}

func members(t testing.TB, s store.Store, group int) []store.Member {
	t.Helper()
	members, err := s.Members(context.Background(), id(group))
	if err != nil {
		t.Fatalf("members of %d: %v", group, err)
	}
	return members
}

// groupsOf are those of the groups of a member that exist.
func groupsOf(t testing.TB, s store.Store, member int) []int {
	t.Helper()
	links, err := s.GroupsOf(context.Background(), []string{id(member)}, "", 1000)
	if err != nil {
		t.Fatalf("groups of %d: %v", member, err)
	}
	ids := make([]string, len(links))
	for i := range links {
		ids[i] = store.FormatID(links[i].Group)
	}
	records, err := s.Records(context.Background(), store.Group, ids)
	if err != nil {
		t.Fatalf("groups of %d: %v", member, err)
	}
	slices.SortFunc(records, func(a, b store.Record) int { return strings.Compare(a.ID, b.ID) })
	return numbers(t, records)
}
