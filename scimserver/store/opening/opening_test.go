package opening_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/opening"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

var errFirst, errSecond = errors.New("first"), store.WithCause("Second", store.ErrUnavailable)

// attempts returns a function that fails with each of these errors, and opens a folder then.
func attempts(folder string, failures ...error) func(context.Context) (store.Store, error) {
	return func(ctx context.Context) (store.Store, error) {
		if len(failures) > 0 {
			err := failures[0]
			failures = failures[1:]
			return nil, err
		}
		return sqlite.Open(ctx, folder)
	}
}

// everything asks a store for all that it does.
func everything(ctx context.Context, s owner.Store) map[string]error {
	answers := map[string]error{
		"Check":  s.Check(ctx),
		"Review": s.Review(ctx),
		"Update": s.Update(ctx, func(store.Tx) error { return nil }),
		"View":   s.View(ctx, func(store.Reader) error { return nil }),
	}
	note := func(what string, err error) { answers[what] = err }
	_, err := s.Get(ctx, store.User, storetest.BenchID(1))
	note("Get", err)
	_, err = s.Find(ctx, store.Query{Kind: store.User})
	note("Find", err)
	_, err = s.Kinds(ctx, []string{storetest.BenchID(1)})
	note("Kinds", err)
	_, err = s.Members(ctx, storetest.BenchID(1))
	note("Members", err)
	_, err = s.MembersOf(ctx, []string{storetest.BenchID(1)}, "", 1)
	note("MembersOf", err)
	_, err = s.GroupsOf(ctx, []string{storetest.BenchID(1)}, "", 1)
	note("GroupsOf", err)
	_, err = s.Records(ctx, store.User, []string{storetest.BenchID(1)})
	note("Records", err)
	_, err = s.Memberships(ctx, store.Membership{}, 1)
	note("Memberships", err)
	_, err = s.Stats(ctx)
	note("Stats", err)
	_, err = s.Ambiguous(ctx, store.User, 1)
	note("Ambiguous", err)
	_, err = s.Deactivated(ctx, time.Now(), 1)
	note("Deactivated", err)
	_, err = s.Log(ctx, 0, 1)
	note("Log", err)
	_, err = s.Meta(ctx, "a")
	note("Meta", err)
	return answers
}

func TestAStoreThatCannotBeOpenedSaysWhyAndIsUsedOnceItCan(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := opening.New(attempts(t.TempDir(), errSecond), errFirst, time.Now)
	for what, err := range everything(ctx, s) {
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errFirst) || !strings.Contains(err.Error(), "first") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Run(ctx, time.Microsecond); err != nil {
		t.Fatal(err)
	}
	for what, err := range everything(ctx, s) {
		if err != nil && (what != "Get" || !errors.Is(err, store.ErrNotFound)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Check(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after its end: %v", err)
	}
}

func TestTheLastFailureToOpenIsTheOneThatIsSaid(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	tried := 0
	s := opening.New(func(context.Context) (store.Store, error) {
		if tried++; tried == 2 {
			stop()
		}
		return nil, errSecond
	}, errFirst, time.Now)
	if err := s.Run(ctx, time.Microsecond); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	err := s.Check(t.Context())
	if reason, _ := store.CauseOf(err); reason != "Second" || errors.Is(err, errFirst) {
		t.Errorf("%s: %v", reason, err)
	}
}

// A pod of a server on a volume ends while the next one begins, after a drain as well as after an upgrade.
func TestADirectoryThatAnotherProcessHasIsOpenedAsSoonAsThatEndsAndToldOfAfterAWhile(t *testing.T) {
	t.Parallel()
	held := store.WithCause("Held", store.ErrHeld)
	for _, c := range []struct {
		held, interval time.Duration
		opened         time.Duration
	}{
		{held: 3500 * time.Millisecond, interval: 5 * time.Second, opened: 3600 * time.Millisecond},
		{held: time.Minute, interval: 5 * time.Second, opened: time.Minute},
		{held: 10 * time.Millisecond, interval: 20 * time.Millisecond, opened: 20 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			directory := &sqlite.Store{}
			s := opening.New(func(context.Context) (store.Store, error) {
				if time.Since(begun) < c.held {
					return nil, held
				}
				return directory, nil
			}, held, time.Now)
			go func() { _ = s.Run(t.Context(), c.interval) }()
			for open := false; !open; {
				select {
				case <-s.Opened():
					open = true
				case <-time.After(c.interval - time.Millisecond):
					err := s.Check(t.Context())
					if reason, _ := store.CauseOf(err); reason != "Held" || !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrHeld) {
						t.Errorf("%v, %s", err, reason)
					}
					if got, want := errors.Is(err, store.ErrHandover), time.Since(begun) < 30*time.Second; got != want {
						t.Errorf("after %s a handover: %t", time.Since(begun), got)
					}
				}
			}
			if after := time.Since(begun); after != c.opened {
				t.Errorf("held for %s it is open after %s, want %s", c.held, after, c.opened)
			}
		})
	}
}

// Each other process has its own time to end.
func TestAnotherFailureEndsTheTimeThatADirectoryWasHeld(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	failures, handovers := []error{store.ErrHeld, errSecond, store.ErrHeld, store.ErrHeld}, []bool{}
	var s *opening.Store
	s = opening.New(func(ctx context.Context) (store.Store, error) {
		handovers = append(handovers, errors.Is(s.Check(ctx), store.ErrHandover))
		now = now.Add(29 * time.Second)
		if len(failures) == 0 {
			return &sqlite.Store{}, nil
		}
		err := failures[0]
		failures = failures[1:]
		return nil, err
	}, store.ErrHeld, func() time.Time { return now })
	if err := s.Run(t.Context(), time.Microsecond); err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, true, false, true, true}; !slices.Equal(handovers, want) {
		t.Errorf("the failures were handovers: %v, want %v", handovers, want)
	}
}

func TestAStoreThatWasClosedIsNotOpened(t *testing.T) {
	t.Parallel()
	s := opening.New(func(context.Context) (store.Store, error) {
		t.Error("it is opened")
		return nil, errSecond
	}, errFirst, time.Now)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context(), time.Microsecond); err != nil {
		t.Error(err)
	}
}
