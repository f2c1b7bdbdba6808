package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// The column apart keeps resources with one key apart (see its migration). A user that no other has the key of is written with an empty
// one, so the unique index lets one of several through. No index can tell which groups may share a key. A transaction that gives a
// group a name, or another external id, therefore locks a row that the name chooses (name_locks), and only then looks for others.

// nameLocks is how many rows name_locks has.
const nameLocks = 64

// lockName makes others wait who want to give a group this key. The statement goes with the next.
func (t *transaction) lockName(key string) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key)) // never fails
	t.queue("SELECT 1 FROM main.name_locks WHERE slot = $1 FOR UPDATE", int16(hash.Sum32()%nameLocks))
}

// lockNames is lockName for all keys there are.
func (t *transaction) lockNames() { t.queue("SELECT 1 FROM main.name_locks ORDER BY slot FOR UPDATE") }

// rename makes sure that a resource may have the key and external id that it is to be replaced with, and tells whether it has to be kept
// apart from others. A key that only an earlier version wrote in another way is the same; who had it then is in nobody's way.
func (t *transaction) rename(ctx context.Context, old *stored, record *store.Record) (apart bool, err error) {
	same := old.key == record.Key || schema.FoldName(old.key) == record.Key
	group := record.Kind == store.Group
	if group {
		t.lockName(record.Key)
	}
	if !same || group && old.external != record.ExternalID {
		query := "SELECT o.id FROM main.resources o, (SELECT $1::smallint AS kind, $2::bytea AS external_id) r" +
			" WHERE o.kind = r.kind AND o.key = $3 AND o.id <> $4 AND " + sqlfilter.Clash
		args := []any{int64(record.Kind), optional(record.ExternalID), []byte(record.Key), old.id}
		if same {
			query += " AND o.external_id IS NOT NULL AND o.external_id <> $5"
			args = append(args, optional(old.external))
		}
		var taker []byte
		switch err := t.one(ctx, []any{&taker}, query+" ORDER BY o.id LIMIT 1", args...); {
		case err == nil:
			return false, &store.ConflictError{Kind: record.Kind, Existing: formatID(taker)}
		case !errors.Is(err, store.ErrNotFound):
			return false, err
		}
	}
	if old.key == record.Key || !group && !same {
		return false, nil
	}
	return t.shared(ctx, record.Kind, record.Key, old.id)
}

// shared tells whether another resource has a key. A user that has it stays until the transaction ends.
func (t *transaction) shared(ctx context.Context, kind store.Kind, key string, id []byte) (bool, error) {
	query := "SELECT id FROM main.resources WHERE kind = $1 AND key = $2 AND id <> $3 LIMIT 1"
	if kind == store.User {
		query += " FOR UPDATE"
	}
	var other []byte
	err := t.one(ctx, []any{&other}, query, int64(kind), []byte(key), id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// keysNotASCII are the keys that an earlier version may have written in another way. The condition is that of their index.
const keysNotASCII = "SELECT id, key FROM main.resources WHERE kind = $1 AND id >= $2 AND length(encode(key, 'escape')) <> length(key) ORDER BY id LIMIT $3"

func (t *transaction) Rekey(ctx context.Context, kind store.Kind, after string, limit int) (next string, err error) {
	from, err := floor(after)
	if err != nil {
		return "", err
	}
	var changed [][]byte
	var id, key []byte
	n := 0
	err = t.each(ctx, []any{&id, &key}, func() (bool, error) {
		n, next = n+1, formatID(id)
		if outdated(key) {
			changed = append(changed, append([]byte(nil), id...))
		}
		return true, nil
	}, keysNotASCII, int64(kind), from, int64(limit))
	if err != nil {
		return "", fmt.Errorf("look for keys of an earlier version: %w", err)
	}
	for _, id := range changed {
		if err := t.rekey(ctx, kind, id); err != nil {
			return "", fmt.Errorf("bring the key of %s %s up to date: %w", kind, formatID(id), err)
		}
	}
	if n < limit {
		return "", nil
	}
	return next, nil
}

// outdated tells whether a key has to be another.
func outdated(key []byte) bool {
	folded := schema.FoldName(string(key))
	return folded != string(key) && len(folded) <= store.MaxKey
}

func (t *transaction) rekey(ctx context.Context, kind store.Kind, id []byte) error {
	delete(t.held, resource{kind, formatID(id)})
	var key []byte
	err := t.one(ctx, []any{&key}, "SELECT key FROM main.resources WHERE kind = $1 AND id = $2 FOR UPDATE", int64(kind), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !outdated(key) {
		return nil
	}
	if err != nil {
		return err
	}
	folded := schema.FoldName(string(key))
	if kind == store.Group {
		t.lockName(folded)
	}
	shared, err := t.shared(ctx, kind, folded, id)
	if err != nil {
		return err
	}
	_, err = t.write(ctx, updateApart, int64(kind), id, []byte(folded), apart(shared, id))
	return err
}

func apart(shared bool, id []byte) []byte {
	if shared {
		return id
	}
	return []byte{}
}

// several are the keys that more than one resource may have.
const several = "(SELECT DISTINCT kind, key FROM main.resources WHERE apart <> '')"

// countAmbiguous counts each key's resources once, however many share it: all of them clash where one has no external id or they are
// users, else those do whose external id is another's too.
const countAmbiguous = "SELECT coalesce(sum(CASE WHEN k.kind = 1 OR k.without > 0 THEN k.n ELSE k.alike END), 0)::bigint FROM" +
	" (SELECT e.kind, sum(e.m) AS n, sum(CASE WHEN e.external_id IS NULL THEN e.m ELSE 0 END) AS without," +
	" sum(CASE WHEN e.m > 1 THEN e.m ELSE 0 END) AS alike FROM (SELECT r.kind, r.key, r.external_id, count(*) AS m FROM " + several + " s" +
	" JOIN main.resources r ON r.kind = s.kind AND r.key = s.key GROUP BY r.kind, r.key, r.external_id) e GROUP BY e.kind, e.key HAVING sum(e.m) > 1) k"

func (r *reader) Ambiguous(ctx context.Context, kind store.Kind, limit int) (ids []string, err error) {
	const query = "SELECT r.id FROM " + several + " s JOIN main.resources r ON r.kind = s.kind AND r.key = s.key WHERE s.kind = $1" +
		" AND EXISTS (SELECT 1 FROM main.resources o WHERE o.kind = r.kind AND o.key = r.key AND o.id <> r.id AND " + sqlfilter.Clash + ")" +
		" ORDER BY r.id LIMIT $2"
	var id []byte
	err = r.each(ctx, []any{&id}, func() (bool, error) {
		ids = append(ids, formatID(id))
		return true, nil
	}, query, int64(kind), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("look for names that several have: %w", err)
	}
	return ids, nil
}
