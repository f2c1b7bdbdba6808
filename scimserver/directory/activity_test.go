package directory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// writing counts the updates of a store.
type writing struct {
	store.Store
	updates int
	refuses error // each of them
}

func (w *writing) Update(ctx context.Context, change func(tx store.Tx) error) error {
	w.updates++
	if w.refuses != nil {
		return w.refuses
	}
	return w.Store.Update(ctx, change)
}

func TestWhatTheClientAskedIsKeptForAllReplicasAndTheNextStart(t *testing.T) {
	w := newWorld(t)
	counting := &writing{Store: w.store}
	replica := func() *directory.Directory {
		return directory.New(directory.Options{Store: counting, Now: func() time.Time { return dawn }})
	}
	one, other := replica(), replica()
	part := func(from, to int, counts cycle.Counts) cycle.State {
		return cycle.State{Began: dawn.Add(time.Duration(from) * time.Second), Last: dawn.Add(time.Duration(to) * time.Second), Counts: counts}
	}
	rejected := func(at int) cycle.State { return cycle.State{Rejected: dawn.Add(time.Duration(at) * time.Second)} }
	overdue := part(2400, 2401, cycle.Counts{Requests: 1})
	overdue.Rejected = dawn.Add(6000 * time.Second)
	for _, step := range []struct {
		name    string
		by      *directory.Directory
		news    cycle.State
		want    cycle.State
		updates int
	}{
		{"nothing was asked", one, cycle.State{}, cycle.State{}, 0},
		{"a part of a cycle", one, part(1, 5, cycle.Counts{Requests: 4, Creates: 2}), part(1, 5, cycle.Counts{Requests: 4, Creates: 2}), 1},
		{"another replica's", other, part(2, 7, cycle.Counts{Requests: 3, Failures: 1}), part(1, 7, cycle.Counts{Requests: 7, Creates: 2, Failures: 1}), 2},
		{"no news", one, cycle.State{}, part(1, 7, cycle.Counts{Requests: 7, Creates: 2, Failures: 1}), 2},
		{"the next cycle", one, part(2400, 2401, cycle.Counts{Requests: 1}), part(2400, 2401, cycle.Counts{Requests: 1}), 3},
		{"after a restart", replica(), cycle.State{}, part(2400, 2401, cycle.Counts{Requests: 1}), 3},
		{"a credential is rejected", one, rejected(6000), overdue, 4},
		{"and again", one, rejected(6060), overdue, 4},
		{"and by another replica", other, rejected(6120), overdue, 4},
		{"and long before", other, rejected(100), overdue, 4},
	} {
		got, err := step.by.KeepActivity(t.Context(), step.news)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", step.name, diff)
		}
		if counting.updates != step.updates {
			t.Errorf("%s: %d updates, want %d", step.name, counting.updates, step.updates)
		}
	}
	counting.refuses = store.ErrUnwritable
	for range 2 {
		got, err := one.KeepActivity(t.Context(), part(2402, 2403, cycle.Counts{Requests: 1, Failures: 1}))
		want := part(2400, 2403, cycle.Counts{Requests: 2, Failures: 1})
		want.Rejected = overdue.Rejected
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, store.ErrUnwritable) {
			t.Errorf("what could not be kept: want -, got +\n%s (%v)", diff, err)
		}
	}
	counting.refuses = nil
	if err := w.store.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), "activity", "of another version") }); err != nil {
		t.Fatal(err)
	}
	if got, err := one.KeepActivity(t.Context(), cycle.State{}); err != nil || !got.Empty() {
		t.Errorf("what cannot be read is %+v, want nothing (%v)", got, err)
	}
}
