package storetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var logTests = []testCase{
	{"the provisioning log keeps entries in order and whole", func(t *testing.T, s store.Store) {
		entry := store.Entry{
			Time: dawn, Client: "c", RequestID: "r", Kind: store.Group, ResourceID: id(1), Operation: "update",
			Attributes: []string{"displayName", `emails[type eq "work"].value`}, Defaults: "finance", Outcome: "success", Count: 1,
			Members: []store.MemberChange{{ID: uuid(2), Added: true}, {ID: uuid(3)}},
		}
		many := store.Entry{Time: dawn.Add(time.Second), Outcome: "failure", Count: 17}
		appendAll(t, s, entry, many, entry)
		first := logged(t, s, 0, 2)
		rest := logged(t, s, first[1].Sequence, 10)
		if len(first) != 2 || len(rest) != 1 || first[0].Sequence >= first[1].Sequence || first[1].Sequence >= rest[0].Sequence {
			t.Fatalf("first %+v, rest %+v", first, rest)
		}
		first[0].Sequence, first[1].Sequence = 0, 0
		equal(t, "entries", []store.Entry{entry, many}, first)
	}},
	{"an entry that counts nothing counts once", func(t *testing.T, s store.Store) {
		appendAll(t, s, store.Entry{Time: dawn})
		equal(t, "count", int64(1), logged(t, s, 0, 1)[0].Count)
	}},
	{"an entry that has a sequence number keeps it, and the next goes on from there", func(t *testing.T, s store.Store) {
		appendAll(t, s, store.Entry{Sequence: 41, Time: dawn}, store.Entry{Sequence: 1 << 40, Time: dawn})
		appendAll(t, s, store.Entry{Time: dawn}, store.Entry{Time: dawn})
		got := sequences(logged(t, s, 0, 10))
		if len(got) != 4 || got[0] != 41 || got[1] != 1<<40 || got[2] <= got[1] || got[3] <= got[2] {
			t.Errorf("sequences %d", got)
		}
	}},
	{"the log is read from its end in portions, as whole as from its beginning", func(t *testing.T, s store.Store) {
		for n := range 7 {
			appendAll(t, s, store.Entry{Time: dawn, RequestID: strconv.Itoa(n), Members: []store.MemberChange{{ID: uuid(n), Added: true}}})
		}
		read := func(r store.Reader, before int64, limit int) (entries []store.Entry) {
			t.Helper()
			entries, err := r.LogBack(context.Background(), before, limit)
			isError(t, "log", err, nil)
			return entries
		}
		update(t, s, func(tx store.Tx) error {
			if err := tx.Append(context.Background(), store.Entry{Time: dawn, RequestID: "7"}); err != nil {
				return err
			}
			newest := read(tx, math.MaxInt64, 2)
			if len(newest) != 2 || newest[0].RequestID != "7" || newest[1].RequestID != "6" {
				t.Errorf("an update sees %+v", newest)
			}
			return nil
		})
		isError(t, "view", s.View(context.Background(), func(r store.Reader) error {
			equal(t, "in a view", backwards(logged(t, r, 0, 10)), read(r, math.MaxInt64, 10))
			return nil
		}), nil)
		var all []store.Entry
		for before := int64(math.MaxInt64); ; {
			some := read(s, before, 3)
			if all = append(all, some...); len(some) < 3 {
				break
			}
			before = some[2].Sequence
		}
		equal(t, "in portions", backwards(logged(t, s, 0, 10)), all)
		equal(t, "before all", 0, len(read(s, all[7].Sequence, 3)))
	}},
	{"the newest entry is the one with the greatest sequence number", func(t *testing.T, s store.Store) {
		newest := func(r store.Reader) store.Entry {
			t.Helper()
			e, err := r.Newest(context.Background())
			isError(t, "newest", err, nil)
			return e
		}
		equal(t, "newest of none", store.Entry{}, newest(s))
		appendAll(t, s, store.Entry{Time: dawn, RequestID: "1"}, store.Entry{
			Time: dawn.Add(-time.Hour), RequestID: "2", Kind: store.User, ResourceID: id(1), Attributes: []string{"title"}, Outcome: "success",
		})
		all := logged(t, s, 0, 10) // which numbers them
		equal(t, "newest", all[1], newest(s))
		isError(t, "update", s.Update(context.Background(), func(tx store.Tx) error {
			if err := tx.Append(context.Background(), store.Entry{Time: dawn, RequestID: "3"}); err != nil {
				return err
			}
			equal(t, "newest in an update", "3", newest(tx).RequestID)
			return errExpected
		}), errExpected)
		equal(t, "newest after an update that failed", all[1], newest(s))
	}},
	{"trimming by age removes what was followed by something old, oldest first and no more than asked", func(t *testing.T, s store.Store) {
		for minute := range 10 {
			appendAll(t, s, store.Entry{Time: dawn.Add(time.Duration(minute) * time.Minute)})
		}
		all := sequences(logged(t, s, 0, 100))
		for _, step := range []struct{ limit, removed int }{{2, 2}, {100, 1}, {100, 0}} {
			equal(t, "removed", step.removed, trim(t, s, dawn.Add(4*time.Minute), 100, step.limit))
		}
		equal(t, "left", all[3:], sequences(logged(t, s, 0, 100)))
	}},
	{"trimming by number keeps so many, oldest go first and no more than asked", func(t *testing.T, s store.Store) {
		for range 10 {
			appendAll(t, s, store.Entry{Time: dawn})
		}
		all := sequences(logged(t, s, 0, 100))
		for _, step := range []struct{ limit, removed int }{{3, 3}, {100, 3}, {100, 0}} {
			equal(t, "removed", step.removed, trim(t, s, time.Time{}, 4, step.limit))
		}
		equal(t, "left", all[6:], sequences(logged(t, s, 0, 100)))
	}},
	{"trimming by long lists of members keeps so many, and what is younger than they are", func(t *testing.T, s store.Store) {
		list := func(members int) store.Entry {
			e := store.Entry{Time: dawn}
			for n := range members {
				e.Members = append(e.Members, store.MemberChange{ID: uuid(n)})
			}
			return e
		}
		for range 4 {
			appendAll(t, s, list(store.LongMembers), list(store.LongMembers+1), list(1), list(0))
		}
		all := sequences(logged(t, s, 0, 100))
		for _, step := range []struct{ long, limit, removed, left int }{
			{4, 100, 0, 0}, {2, 3, 3, 3}, {2, 100, 3, 6}, {2, 100, 0, 6}, {0, 100, 8, 14}, {0, 100, 0, 14},
		} {
			var removed int
			update(t, s, func(tx store.Tx) (err error) {
				removed, err = tx.TrimLog(context.Background(), store.Retention{Since: dawn, Entries: 100, Long: step.long}, step.limit)
				return err
			})
			equal(t, "removed", step.removed, removed)
			equal(t, "left", all[step.left:], sequences(logged(t, s, 0, 100)))
		}
	}},
	{"an entry that was the newest for long stays for as long as the next does by its age", func(t *testing.T, s store.Store) {
		appendAll(t, s, store.Entry{Time: dawn}, store.Entry{Time: dawn.Add(48 * time.Hour)}, store.Entry{Time: dawn.Add(49 * time.Hour)})
		all := sequences(logged(t, s, 0, 10))
		equal(t, "removed", 0, trim(t, s, dawn.Add(48*time.Hour), 100, 100))
		equal(t, "removed later", 1, trim(t, s, dawn.Add(49*time.Hour), 100, 100))
		equal(t, "left", all[1:], sequences(logged(t, s, 0, 10)))
	}},
	{"the newest entry always stays, so that sequence numbers go on", func(t *testing.T, s store.Store) {
		equal(t, "removed of none", 0, trim(t, s, dawn.Add(time.Hour), 0, 100))
		appendAll(t, s, store.Entry{Time: dawn}, store.Entry{Time: dawn})
		newest := logged(t, s, 0, 2)[1].Sequence
		equal(t, "removed", 1, trim(t, s, dawn.Add(time.Hour), 0, 100))
		equal(t, "removed again", 0, trim(t, s, dawn.Add(time.Hour), 0, 100))
		appendAll(t, s, store.Entry{Time: dawn})
		if got := sequences(logged(t, s, 0, 10)); len(got) != 2 || got[0] != newest || got[1] <= newest {
			t.Errorf("sequences %d, want %d and a greater one", got, newest)
		}
	}},
}

var followTests = []testCase{
	{"who follows the log while many write misses no entry", func(t *testing.T, s store.Store) {
		const writers, each = 8, 25
		done := make(chan map[string]bool)
		go func() {
			seen, after := map[string]bool{}, int64(0)
			for len(seen) < writers*each && !t.Failed() {
				entries, err := s.Log(context.Background(), after, 7)
				isError(t, "log", err, nil)
				for _, e := range entries {
					if e.Sequence != after+1 || seen[e.RequestID] {
						t.Errorf("entry %d of %s after %d", e.Sequence, e.RequestID, after)
					}
					seen[e.RequestID], after = true, e.Sequence
				}
				newest, err := s.LogBack(context.Background(), math.MaxInt64, 2)
				isError(t, "log from its end", err, nil)
				for _, e := range newest {
					again, err := s.Log(context.Background(), e.Sequence-1, 1)
					isError(t, "log", err, nil)
					if len(again) != 1 || again[0].RequestID != e.RequestID || again[0].Sequence != e.Sequence {
						t.Errorf("entry %d was %s, and is %+v", e.Sequence, e.RequestID, again)
					}
				}
				all, err := s.Log(context.Background(), 0, writers*each)
				isError(t, "log", err, nil)
				for _, e := range all {
					if e.Sequence <= after && !seen[e.RequestID] {
						t.Errorf("entry %d became visible after entry %d", e.Sequence, after)
					}
				}
			}
			done <- seen
		}()
		parallel(t, writers, func(n int) error {
			for i := range each {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return tx.Append(context.Background(), store.Entry{Time: dawn, RequestID: strconv.Itoa(n*each + i)})
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		equal(t, "seen", writers*each, len(<-done))
	}},
}

var viewTests = []testCase{
	{"a view sees the directory of one moment, and holds no writer up", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}), record(store.Group, 2, schema.Object{}))
		look := func(r store.Reader) []int {
			page := find(t, r, store.Query{Kind: store.User, After: store.Start, Limit: 10})
			members, err := r.Memberships(context.Background(), store.Membership{}, 10)
			isError(t, "memberships", err, nil)
			stats, err := r.Stats(context.Background())
			isError(t, "stats", err, nil)
			entries, err := r.Log(context.Background(), 0, 10)
			isError(t, "log", err, nil)
			return []int{len(page.Records), len(members), int(stats.Users), len(entries)}
		}
		err := s.View(context.Background(), func(r store.Reader) error {
			equal(t, "before", []int{1, 0, 1, 0}, look(r))
			insert(t, s, record(store.User, 3, schema.Object{}))
			addMembers(t, s, 2, store.Member{ID: id(3), Kind: store.User})
			appendAll(t, s, store.Entry{Time: dawn})
			equal(t, "in the view", []int{1, 0, 1, 0}, look(r))
			_, err := r.Get(context.Background(), store.User, id(3))
			isError(t, "get", err, store.ErrNotFound)
			equal(t, "outside", []int{2, 1, 2, 1}, look(s))
			return nil
		})
		isError(t, "view", err, nil)
		isError(t, "next view", s.View(context.Background(), func(r store.Reader) error {
			equal(t, "later", []int{2, 1, 2, 1}, look(r))
			return nil
		}), nil)
	}},
	{"a view returns what its function returns, and ends with its caller", func(t *testing.T, s store.Store) {
		isError(t, "view", s.View(context.Background(), func(store.Reader) error { return errExpected }), errExpected)
		ctx, cancel := context.WithCancel(context.Background())
		err := s.View(ctx, func(r store.Reader) error {
			cancel()
			_, err := r.Stats(ctx)
			return err
		})
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a view whose caller has gone: %v", err)
		}
		isError(t, "the next", s.View(context.Background(), func(r store.Reader) error {
			_, err := r.Stats(context.Background())
			return err
		}), nil)
	}},
}

func appendAll(t testing.TB, s store.Store, entries ...store.Entry) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, e := range entries {
			if err := tx.Append(context.Background(), e); err != nil {
				return err
			}
		}
		return nil
	})
}

func logged(t testing.TB, s store.Reader, after int64, limit int) []store.Entry {
	t.Helper()
	entries, err := s.Log(context.Background(), after, limit)
	isError(t, "log", err, nil)
	return entries
}

func backwards(entries []store.Entry) []store.Entry {
	slices.Reverse(entries)
	return entries
}

func sequences(entries []store.Entry) []int64 {
	out := make([]int64, len(entries))
	for i, e := range entries {
		out[i] = e.Sequence
	}
	return out
}

func trim(t testing.TB, s store.Store, before time.Time, keep, limit int) (removed int) {
	t.Helper()
	update(t, s, func(tx store.Tx) (err error) {
		removed, err = tx.TrimLog(context.Background(), store.Retention{Since: before, Entries: keep, Long: 100}, limit)
		return err
	})
	return removed
}
