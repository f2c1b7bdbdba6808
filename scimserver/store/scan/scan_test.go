package scan_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

var (
	entra   = share.Client{Class: share.Provisioner, ID: "token-1"}
	payroll = share.Client{Class: share.Reader, ID: "payroll"}
	hr      = share.Client{Class: share.Reader, ID: "hr"}
	anna    = share.Client{Class: share.Person, ID: "anna"}
	server  = share.Client{}
)

// These clients may still scan beside those who do, where nobody waits for a place.
func TestNobodyHoldsAllPlacesForScans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		places  int
		holding []share.Client
		in, out []share.Client
	}{
		"one place, nobody":                      {places: 1, in: []share.Client{entra, payroll, anna, server}},
		"one place, a reader":                    {places: 1, holding: []share.Client{payroll}, out: []share.Client{entra, payroll, hr, anna, server}},
		"one place, the client that provisions":  {places: 1, holding: []share.Client{entra}, out: []share.Client{entra, payroll, server}},
		"two places, a reader":                   {places: 2, holding: []share.Client{payroll}, in: []share.Client{entra, server}, out: []share.Client{payroll, hr, anna}},
		"two places, a person":                   {places: 2, holding: []share.Client{anna}, in: []share.Client{entra, server}, out: []share.Client{payroll}},
		"two places, the client that provisions": {places: 2, holding: []share.Client{entra}, in: []share.Client{payroll, anna, server}, out: []share.Client{entra}},
		"two places, both":                       {places: 2, holding: []share.Client{entra, payroll}, out: []share.Client{server, hr}},
		"four places, three readers":             {places: 4, holding: []share.Client{payroll, hr, anna}, in: []share.Client{entra, server}, out: []share.Client{{Class: share.Reader, ID: "third"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := scan.NewGate(c.places)
			gate.Bound(time.Hour, 0)
			for _, client := range c.holding {
				leave, err := gate.Enter(t.Context(), client)
				if err != nil {
					t.Fatal(err)
				}
				defer leave()
			}
			for _, client := range c.in {
				if err := gate.Do(t.Context(), client, func(context.Context) error { return nil }); err != nil {
					t.Errorf("%+v is kept out: %v", client, err)
				}
			}
			for _, client := range c.out {
				err := gate.Do(t.Context(), client, func(context.Context) error { return nil })
				if !errors.Is(err, store.ErrBusy) || !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%+v gets %v, want store.ErrBusy", client, err)
				}
			}
		})
	}
}

func TestAScanEndsAfterItsLimit(t *testing.T) {
	t.Parallel()
	own := errors.New("of the scan")
	gate := scan.NewGate(1)
	gate.Bound(time.Nanosecond, time.Hour)
	until := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if err := gate.Do(t.Context(), payroll, until); !errors.Is(err, store.ErrTooWide) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a scan that goes on gets %v", err)
	}
	if err := gate.Do(t.Context(), payroll, func(context.Context) error { return nil }); err != nil {
		t.Errorf("a scan that was quicker gets %v", err)
	}
	gate.Bound(time.Hour, time.Hour)
	if err := gate.Do(t.Context(), payroll, func(context.Context) error { return own }); !errors.Is(err, own) {
		t.Errorf("a scan that fails gets %v", err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	err := gate.Do(ctx, payroll, func(ctx context.Context) error { hangUp(); return until(ctx) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a scan of a client that hung up gets %v", err)
	}
	if err := (*scan.Gate)(nil).Do(t.Context(), payroll, func(context.Context) error { return own }); !errors.Is(err, own) {
		t.Errorf("without a gate it is %v", err)
	}
}

func TestAClientThatWaitsIsNotServedBeforeTheOneThatProvisions(t *testing.T) {
	t.Parallel()
	gate := scan.NewGate(1)
	leave, err := gate.Enter(t.Context(), hr)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan string, 2)
	wait := func(client share.Client, name string) {
		before := gate.Waiting()
		go func() {
			err := gate.Do(t.Context(), client, func(context.Context) error { served <- name; return nil })
			if err != nil {
				t.Error(err)
			}
		}()
		for gate.Waiting() == before {
			runtime.Gosched()
		}
	}
	wait(payroll, "reader")
	wait(entra, "provisioner")
	leave()
	if first, second := <-served, <-served; first != "provisioner" || second != "reader" {
		t.Errorf("served are the %s and then the %s", first, second)
	}
}
