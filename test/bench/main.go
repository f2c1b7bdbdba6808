//go:build linux

// Command bench measures the built SCIM server, as a process and over HTTP, against its budgets. Each figure stands beside
// a named baseline that was measured in turns with it, because absolute figures differ from machine to machine and
// from minute to minute. What is measured and against what: docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == answerCommand {
		if err := answer(ctx, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.database, "database", "",
		"keep the directories in the PostgreSQL that this `URL` names, whose user may make schemas, instead of in SQLite")
	flag.IntVar(&o.users, "users", 100_000, "`size` of the large directory; the small one has 1,000 users")
	flag.IntVar(&o.rounds, "rounds", 5, "`number` of rounds in which a figure and its baseline take turns; the median counts")
	flag.DurationVar(&o.turn, "turn", 600*time.Millisecond, "`duration` of one turn")
	flag.DurationVar(&o.rest, "rest", 5*time.Second,
		"`duration` for which memory must not have fallen to count as idle after load; Go gives back most of it within minutes")
	flag.StringVar(&o.only, "only", "", "measure only the `part`: start, creates, lookups, patch, pages, members, changes or transfer")
	flag.StringVar(&o.results, "results", "test/bench/results",
		"keep the table in this `folder` too, in a file named after the day, the engine and the users; empty for nowhere")
	flag.StringVar(&o.binary, "binary", "", "measure this `file` instead of building ./cmd/scimserver")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	database string
	users    int
	rounds   int
	turn     time.Duration
	rest     time.Duration
	only     string
	results  string
	binary   string
}

// bench is one run.
type bench struct {
	options
	folder string // where everything is that the run makes
	engine engine
	report report

	large, small *tenant
}

func run(ctx context.Context, o options) (err error) {
	folder, err := os.MkdirTemp("", "tenantry-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b := &bench{options: o, folder: folder, engine: embedded{folder}}
	if o.database != "" {
		if b.engine, err = newRemote(o.database, folder); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, b.engine.close()) }()
	if b.binary == "" {
		if b.binary, err = build(ctx, folder); err != nil {
			return err
		}
	}
	b.report.machine = b.engine.name() + "; " + machine(folder)
	begin := time.Now()
	b.large, b.small = newTenant(b, "large"), newTenant(b, "small")
	defer b.large.stop()
	defer b.small.stop()
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"start", b.start},
		{"creates", b.creates},
		{"", b.fill},
		{"lookups", b.lookups},
		{"patch", b.patches},
		{"pages", b.pages},
		{"members", b.members},
		{"changes", b.changes},
		{"start", b.afterLoad},
		{"transfer", b.transfers},
	} {
		if part.name != "" && b.only != "" && b.only != part.name {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(begin).Seconds(), part.name)
	}
	b.report.took = time.Since(begin)
	b.report.loadAfter = load()
	text := b.report.String()
	fmt.Print(text)
	if o.results == "" {
		return nil
	}
	name := fmt.Sprintf("%s-%s-%d.md", begin.Format(time.DateOnly), strings.ToLower(b.engine.name()), b.users)
	return os.WriteFile(filepath.Join(o.results, name), []byte(text), 0o644)
}
