package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// inactive is the record of a user who is inactive since so many hours after dawn, and was changed last an hour after that.
func inactive(n, hours int) *store.Record {
	r := record(store.User, n, schema.Object{"active": false})
	r.Deactivated = dawn.Add(time.Duration(hours) * time.Hour)
	r.Modified = r.Deactivated.Add(time.Hour)
	return r
}

func replace(t testing.TB, s store.Store, r *store.Record) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Replace(context.Background(), r) })
}

// deactivated are the users that are inactive since before so many hours after dawn.
func deactivated(t testing.TB, s store.Reader, hours, limit int) []int {
	t.Helper()
	ids, err := s.Deactivated(context.Background(), dawn.Add(time.Duration(hours)*time.Hour), limit)
	isError(t, "users that are inactive", err, nil)
	records := make([]store.Record, len(ids))
	for i, id := range ids {
		records[i].ID = id
	}
	return numbers(t, records)
}

var deactivatedTests = []testCase{
	{"since when a user is inactive is kept until it is active again", func(t *testing.T, s store.Store) {
		r := inactive(1, 2)
		insert(t, s, r)
		equal(t, "inserted", stored(r), get(t, s, store.User, 1))
		r.Version, r.Modified = 2, dawn.Add(9*time.Hour)
		replace(t, s, r)
		equal(t, "changed otherwise", stored(r), get(t, s, store.User, 1))
		r.Version, r.Active, r.Deactivated = 3, true, time.Time{}
		replace(t, s, r)
		equal(t, "active again", stored(r), get(t, s, store.User, 1))
		equal(t, "inactive users", []int{}, deactivated(t, s, 24, 10))
	}},
	{"an active user has no time of deactivation, even if one is given", func(t *testing.T, s store.Store) {
		r := record(store.User, 1, schema.Object{})
		want := stored(r)
		r.Deactivated = dawn
		insert(t, s, r)
		equal(t, "user", want, get(t, s, store.User, 1))
	}},
	{"a user whose time of deactivation is not known is inactive since the last change", func(t *testing.T, s store.Store) {
		r := record(store.User, 1, schema.Object{"active": false})
		r.Modified = dawn.Add(5 * time.Hour)
		insert(t, s, r)
		equal(t, "since", r.Modified, get(t, s, store.User, 1).Deactivated)
		equal(t, "five hours after dawn", []int{}, deactivated(t, s, 5, 10))
		equal(t, "six hours after dawn", []int{1}, deactivated(t, s, 6, 10))
	}},
	{"users are listed who are inactive since before a time, the longest first", func(t *testing.T, s store.Store) {
		insert(t, s, inactive(1, 3), inactive(2, 1), inactive(3, 2), inactive(4, 1), inactive(5, 4),
			record(store.User, 6, schema.Object{}), record(store.Group, 7, schema.Object{}))
		equal(t, "before the first", []int{}, deactivated(t, s, 1, 10))
		equal(t, "before the last", []int{2, 4, 3, 1}, deactivated(t, s, 4, 10))
		equal(t, "at most three", []int{2, 4, 3}, deactivated(t, s, 24, 3))
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(2)) })
		equal(t, "after one was deleted", []int{4, 3, 1, 5}, deactivated(t, s, 24, 10))
	}},
}

// OlderServerWrites checks that what a server wrote that does not know of Record.Deactivated makes no user inactive for longer
// than it is. exec executes a statement of that server on the engine's own table of resources.
func OlderServerWrites(t *testing.T, s store.Store, exec func(statement string)) {
	t.Helper()
	for n := range 5 {
		r := inactive(n, 1) // last changed two hours after dawn
		if n == 4 {
			r = record(store.User, 4, schema.Object{})
		}
		r.Defaults = fmt.Sprint("of user ", n)
		insert(t, s, r)
	}
	set := func(n int, active bool, version, hours int) {
		exec(fmt.Sprintf("UPDATE resources SET active = %v, version = %d, modified = %d WHERE defaults = 'of user %d'",
			active, version, dawn.Add(time.Duration(hours)*time.Hour).UnixMicro(), n))
	}
	set(1, false, 2, 10) // another attribute
	set(2, true, 2, 10)
	set(2, false, 3, 20)
	set(3, true, 2, 10)
	set(4, false, 2, 30)
	for n, want := range map[int]time.Time{
		0: dawn.Add(time.Hour), 1: dawn.Add(10 * time.Hour), 2: dawn.Add(20 * time.Hour), 3: {}, 4: dawn.Add(30 * time.Hour),
	} {
		equal(t, fmt.Sprintf("user %d is inactive since", n), want, get(t, s, store.User, n).Deactivated)
	}
	equal(t, "inactive for long", []int{0, 1}, deactivated(t, s, 20, 10))

	// And a server that knows of it goes on from there.
	r := get(t, s, store.User, 2)
	r.Version, r.Modified = 4, dawn.Add(40*time.Hour)
	replace(t, s, &r)
	equal(t, "after a change by this server", dawn.Add(20*time.Hour), get(t, s, store.User, 2).Deactivated)
}
