package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// paths numbers the attributes that have index entries, so that an entry does not repeat a URN.
type paths struct {
	known map[pathName]int64
}

type pathName struct {
	kind store.Kind
	name string
}

// forget is for when a transaction was rolled back that may have given a number.
func (p *paths) forget() { clear(p.known) }

func (t *transaction) path(ctx context.Context, name pathName) (id int64, err error) {
	if id, ok := t.paths.known[name]; ok {
		return id, nil
	}
	err = t.row(ctx, []any{&id}, "SELECT id FROM paths WHERE kind = ? AND name = ?", int64(name.kind), name.name)
	if errors.Is(err, sql.ErrNoRows) {
		if err := t.usable(); err != nil {
			return 0, err
		}
		t.numbered = true
		err = t.row(ctx, []any{&id}, "INSERT INTO paths (kind, name) VALUES (?, ?) RETURNING id", int64(name.kind), name.name)
	}
	if err != nil {
		return 0, t.translate(err)
	}
	t.paths.known[name] = id
	return id, nil
}

// key is one index entry of a resource.
type key struct {
	path int64
	key  string
}

// keys are all index entries of a resource, in order and each once.
type keys []key

func (k key) compare(other key) int {
	if k.path != other.path { // and not cmp.Or, which is told both: to sort entries is a sixth of an import
		return cmp.Compare(k.path, other.path)
	}
	return strings.Compare(k.key, other.key)
}

// encode leaves out what filters find in a column.
func (t *transaction) encode(ctx context.Context, record *store.Record) (keys, error) {
	out := make(keys, 0, len(record.Index))
	for _, k := range record.Index {
		if sqlfilter.InColumn(record.Kind, k.Path) {
			continue
		}
		path, err := t.path(ctx, pathName{record.Kind, k.Path})
		if err != nil {
			return nil, err
		}
		out = append(out, key{path, k.Key})
	}
	slices.SortFunc(out, key.compare)
	return slices.Compact(out), nil
}

// difference tells which entries have to go and which have to come.
func difference(old, current keys) (gone, come keys) {
	for len(old) > 0 && len(current) > 0 {
		switch c := old[0].compare(current[0]); {
		case c < 0:
			gone, old = append(gone, old[0]), old[1:]
		case c > 0:
			come, current = append(come, current[0]), current[1:]
		default:
			old, current = old[1:], current[1:]
		}
	}
	return append(gone, old...), append(come, current...)
}

// marshal writes each entry as its path's number, the length of its key and the key.
func (k keys) marshal() []byte {
	out := make([]byte, 0, 32*len(k))
	for _, entry := range k {
		out = binary.AppendUvarint(out, uint64(entry.path))
		out = binary.AppendUvarint(out, uint64(len(entry.key)))
		out = append(out, entry.key...)
	}
	return out
}

var errKeys = errors.New("the stored list of index entries is damaged")

func unmarshalKeys(b []byte) (keys, error) {
	var out keys
	for len(b) > 0 {
		path, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errKeys
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return nil, errKeys
		}
		b = b[n+m:]
		out = append(out, key{int64(path), string(b[:size])})
		b = b[size:]
	}
	return out, nil
}

// maxEntries is how many index entries one statement inserts; each number of them is a statement of its own.
const maxEntries = 24

func (t *transaction) addKeys(ctx context.Context, resource []byte, entries keys) error {
	for chunk := range slices.Chunk(entries, maxEntries) {
		args := make([]any, 1, 1+2*len(chunk))
		args[0] = resource
		for _, entry := range chunk {
			args = append(args, entry.path, []byte(entry.key))
		}
		if _, err := t.write(ctx, insertEntries[len(chunk)], args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) removeKeys(ctx context.Context, resource []byte, entries keys) error {
	for _, entry := range entries {
		_, err := t.write(ctx, "DELETE FROM attributes WHERE path = ? AND key = ? AND resource = ?", entry.path, []byte(entry.key), resource)
		if err != nil {
			return err
		}
	}
	return nil
}

// insertEntries are the statements that insert so many entries of one resource.
var insertEntries = func() (texts [maxEntries + 1]string) { //nolint:gochecknoglobals // a list that nothing writes
	for n := 1; n <= maxEntries; n++ {
		texts[n] = "INSERT INTO attributes (resource, path, key) VALUES " + strings.Repeat("(?1, ?, ?), ", n-1) + "(?1, ?, ?)"
	}
	return texts
}()
