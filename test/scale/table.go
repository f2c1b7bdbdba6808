//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// none is the ceiling of what must not happen at all; a ceiling of 0 is none.
const none = 1e-9

// table is what a run prints.
type table struct {
	machine, loadBefore string
	took                time.Duration
	rows                [][]string
}

func (t *table) add(figure string, value float64, unit string, ceiling float64) {
	number := func(v float64) string {
		text := fmt.Sprintf("%.3g", v)
		if v >= 1000 {
			text = fmt.Sprintf("%.0f", v)
		}
		return strings.TrimSpace(text + " " + unit)
	}
	row := []string{figure, number(value), "", ""}
	switch ceiling {
	case 0:
	case none:
		row[2] = "none"
	default:
		row[2] = "≤ " + number(ceiling)
	}
	if ceiling > 0 {
		row[3] = "met"
		if value > ceiling {
			row[3] = "not met"
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "The operator; %s; load average before %s, after %s; took %.0f s. "+
		"A kube-apiserver, etcd and a kubelet that only pretends run on the same cores.\n\n", t.machine, t.loadBefore, loadAverage(), t.took.Seconds())
	rows := append([][]string{{"figure", "measured", "ceiling", ""}}, t.rows...)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for at, row := range rows {
		for i, cell := range row {
			text.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		text.WriteString("|\n")
		if at == 0 {
			for _, width := range widths {
				text.WriteString("|" + strings.Repeat("-", width+2))
			}
			text.WriteString("|\n")
		}
	}
	return text.String()
}

func machine() string {
	return fmt.Sprintf("%d cores, %s", runtime.NumCPU(), runtime.Version())
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(data), " ")
	return load
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func largest(values []float64) float64 { return slices.Max(values) }
