package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestWorkThatFailsAgainAndAgainIsToldTwice(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	elsewhere := errors.New("told elsewhere")
	c := chore{what: "sweep", every: retryInterval, log: log, told: func(err error) bool { return errors.Is(err, elsewhere) }}
	away := errors.New("away")
	ended, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		for _, err := range []error{nil, elsewhere, elsewhere, nil, away, away, elsewhere, nil, nil} {
			if got := c.ended(t.Context(), err); !errors.Is(got, err) {
				t.Errorf("%v is passed on as %v", err, got)
			}
			_ = c.ended(ended, away) // the server is ending, so its context is why
		}
	}
	want := []string{"not done: sweep; trying again", "done again", "not done: sweep; trying again", "done again"}
	for i := range want {
		if len(lines) != len(want) || !strings.Contains(lines[i], want[i]) {
			t.Fatalf("logged are %q, want %q", lines, want)
		}
	}
}
