package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tenantry/tenantry/scimserver/store"
)

// transaction is store.Tx: one update inside the writer's transaction.
type transaction struct {
	reader
	changes

	putting  putting
	paths    *paths
	late     *late // nil unless entries of the index were put off
	numbered bool  // a path got its number
	broken   error // the engine failed, whatever the update makes of it
	ended    bool
	// read is what Get has last read, as long as nothing was written since; Replace need not read it again.
	read *stored
}

// changes are what a transaction did to the set of resources, whether it did anything, and how many rows it wrote.
type changes struct {
	any            bool
	rows           int64
	added, removed []resourceID
}

type resourceID struct {
	kind store.Kind
	id   []byte
}

func (c *changes) append(more *changes) {
	c.any = c.any || more.any
	c.rows += more.rows
	c.added = append(c.added, more.added...)
	c.removed = append(c.removed, more.removed...)
}

var errEnded = errors.New("the transaction was used after its update function returned")

// write executes a statement and returns how many rows it changed. After a failure of the engine it does nothing: SQLite may
// have left the transaction, and what is written outside of it would stay.
func (t *transaction) write(ctx context.Context, query string, args ...any) (rows int64, err error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	t.any, t.read = true, nil
	result, err := t.exec(ctx, query, args...)
	if err != nil {
		return 0, t.translate(err)
	}
	rows, err = result.RowsAffected()
	t.rows += rows
	return rows, err
}

func (t *transaction) usable() error {
	if t.ended {
		return errEnded
	}
	return t.broken
}

const (
	insertColumns = "INSERT INTO resources" +
		" (kind, id, key, external_id, active, version, created, modified, deactivated, deactivated_version, defaults, matched, apart)" +
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
	insertUser  = insertColumns + apartUser + ")"
	insertGroup = insertColumns + apartGroup + ")"
)

func (t *transaction) Insert(ctx context.Context, record *store.Record) error {
	id, ok := store.ParseID(record.ID)
	if !ok {
		return fmt.Errorf("insert %s: its id is not a UUID in canonical form", record.Kind)
	}
	keys, err := t.encode(ctx, record)
	if err != nil {
		return err
	}
	since, sinceVersion := inactivity(record)
	query := insertUser
	if record.Kind == store.Group {
		query = insertGroup
	}
	_, err = t.write(ctx, query, int64(record.Kind), id[:], []byte(record.Key), optional(record.ExternalID), record.Active, record.Version,
		record.Created.UnixMicro(), record.Modified.UnixMicro(), since, sinceVersion, record.Defaults, record.Matched)
	if failedWith(err, sqlite3.SQLITE_CONSTRAINT_NOTNULL) { // see apartUser
		taker, err := t.taker(ctx, record, []byte{}, nil)
		if err != nil {
			return err
		}
		return &store.ConflictError{Kind: record.Kind, Existing: formatID(taker)}
	}
	if err != nil {
		return t.conflict(record, err)
	}
	_, err = t.write(ctx, "INSERT INTO documents (row, document, overlay, keys) VALUES (last_insert_rowid(), ?, ?, ?)",
		nonNil(record.Document), record.Overlay, keys.marshal())
	if err != nil {
		return err
	}
	t.added = append(t.added, resourceID{record.Kind, id[:]})
	return t.index(ctx, id, keys)
}

func (t *transaction) InsertAll(ctx context.Context, records []*store.Record) (before int, err error) {
	for i, record := range records {
		if err := t.Insert(ctx, record); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

func (t *transaction) Replace(ctx context.Context, record *store.Record) error {
	old, before, err := t.stored(ctx, record.Kind, record.ID)
	if err != nil {
		return err
	}
	apart, err := t.rename(ctx, &old, record)
	if err != nil {
		return err
	}
	keys, err := t.encode(ctx, record)
	if err != nil {
		return err
	}
	// Columns with an index of their own are only written when they change.
	set := "active = ?, version = ?, created = ?, modified = ?, deactivated = ?, deactivated_version = ?, defaults = ?, matched = ?"
	since, sinceVersion := inactivity(record)
	args := []any{
		record.Active, record.Version, record.Created.UnixMicro(), record.Modified.UnixMicro(), since, sinceVersion,
		record.Defaults, record.Matched,
	}
	if old.key != record.Key {
		set, args = set+", key = ?, apart = ?", append(args, []byte(record.Key), apart)
	}
	if old.external != record.ExternalID {
		set, args = set+", external_id = ?", append(args, optional(record.ExternalID))
	}
	if _, err := t.write(ctx, "UPDATE resources SET "+set+" WHERE row = ?", append(args, old.row)...); err != nil {
		return err
	}
	_, err = t.write(ctx, "UPDATE documents SET document = ?, overlay = ?, keys = ? WHERE row = ?",
		nonNil(record.Document), record.Overlay, keys.marshal(), old.row)
	if err != nil {
		return err
	}
	gone, come := difference(before, keys)
	if err := t.removeKeys(ctx, old.id, gone); err != nil {
		return err
	}
	return t.addKeys(ctx, old.id, come)
}

func (t *transaction) Touch(ctx context.Context, kind store.Kind, id string, version int64, modified time.Time) error {
	uuid, ok := store.ParseID(id)
	if !ok {
		return store.ErrNotFound
	}
	n, err := t.write(ctx, "UPDATE resources SET version = ?, modified = ? WHERE kind = ? AND id = ?",
		version, modified.UnixMicro(), int64(kind), uuid[:])
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

func (t *transaction) Delete(ctx context.Context, kind store.Kind, id string) error {
	old, entries, err := t.stored(ctx, kind, id)
	if err != nil {
		return err
	}
	if err := t.removeKeys(ctx, old.id, entries); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM documents WHERE row = ?", "DELETE FROM resources WHERE row = ?"} {
		if _, err := t.write(ctx, query, old.row); err != nil {
			return err
		}
	}
	t.removed = append(t.removed, resourceID{kind, old.id})
	return nil
}

func (t *transaction) Append(ctx context.Context, e store.Entry) error {
	var sequence any // NULL takes the next
	if e.Sequence != 0 {
		sequence = e.Sequence
	}
	_, err := t.write(ctx, "INSERT INTO log (sequence, "+entryColumns+")"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		sequence, e.Time.UnixMicro(), e.Client, e.RequestID, int64(e.Kind), e.ResourceID, e.Operation,
		strings.Join(e.Attributes, "\n"), e.Defaults, e.Outcome, max(e.Count, 1), unlessNone(store.EncodeMemberChanges(e.Members)))
	if err != nil {
		return fmt.Errorf("write the provisioning log: %w", err)
	}
	return nil
}

func (t *transaction) TrimLog(ctx context.Context, kept store.Retention, limit int) (removed int, err error) {
	n, err := t.write(ctx, "DELETE FROM log WHERE sequence IN (SELECT o.sequence FROM log o ORDER BY o.sequence LIMIT ?)"+
		" AND sequence < (SELECT max(sequence) FROM log)"+
		" AND ((SELECT n.time FROM log n WHERE n.sequence > log.sequence ORDER BY n.sequence LIMIT 1) < ?"+
		" OR sequence <= (SELECT max(sequence) FROM log) - ?"+
		" OR sequence <= (SELECT o.sequence FROM log o WHERE length(o.members) > 1700 ORDER BY o.sequence DESC LIMIT 1 OFFSET ?))",
		int64(limit), kept.Since.UnixMicro(), int64(kept.Entries), int64(kept.Long))
	if err != nil {
		return 0, fmt.Errorf("trim the provisioning log: %w", err)
	}
	return int(n), nil
}

func (t *transaction) SetMeta(ctx context.Context, key, value string) error {
	_, err := t.write(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

func (t *transaction) RequireMeta(ctx context.Context, key, value string) error {
	if has, err := t.Meta(ctx, key); err != nil || has != value {
		return cmp.Or(err, store.ErrOutdated)
	}
	return nil
}

func (t *transaction) SetMetaUnless(ctx context.Context, key, value, other string, values ...string) error {
	if has, err := t.Meta(ctx, other); err != nil || slices.Contains(values, has) && has != "" {
		return err
	}
	return t.SetMeta(ctx, key, value)
}

// stored is what has to be known of a resource in order to change it.
type stored struct {
	row           int64
	kind          store.Kind
	id            []byte
	key, external string
	keys          []byte // see unmarshalKeys
}

const getStored = "SELECT " + columns + ", " + ungrouped + ", r.row, d.keys" + getFrom

// Get also reads what a change of the resource has to know.
func (t *transaction) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	s := stored{kind: kind}
	record, err := t.get(ctx, kind, id, getStored, &s.row, &s.keys)
	if err != nil {
		return store.Record{}, err
	}
	uuid, _ := store.ParseID(id)
	s.id, s.key, s.external = uuid[:], record.Key, record.ExternalID
	t.read = &s
	return record, nil
}

func (t *transaction) stored(ctx context.Context, kind store.Kind, id string) (s stored, k keys, err error) {
	if err := t.settle(ctx); err != nil {
		return stored{}, nil, err
	}
	uuid, ok := store.ParseID(id)
	if !ok {
		return stored{}, nil, store.ErrNotFound
	}
	if t.read == nil || t.read.kind != kind || !bytes.Equal(t.read.id, uuid[:]) {
		if _, err := t.Get(ctx, kind, id); err != nil {
			return stored{}, nil, err
		}
	}
	s = *t.read
	if k, err = unmarshalKeys(s.keys); err != nil {
		return stored{}, nil, fmt.Errorf("index of %s %s: %w", kind, id, err)
	}
	return s, k, nil
}

// conflict is the error of an insert whose id is taken: its key was asked for.
func (t *transaction) conflict(record *store.Record, err error) error {
	if failedWith(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return &store.ConflictError{Kind: record.Kind, Existing: record.ID}
	}
	return t.translate(err)
}

// inactivity is what is kept of since when a resource is inactive: NULL where that is its last change.
func inactivity(record *store.Record) (since, version any) {
	if record.Active || record.Deactivated.IsZero() {
		return nil, nil
	}
	return record.Deactivated.UnixMicro(), record.Version
}

// optional is NULL for an attribute without a value.
func optional(value string) any {
	if value == "" {
		return nil
	}
	return []byte(value)
}

// unlessNone is NULL for what there is nothing of.
func unlessNone(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
