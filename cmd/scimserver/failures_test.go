package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

// scripted answers with one outcome after the other.
type scripted struct{ outcomes []outcome }

type outcome struct {
	requests int64
	err      error
}

func (s *scripted) LogFailures(context.Context) (int64, error) {
	next := s.outcomes[0]
	s.outcomes = s.outcomes[1:]
	return next.requests, next.err
}

func (s *scripted) WriteFailures(ctx context.Context) (int64, error) { return s.LogFailures(ctx) }

func TestAnOutageOfTheStorageIsToldAtItsBeginningAndAtItsEnd(t *testing.T) {
	away := errors.New("the storage is away")
	script := &scripted{outcomes: []outcome{
		{1, nil}, {2, away}, {3, away}, {0, nil}, {4, away}, {4, nil}, {1, nil}, {5, away}, {6, nil},
	}}
	var lines []string
	f := &failureLog{failed: script, log: funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})}
	for len(script.outcomes) > 0 {
		f.step(t.Context())
	}
	const began = `"msg"="failed requests are not in the provisioning log yet; trying again" "error"="the storage is away" "every"="1s"`
	ended := func(waited string) string {
		return `"level"=0 "msg"="failed requests are written to the provisioning log again; none was lost, but many that came at once may be one entry" "waited"=` + waited
	}
	if want := []string{began, ended("4"), began, ended("6")}; !slices.Equal(lines, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}

	lines = nil
	script.outcomes = []outcome{{2, nil}, {3, away}, {7, away}}
	f.end(t.Context())
	ending, cancel := context.WithCancel(t.Context())
	cancel()
	f.step(ending)
	f.end(ending)
	if want := []string{`"msg"="the last failed requests are missing in the provisioning log" "error"="the storage is away" "lost"=7`}; !slices.Equal(lines, want) {
		t.Errorf("lines at the end\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
