package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// shown is how many failures or differences are printed one by one. --json has all of them.
const shown = 20

// printer tells what happens while it happens, and gathers it for --json.
type printer struct {
	o             *options
	out, progress io.Writer
	result        result

	phase  string
	began  time.Time
	ticked time.Time
}

func (p *printer) printf(format string, args ...any) {
	if !p.o.json {
		fmt.Fprintf(p.out, format, args...)
	}
}

// tell prints progress once a second, and at the end of a phase.
func (p *printer) tell(at entra.Progress) {
	if p.o.quiet {
		return
	}
	now := time.Now()
	if at.Phase != p.phase {
		p.phase, p.began, p.ticked = at.Phase, now, now
	}
	if at.Done < at.Total && now.Sub(p.ticked) < time.Second {
		return
	}
	p.ticked = now
	line := fmt.Sprintf("  %-18s %d/%d", at.Phase, at.Done, at.Total)
	if took := now.Sub(p.began); at.Done < at.Total && at.Done > 0 {
		left := took / time.Duration(at.Done) * time.Duration(at.Total-at.Done)
		line += fmt.Sprintf("  about %s left", left.Round(time.Second))
	}
	fmt.Fprintln(p.progress, line)
}

func (p *printer) connected() {
	p.result.TestConnection = "ok"
	p.printf("Test Connection: ok\n")
}

func (p *printer) lived(events []company.Event) {
	if len(events) == 0 {
		return
	}
	counts := map[company.Kind]int{}
	for _, e := range events {
		counts[e.Kind]++
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, counts[kind]))
	}
	p.printf("\n%g days pass: %s\n", p.o.days, strings.Join(parts, ", "))
}

func (p *printer) cycle(r *entra.Report) {
	p.result.Cycles = append(p.result.Cycles, r)
	p.result.OK = p.result.OK && r.OK()
	if p.o.json {
		return
	}
	p.printf("\n")
	_ = r.WriteTable(p.out)
	n := 0
	for _, e := range r.Entries {
		if e.Status == entra.Failure && n < shown {
			n++
			p.printf("  %s %s %s: %s\n", e.Object, e.Action, e.SourceID, e.Reason)
		}
	}
}

func (p *printer) verified(differences []entra.Difference) {
	p.result.Verified, p.result.Differences = true, differences
	p.result.OK = p.result.OK && len(differences) == 0
	if len(differences) == 0 {
		p.printf("\nVerified: the server holds what Entra believes\n")
		return
	}
	p.printf("\nVerified: %d differences\n", len(differences))
	for _, d := range differences[:min(len(differences), shown)] {
		p.printf("  %v\n", d)
	}
}

func (p *printer) sample(users []wire.Resource) {
	p.result.Sample = users
	if p.o.json {
		return
	}
	paths := append([]string{"userName", "displayName", "active", "roles", "locale"}, p.o.paths()...)
	p.printf("\n")
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	var heads []string
	for _, path := range paths {
		heads = append(heads, strings.ToUpper(path[strings.LastIndex(path, ":")+1:]))
	}
	fmt.Fprintln(t, strings.Join(heads, "\t"))
	for _, u := range users {
		var cells []string
		for _, path := range paths {
			v, _ := u.Value(path)
			cells = append(cells, cell(v))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush()
}

// cell shows a value as a person would write it: of a complex one its value, of a list its elements.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, cell(e))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		for _, key := range []string{"value", "display", "displayName"} {
			if inner, ok := v[key]; ok {
				return cell(inner)
			}
		}
	}
	return fmt.Sprint(v)
}
