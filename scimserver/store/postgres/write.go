package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// stored is what has to be known of a resource in order to change it.
type stored struct {
	id            []byte
	key, external string
	index         index
}

// index is a resource's rows in attributes.
type index struct {
	paths []int64
	keys  [][]byte
}

// newIndex leaves out what filters find in a column.
func newIndex(record *store.Record) index {
	i := index{paths: make([]int64, 0, len(record.Index)), keys: make([][]byte, 0, len(record.Index))}
	seen := make(map[string]bool, len(record.Index))
	for _, k := range record.Index {
		if entry := k.Path + "\x00" + k.Key; !seen[entry] && !sqlfilter.InColumn(record.Kind, k.Path) {
			seen[entry] = true
			i.add(sqlfilter.PathNumber(record.Kind, k.Path), []byte(k.Key))
		}
	}
	return i
}

func (i *index) add(path int64, key []byte) {
	i.paths, i.keys = append(i.paths, path), append(i.keys, key)
}

// without is what i has and other has not.
func (i *index) without(other index) index {
	type entry struct {
		path int64
		key  string
	}
	has := make(map[entry]bool, len(other.keys))
	for n, key := range other.keys {
		has[entry{other.paths[n], string(key)}] = true
	}
	var rest index
	for n, key := range i.keys {
		if !has[entry{i.paths[n], string(key)}] {
			rest.add(i.paths[n], key)
		}
	}
	return rest
}

const resourceColumns = "kind, id, key, external_id, active, version, created, modified, deactivated, deactivated_version, defaults, matched"

// resourceRow has the values of resourceColumns.
func resourceRow(record *store.Record, id []byte) []any {
	since, sinceVersion := inactivity(record)
	return []any{
		int64(record.Kind), id, []byte(record.Key), optional(record.ExternalID), record.Active, record.Version,
		record.Created.UnixMicro(), record.Modified.UnixMicro(), since, sinceVersion, record.Defaults, record.Matched,
	}
}

// One statement, so that it is one round trip and one outcome: where the key or the id is taken, nothing is inserted, and the
// transaction can go on. The unique index tells of most users that have the key, so only the few that are kept apart are looked for.
const (
	insertUser = insertSelect + "''::bytea" +
		" WHERE NOT EXISTS (SELECT 1 FROM main.resources o WHERE o.kind = $1 AND o.key = $3 AND o.apart <> '')" + insertRest
	insertGroup = insertSelect + "CASE WHEN EXISTS (SELECT 1 FROM main.resources o WHERE o.kind = $1 AND o.key = $3) THEN $2 ELSE '' END" +
		" WHERE NOT EXISTS (SELECT 1 FROM main.resources o, (SELECT $1::smallint AS kind, $4::bytea AS external_id) r" +
		" WHERE o.kind = r.kind AND o.key = $3 AND " + sqlfilter.Clash + ")" + insertRest

	insertSelect = "WITH r AS (INSERT INTO main.resources (" + resourceColumns + ", apart)" +
		" SELECT $1::smallint, $2::bytea, $3::bytea, $4::bytea, $5::boolean, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint," +
		" $11::text, $12::text, "
	insertRest = " ON CONFLICT DO NOTHING RETURNING kind, id)," +
		" d AS (INSERT INTO main.documents (kind, id, document, overlay, paths, keys) SELECT r.kind, r.id, $13, $14, $15, $16 FROM r)," +
		" a AS (INSERT INTO main.attributes (path, key, resource)" +
		" SELECT i.path, i.key, r.id FROM r, unnest($15::bigint[], $16::bytea[]) AS i (path, key))" +
		" SELECT count(*) FROM r"
)

func (t *transaction) Insert(ctx context.Context, record *store.Record) error {
	id, ok := store.ParseID(record.ID)
	if !ok {
		return fmt.Errorf("insert %s: its id is not a UUID in canonical form", record.Kind)
	}
	entries := newIndex(record)
	t.wrote = true
	insert := insertUser
	if record.Kind == store.Group {
		insert = insertGroup
		t.lockName(record.Key)
	}
	var inserted int64
	err := t.one(ctx, []any{&inserted}, insert,
		append(resourceRow(record, id[:]), nonNil(record.Document), record.Overlay, entries.paths, entries.keys)...)
	if err != nil {
		return fmt.Errorf("insert %s %s: %w", record.Kind, record.ID, err)
	}
	if inserted == 0 {
		return t.taken(ctx, record)
	}
	return nil
}

// taken says who has what an insert wanted for itself. Who had it may be gone by now; then the update begins anew.
func (t *transaction) taken(ctx context.Context, record *store.Record) error {
	id, _ := store.ParseID(record.ID)
	var existing []byte
	const query = "SELECT o.id FROM main.resources o, (SELECT $1::smallint AS kind, $4::bytea AS external_id) r" +
		" WHERE o.kind = r.kind AND (o.key = $2 AND " + sqlfilter.Clash + " OR o.id = $3) ORDER BY o.key <> $2, o.id LIMIT 1"
	err := t.one(ctx, []any{&existing}, query, int64(record.Kind), []byte(record.Key), id[:], optional(record.ExternalID))
	switch {
	case err == nil:
		return &store.ConflictError{Kind: record.Kind, Existing: formatID(existing)}
	case errors.Is(err, store.ErrNotFound):
		return t.failed(ctx, &engineError{conflict, "the key of a new resource was taken and left again"})
	default:
		return err
	}
}

const (
	updateResource = "UPDATE main.resources SET key = $3, external_id = $4, active = $5, version = $6, created = $7, modified = $8," +
		" deactivated = $9, deactivated_version = $10, defaults = $11, matched = $12 WHERE kind = $1 AND id = $2"
	updateApart    = "UPDATE main.resources SET key = $3, apart = $4 WHERE kind = $1 AND id = $2"
	updateDocument = "UPDATE main.documents SET document = $3, overlay = $4, paths = $5, keys = $6 WHERE kind = $1 AND id = $2"
	insertEntries  = "INSERT INTO main.attributes (path, key, resource)" +
		" SELECT i.path, i.key, $1 FROM unnest($2::bigint[], $3::bytea[]) AS i (path, key)"
	// PostgreSQL plans a statement anew each time where it would plan otherwise for an array of a known length.
	deleteEntries = "DELETE FROM main.attributes a USING unnest((SELECT $2::bigint[]), (SELECT $3::bytea[])) AS i (path, key)" +
		" WHERE a.path = i.path AND a.key = i.key AND a.resource = $1"
)

func (t *transaction) Replace(ctx context.Context, record *store.Record) error {
	old, err := t.stored(ctx, record.Kind, record.ID, lockRows)
	if err != nil {
		return err
	}
	// A violated index would end the transaction, so it is asked first. Who comes between is a conflict to try again.
	if old.key != record.Key || old.external != record.ExternalID {
		shared, err := t.rename(ctx, old, record)
		if err != nil {
			return err
		}
		if old.key != record.Key {
			t.queue(updateApart, int64(record.Kind), old.id, []byte(record.Key), apart(shared, old.id))
		}
	}
	entries := newIndex(record)
	since, sinceVersion := inactivity(record)
	t.queue(updateResource, int64(record.Kind), old.id, []byte(record.Key), optional(record.ExternalID), record.Active, record.Version,
		record.Created.UnixMicro(), record.Modified.UnixMicro(), since, sinceVersion, record.Defaults, record.Matched)
	t.queue(updateDocument, int64(record.Kind), old.id, nonNil(record.Document), record.Overlay, entries.paths, entries.keys)
	if gone := old.index.without(entries); len(gone.keys) > 0 {
		t.queue(deleteEntries, old.id, gone.paths, gone.keys)
	}
	if come := entries.without(old.index); len(come.keys) > 0 {
		t.queue(insertEntries, old.id, come.paths, come.keys)
	}
	t.held[resource{record.Kind, record.ID}] = &stored{id: old.id, key: record.Key, external: record.ExternalID, index: entries}
	return nil
}

func (t *transaction) Touch(ctx context.Context, kind store.Kind, id string, version int64, modified time.Time) error {
	uuid, ok := store.ParseID(id)
	if !ok {
		return store.ErrNotFound
	}
	const query = "UPDATE main.resources SET version = $3, modified = $4 WHERE kind = $1 AND id = $2"
	if t.held[resource{kind, id}] != nil && t.usable() == nil {
		t.queue(query, int64(kind), uuid[:], version, modified.UnixMicro())
		return nil
	}
	n, err := t.write(ctx, query, int64(kind), uuid[:], version, modified.UnixMicro())
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

func (t *transaction) Delete(ctx context.Context, kind store.Kind, id string) error {
	// Locked anew even if it is held: who looks whether it exists, to make it a member, must wait from here on.
	delete(t.held, resource{kind, id})
	old, err := t.stored(ctx, kind, id, lockGone)
	if err != nil {
		return err
	}
	delete(t.held, resource{kind, id})
	t.queue(deleteEntries, old.id, old.index.paths, old.index.keys)
	t.queue("DELETE FROM main.documents WHERE kind = $1 AND id = $2", int64(kind), old.id)
	t.queue("DELETE FROM main.resources WHERE kind = $1 AND id = $2", int64(kind), old.id)
	return nil
}

// Meta of an update writes what it reads, so that others who want to change it wait, also where there is nothing yet.
func (t *transaction) Meta(ctx context.Context, key string) (value string, err error) {
	t.wrote = true
	err = t.one(ctx, []any{&value},
		"INSERT INTO main.meta (key, value) VALUES ($1, '') ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value", key)
	return value, err
}

func (t *transaction) SetMeta(_ context.Context, key, value string) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.queue("INSERT INTO main.meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, text(value))
	return nil
}

// RequireMeta is met by no row where something else is stored, also where another transaction stores that while this one waits for it.
func (t *transaction) RequireMeta(ctx context.Context, key, value string) error {
	var has string
	err := t.one(ctx, []any{&has}, "SELECT value FROM main.meta WHERE key = $1 AND value = $2 FOR SHARE", key, text(value))
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrOutdated
	}
	return err
}

func (t *transaction) SetMetaUnless(_ context.Context, key, value, other string, values ...string) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.queue("WITH held AS (SELECT value FROM main.meta WHERE key = $3 FOR SHARE)"+
		" INSERT INTO main.meta (key, value) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.value = ANY($4::text[]))"+
		" ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, text(value), other, values)
	return nil
}

// Get of an update keeps what Replace has to know.
func (t *transaction) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	uuid, ok := store.ParseID(id)
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	var scanned row
	var record store.Record
	s := &stored{id: uuid[:]}
	const query = "SELECT " + columns + ", d.paths, d.keys FROM main.resources r JOIN main.documents d ON d.kind = r.kind AND d.id = r.id" +
		" WHERE r.kind = " + aKind + " AND r.id = $2" + lockRows
	found := false
	err := t.each(ctx, append(scanned.targets(), &s.index.paths, &s.index.keys), func() (bool, error) {
		record, found = scanned.read(kind), true
		return false, nil
	}, query, int64(kind), uuid[:])
	if err != nil {
		return store.Record{}, fmt.Errorf("get %s %s: %w", kind, id, err)
	}
	if !found {
		return store.Record{}, store.ErrNotFound
	}
	s.key, s.external = record.Key, record.ExternalID
	t.held[resource{kind, id}] = s
	return record, nil
}

// stored locks a resource and returns what has to be known to change it.
func (t *transaction) stored(ctx context.Context, kind store.Kind, id, lock string) (*stored, error) {
	uuid, ok := store.ParseID(id)
	if !ok {
		return nil, store.ErrNotFound
	}
	if s := t.held[resource{kind, id}]; s != nil {
		return s, t.usable()
	}
	s := &stored{id: uuid[:]}
	var key, external []byte
	err := t.one(ctx, []any{&key, &external, &s.index.paths, &s.index.keys},
		"SELECT r.key, r.external_id, d.paths, d.keys FROM main.resources r JOIN main.documents d ON d.kind = r.kind AND d.id = r.id"+
			" WHERE r.kind = "+aKind+" AND r.id = $2"+lock, int64(kind), uuid[:])
	if err != nil {
		return nil, err
	}
	s.key, s.external = string(key), string(external)
	t.held[resource{kind, id}] = s
	return s, nil
}

// inactivity is what is kept of since when a resource is inactive: NULL where that is its last change.
func inactivity(record *store.Record) (since, version *int64) {
	if record.Active || record.Deactivated.IsZero() {
		return nil, nil
	}
	micros := record.Deactivated.UnixMicro()
	return &micros, &record.Version
}

// optional is NULL for an attribute without a value.
func optional(value string) []byte {
	if value == "" {
		return nil
	}
	return []byte(value)
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// text is s without what PostgreSQL's text cannot hold.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}
