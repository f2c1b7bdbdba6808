#!/usr/bin/env bash
# modernc.org/sqlite interrupts a statement whose context ends up to its first row, and not while it searches for the next.
#
# QueryContext watches the context until the first row is there. Rows.Next steps on without a watch; database/sql closes the
# rows when the context ends, but has to wait for that step. So a filter that finds one row at the beginning of a large table
# and nothing behind it reads the whole table for a client that hung up, or after a time limit.
# Why it matters: Tenantry's scans find all ids before their first row (WITH … AS MATERIALIZED), and look records up behind it.
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
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

const rows = 300_000

func main() {
	looked, hangUp := 0, func() {}
	sqlite.MustRegisterScalarFunction("looked", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if looked++; looked == 1000 {
			hangUp()
		}
		return args[0], nil
	})
	db, err := sql.Open("sqlite", "file::memory:?cache=shared")
	if err != nil {
		panic(err)
	}
	if _, err := db.Exec(fmt.Sprintf("CREATE TABLE t AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n FROM c", rows)); err != nil {
		panic(err)
	}
	for _, c := range []struct{ when, query string }{
		{"before the first row", "SELECT n FROM t WHERE looked(n) = 0"},
		{"between two rows    ", "SELECT n FROM t WHERE looked(n) IN (1, 0)"},
		{"with ids found first", "WITH s AS MATERIALIZED (SELECT n FROM t WHERE looked(n) IN (1, 0)) SELECT n FROM s"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		looked, hangUp = 0, cancel
		found, err := db.QueryContext(ctx, c.query)
		if err == nil {
			for found.Next() {
			}
			err = found.Err()
			found.Close()
		}
		fmt.Printf("context ends %s: all rows were looked at: %v, %v\n", c.when, looked == rows, err)
	}
}
END
{
	go mod init finding
	go get modernc.org/sqlite@v1.62.0
} >/dev/null 2>&1
go version
go run . 2>&1 | tee seen

diff -u --label expected --label seen - seen <<'END'
context ends before the first row: all rows were looked at: false, context canceled
context ends between two rows    : all rows were looked at: true, <nil>
context ends with ids found first: all rows were looked at: false, context canceled
END
