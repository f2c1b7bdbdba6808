package sqlfilter

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Sorted is the query for the ids and keys of the resources of a kind that meet a condition on "resources AS r", in the order of
// a sort and, in a walk, behind After. Key is what store.Sort.Key gives for a key that it finds, nil for NULL. ok is false where SQL does
// not have the keys: then they are to be asked of store.Sort.Key.
func Sorted(dialect Dialect, q store.Query, where Fragment) (f Fragment, key func(found any) *string, ok bool) {
	keys, ok := sortKeys(q.Kind, q.Sort.Path)
	if !ok {
		return Fragment{}, nil, false
	}
	behind, ok := keys.behind(q)
	if !ok {
		return Fragment{}, nil, false
	}
	source := keys.source(dialect, q.Kind, where)
	return Fragment{
		SQL:  "SELECT id, k FROM (" + source.SQL + ") keyed WHERE " + behind.SQL + " ORDER BY " + keys.order(q.Sort.Descending),
		Args: append(source.Args, behind.Args...),
	}, keys.key, true
}

// sorter is where the keys of a sort are.
type sorter struct {
	column   string // of resources; "" for the attribute index
	path     string // in the attribute index
	optional bool   // some resources have no key
	value    func(key string) (parameter any, ok bool)
}

// key is the reverse of value.
func (s sorter) key(found any) *string {
	var key string
	switch found := found.(type) {
	case int64:
		key = store.TimeKey(time.UnixMicro(found))
	case []byte:
		if key = string(found); s.column == "id" {
			key = uuid.UUID(found).String()
		}
	default:
		return nil
	}
	return &key
}

func sortKeys(kind store.Kind, p schema.Path) (s sorter, ok bool) {
	s.value = func(key string) (any, bool) { return []byte(key), true }
	switch path := p.String(); path {
	case "id":
		s.column = "id"
		s.value = func(key string) (any, bool) {
			id, ok := store.ParseID(key)
			return id[:], ok
		}
	case keyAttribute(kind):
		s.column = "key"
	case "externalId":
		s.column, s.optional = "external_id", true
	case "meta.created", "meta.lastModified":
		if s.column = "created"; path == "meta.lastModified" {
			s.column = "modified"
		}
		s.value = func(key string) (any, bool) {
			t, ok := store.ParseTimeKey(key)
			return t.UnixMicro(), ok
		}
	default:
		leaf := p.Leaf()
		if !p.Indexed() || p.Attribute.MultiValued || leaf.MultiValued {
			return s, false // which of several values counts, the index does not know
		}
		if leaf.Type == schema.TypeInteger || leaf.Type == schema.TypeDecimal {
			return s, false // the keys of numbers are not in the order of the numbers
		}
		s.path, s.optional = path, true
	}
	return s, true
}

// source is the query for the ids and keys (k, NULL for none) of the resources that meet the condition.
func (s sorter) source(dialect Dialect, kind store.Kind, where Fragment) Fragment {
	if s.column != "" {
		return Fragment{
			SQL:  fmt.Sprintf("SELECT r.id AS id, r.%s AS k FROM main.resources r WHERE r.kind = ? AND %s", s.column, where.SQL),
			Args: append([]any{int64(kind)}, where.Args...),
		}
	}
	path := dialect.path(kind, s.path)
	args := slices.Concat(path.Args, []any{int64(kind)}, where.Args, []any{int64(kind)}, where.Args, path.Args)
	return Fragment{
		SQL: "SELECT a.resource AS id, a.key AS k FROM main.attributes a JOIN main.resources r ON r.id = a.resource" +
			" WHERE a.path = " + path.SQL + " AND r.kind = ? AND " + where.SQL +
			" UNION ALL SELECT r.id AS id, NULL AS k FROM main.resources r WHERE r.kind = ? AND " + where.SQL +
			" AND r.id NOT IN (SELECT a.resource FROM main.attributes a WHERE a.path = " + path.SQL + ")",
		Args: args,
	}
}

func (s sorter) order(descending bool) string {
	switch {
	case s.optional && descending:
		return "k IS NOT NULL, k DESC, id DESC"
	case s.optional:
		return "k IS NULL, k, id"
	case descending:
		return "k DESC, id DESC"
	default:
		return "k, id"
	}
}

// behind is the condition for what comes after the last record of a walk.
func (s sorter) behind(q store.Query) (f Fragment, ok bool) {
	last, ok := store.ParseID(q.After)
	if q.After == "" || q.After == store.Start {
		return Fragment{SQL: "TRUE"}, true
	}
	if !ok {
		return Fragment{}, false
	}
	greater := ">"
	if q.Sort.Descending {
		greater = "<"
	}
	if q.Sort.After == nil {
		condition := "(k IS NULL AND id " + greater + " ?)"
		if q.Sort.Descending {
			condition = "(k IS NOT NULL OR id < ?)"
		}
		return Fragment{SQL: condition, Args: []any{last[:]}}, true
	}
	key, ok := s.value(*q.Sort.After)
	// The same as (k > ? OR k = ? AND id > ?), so that an index can begin there.
	condition := fmt.Sprintf("(k %[1]s= ? AND (k %[1]s ? OR id %[1]s ?)", greater)
	if s.optional && !q.Sort.Descending {
		condition += " OR k IS NULL"
	}
	return Fragment{SQL: condition + ")", Args: []any{key, key, last[:]}}, ok
}
