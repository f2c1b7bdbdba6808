package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// together is of how many schemas the marks are read by one statement.
const together = 100

// places finds the other schemas with a directory that the role may read. Tables of the same name that are not ours have other columns.
const places = "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
	" WHERE c.relname = 'meta' AND c.relkind = 'r' AND n.nspname <> $1 AND has_schema_privilege(n.oid, 'USAGE')" +
	" AND has_table_privilege(c.oid, 'SELECT') AND (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid" +
	" AND a.attname IN ('key', 'value') AND a.atttypid = 'text'::regtype) = 2 ORDER BY n.nspname"

// elsewhere reads the marks of the directories in other schemas of the database.
func (s *Store) elsewhere(ctx context.Context, conn lent) (found []owner.Elsewhere, err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, _ := conn.Query(ctx, places, s.owned.schema.name) // its error is that of its rows
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(schemas, together) {
		marks := make([]string, len(some))
		for i, schema := range some {
			marks[i] = fmt.Sprintf("SELECT %d, value FROM %s WHERE key = '%s'", i, newNamespace(schema).table("meta"), store.MetaOwner)
		}
		rows, _ := conn.Query(ctx, strings.Join(marks, " UNION ALL "), pgx.QueryExecModeExec)
		var i int
		var mark string
		_, err := pgx.ForEachRow(rows, []any{&i, &mark}, func() error {
			found = append(found, owner.Elsewhere{Place: "schema " + newNamespace(some[i]).quoted, Mark: mark})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
