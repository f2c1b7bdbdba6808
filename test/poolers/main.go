//go:build linux

// Command poolers runs the built SCIM server on PostgreSQL as people run it: behind poolers, over fail-overs, with few connections, on
// several versions, and on bad days. Everything runs on 127.0.0.1 and in a folder that is removed at the end. It prints a table, and ends
// with 1 where something is not as it must be.
//
// It needs Debian, root and npm: PgBouncer, Patroni, etcd and HAProxy are fetched and unpacked, not installed; PostgreSQL 15 is Debian's,
// and further versions are npm's. `make test-poolers` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("rows", "", "run the rows whose name matches this `expression`, as in failover/patroni")
	list := flag.Bool("list", false, "print the names of the rows and run nothing")
	flag.Parse()
	if err := run(ctx, *only, *list); err != nil {
		fmt.Fprintln(os.Stderr, "poolers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, list bool) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	rows := rowsThat(chosen)
	if list {
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return nil
	}
	folder, err := os.MkdirTemp("", "tenantry-poolers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil { // PostgreSQL is run by another user than root
		return err
	}
	l, err := newLab(ctx, folder)
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range rows {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		begun := time.Now()
		r.saw = l.play(ctx, r)
		fmt.Fprintf(os.Stderr, "%4.0f s  %s  %s\n", time.Since(begun).Seconds(), r.name, r.saw)
		failed = append(failed, r.verdict())
	}
	write(os.Stdout, rows)
	return errors.Join(failed...)
}

func rowsThat(chosen *regexp.Regexp) (rows []*row) {
	for _, r := range allRows() {
		if chosen.MatchString(r.name) {
			rows = append(rows, &r)
		}
	}
	return rows
}

// lab is what all rows share: the programs that were fetched, and the built server.
type lab struct {
	folder   string
	programs *programs
	server   string
	scenes   int
}

func newLab(ctx context.Context, folder string) (*lab, error) {
	programs, err := fetch(ctx, folder)
	if err != nil {
		return nil, err
	}
	server := filepath.Join(folder, "scimserver")
	_, err = output(ctx, "go", "build", "-o", server, "./cmd/scimserver")
	return &lab{folder: folder, programs: programs, server: server}, err
}

// play runs one row in a scene of its own, which ends with it.
func (l *lab) play(ctx context.Context, r *row) *seen {
	l.scenes++
	s := &scene{lab: l, folder: filepath.Join(l.folder, fmt.Sprintf("scene-%d", l.scenes))}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, r.within())
	defer cancel()
	saw := &seen{}
	if err := s.open(); err != nil {
		saw.wrong("%s", err)
	} else if err := r.run(ctx, s, saw); err != nil {
		saw.wrong("%s", err)
	}
	return saw
}
