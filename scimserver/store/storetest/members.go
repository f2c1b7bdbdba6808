package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var memberTests = []testCase{
	{"a walk over all memberships is in the order of groups and members, each once", func(t *testing.T, s store.Store) {
		var want []store.Membership
		for _, g := range []int{1, 2, 3, 5} {
			insert(t, s, record(store.Group, g, schema.Object{}))
		}
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
			removed, err = tx.RemoveMembers(context.Background(), id(1), []string{id(3), id(9), "nobody", id(3)})
			return err
		})
		equal(t, "removed", 1, removed)
		equal(t, "members left", []store.Member{group2, user4}, members(t, s, 1))
		update(t, s, func(tx store.Tx) (err error) {
			removed, err = tx.ClearMembers(context.Background(), id(1))
			return err
		})
		equal(t, "cleared", 2, removed)
		equal(t, "members", []store.Member{}, members(t, s, 1))
	}},
	{"an empty list of members removes nobody", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.User, 2, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.User})
		update(t, s, func(tx store.Tx) error {
			_, err := tx.RemoveMembers(context.Background(), id(1), nil)
			return err
		})
		equal(t, "members", 1, len(members(t, s, 1)))
	}},
	{"groups are found from the member's side, with their documents", func(t *testing.T, s store.Store) {
		outer := record(store.Group, 1, schema.Object{"displayName": "Outer"})
		insert(t, s, outer, record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}))
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.Group}, store.Member{ID: id(3), Kind: store.User})
		equal(t, "groups of the user", []int{1, 2}, groupsOf(t, s, 3))
		equal(t, "groups of the group", []int{1}, groupsOf(t, s, 2))
		equal(t, "groups of nobody", []int{}, groupsOf(t, s, 9))
		found, err := s.Groups(context.Background(), []string{id(2)})
		isError(t, "groups", err, nil)
		equal(t, "document", string(outer.Document), string(found[id(2)][0].Document))
	}},
	{"the groups of many are found together", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}),
			record(store.User, 3, schema.Object{}), record(store.User, 4, schema.Object{}), record(store.User, 5, schema.Object{}))
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User}, store.Member{ID: id(4), Kind: store.User})
		addMembers(t, s, 1, store.Member{ID: id(3), Kind: store.User})
		found, err := s.Groups(context.Background(), []string{id(5), id(4), id(3), id(3), "nobody", "", id(9)})
		isError(t, "groups", err, nil)
		got := map[string][]string{}
		for member, groups := range found {
			for _, group := range groups {
				got[member] = append(got[member], group.ID)
			}
		}
		equal(t, "groups", map[string][]string{id(3): {id(1), id(2)}, id(4): {id(2)}}, got)
		none, err := s.Groups(context.Background(), nil)
		isError(t, "groups of none", err, nil)
		equal(t, "groups of none", 0, len(none))
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
			removed, err := tx.RemoveMembers(context.Background(), id(1), ids[1:])
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
	{"filters find groups by member and users by group", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}),
			record(store.User, 4, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(3), Kind: store.User}, store.Member{ID: id(2), Kind: store.Group})
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
		for text, want := range map[string][]int{
			`members eq "` + id(3) + `"`:                                     {1, 2},
			`members.value eq "` + id(2) + `"`:                               {1},
			`members[value eq "` + id(3) + `"]`:                              {1, 2},
			`id eq "` + id(1) + `" and members eq "` + id(3) + `"`:           {1},
			`id eq "` + id(2) + `" and members eq "` + id(4) + `"`:           {},
			`not (members eq "` + id(2) + `")`:                               {2},
			`members eq "nobody" or id eq "` + id(2) + `"`:                   {2},
			`members eq "` + id(2) + `" or members eq "` + id(3) + `"`:       {1, 2},
			`displayName pr and not (members eq "` + id(4) + `")`:            {1, 2},
			`displayName sw "group" and members eq "` + id(2) + `"`:          {1},
			`not (members eq "` + id(3) + `") or members eq "` + id(2) + `"`: {1},
		} {
			page := find(t, s, store.Query{Kind: store.Group, Filter: parse(t, store.Group, text), Limit: 10, Match: membersMatch(t, s, text)})
			equal(t, text, want, numbers(t, page.Records))
			equal(t, text, len(want), page.Total)
		}
		page := find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, `groups eq "`+id(1)+`"`), Limit: 10})
		equal(t, "users of a group that has a group too", []int{3}, numbers(t, page.Records))
	}},
}

// membersMatch decides with the members that the groups have before the query begins, as Match must not ask the store.
func membersMatch(t *testing.T, s store.Store, text string) func(*store.Record) (bool, error) {
	t.Helper()
	parsed := parse(t, store.Group, text)
	values := map[string][]any{}
	for _, group := range find(t, s, store.Query{Kind: store.Group, Limit: 100}).Records {
		for _, m := range members(t, s, numbers(t, []store.Record{group})[0]) {
			values[group.ID] = append(values[group.ID], schema.Object{"value": m.ID})
		}
	}
	return func(r *store.Record) (bool, error) {
		return matchWith(parsed, r, schema.Object{"members": values[r.ID]})
	}
}

func addMembers(t testing.TB, s store.Store, group int, members ...store.Member) (added int) {
	t.Helper()
	update(t, s, func(tx store.Tx) (err error) {
		added, err = tx.AddMembers(context.Background(), id(group), members)
		return err
	})
	return added
}

func members(t testing.TB, s store.Store, group int) []store.Member {
	t.Helper()
	members, err := s.Members(context.Background(), id(group))
	if err != nil {
		t.Fatalf("members of %d: %v", group, err)
	}
	return members
}

func groupsOf(t testing.TB, s store.Store, member int) []int {
	t.Helper()
	groups, err := s.Groups(context.Background(), []string{id(member)})
	if err != nil {
		t.Fatalf("groups of %d: %v", member, err)
	}
	var records []store.Record
	for _, group := range groups[id(member)] {
		records = append(records, *group)
	}
	return numbers(t, records)
}
