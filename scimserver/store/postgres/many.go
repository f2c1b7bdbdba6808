package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/store"
)

// InsertAll copies the rows of all records to the database, a table at a time, where none of them is in anybody's way.
func (t *transaction) InsertAll(ctx context.Context, records []*store.Record) (before int, err error) {
	alone, err := t.alone(ctx, records)
	if err != nil {
		return 0, err
	}
	if !alone { // which one is in the way, and whose, is for Insert to say
		for i, record := range records {
			if err := t.Insert(ctx, record); err != nil {
				return i, err
			}
		}
		return len(records), nil
	}
	resources, documents, attributes := rowsOf(records)
	for _, table := range []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"resources", strings.Split(resourceColumns, ", "), resources},
		{"documents", []string{"kind", "id", "document", "overlay", "paths", "keys"}, documents},
		{"attributes", []string{"path", "key", "resource"}, attributes},
	} {
		if err := t.copy(ctx, table.name, table.columns, table.rows); err != nil {
			return 0, fmt.Errorf("insert %d %ss: %w", len(records), records[0].Kind, err)
		}
	}
	return len(records), nil
}

// alone tells whether all ids are UUIDs and neither an id nor a key is taken, by another of them or by who is there. Who
// comes between makes the update begin anew.
func (t *transaction) alone(ctx context.Context, records []*store.Record) (bool, error) {
	ids, keys := make([][]byte, len(records)), make([][]byte, len(records))
	for i, record := range records {
		id, ok := store.ParseID(record.ID)
		if !ok {
			return false, t.usable()
		}
		ids[i], keys[i] = id[:], []byte(record.Key)
	}
	if len(records) < 2 || repeated(ids) || repeated(keys) {
		return false, t.usable()
	}
	if records[0].Kind == store.Group {
		t.lockNames()
	}
	var taken bool
	err := t.one(ctx, []any{&taken}, "SELECT EXISTS (SELECT 1 FROM main.resources WHERE kind = $1 AND key = ANY($2))"+
		" OR EXISTS (SELECT 1 FROM main.resources WHERE kind = $1 AND id = ANY($3))", int64(records[0].Kind), keys, ids)
	return !taken, err
}

func repeated(values [][]byte) bool {
	sorted := slices.SortedFunc(slices.Values(values), bytes.Compare)
	return len(slices.CompactFunc(sorted, bytes.Equal)) < len(values)
}

// rowsOf are the rows of each table. Those of attributes are in the order of its index, so that neighbours are written together.
func rowsOf(records []*store.Record) (resources, documents, attributes [][]any) {
	type entry struct {
		path          int64
		key, resource []byte
	}
	var entries []entry
	for _, r := range records {
		id, _ := store.ParseID(r.ID)
		resources = append(resources, resourceRow(r, id[:]))
		index := newIndex(r)
		documents = append(documents, []any{int64(r.Kind), id[:], nonNil(r.Document), r.Overlay, index.paths, index.keys})
		for i, path := range index.paths {
			entries = append(entries, entry{path, index.keys[i], id[:]})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.path, b.path), bytes.Compare(a.key, b.key), bytes.Compare(a.resource, b.resource))
	})
	for _, e := range entries {
		attributes = append(attributes, []any{e.path, e.key, e.resource})
	}
	return resources, documents, attributes
}

// copy writes rows to a table. Nothing may be queued.
func (t *transaction) copy(ctx context.Context, table string, columns []string, rows [][]any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	t.wrote = true
	_, err := t.conn.CopyFrom(ctx, pgx.Identifier{t.schema.name, table}, columns, pgx.CopyFromRows(rows))
	return t.failed(ctx, err)
}
