package sqlfilter

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Dialect is the SQL of one engine, where the engines differ.
type Dialect int

// The engines. PostgreSQL is also what speaks its protocol; nothing is used that CockroachDB lacks.
const (
	SQLite Dialect = iota
	PostgreSQL
)

// path is the number that stands for an attribute in the rows of attributes.
func (d Dialect) path(kind store.Kind, name string) Fragment {
	if d == PostgreSQL {
		return Fragment{SQL: "?", Args: []any{PathNumber(kind, name)}}
	}
	return Fragment{SQL: "(SELECT p.id FROM main.paths p WHERE p.kind = ? AND p.name = ?)", Args: []any{int64(kind), name}}
}

// kind is the kind of resources in the query for those that have one value. PostgreSQL must not see which it is when it plans: where it last
// counted before there was a group, it would take any index that begins with the kind for as good as the one with the value.
func (d Dialect) kind() string {
	if d == PostgreSQL {
		return "(SELECT ?::smallint)"
	}
	return "?"
}

// among is the condition that a resource has one of these ids, and the query for those that have, each by a look-up of its own.
func (d Dialect) among(kind store.Kind, ids []string) (where, source Fragment) {
	if d == PostgreSQL {
		list := make([][]byte, len(ids))
		for i, text := range ids {
			id, _ := store.ParseID(text)
			list[i] = id[:]
		}
		return Fragment{SQL: "r.id = ANY (?::bytea[])", Args: []any{list}}, Fragment{
			SQL: "SELECT r.id FROM unnest(?::bytea[]) AS i (id) CROSS JOIN LATERAL" +
				" (SELECT o.id FROM main.resources o WHERE o.kind = " + d.kind() + " AND o.id = i.id OFFSET 0) r",
			Args: []any{list, int64(kind)},
		}
	}
	list := `["` + strings.Join(ids, `","`) + `"]`
	return Fragment{SQL: "r.id IN (SELECT unhex(j.value, '-') FROM json_each(?) j)", Args: []any{list}}, Fragment{
		SQL:  "SELECT r.id FROM json_each(?) j CROSS JOIN main.resources r ON r.kind = ? AND r.id = unhex(j.value, '-')",
		Args: []any{list, int64(kind)},
	}
}

// position is where in a column of bytes others begin, from 1; 0 if they do not occur.
func (d Dialect) position(column string) string {
	if d == PostgreSQL {
		return "position(? IN " + column + ")"
	}
	return "instr(" + column + ", ?)"
}

// text is the expression for a column of ids as clients see them, behind a prefix that is another expression, as bytes.
func (d Dialect) text(prefix, column string) string {
	if prefix != "" {
		prefix += " || "
	}
	if d == PostgreSQL {
		return "convert_to(" + prefix + "encode(" + column + ", 'hex')::uuid::text, 'UTF8')"
	}
	var parts []string
	for _, part := range [][2]int{{1, 8}, {9, 4}, {13, 4}, {17, 4}, {21, 12}} {
		parts = append(parts, fmt.Sprintf("substr(hex(%s), %d, %d)", column, part[0], part[1]))
	}
	return "CAST(" + prefix + "lower(" + strings.Join(parts, " || '-' || ") + ") AS BLOB)"
}

// PathNumber numbers the attributes on PostgreSQL. SQLite's one writer gives numbers as attributes come up; several replicas
// would have to agree on them, so there the number follows from the name: 64 bits of its SHA-256, which no two of a tenant's
// few hundred attributes share.
func PathNumber(kind store.Kind, name string) int64 {
	sum := sha256.Sum256(append([]byte{byte(kind)}, name...))
	return int64(binary.BigEndian.Uint64(sum[:]))
}
