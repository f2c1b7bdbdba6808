package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// The column apart keeps resources with one key apart (see its migration). The writer looks for resources that clash before it writes:
// there is one writer, so none can come between.

// Insert writes these as apart, with the parameters of its columns: NULL, which the column refuses, where the key is taken. A condition of the
// INSERT would have SQLite put the row into a table of its own first, because the condition reads the table that is written.
const (
	apartUser  = "CASE WHEN EXISTS (SELECT 1 FROM resources o WHERE o.kind = ?1 AND o.key = ?3) THEN NULL ELSE x'' END"
	apartGroup = "CASE WHEN EXISTS (SELECT 1 FROM resources o WHERE o.kind = ?1 AND o.key = ?3" +
		" AND (o.external_id IS NULL OR ?4 IS NULL OR o.external_id = ?4)) THEN NULL" +
		" WHEN EXISTS (SELECT 1 FROM resources o WHERE o.kind = ?1 AND o.key = ?3) THEN ?2 ELSE x'' END"
)

// taker returns who has the key of a record and clashes with it, other than the resource id, and than those with which it clashed under
// its external id before. It is nil where nobody does.
func (t *transaction) taker(ctx context.Context, record *store.Record, id []byte, before *string) (taker []byte, err error) {
	query := "SELECT o.id FROM resources o, (SELECT ?1 AS kind, ?2 AS external_id) r WHERE o.kind = r.kind AND o.key = ?3 AND o.id <> ?4 AND " + sqlfilter.Clash
	args := []any{int64(record.Kind), optional(record.ExternalID), []byte(record.Key), id}
	if before != nil {
		query += " AND o.external_id IS NOT NULL AND ?5 IS NOT NULL AND o.external_id <> ?5"
		args = append(args, optional(*before))
	}
	err = t.row(ctx, []any{&taker}, query+" ORDER BY o.id LIMIT 1", args...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return taker, t.translate(err)
}

// apart is what keeps a resource apart from others that have a key.
func (t *transaction) apart(ctx context.Context, kind store.Kind, key string, id []byte) ([]byte, error) {
	var one int
	err := t.row(ctx, []any{&one}, "SELECT 1 FROM resources WHERE kind = ? AND key = ? AND id <> ? LIMIT 1", int64(kind), []byte(key), id)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, sql.ErrNoRows):
		return []byte{}, nil
	default:
		return nil, t.translate(err)
	}
}

// rename tells what Replace has to write as apart, nil for nothing, or whose the key is. A key that only an earlier version wrote in
// another way is the same.
func (t *transaction) rename(ctx context.Context, old *stored, record *store.Record) (apart []byte, err error) {
	same := old.key == record.Key || schema.FoldName(old.key) == record.Key
	var before *string
	if same {
		before = &old.external
	}
	if !same || record.Kind == store.Group && old.external != record.ExternalID {
		taker, err := t.taker(ctx, record, old.id, before)
		switch {
		case err != nil:
			return nil, err
		case taker != nil:
			return nil, &store.ConflictError{Kind: record.Kind, Existing: formatID(taker)}
		}
	}
	if old.key == record.Key {
		return nil, nil
	}
	return t.apart(ctx, record.Kind, record.Key, old.id)
}

func (t *transaction) Rekey(ctx context.Context, kind store.Kind, after string, limit int) (next string, err error) {
	from, err := floor(after)
	if err != nil {
		return "", err
	}
	type keyed struct {
		id  []byte
		key string
	}
	var changed []keyed
	n := 0
	rows, err := t.query(ctx, "SELECT id, key FROM resources INDEXED BY resources_key_not_ascii WHERE kind = ? AND id >= ?"+
		" AND length(key) <> length(CAST(key AS TEXT)) ORDER BY id LIMIT ?", int64(kind), from, int64(limit))
	if err != nil {
		return "", fmt.Errorf("look for keys of an earlier version: %w", t.translate(err))
	}
	defer rows.done()
	for rows.Next() {
		var id, key []byte
		if err := rows.Scan(&id, &key); err != nil {
			return "", t.translate(err)
		}
		n, next = n+1, formatID(id)
		if folded := schema.FoldName(string(key)); folded != string(key) && len(folded) <= store.MaxKey {
			changed = append(changed, keyed{id, folded})
		}
	}
	if err := rows.Err(); err != nil {
		return "", t.translate(err)
	}
	for _, c := range changed {
		apart, err := t.apart(ctx, kind, c.key, c.id)
		if err != nil {
			return "", err
		}
		_, err = t.write(ctx, "UPDATE resources SET key = ?, apart = ? WHERE kind = ? AND id = ?", []byte(c.key), apart, int64(kind), c.id)
		if err != nil {
			return "", err
		}
	}
	if n < limit {
		return "", nil
	}
	return next, nil
}

// shared are the keys that several resources may have. SQLite would rather read them all, from an index that has them in order.
const shared = "(SELECT DISTINCT kind, key FROM resources INDEXED BY resources_apart WHERE apart <> x'')"

// countAmbiguous counts each key's resources once, however many share it: all of them clash where one has no external id or they are
// users, else those do whose external id is another's too.
const countAmbiguous = "SELECT coalesce(sum(CASE WHEN kind = 1 OR without > 0 THEN n ELSE alike END), 0) FROM" +
	" (SELECT kind, sum(m) AS n, sum(CASE WHEN external_id IS NULL THEN m ELSE 0 END) AS without, sum(CASE WHEN m > 1 THEN m ELSE 0 END) AS alike" +
	" FROM (SELECT r.kind, r.key, r.external_id, count(*) AS m FROM " + shared + " s CROSS JOIN resources r ON r.kind = s.kind AND r.key = s.key" +
	" GROUP BY r.kind, r.key, r.external_id) GROUP BY kind, key HAVING sum(m) > 1)"

func (r *reader) Ambiguous(ctx context.Context, kind store.Kind, limit int) ([]string, error) {
	const query = "SELECT r.id FROM " + shared + " s CROSS JOIN resources r ON r.kind = s.kind AND r.key = s.key WHERE s.kind = ?" +
		" AND EXISTS (SELECT 1 FROM resources o WHERE o.kind = r.kind AND o.key = r.key AND o.id <> r.id AND " + sqlfilter.Clash + ") ORDER BY r.id LIMIT ?"
	return r.ids(ctx, "look for names that several have", query, int64(kind), int64(limit))
}
