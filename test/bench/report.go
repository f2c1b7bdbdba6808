//go:build linux

package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// report is the table that a run prints.
type report struct {
	machine   string
	loadAfter string
	took      time.Duration
	rows      [][]string
}

// budget is what a figure, or its ratio to the baseline, is held against; the zero value is none.
type budget struct {
	value float64
	most  bool // the figure must be at most the value, not at least
}

func atLeast(v float64) budget { return budget{value: v} }
func atMost(v float64) budget  { return budget{value: v, most: true} }

func (b budget) met(v float64) bool {
	if b.most {
		return v <= b.value
	}
	return v >= b.value
}

func (b budget) sign() string {
	if b.most {
		return "≤"
	}
	return "≥"
}

// ratio adds a figure that is judged by its ratio to a baseline: the median over the rounds of both, and of their ratio
// in each round.
func (r *report) ratio(figure, unit string, ours series, baseline string, theirs series, limit budget) {
	var ratios series
	for i := range min(len(ours), len(theirs)) {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	row := []string{figure, number(ours.median(), unit), baseline, number(theirs.median(), unit), fmt.Sprintf("%.2f", ratios.median()), "", ""}
	if limit != (budget{}) {
		row[5], row[6] = fmt.Sprintf("%s %.3g ×", limit.sign(), limit.value), verdict(limit.met(ratios.median()))
	}
	r.rows = append(r.rows, row)
}

// value adds a figure that is judged by itself; a baseline may stand beside it.
func (r *report) value(figure, unit string, ours series, baseline string, theirs series, limit budget) {
	row := []string{figure, number(ours.median(), unit), baseline, "", "", "", ""}
	if len(theirs) > 0 {
		row[3], row[4] = number(theirs.median(), unit), fmt.Sprintf("%.2f", ours.median()/theirs.median())
	}
	if limit != (budget{}) {
		row[5], row[6] = limit.sign()+" "+number(limit.value, unit), verdict(limit.met(ours.median()))
	}
	r.rows = append(r.rows, row)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}

// number writes three digits that count, or the whole where that is longer.
func number(v float64, unit string) string {
	text := fmt.Sprintf("%.2f", v)
	switch {
	case v >= 100:
		text = fmt.Sprintf("%.0f", v)
	case v >= 10:
		text = fmt.Sprintf("%.1f", v)
	}
	return text + unit
}

func cores() int { return runtime.NumCPU() }

func goVersion() string { return runtime.Version() }

// String is the report as Markdown that also reads well in a terminal.
func (r *report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, after %s; took %.0f s. The load generator and the baselines run on the same cores.\n\n",
		r.machine, r.loadAfter, r.took.Seconds())
	rows := append([][]string{{"figure", "measured", "baseline", "its figure", "ratio", "budget", ""}}, r.rows...)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		out.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				out.WriteString("|" + strings.Repeat("-", width+2))
			}
			out.WriteString("|\n")
		}
	}
	return out.String()
}
