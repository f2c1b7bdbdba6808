package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// leave has a resource leave groups, and returns how many that were.
func leave(t testing.TB, s store.Store, member, limit int, at time.Time) (left int) {
	t.Helper()
	update(t, s, func(tx store.Tx) (err error) {
		left, err = tx.LeaveGroups(context.Background(), id(member), limit, store.Entry{
			Time: at, Client: "token-1", RequestID: "r-1", Kind: store.Group, Operation: "unassign", Attributes: []string{"members", "more"},
			Defaults: "none", Outcome: "success",
		})
		return err
	})
	return left
}

// remove deletes a resource with its memberships, of which it has few.
func remove(tx store.Tx, kind store.Kind, id string) error {
	ctx := context.Background()
	_, left := tx.LeaveGroups(ctx, id, 1000, store.Entry{Time: dawn, Kind: store.Group, Operation: "unassign", Outcome: "success"})
	_, cleared := tx.ClearMembers(ctx, id, 1000, nil)
	return errors.Join(left, cleared, tx.Delete(ctx, kind, id))
}

var leaveTests = []testCase{
	{"a resource leaves its groups some at a time, each a new version with its entry in the log", func(t *testing.T, s store.Store) {
		ahead := dawn.Add(time.Hour)
		for n, modified := range map[int]time.Time{1: dawn, 2: dawn, 3: ahead, 4: dawn} {
			g := record(store.Group, n, schema.Object{})
			g.Version, g.Modified = int64(n), modified
			insert(t, s, g)
		}
		other := store.Member{ID: id(12), Kind: store.User}
		for _, n := range []int{1, 2, 3} {
			addMembers(t, s, n, store.Member{ID: id(11), Kind: store.User}, other)
		}
		addMembers(t, s, 4, other)
		noon := dawn.Add(time.Minute).Truncate(time.Millisecond)
		equal(t, "left", 2, leave(t, s, 11, 2, noon))
		equal(t, "groups left", []int{3}, groupsOf(t, s, 11))
		equal(t, "left", 1, leave(t, s, 11, 2, noon))
		equal(t, "left at last", 0, leave(t, s, 11, 2, noon))
		later := ahead.Truncate(time.Millisecond).Add(time.Millisecond)
		for n, want := range map[int]struct {
			version  int64
			modified time.Time
		}{1: {2, noon}, 2: {3, noon}, 3: {4, later}, 4: {4, dawn}} {
			g := get(t, s, store.Group, n)
			equal(t, "version", want.version, g.Version)
			equal(t, "modified", want.modified, g.Modified)
			equal(t, "members", []store.Member{other}, members(t, s, n))
		}
		entries, err := s.Log(context.Background(), 0, 100)
		isError(t, "log", err, nil)
		var want []store.Entry
		for i, g := range []struct {
			n  int
			at time.Time
		}{{1, noon}, {2, noon}, {3, later}} {
			want = append(want, store.Entry{
				Sequence: int64(i) + 1, Time: g.at, Client: "token-1", RequestID: "r-1", Kind: store.Group, ResourceID: id(g.n),
				Operation: "unassign", Attributes: []string{"members", "more"}, Members: []store.MemberChange{{ID: uuid(11)}}, Defaults: "none",
				Outcome: "success", Count: 1,
			})
		}
		equal(t, "log", want, entries)
	}},
	{"what is left of a deleted group has no version and no entry", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(3), Kind: store.User})
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.Group, id(1)) })
		equal(t, "left", 2, leave(t, s, 3, 9, dawn))
		equal(t, "left at last", 0, leave(t, s, 3, 9, dawn))
		entries, err := s.Log(context.Background(), 0, 100)
		isError(t, "log", err, nil)
		equal(t, "entries", 1, len(entries))
	}},
	{"a group that leaves its groups keeps its own members", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}), record(store.User, 3, schema.Object{}))
		addMembers(t, s, 1, store.Member{ID: id(2), Kind: store.Group})
		addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
		equal(t, "left", 1, leave(t, s, 2, 9, dawn))
		equal(t, "members", 1, len(members(t, s, 2)))
		equal(t, "nobody", 0, leave(t, s, 9, 9, dawn))
	}},
}
