#!/usr/bin/env bash
# pressly/goose makes its version table before it takes the lock that keeps other processes out, in all ways up but ApplyVersion.
#
# A Provider with a SessionLocker calls it before migrations run, so that of several replicas that start at once one migrates. Up, UpByOne and
# UpTo ask first whether anything is pending, and that question makes the version table, outside of the lock; HasPending asks the same and never
# locks. Two that begin in an empty database meet there. ApplyVersion takes the lock first.
# Why it matters: Tenantry's servers have one schema each, several replicas, and at times one connection; they apply each version by itself.
# Seen with github.com/pressly/goose/v3 3.29.0 and Go 1.26. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >main.go <<'END'
package main

import (
	"context"
	"database/sql"
	"fmt"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"
)

// locker looks, when it is asked to lock, whether the version table is there already.
type locker struct {
	asked, late bool
}

func (l *locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var tables int
	err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&tables)
	l.asked, l.late = true, tables > 0
	return err
}

func (*locker) SessionUnlock(context.Context, *sql.Conn) error { return nil }

func main() {
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (n int);\n-- +goose Down\nDROP TABLE a;\n")}}
	ctx := context.Background()
	for i, way := range []struct {
		name string
		run  func(*goose.Provider) error
	}{
		{"HasPending  ", func(p *goose.Provider) error { _, err := p.HasPending(ctx); return err }},
		{"Up          ", func(p *goose.Provider) error { _, err := p.Up(ctx); return err }},
		{"UpByOne     ", func(p *goose.Provider) error { _, err := p.UpByOne(ctx); return err }},
		{"UpTo        ", func(p *goose.Provider) error { _, err := p.UpTo(ctx, 1); return err }},
		{"ApplyVersion", func(p *goose.Provider) error { _, err := p.ApplyVersion(ctx, 1, true); return err }},
	} {
		db, err := sql.Open("sqlite", fmt.Sprintf("file:%d.db", i))
		if err != nil {
			panic(err)
		}
		l := &locker{}
		provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithSessionLocker(l))
		if err != nil {
			panic(err)
		}
		err = way.run(provider)
		var tables int
		if err := db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&tables); err != nil {
			panic(err)
		}
		fmt.Printf("%s locked: %-5v version table there before the lock: %-5v and at the end: %v, error: %v\n", way.name, l.asked, l.late, tables > 0, err)
	}
}
END
{
	go mod init finding
	go get github.com/pressly/goose/v3@v3.29.0 modernc.org/sqlite@v1.62.0
} >/dev/null 2>&1
go version
go run . 2>&1 | tee seen

diff -u --label expected --label seen - seen <<'END'
HasPending   locked: false version table there before the lock: false and at the end: true, error: <nil>
Up           locked: true  version table there before the lock: true  and at the end: true, error: <nil>
UpByOne      locked: true  version table there before the lock: true  and at the end: true, error: <nil>
UpTo         locked: true  version table there before the lock: true  and at the end: true, error: <nil>
ApplyVersion locked: true  version table there before the lock: false and at the end: true, error: <nil>
END
