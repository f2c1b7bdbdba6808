package main

import (
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceForEachRest(t *testing.T) {
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	idle := idleness{began: start}
	for _, step := range []struct {
		name      string
		now, last time.Time
		want      bool
	}{
		{"just started", at(1), time.Time{}, false},
		{"at rest after the start", at(2), time.Time{}, true},
		{"still at rest", at(60), time.Time{}, false},
		{"a request came just now", at(62), at(61), false},
		{"another, before a rest", at(64), at(63), false},
		{"at rest", at(66), at(63), true},
		{"still at rest", at(68), at(63), false},
		{"a request, and a rest, since", at(74), at(70), true},
		{"the clock jumped back", at(10), at(9), false},
		{"and is where it was", at(80), at(76), true},
	} {
		if got := idle.due(step.now, step.last); got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}
