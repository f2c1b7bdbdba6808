package loglimit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/loglimit"
)

// sink is a log with a clock of its own, and the lines that reached it.
type sink struct {
	bytes.Buffer
	logr.Logger
	now time.Time
}

func newSink(level slog.Level) *sink {
	s := &sink{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	s.Logger = logr.FromSlogHandler(timed{loglimit.New(slog.NewTextHandler(&s.Buffer, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "requestID" {
				return slog.Attr{}
			}
			return a
		},
	})), &s.now})
	return s
}

// timed gives each line the time of a clock.
type timed struct {
	slog.Handler
	now *time.Time
}

func (t timed) Handle(ctx context.Context, line slog.Record) error {
	line.Time = *t.now
	return t.Handler.Handle(ctx, line)
}

func (t timed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return timed{t.Handler.WithAttrs(attrs), t.now}
}

func (s *sink) lines() []string {
	lines := strings.Split(strings.TrimSpace(s.String()), "\n")
	s.Reset()
	return lines
}

func TestEachMessageHasABudgetOfItsOwn(t *testing.T) {
	s := newSink(slog.LevelInfo)
	for i := range 5000 {
		s.WithValues("requestID", i).Error(errors.New("away"), "a request failed")
	}
	s.Info("another", "n", 1)
	got := s.lines()
	if len(got) != loglimit.Burst+1 || got[loglimit.Burst] != "level=INFO msg=another n=1" {
		t.Errorf("%d lines, the last %q; want %d and the other message", len(got), got[len(got)-1], loglimit.Burst+1)
	}

	s.now = s.now.Add(loglimit.Interval)
	for range 10 {
		s.WithName("elsewhere").Error(nil, "a request failed")
	}
	want := "level=ERROR msg=\"a request failed\" logger=elsewhere leftOut=4980"
	if got := s.lines(); len(got) != 1 || got[0] != want {
		t.Errorf("an interval later %q, want one line %q", got, want)
	}

	s.now = s.now.Add(24 * time.Hour)
	for range 5000 {
		s.Error(nil, "a request failed")
	}
	if got := s.lines(); len(got) != loglimit.Burst || !strings.HasSuffix(got[0], "leftOut=9") || strings.Contains(got[1], "leftOut") {
		t.Errorf("a day later %d lines: %q", len(got), got)
	}
}

func TestMessagesWithoutEndShareABudget(t *testing.T) {
	s := newSink(slog.LevelInfo)
	for i := range 20_000 {
		s.Info("message " + strconv.Itoa(i))
	}
	if got := len(s.lines()); got != 1000+loglimit.Burst {
		t.Errorf("%d lines of 20,000 messages, want %d", got, 1000+loglimit.Burst)
	}
}

func TestAnAdministratorWhoAsksForALineForEachRequestGetsIt(t *testing.T) {
	s := newSink(slog.LevelDebug)
	for range 500 {
		s.V(1).Info("request")
	}
	if got := len(s.lines()); got != 500 {
		t.Errorf("%d lines of 500", got)
	}
}
