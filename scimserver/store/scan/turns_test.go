package scan_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

func TestReadersAndPeopleShareTheTurnsAndNobodyElseTakesOne(t *testing.T) {
	turns := scan.NewTurns(4)
	as := func(class share.Class, id string) context.Context {
		return share.NewContext(t.Context(), share.Client{Class: class, ID: id})
	}
	gone := func(ctx context.Context) context.Context { // which does not wait
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	wantWaits := func(ctx context.Context) {
		t.Helper()
		ctx, cancel := context.WithCancel(ctx)
		err := make(chan error)
		go func() { _, failed := turns.Take(ctx); err <- failed }()
		for turns.Waiting() == 0 {
			if t.Context().Err() != nil {
				t.Fatal("a statement takes a turn that is not its client's")
			}
			runtime.Gosched()
		}
		cancel()
		if got := <-err; !errors.Is(got, context.Canceled) {
			t.Errorf("who hangs up while waiting: %v", got)
		}
	}
	taken := 0
	for _, ctx := range []context.Context{as(share.Reader, "a"), as(share.Reader, "b"), as(share.Person, "a"), as(share.Reader, "c")} {
		for range 2 {
			held, err := turns.Take(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(held.Release)
			taken++
		}
		wantWaits(ctx)
		if taken == 4 {
			break
		}
	}
	for _, ctx := range []context.Context{as(share.Reader, "z"), as(share.Person, "z")} {
		wantWaits(ctx)
	}
	for name, ctx := range map[string]context.Context{"provisioning client": as(share.Provisioner, "z"), "server": t.Context()} {
		if _, err := turns.Take(gone(ctx)); err != nil {
			t.Errorf("a statement of the %s waits for readers: %v", name, err)
		}
	}
	err := scan.NewGate(2).Do(as(share.Reader, "a"), share.Client{Class: share.Reader, ID: "a"}, func(ctx context.Context) error {
		_, err := turns.Take(gone(ctx))
		return err
	})
	if err != nil {
		t.Errorf("a scan, which has a connection of its own, waits for a turn: %v", err)
	}
	var none *scan.Turns
	if _, err := none.Take(gone(as(share.Reader, "a"))); err != nil {
		t.Error(err)
	}
}
