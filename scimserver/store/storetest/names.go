package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

func group(n int, name, external string) *store.Record {
	obj := schema.Object{"displayName": name}
	if external != "" {
		obj["externalId"] = external
	}
	return record(store.Group, n, obj)
}

func named(n int, name string) *store.Record {
	return record(store.User, n, schema.Object{"userName": name})
}

// older is a record as the version before wrote it, which took names in two normalization forms for two.
func older(r *store.Record, name string) *store.Record {
	r.Key = schema.Fold(name)
	return r
}

var nameTests = []testCase{
	{"groups have one key where each has an external id of its own, and no others do", func(t *testing.T, s store.Store) {
		insert(t, s, group(1, "Buyers", "a"), group(2, "buyers", "b"), group(3, "BUYERS", "A"), group(4, "Sellers", ""), group(5, "Others", "a"))
		for what, c := range map[string]struct {
			record *store.Record
			taker  int
		}{
			"one external id twice":            {group(9, "Buyers", "b"), 2},
			"none beside some":                 {group(9, "Buyers", ""), 1},
			"some beside none":                 {group(9, "Sellers", "a"), 4},
			"none beside none":                 {group(9, "Sellers", ""), 4},
			"renamed to the same":              {group(5, "buyers", "a"), 1},
			"renamed to one without":           {group(5, "sellers", "a"), 4},
			"renamed, and without from now on": {group(5, "Buyers", ""), 1},
			"without from now on":              {group(2, "buyers", ""), 1},
			"another's from now on":            {group(2, "buyers", "A"), 3},
		} {
			change := func(tx store.Tx) error { return tx.Replace(context.Background(), c.record) }
			if c.record.ID == id(9) {
				change = func(tx store.Tx) error { return tx.Insert(context.Background(), c.record) }
			}
			err := s.Update(context.Background(), change)
			isTaken(t, what, err, store.Group, c.taker)
		}
		equal(t, "groups", 5, find(t, s, store.Query{Kind: store.Group}).Total)
		replace(t, s, group(5, "buyers", "c"))
		replace(t, s, group(2, "Buyers", "d"))
		isUnambiguous(t, s)
		replace(t, s, group(2, "purchasers", ""))
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.Group, id(1)) })
		// The first of the name is gone, and what is left is still in the way of what it was in the way of.
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), group(9, "buyers", "")) })
		isTaken(t, "after the first was deleted", err, store.Group, 3)
		insert(t, s, group(6, "Buyers", "a"), group(7, "Buyers", "b"))
		isUnambiguous(t, s)
	}},
	{"filters, lists and memberships know groups of one name apart", func(t *testing.T, s store.Store) {
		insert(t, s, group(1, "Buyers", "z"), group(2, "Auditors", ""), group(3, "buyers", "y"), group(4, "BUYERS", "x"), named(5, "anna"))
		replace(t, s, group(2, "buyers", "w"))
		for _, g := range []int{1, 2, 3} {
			addMembers(t, s, g, store.Member{ID: id(5), Kind: store.User})
		}
		buyers := parse(t, store.Group, `displayName eq "Buyers"`)
		for limit := 1; limit < 5; limit++ {
			page := find(t, s, store.Query{Kind: store.Group, Filter: buyers, Limit: limit})
			equal(t, "in all", 4, page.Total)
			equal(t, "first page", []int{1, 2, 3, 4}[:limit], numbers(t, page.Records))
			page = find(t, s, store.Query{Kind: store.Group, Filter: buyers, After: id(2), Limit: limit})
			equal(t, "a step of a walk", []int{3, 4}[:min(limit, 2)], numbers(t, page.Records))
		}
		both := find(t, s, store.Query{Kind: store.Group, Filter: parse(t, store.Group, `displayName eq "Buyers" and externalId eq "y"`), Limit: 9})
		equal(t, "by name and external id", []int{3}, numbers(t, both.Records))
		member := find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, `groups.display eq "buyers"`), Limit: 9})
		equal(t, "a member of three", []int{5}, numbers(t, member.Records))
		equal(t, "members counted", 1, member.Total)
		for _, descending := range []bool{false, true} {
			want := []int{1, 2, 3, 4}
			sorted := store.Query{Kind: store.Group, Sort: sortBy(store.Group, "displayName", descending), Limit: 9}
			if descending {
				want = []int{4, 3, 2, 1}
			}
			equal(t, "sorted", want, numbers(t, find(t, s, sorted).Records))
			sorted.Limit = 1
			equal(t, "walked", want, numbers(t, walk(t, s, sorted)))
		}
	}},
	{"many groups of one name are inserted at once", func(t *testing.T, s store.Store) {
		insertAll := func(records ...*store.Record) error {
			return s.Update(context.Background(), func(tx store.Tx) error {
				_, err := tx.InsertAll(context.Background(), records)
				return err
			})
		}
		isError(t, "of several external ids", insertAll(group(1, "Buyers", "a"), group(2, "buyers", "b"), group(3, "Sellers", "")), nil)
		isTaken(t, "twice", insertAll(group(4, "New", "a"), group(5, "New", "a")), store.Group, 4)
		isTaken(t, "beside one without", insertAll(group(4, "New", ""), group(5, "Sellers", "a")), store.Group, 3)
		equal(t, "groups", 3, find(t, s, store.Query{Kind: store.Group}).Total)
	}},
	{"keys of the version before are brought up to date, and nothing else", func(t *testing.T, s store.Store) {
		old := older(named(2, "zoe\u0308"), "zoe\u0308")
		old.Version, old.ExternalID = 7, "e"
		insert(t, s, named(1, "anna"), old, older(group(3, "ＢＵＹＥＲＳ", "x"), "ＢＵＹＥＲＳ"), older(named(4, "Åsa"), "Åsa"))
		f := parse(t, store.User, `userName eq "ZOË"`)
		equal(t, "found before", 0, find(t, s, store.Query{Kind: store.User, Filter: f}).Total)
		rekey(t, s)
		rekey(t, s)
		equal(t, "found after", []int{2}, numbers(t, find(t, s, store.Query{Kind: store.User, Filter: f, Limit: 9}).Records))
		old.Key = "zoË"
		equal(t, "record", stored(old), get(t, s, store.User, 2))
		equal(t, "a group", "buyers", get(t, s, store.Group, 3).Key)
		equal(t, "one that never changed", schema.Fold("Åsa"), get(t, s, store.User, 4).Key)
		isUnambiguous(t, s)
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), named(9, "zoë")) })
		isTaken(t, "in its way", err, store.User, 2)
	}},
	{"keys of the version before are looked at in steps, each once", func(t *testing.T, s store.Store) {
		for n := range 7 {
			name := fmt.Sprintf("zoe\u0308 %d", n)
			insert(t, s, older(named(n, name), name), named(100+n, fmt.Sprint("anna", n)))
		}
		steps := []string{}
		update(t, s, func(tx store.Tx) error {
			steps = nil
			for after := store.Start; after != ""; {
				next, err := tx.Rekey(context.Background(), store.User, after, 3)
				if err != nil {
					return err
				}
				steps, after = append(steps, next), next
			}
			return nil
		})
		equal(t, "steps", []string{id(2), id(5), ""}, steps)
		for n := range 7 {
			equal(t, "key", fmt.Sprintf("zoË %d", n), get(t, s, store.User, n).Key)
		}
	}},
	{"two who had one name before keep it until one changes it", func(t *testing.T, s store.Store) {
		composed, decomposed := "zoë", "zoe\u0308"
		insert(t, s, named(1, composed), older(named(2, decomposed), decomposed), older(named(3, "ｚｏë"), "ｚｏë"), named(8, "anna"))
		rekey(t, s)
		areAmbiguous(t, s, store.User, 1, 2, 3)
		rekey(t, s)
		areAmbiguous(t, s, store.User, 1, 2, 3)
		for _, name := range []string{composed, decomposed, "ZOË"} {
			f := parse(t, store.User, `userName eq "`+name+`"`)
			equal(t, "all are found by "+name, []int{1, 2, 3}, numbers(t, find(t, s, store.Query{Kind: store.User, Filter: f, Limit: 9}).Records))
		}
		changed := named(2, decomposed)
		changed.Version, changed.ExternalID = 2, "e"
		replace(t, s, changed)
		taken := func(what string, taker int, change func(tx store.Tx) error) {
			t.Helper()
			isTaken(t, what, s.Update(context.Background(), change), store.User, taker)
		}
		another := func(tx store.Tx) error { return tx.Insert(context.Background(), named(4, "Zoë")) }
		taken("a fourth", 1, another)
		taken("renamed to it", 1, func(tx store.Tx) error { return tx.Replace(context.Background(), named(8, "Zoë")) })
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(1)) })
		areAmbiguous(t, s, store.User, 2, 3)
		taken("another, after the first was deleted", 2, another)
		replace(t, s, named(2, "elsewhere"))
		isUnambiguous(t, s)
		taken("another, where one is left", 3, another)
		taken("back again", 3, func(tx store.Tx) error { return tx.Replace(context.Background(), named(2, decomposed)) })
		replace(t, s, named(3, "left"))
		insert(t, s, named(4, "Zoë"))
		replace(t, s, named(8, "anna"))
		isUnambiguous(t, s)
	}},
	{"groups that had one name before become ordinary by external ids too", func(t *testing.T, s store.Store) {
		insert(t, s, group(1, "zoë", ""), older(group(2, "zoe\u0308", ""), "zoe\u0308"), older(group(3, "ｚoë", "c"), "ｚoë"))
		rekey(t, s)
		areAmbiguous(t, s, store.Group, 1, 2, 3)
		replace(t, s, group(1, "zoë", "a"))
		areAmbiguous(t, s, store.Group, 1, 2, 3)
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Replace(context.Background(), group(2, "zoe\u0308", "a")) })
		isError(t, "one that two then have", err, nil) // as one without was in its way, it was in its own before
		areAmbiguous(t, s, store.Group, 1, 2)
		replace(t, s, group(2, "zoe\u0308", "b"))
		isUnambiguous(t, s)
		isTaken(t, "one that another has", s.Update(context.Background(), func(tx store.Tx) error {
			return tx.Replace(context.Background(), group(2, "zoe\u0308", "c"))
		}), store.Group, 3)
		insert(t, s, group(4, "Zoë", "d"))
	}},
	{"what the version before wrote again is the same name", func(t *testing.T, s store.Store) {
		insert(t, s, named(1, "zoë"), older(named(2, "zoe\u0308"), "zoe\u0308"))
		replace(t, s, named(2, "zoe\u0308")) // before any start brought it up to date
		areAmbiguous(t, s, store.User, 1, 2)
	}},
}

// nameRaceTests are those in which several take one name at once.
var nameRaceTests = []testCase{
	{"of one that makes a group without external id and others that make it with one, only one kind succeeds", func(t *testing.T, s store.Store) {
		ctx := context.Background()
		for round := range 10 {
			name := fmt.Sprintf("Buyers %d", round)
			insert(t, s, group(1000+round, fmt.Sprintf("was %d", round), ""))
			parallel(t, 6, func(n int) error {
				r := group(round*10+n, name, map[bool]string{true: fmt.Sprint(n)}[n%3 > 0])
				err := s.Update(ctx, func(tx store.Tx) error {
					if n == 5 {
						renamed := group(1000+round, name, "")
						return tx.Replace(ctx, renamed)
					}
					return tx.Insert(ctx, r)
				})
				return unlessConflict(err)
			})
			found := find(t, s, store.Query{Kind: store.Group, Filter: parse(t, store.Group, `displayName eq "`+name+`"`), Limit: 9}).Records
			without := 0
			for _, r := range found {
				if r.ExternalID == "" {
					without++
				}
			}
			if len(found) == 0 || without > 0 && len(found) != 1 {
				t.Errorf("round %d: %d groups, %d of them without an external id", round, len(found), without)
			}
		}
		isUnambiguous(t, s)
	}},
	{"of groups of one name that all lose their external id at once, or get one, no two are left alike", func(t *testing.T, s store.Store) {
		ctx := context.Background()
		for round := range 10 {
			name := fmt.Sprintf("Buyers %d", round)
			for n := range 4 {
				insert(t, s, group(round*10+n, name, fmt.Sprint(n)))
			}
			parallel(t, 4, func(n int) error {
				return unlessConflict(s.Update(ctx, func(tx store.Tx) error {
					if _, err := tx.Get(ctx, store.Group, id(round*10+n)); err != nil {
						return err
					}
					switch {
					case n == 3:
						return tx.Delete(ctx, store.Group, id(round*10+n))
					case round%2 == 0:
						return tx.Replace(ctx, group(round*10+n, name, ""))
					default:
						return tx.Replace(ctx, group(round*10+n, name, "new"))
					}
				}))
			})
		}
		isUnambiguous(t, s)
	}},
	{"of users that take one name at once, one gets it, though another had it before", func(t *testing.T, s store.Store) {
		insert(t, s, named(1, "zoë"), older(named(2, "zoe\u0308"), "zoe\u0308"))
		rekey(t, s)
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(1)) })
		parallel(t, 8, func(n int) error {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				if n == 7 {
					return tx.Replace(context.Background(), named(2, "left"))
				}
				return tx.Insert(context.Background(), named(10+n, "Zoë"))
			})
			return unlessConflict(err)
		})
		isUnambiguous(t, s)
	}},
}

func rekey(t *testing.T, s store.Store) {
	t.Helper()
	isError(t, "rekey", store.Rekey(context.Background(), s.Update), nil)
}

func areAmbiguous(t *testing.T, s store.Store, kind store.Kind, want ...int) {
	t.Helper()
	ids, err := s.Ambiguous(context.Background(), kind, 10)
	isError(t, "ambiguous", err, nil)
	expected := []string{}
	for _, n := range want {
		expected = append(expected, id(n))
	}
	equal(t, "ambiguous", expected, ids)
	stats, err := s.Stats(context.Background())
	isError(t, "stats", err, nil)
	equal(t, "counted", int64(len(want)), stats.Ambiguous)
}

func isUnambiguous(t *testing.T, s store.Store) {
	t.Helper()
	areAmbiguous(t, s, store.User)
	areAmbiguous(t, s, store.Group)
}

// isTaken wants a resource to have what was asked for.
func isTaken(t testing.TB, what string, err error, kind store.Kind, by int) {
	t.Helper()
	conflict, ok := errors.AsType[*store.ConflictError](err)
	if !ok {
		t.Errorf("%s: %v is no *ConflictError", what, err)
		return
	}
	equal(t, what, store.ConflictError{Kind: kind, Existing: id(by)}, *conflict)
}

func unlessConflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
