//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table.
type row struct {
	name  string // the group and what is peculiar to it, as in failover/patroni-switchover
	about string // what is set up and what happens to it
	run   func(ctx context.Context, s *scene, saw *seen) error
	limit time.Duration // how long it may take; 3 minutes where left out
	saw   *seen
}

func (r *row) within() time.Duration { return cmp.Or(r.limit, 3*time.Minute) }

// verdict is an error where something was not as it must be.
func (r *row) verdict() error {
	if len(r.saw.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", r.name, strings.Join(r.saw.faults, "; "))
}

// seen is what was seen in one row.
type seen struct {
	tally *tally // of the clients, where there were any
	lost  int    // of the acknowledged, found out afterwards
	// mayLose tells that the last changes before a crash were not kept by anybody but the machine that crashed.
	mayLose bool
	words   []string
	faults  []string
}

// say adds to the last cell of the row.
func (s *seen) say(format string, values ...any) {
	s.words = append(s.words, fmt.Sprintf(format, values...))
}

// wrong notes what is not as it must be.
func (s *seen) wrong(format string, values ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, values...))
}

// must notes what is not as it must be, where it is not.
func (s *seen) must(holds bool, format string, values ...any) {
	if !holds {
		s.wrong(format, values...)
	}
}

// String is the row without its first cells.
func (s *seen) String() string {
	return strings.TrimSpace(strings.Join(s.cells(), "  "))
}

// cells are the figures and the words; what is bold is not as it must be.
func (s *seen) cells() []string {
	cells := make([]string, 5, 6)
	if t := s.tally; t != nil {
		cells = []string{fmt.Sprint(len(t.created)), fmt.Sprint(t.refused), seconds(t.outage), seconds(t.slowest), fmt.Sprint(s.lost)}
	}
	words := s.words
	for _, fault := range s.faults {
		words = append(words, "**"+fault+"**")
	}
	return append(cells, strings.ReplaceAll(strings.Join(words, "; "), "\n", " "))
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// write writes the table in Markdown.
func write(out io.Writer, rows []*row) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| row\t| what\t| 201\t| 503\t| 503 for\t| slowest 201\t| lost\t| seen |")
	fmt.Fprintln(w, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| --- |")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s\t| %s\t| %s |\n", r.name, r.about, strings.Join(r.saw.cells(), "\t| "))
	}
	_ = w.Flush()
}

var errNotYet = errors.New("not in time")

// await asks again and again until something holds.
func await(ctx context.Context, within time.Duration, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return errNotYet
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// pause waits for so long.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
