package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var errExpected = errors.New("expected by the test")

var otherTests = []testCase{
	{"meta remembers", func(t *testing.T, s store.Store) {
		value, err := s.Meta(context.Background(), "a")
		isError(t, "meta", err, nil)
		equal(t, "never set", "", value)
		for _, value := range []string{"1", "2"} {
			update(t, s, func(tx store.Tx) error {
				if err := tx.SetMeta(context.Background(), "b", "other"); err != nil {
					return err
				}
				return tx.SetMeta(context.Background(), "a", value)
			})
		}
		value, err = s.Meta(context.Background(), "a")
		isError(t, "meta", err, nil)
		equal(t, "set", "2", value)
	}},
	{"meta is set unless something else holds", func(t *testing.T, s store.Store) {
		set := func(value string) {
			t.Helper()
			update(t, s, func(tx store.Tx) error {
				return tx.SetMetaUnless(context.Background(), "mark", value, "state", "good", "better")
			})
		}
		expect := func(when, want string) {
			t.Helper()
			value, err := s.Meta(context.Background(), "mark")
			isError(t, "meta", err, nil)
			equal(t, when, want, value)
		}
		set("1")
		expect("nothing is stored under the other key", "1")
		for _, step := range []struct{ state, want string }{{"bad", "bad"}, {"good", "bad"}, {"better", "bad"}, {"", ""}, {"worse", "worse"}} {
			update(t, s, func(tx store.Tx) error { return tx.SetMeta(context.Background(), "state", step.state) })
			set(step.state)
			expect("the other is "+step.state, step.want)
		}
	}},
	{"a walk misses nobody who is not marked", walkMissesNobodyUnmarked},
	{"stats count what there is", func(t *testing.T, s store.Store) {
		stats := func() store.Stats {
			t.Helper()
			stats, err := s.Stats(context.Background())
			isError(t, "stats", err, nil)
			return stats
		}
		equal(t, "nothing", store.Stats{}, stats())
		var all []*store.Record
		for n := 1; n <= 10; n++ {
			r := record(store.User, n, schema.Object{"active": n%2 == 0})
			r.Defaults, r.Matched = []string{"", "a", "b"}[n%3], []string{"", "b"}[n%2]
			all = append(all, r)
		}
		insert(t, s, append(all, record(store.Group, 20, schema.Object{}), record(store.Group, 21, schema.Object{}))...)
		addMembers(t, s, 20, store.Member{ID: id(1), Kind: store.User}, store.Member{ID: id(21), Kind: store.Group})
		want := store.Stats{
			Users: 10, ActiveUsers: 5, Groups: 2, Memberships: 2,
			Defaults: map[string]int64{"a": 4, "b": 3}, Matched: map[string]int64{"b": 5},
		}
		equal(t, "all", want, stats())
		stats().Defaults["a"] = 99
		equal(t, "all again", want, stats())
		update(t, s, func(tx store.Tx) error { return remove(tx, store.User, id(1)) })
		equal(t, "one less", store.Stats{
			Users: 9, ActiveUsers: 5, Groups: 2, Memberships: 1,
			Defaults: map[string]int64{"a": 3, "b": 3}, Matched: map[string]int64{"b": 4},
		}, stats())
	}},
	{"a store that works says so", func(t *testing.T, s store.Store) {
		isError(t, "check", s.Check(context.Background()), nil)
	}},
	{"a closed store is unavailable", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}))
		isError(t, "close", s.Close(), nil)
		isError(t, "close again", s.Close(), nil)
		_, err := s.Get(context.Background(), store.User, id(1))
		isError(t, "get", err, store.ErrUnavailable)
		_, err = s.Find(context.Background(), store.Query{Kind: store.User, Limit: 1})
		isError(t, "find", err, store.ErrUnavailable)
		isError(t, "update", s.Update(context.Background(), func(store.Tx) error { return nil }), store.ErrUnavailable)
		isError(t, "view", s.View(context.Background(), func(store.Reader) error { return nil }), store.ErrUnavailable)
		isError(t, "check", s.Check(context.Background()), store.ErrUnavailable)
	}},
}

// person is what nobody may log.
const person = "anna.smith@contoso.com"

var requireTests = []testCase{
	{"an update that requires something of meta is outdated where something else is stored", func(t *testing.T, s store.Store) {
		require := func(value string) error {
			return s.Update(context.Background(), func(tx store.Tx) error { return tx.RequireMeta(context.Background(), "a", value) })
		}
		isError(t, "never set", require("1"), store.ErrOutdated)
		update(t, s, func(tx store.Tx) error { return tx.SetMeta(context.Background(), "a", "1") })
		isError(t, "as it is", require("1"), nil)
		isError(t, "as it was", require("0"), store.ErrOutdated)
		update(t, s, func(tx store.Tx) error {
			if err := tx.SetMeta(context.Background(), "a", "2"); err != nil {
				return err
			}
			return tx.RequireMeta(context.Background(), "a", "2")
		})
		isError(t, "as it was", require("1"), store.ErrOutdated)
	}},
}

var updateTests = []testCase{
	{"an update that returns an error leaves nothing", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 9, schema.Object{}))
		err := s.Update(context.Background(), func(tx store.Tx) error {
			if err := everything(tx); err != nil {
				return err
			}
			return fmt.Errorf("wrapped: %w", errExpected)
		})
		isError(t, "update", err, errExpected)
		untouched(t, s)
	}},
	{"an update that panics leaves nothing, and the store goes on", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 9, schema.Object{}))
		err := s.Update(context.Background(), func(tx store.Tx) error {
			if err := everything(tx); err != nil {
				return err
			}
			panic(person)
		})
		var ended *panicked.Error
		if !errors.As(err, &ended) || ended.Type != "string" || !strings.Contains(err.Error(), "storetest/updates.go") {
			t.Errorf("want a panic with its type and stack, got %v", err)
		}
		if strings.Contains(fmt.Sprint(err), person) {
			t.Errorf("the error has the value: %v", err)
		}
		untouched(t, s)
		update(t, s, everything)
		isError(t, "check", s.Check(context.Background()), nil)
	}},
	{"a transaction is of no use after its update", func(t *testing.T, s store.Store) {
		var kept store.Tx
		update(t, s, func(tx store.Tx) error { kept = tx; return nil })
		if err := kept.SetMeta(context.Background(), "a", "1"); err == nil {
			t.Error("no error")
		}
	}},
	{"an update sees what it has written, and nobody else does", func(t *testing.T, s store.Store) {
		update(t, s, func(tx store.Tx) error {
			if err := tx.Insert(context.Background(), record(store.User, 1, schema.Object{})); err != nil {
				return err
			}
			_, err := s.Get(context.Background(), store.User, id(1))
			isError(t, "outside", err, store.ErrNotFound)
			_, err = tx.Get(context.Background(), store.User, id(1))
			return err
		})
		get(t, s, store.User, 1)
	}},
	{"an update whose caller has gone never starts", func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		err := s.Update(ctx, func(store.Tx) error { ran = true; return nil })
		isError(t, "update", err, context.Canceled)
		equal(t, "ran", false, ran)
	}},
	{"an update that has started tells its outcome, whoever has gone", func(t *testing.T, s store.Store) {
		for _, outcome := range []error{nil, errExpected} {
			ctx, cancel := context.WithCancel(context.Background())
			err := s.Update(ctx, func(tx store.Tx) error {
				cancel()
				if err := tx.SetMeta(ctx, "a", fmt.Sprint(outcome)); err != nil {
					return err
				}
				return outcome
			})
			isError(t, "update", err, outcome)
		}
		value, err := s.Meta(context.Background(), "a")
		isError(t, "meta", err, nil)
		equal(t, "only the one that succeeded", "<nil>", value)
	}},
}

// everything does one of each change. untouched says that none of it happened.
func everything(tx store.Tx) error {
	ctx := context.Background()
	if err := tx.Insert(ctx, record(store.User, 1, schema.Object{"title": "Clerk"})); err != nil {
		return err
	}
	if err := tx.Replace(ctx, record(store.Group, 9, schema.Object{"displayName": "Renamed"})); err != nil {
		return err
	}
	if err := tx.Touch(ctx, store.Group, id(9), 5, dawn.Add(time.Hour)); err != nil {
		return err
	}
	if _, err := tx.AddMembers(ctx, id(9), []store.Member{{ID: id(1), Kind: store.User}}, nil); err != nil {
		return err
	}
	if err := tx.Append(ctx, store.Entry{Time: dawn}); err != nil {
		return err
	}
	return tx.SetMeta(ctx, "a", "1")
}

func untouched(t *testing.T, s store.Store) {
	t.Helper()
	equal(t, "users", 0, find(t, s, store.Query{Kind: store.User}).Total)
	equal(t, "by index", 0, find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, `title eq "Clerk"`)}).Total)
	equal(t, "group", stored(record(store.Group, 9, schema.Object{})), get(t, s, store.Group, 9))
	equal(t, "members", []store.Member{}, members(t, s, 9))
	entries, err := s.Log(context.Background(), 0, 10)
	isError(t, "log", err, nil)
	equal(t, "log", []store.Entry{}, entries)
	value, err := s.Meta(context.Background(), "a")
	isError(t, "meta", err, nil)
	equal(t, "meta", "", value)
}

var concurrencyTests = []testCase{
	{"of parallel creates of one key exactly one succeeds", func(t *testing.T, s store.Store) {
		oneIsMade(t, s, func(tx store.Tx, n int) error {
			return tx.Insert(context.Background(), record(store.User, n, schema.Object{"userName": "bob"}))
		})
		equal(t, "users", 1, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"of parallel inserts of many that share a key exactly one succeeds", func(t *testing.T, s store.Store) {
		oneIsMade(t, s, func(tx store.Tx, n int) error {
			_, err := tx.InsertAll(context.Background(), []*store.Record{
				record(store.User, 100+n, schema.Object{}), record(store.User, n, schema.Object{"userName": "bob"}),
			})
			return err
		})
		equal(t, "users", 2, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"parallel adds of single members lose none", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.Group, 1, schema.Object{}))
		parallel(t, 16, func(n int) error {
			for i := range 25 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					_, err := tx.AddMembers(context.Background(), id(1), []store.Member{{ID: id(100 + n*25 + i), Kind: store.User}}, nil)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		equal(t, "members", 400, len(members(t, s, 1)))
	}},
	{"parallel updates of one value do not lose each other's, although every third fails", func(t *testing.T, s store.Store) {
		const each = 30
		parallel(t, 8, func(int) error {
			for i := range each {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					value, err := tx.Meta(context.Background(), "n")
					if err != nil {
						return err
					}
					n, _ := strconv.Atoi(value)
					if err := tx.SetMeta(context.Background(), "n", strconv.Itoa(n+1)); err != nil {
						return err
					}
					if i%3 == 0 {
						return errExpected
					}
					return nil
				})
				if err != nil && !errors.Is(err, errExpected) {
					return err
				}
			}
			return nil
		})
		value, err := s.Meta(context.Background(), "n")
		isError(t, "meta", err, nil)
		equal(t, "value", strconv.Itoa(8*each*2/3), value)
	}},
	{"what was acknowledged is seen by the next read", func(t *testing.T, s store.Store) {
		parallel(t, 8, func(n int) error {
			for i := range 20 {
				r := record(store.User, n*1000+i, schema.Object{"title": fmt.Sprintf("t%d-%d", n, i)})
				if err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), r) }); err != nil {
					return err
				}
				if _, err := s.Get(context.Background(), store.User, r.ID); err != nil {
					return err
				}
				f := parse(t, store.User, fmt.Sprintf(`title eq "t%d-%d"`, n, i))
				page, err := s.Find(context.Background(), store.Query{Kind: store.User, Filter: f, Limit: 1})
				if err != nil || page.Total != 1 {
					return fmt.Errorf("found %d: %w", page.Total, err)
				}
				if page, err := s.Find(context.Background(), store.Query{Kind: store.User}); err != nil || page.Total <= i {
					return fmt.Errorf("%d in all: %w", page.Total, err)
				}
			}
			return nil
		})
		equal(t, "users", 160, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"readers, scans and writers go on side by side, and closing waits for them", func(t *testing.T, s store.Store) {
		for n := 1; n <= 400; n++ {
			insert(t, s, record(store.User, n, schema.Object{"title": "Clerk"}))
		}
		f := parse(t, store.User, `not (x509Certificates pr)`) // which no index has
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 10 {
					var err error
					switch n % 4 {
					case 0:
						_, err = s.Find(context.Background(), store.Query{Kind: store.User, Filter: f, Match: match(f), Limit: 5})
					case 1:
						_, err = s.Get(context.Background(), store.User, id(1+i))
					case 2:
						_, err = s.Stats(context.Background())
					default:
						err = s.Update(context.Background(), func(tx store.Tx) error {
							return tx.Touch(context.Background(), store.User, id(1+i), 2, dawn)
						})
					}
					if err != nil && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("%d: %v", n, err)
					}
				}
			})
		}
		isError(t, "close", s.Close(), nil)
		wg.Wait()
	}},
}

// parallel runs f n times at once and reports what failed.
func parallel(t *testing.T, n int, f func(n int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(i); err != nil {
				t.Errorf("goroutine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// walkMissesNobodyUnmarked has users inserted under an old state while the state becomes a new one and the users are walked over.
// A user that the walk did not see must have left a mark.
func walkMissesNobodyUnmarked(t *testing.T, s store.Store) {
	ctx := context.Background()
	const rounds, writers, each = 10, 6, 4
	for round := range rounds {
		update(t, s, func(tx store.Tx) error {
			return tx.SetMeta(ctx, "state", "old")
		})
		var wg sync.WaitGroup
		begun := make(chan struct{}, 100*writers*each) // updates that are under way, with every try
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					n := 1 + (round*writers+w)*each + i
					err := s.Update(ctx, func(tx store.Tx) error {
						if err := tx.SetMetaUnless(ctx, id(n), "marked", "state", "old"); err != nil {
							return err
						}
						if err := tx.Insert(ctx, record(store.User, n, schema.Object{})); err != nil {
							return err
						}
						begun <- struct{}{}
						_, err := tx.Get(ctx, store.User, id(n)) // some time passes before the end
						return err
					})
					isError(t, "insert", err, nil)
				}
			})
		}
		for range writers {
			<-begun
		}
		update(t, s, func(tx store.Tx) error { return tx.SetMeta(ctx, "state", "new") })
		seen, err := s.Find(ctx, store.Query{Kind: store.User, Limit: rounds * writers * each})
		isError(t, "walk", err, nil)
		wg.Wait()
		for n := 1 + round*writers*each; n <= (round+1)*writers*each; n++ {
			mark, err := s.Meta(ctx, id(n))
			isError(t, "meta", err, nil)
			saw := slices.ContainsFunc(seen.Records, func(r store.Record) bool { return r.ID == id(n) })
			if !saw && mark == "" {
				t.Fatalf("round %d: user %d was missed, and nothing says so", round, n)
			}
		}
	}
}

// oneIsMade runs 16 updates at once, of which all but one must meet a conflict.
func oneIsMade(t *testing.T, s store.Store, change func(tx store.Tx, n int) error) {
	t.Helper()
	var made, refused atomic.Int64
	parallel(t, 16, func(n int) error {
		err := s.Update(context.Background(), func(tx store.Tx) error { return change(tx, n) })
		switch {
		case err == nil:
			made.Add(1)
		case errors.Is(err, store.ErrConflict):
			refused.Add(1)
		default:
			return err
		}
		return nil
	})
	equal(t, "made", int64(1), made.Load())
	equal(t, "refused", int64(15), refused.Load())
}
