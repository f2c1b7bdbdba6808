package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// moving is one call that changes the members of group 1.
type moving func(tx store.Tx, changes *store.MemberChanges) (int, error)

func adding(kind store.Kind, numbers ...int) moving {
	return func(tx store.Tx, changes *store.MemberChanges) (int, error) {
		all := make([]store.Member, len(numbers))
		for i, n := range numbers {
			all[i] = store.Member{ID: id(n), Kind: kind}
		}
		return tx.AddMembers(context.Background(), id(1), all, changes)
	}
}

func removing(ids ...string) moving {
	return func(tx store.Tx, changes *store.MemberChanges) (int, error) {
		return tx.RemoveMembers(context.Background(), id(1), ids, changes)
	}
}

func clearing(limit int) moving {
	return func(tx store.Tx, changes *store.MemberChanges) (int, error) {
		return tx.ClearMembers(context.Background(), id(1), limit, changes)
	}
}

// moved makes all of it in one update, with its entry in the log, and returns how many members each step changed.
func moved(t testing.TB, s store.Store, steps ...moving) (counts []int) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		counts = nil
		var changes store.MemberChanges
		for _, step := range steps {
			n, err := step(tx, &changes)
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
		list, _ := changes.Net()
		return tx.Append(context.Background(), store.Entry{Time: dawn, Kind: store.Group, ResourceID: id(1), Members: list})
	})
	return counts
}

// told writes the members of an entry as +number and -number.
func told(e *store.Entry) []string {
	out := make([]string, len(e.Members))
	for i, m := range e.Members {
		sign := "-"
		if m.Added {
			sign = "+"
		}
		out[i] = sign + linked([]store.Link{{Member: m.ID}})[0][len("0:"):]
		out[i] = out[i][:len(out[i])-len(" unknown kind")]
	}
	return out
}

// replay is who the members of group 1 are according to the log.
func replay(t testing.TB, s store.Reader) map[string]bool {
	t.Helper()
	members := map[string]bool{}
	for after := int64(0); ; {
		entries := logged(t, s, after, 100)
		for i := range entries {
			after = entries[i].Sequence
			for _, m := range entries[i].Members {
				if members[store.FormatID(m.ID)] == m.Added {
					t.Fatalf("entry %d tells of %s what was so before", after, store.FormatID(m.ID))
				}
				members[store.FormatID(m.ID)] = m.Added
			}
		}
		if len(entries) < 100 {
			break
		}
	}
	for member, is := range members {
		if !is {
			delete(members, member)
		}
	}
	return members
}

func span(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

var memberChangeTests = []testCase{
	{"an update tells which members it added and removed, and no others", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}), record(store.Group, 2, schema.Object{}))
		for _, step := range []struct {
			name   string
			steps  []moving
			counts []int
			want   []string
		}{
			{"one is added", []moving{adding(store.User, 11)}, []int{1}, []string{"+11"}},
			{"who is there is added", []moving{adding(store.User, 11)}, []int{0}, []string{}},
			{"some are added", []moving{adding(store.User, 13, 11, 12, 13)}, []int{2}, []string{"+12", "+13"}},
			{"a group is added", []moving{adding(store.Group, 2)}, []int{1}, []string{"+2"}},
			{"none is removed", []moving{removing()}, []int{0}, []string{}},
			{"who is not there is removed", []moving{removing(id(14))}, []int{0}, []string{}},
			{"what is no id is removed", []moving{removing("nobody")}, []int{0}, []string{}},
			{"one is removed", []moving{removing(id(13))}, []int{1}, []string{"-13"}},
			{"some are removed", []moving{removing(id(2), "nobody", id(14), id(12), id(2))}, []int{2}, []string{"-2", "-12"}},
			{"several steps", []moving{
				removing(id(11)), adding(store.User, 11, 15), removing(id(15)), adding(store.User, 16, 17), removing(id(16)), adding(store.User, 16),
			}, []int{1, 2, 1, 2, 1, 1}, []string{"+16", "+17"}},
			{"all but one are cleared", []moving{clearing(2)}, []int{2}, []string{"-11", "-16"}},
			{"all are replaced", []moving{clearing(9), adding(store.User, 18, 19)}, []int{1, 2}, []string{"-17", "+18", "+19"}},
			{"all are replaced by themselves", []moving{clearing(9), adding(store.User, 18, 19)}, []int{2, 2}, []string{}},
			{"none is left", []moving{clearing(9)}, []int{2}, []string{"-18", "-19"}},
			{"nobody is left", []moving{clearing(9)}, []int{0}, []string{}},
		} {
			equal(t, "counts where "+step.name, step.counts, moved(t, s, step.steps...))
			entries := logged(t, s, 0, 100)
			equal(t, step.name, step.want, told(&entries[len(entries)-1]))
		}
		equal(t, "who is left according to the log", map[string]bool{}, replay(t, s))
	}},
	{"many members that change at once are counted and listed up to a bound", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		const most, kept = store.MaxMemberChanges, 10 * store.MaxMemberChanges
		var ids []string
		for _, n := range span(10, 10+most) {
			ids = append(ids, id(n))
		}
		for _, step := range []struct {
			steps  []moving
			counts []int
			listed int
		}{
			{[]moving{adding(store.User, span(10, 10+most)...)}, []int{most}, most},
			{[]moving{removing(ids...)}, []int{most}, most},
			{[]moving{adding(store.User, span(10, 11+most)...)}, []int{most + 1}, 0},
			{[]moving{adding(store.User, span(11+most, 2*most)...), removing(ids...)}, []int{most - 11, most}, 0},
			{[]moving{adding(store.User, span(0, kept+1)...)}, []int{kept + 1 - (most - 10)}, 0},
			{[]moving{adding(store.User, kept+10), clearing(2 * kept)}, []int{1, kept + 2}, 0},
			{[]moving{adding(store.User, span(0, kept+7)...), removing(ids...), clearing(2 * kept)}, []int{kept + 7, most, kept + 7 - most}, 0},
		} {
			equal(t, "counts", step.counts, moved(t, s, step.steps...))
			entries := logged(t, s, 0, 100)
			equal(t, "listed", step.listed, len(entries[len(entries)-1].Members))
		}
		equal(t, "members", []store.Member{}, members(t, s, 1))
	}},
	{"an update that fails tells of no members", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		err := s.Update(context.Background(), func(tx store.Tx) error {
			var changes store.MemberChanges
			if _, err := adding(store.User, 11, 12)(tx, &changes); err != nil {
				return err
			}
			list, _ := changes.Net()
			if err := tx.Append(context.Background(), store.Entry{Time: dawn, Members: list}); err != nil {
				return err
			}
			entries := logged(t, tx, 0, 10)
			equal(t, "inside of the update", []string{"+11", "+12"}, told(&entries[0]))
			return errExpected
		})
		isError(t, "update", err, errExpected)
		equal(t, "members", []store.Member{}, members(t, s, 1))
		equal(t, "entries", 0, len(logged(t, s, 0, 10)))
	}},
	{"a view and a trimmed log have the members of their entries", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		moved(t, s, adding(store.User, 11))
		moved(t, s, adding(store.User, 12, 13))
		isError(t, "view", s.View(context.Background(), func(r store.Reader) error {
			entries := logged(t, r, 0, 10)
			equal(t, "in a view", []string{"+12", "+13"}, told(&entries[1]))
			return nil
		}), nil)
		equal(t, "trimmed", 1, trim(t, s, dawn, 1, 100))
		entries := logged(t, s, 0, 10)
		equal(t, "left", 1, len(entries))
		equal(t, "of what is left", []string{"+12", "+13"}, told(&entries[0]))
	}},
}

var memberRaceTests = []testCase{
	{"who follows the log has the members of a group that many change at once", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		parallel(t, 8, func(n int) error {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for range 25 {
				some := span(100, 100+1+random.IntN(3))
				for i := range some {
					some[i] += random.IntN(10)
				}
				steps := []moving{adding(store.User, some...), removing(id(some[0]), id(100+random.IntN(10)))}
				if random.IntN(2) == 0 {
					steps = steps[random.IntN(2):][:1]
				}
				err := s.Update(context.Background(), func(tx store.Tx) error {
					// As a directory does: who changes the members of a group has read it, so others wait.
					if _, err := tx.Get(context.Background(), store.Group, id(1)); err != nil {
						return err
					}
					var changes store.MemberChanges
					for _, step := range steps {
						if _, err := step(tx, &changes); err != nil {
							return err
						}
					}
					list, changed := changes.Net()
					if !changed {
						return nil
					}
					return tx.Append(context.Background(), store.Entry{Time: dawn, Kind: store.Group, ResourceID: id(1), Members: list})
				})
				if err != nil {
					return fmt.Errorf("writer %d: %w", n, err)
				}
			}
			return nil
		})
		want := map[string]bool{}
		for _, m := range members(t, s, 1) {
			want[m.ID] = true
		}
		equal(t, "members", want, replay(t, s))
	}},
}
