//go:build linux

package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestAReportHoldsFiguresAgainstTheirBudgets(t *testing.T) {
	r := report{machine: "2 cores", loadAfter: "1.00", took: time.Minute}
	r.ratio("faster", "/s", series{300, 100, 200}, "base", series{200, 200, 200}, atLeast(0.5))
	r.ratio("too slow", " ms", series{13}, "base", series{10}, atMost(1.2))
	r.value("small enough", " MiB", series{24}, "", nil, atMost(24))
	got := r.String()
	for _, row := range []string{
		"| faster | 200/s | base | 200/s | 1.00 | ≥ 0.5 × | met |",
		"| too slow | 13.0 ms | base | 10.0 ms | 1.30 | ≤ 1.2 × | not met |",
		"| small enough | 24.0 MiB | | | | ≤ 24.0 MiB | met |",
	} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), row) {
			t.Errorf("the report has no row %s:\n%s", row, got)
		}
	}
}

func TestAMedianOfRoundsIsTheMiddleOne(t *testing.T) {
	for want, s := range map[float64]series{0: nil, 2: {3, 2, 1}, 2.5: {4, 3, 2, 1}} {
		if got := s.median(); got != want {
			t.Errorf("median of %v = %v, want %v", s, got, want)
		}
	}
}

func TestATurnOfTheLoadGeneratorEndsWhenNothingIsLeftToDo(t *testing.T) {
	done := make([]bool, 20)
	s, err := turn(t.Context(), 4, time.Hour, func(_ context.Context, i int) error {
		if i >= len(done) {
			return errEnough
		}
		done[i] = true
		return nil
	})
	if err != nil || len(s.took) != len(done) {
		t.Fatalf("%d operations, %v; want %d and no error", len(s.took), err, len(done))
	}
	for i, d := range done {
		if !d {
			t.Errorf("operation %d was not done", i)
		}
	}
}

// A body that the server refuses, or that is far from what Entra sends, would measure something else.
func TestTheBodyOfAUserIsAsLargeAsEntraSendsIt(t *testing.T) {
	if n := len(user(54321)); n < 1300 || n > 1900 {
		t.Errorf("%d bytes, want about 1.5 KB", n)
	}
}
