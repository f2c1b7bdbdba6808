package sqlite_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/test/race"
)

// hold keeps the writer busy until release is called, so that what is asked for meanwhile becomes one group.
func hold(t *testing.T, s *sqlite.Store) (release func()) {
	t.Helper()
	held, done := make(chan struct{}), make(chan struct{})
	finished := make(chan error, 1)
	go func() {
		finished <- s.Update(context.Background(), func(store.Tx) error {
			close(held)
			<-done
			return nil
		})
	}()
	<-held
	return func() {
		close(done)
		must(0, <-finished)(t)
	}
}

// titled is a user with one index entry of its own path, which nobody had before.
func titled(n int, attribute string) *store.Record {
	r := storetest.BenchUser(n)
	r.Index = []schema.Key{{Path: attribute, Key: "clerk"}}
	return r
}

func TestTheUpdatesOfOneGroupAreKeptApart(t *testing.T) {
	race.Meets(t)
	s := open(t, t.TempDir())
	release := hold(t, s)
	failed := errors.New("failed")
	insert := func(n int, attribute string, then func() error) func(store.Tx) error {
		return func(tx store.Tx) error {
			if err := tx.Insert(context.Background(), titled(n, attribute)); err != nil {
				return err
			}
			return then()
		}
	}
	changes := []func(store.Tx) error{
		insert(1, "title", func() error { return nil }),
		insert(2, "nickName", func() error { return failed }), // the first with a nickName, and it does not stay
		insert(3, "nickName", func() error { return nil }),
		insert(4, "nickName", func() error { panic("at the disco") }),
		insert(3, "nickName", func() error { return nil }), // taken
		insert(5, "userType", func() error { return nil }),
	}
	results := make([]chan error, len(changes))
	for i, change := range changes {
		results[i] = make(chan error, 1)
		go func() { results[i] <- s.Update(context.Background(), change) }()
		s.AwaitQueue(i + 1)
	}
	release()
	var errs []error
	for _, result := range results {
		errs = append(errs, <-result)
	}
	var ended *panicked.Error
	if errs[0] != nil || !errors.Is(errs[1], failed) || errs[2] != nil || !errors.As(errs[3], &ended) ||
		!errors.Is(errs[4], store.ErrConflict) || errs[5] != nil {
		t.Errorf("%v", errs)
	}
	for text, want := range map[string]int{`title eq "clerk"`: 1, `nickName eq "clerk"`: 1, `userType eq "clerk"`: 1, `title pr or nickName pr or userType pr`: 3} {
		f := must(filter.Parse(schema.User(), text))(t)
		if page := must(s.Find(context.Background(), store.Query{Kind: store.User, Filter: f}))(t); page.Total != want {
			t.Errorf("%s finds %d, want %d", text, page.Total, want)
		}
	}
	if page := must(s.Find(context.Background(), store.Query{Kind: store.User}))(t); page.Total != 3 {
		t.Errorf("%d users", page.Total)
	}
}

// Updates that write much do not share one transaction, because all who come later wait for its end.
func TestAGroupOfUpdatesEndsWhereItWroteMuch(t *testing.T) {
	race.Meets(t)
	const updates, rows = 20, 1500
	for name, test := range map[string]struct {
		members   int
		most, few int64 // how many transactions there may be
	}{"much": {rows, 4, 3}, "little": {10, 1, 1}} {
		s := open(t, t.TempDir())
		release := hold(t, s)
		results := make(chan error, updates)
		before := s.Commits()
		for i := range updates {
			members := make([]store.Member, test.members)
			for n := range members {
				members[n] = store.Member{ID: storetest.BenchID(n + 1), Kind: store.User}
			}
			go func() {
				results <- s.Update(context.Background(), func(tx store.Tx) error {
					_, err := tx.AddMembers(context.Background(), storetest.BenchID(i+1), members, nil)
					return err
				})
			}()
		}
		s.AwaitQueue(updates)
		release()
		for range updates {
			must(0, <-results)(t)
		}
		if commits := s.Commits() - before; commits > test.most || commits < test.few {
			t.Errorf("%s: %d transactions, want %d to %d", name, commits, test.few, test.most)
		}
	}
}

func TestAnUpdateThatWaitsLeavesTheQueueWithItsCaller(t *testing.T) {
	race.Meets(t)
	s := open(t, t.TempDir())
	release := hold(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	ran := false
	go func() { result <- s.Update(ctx, func(store.Tx) error { ran = true; return nil }) }()
	s.AwaitQueue(1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	release()
	must(0, s.Update(context.Background(), func(store.Tx) error { return nil }))(t)
	if ran {
		t.Error("it ran although its caller had gone")
	}
}

func TestClosingFinishesWhatWasAskedFor(t *testing.T) {
	race.Meets(t)
	folder := t.TempDir()
	s := open(t, folder)
	release := hold(t, s)
	result := make(chan error, 1)
	go func() {
		result <- s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), storetest.BenchUser(1)) })
	}()
	s.AwaitQueue(1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	must(0, <-result)(t)
	must(0, <-closed)(t)
	s = open(t, folder)
	must(s.Get(context.Background(), store.User, storetest.BenchID(1)))(t)
}
