#!/usr/bin/env bash
# modernc.org/sqlite has one page cache for all connections of a process, and a connection that no longer reads can keep another from caching.
#
# The driver's SQLite is built with SQLITE_ENABLE_MEMORY_MANAGEMENT, so that PRAGMA cache_size of one connection is a part of a common pool. A
# connection at its own limit takes the oldest pages, whose ever they are. When the other then reads its pages again it is below its own limit
# and takes new ones, so the pool is above its limit; and as long as it is, each page is dropped as soon as a statement is done with it.
# Nothing ends this while the first connection is idle: its pages are never the ones that are dropped. Another PRAGMA cache_size trims the
# pool, oldest first; it has to be a small one, and then the former: there is no room to grow otherwise.
# Why it matters: after many reads Tenantry's only writer read 17 pages from the file for each PATCH. It sets its cache anew when it misses many.
# Seen with modernc.org/sqlite 1.62.0 and Go 1.26. Needs go.
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

	"modernc.org/sqlite"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// connect opens a connection with a cache of so many pages.
func connect(pages int) *sql.Conn {
	db := must(sql.Open("sqlite", fmt.Sprintf("file:pages.db?_pragma=cache_size(%d)", pages)))
	return must(db.Conn(context.Background()))
}

func exec(c *sql.Conn, text string) {
	must(c.ExecContext(context.Background(), text))
}

// missed reads a table of so many pages, and tells how many were not in the cache.
func missed(c *sql.Conn, table string) (pages int) {
	status := func() (n int) {
		_ = c.Raw(func(on any) (err error) {
			n, _, err = on.(sqlite.DBStatus).Status(sqlite.DBStatusCacheMiss, true)
			return err
		})
		return n
	}
	status()
	var sum int
	if err := c.QueryRowContext(context.Background(), "SELECT count(*) FROM "+table+" NOT INDEXED WHERE b IS NOT NULL").Scan(&sum); err != nil {
		panic(err)
	}
	return status()
}

func main() {
	makes := connect(1000)
	for table, rows := range map[string]int{"few": 90, "many": 600} {
		exec(makes, "CREATE TABLE "+table+" (b)")
		exec(makes, fmt.Sprintf("INSERT INTO %s WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d)"+
			" SELECT zeroblob(3000) FROM c", table, rows))
	}
	must(0, makes.Raw(func(on any) error { return on.(interface{ Close() error }).Close() }))

	a, b := connect(100), connect(100)
	missed(a, "few")
	fmt.Println("90 pages in a cache of 100 again:                      missed some:", missed(a, "few") > 0)
	missed(b, "many")
	missed(a, "few")
	fmt.Println("after another connection read 600 pages and ended:      missed most:", missed(a, "few") > 30)
	fmt.Println("once more:                                              missed most:", missed(a, "few") > 30)
	exec(a, "PRAGMA cache_size(1)")
	exec(a, "PRAGMA cache_size(100)")
	missed(a, "few")
	fmt.Println("after PRAGMA cache_size(1) and PRAGMA cache_size(100):  missed some:", missed(a, "few") > 0)
}
END
{
	go mod init finding
	go get modernc.org/sqlite@v1.62.0
} >/dev/null 2>&1
go version
go run . 2>&1 | tee seen

diff -u --label expected --label seen - seen <<'END'
90 pages in a cache of 100 again:                      missed some: false
after another connection read 600 pages and ended:      missed most: true
once more:                                              missed most: true
after PRAGMA cache_size(1) and PRAGMA cache_size(100):  missed some: false
END
