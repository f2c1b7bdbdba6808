package sqlfilter

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// shortest is the length in bytes from which on an index key may have been cut, at the end of a character.
const shortest = schema.MaxKey - utf8.UTFMax + 1

// InColumn tells whether filters find the values of an attribute in a column of resources. The index need not
// have them.
func InColumn(kind store.Kind, path string) bool {
	return path == "externalId" || path == keyAttribute(kind)
}

// keyAttribute is the attribute whose folded name is the resource's key.
func keyAttribute(kind store.Kind) string {
	if kind == store.Group {
		return "displayName"
	}
	return "userName"
}

func (c *compiler) compare(f filter.Compare) Plan {
	switch path := f.Path.String(); path {
	case "id":
		return c.id(f)
	case "externalId":
		return c.column("external_id", f, []byte(f.Value.Text))
	case keyAttribute(c.kind):
		return c.column("key", f, []byte(f.Path.Leaf().Fold(f.Value.Text)))
	case "meta.created", "meta.lastModified":
		return c.time(path, f)
	case "meta.resourceType":
		return c.resourceType(f)
	case "meta.location":
		if c.location != nil {
			return exactly(c.reference("r.id", c.kind, f))
		}
	}
	if !f.Path.Indexed() {
		return anything()
	}
	return c.attribute(f)
}

func (c *compiler) present(p schema.Path) Plan {
	switch path := p.String(); path {
	case "id", "meta", "meta.created", "meta.lastModified", "meta.resourceType", "meta.version":
		return exactly(Fragment{SQL: "TRUE"})
	case "meta.location":
		if c.location != nil {
			return exactly(Fragment{SQL: "TRUE"})
		}
	case "externalId":
		return exactly(Fragment{SQL: "r.external_id IS NOT NULL"})
	case keyAttribute(c.kind):
		return exactly(Fragment{SQL: "TRUE"})
	}
	if !p.Indexed() {
		return anything()
	}
	return c.set(&entries{path: p, conditions: []Fragment{{SQL: "TRUE"}}, exact: true, cost: scan})
}

func (c *compiler) id(f filter.Compare) Plan {
	where := c.identifier("r.id", f)
	if f.Op != filter.Eq {
		return exactly(where)
	}
	if len(where.Args) == 0 {
		return nothing()
	}
	plan := exactly(where, c.resources(where, unique))
	plan.ids = []string{f.Value.Text}
	return plan
}

// amongIDs is the plan of several ids, of which the resource has to have one.
func (c *compiler) amongIDs(ids []string) Plan {
	slices.Sort(ids)
	where, source := c.dialect.among(c.kind, slices.Compact(ids))
	return exactly(where, Source{Fragment: source, cost: listed})
}

// identifier compares with a column of ids.
func (c *compiler) identifier(column string, f filter.Compare) Fragment {
	if f.Op != filter.Eq && f.Op != filter.Ne {
		return c.bytesOf(c.dialect.text("", column), f.Op, f.Value.Text)
	}
	id, ok := store.ParseID(f.Value.Text)
	switch {
	case ok && f.Op == filter.Eq:
		return Fragment{SQL: column + " = ?", Args: []any{id[:]}}
	case ok:
		return Fragment{SQL: column + " <> ?", Args: []any{id[:]}}
	default:
		return constant(f.Op == filter.Ne)
	}
}

// reference compares with the URL of the resource of a kind whose id is in a column.
func (c *compiler) reference(column string, kind store.Kind, f filter.Compare) Fragment {
	url := c.dialect.text("?", column)
	condition := c.bytesOf("u.url", f.Op, f.Value.Text)
	return Fragment{
		SQL:  "EXISTS (SELECT 1 FROM (SELECT " + url + " AS url) u WHERE " + condition.SQL + ")",
		Args: append([]any{c.location(kind)}, condition.Args...),
	}
}

// bytesOf is bytesCondition with Ne, for a column that is never NULL.
func (c *compiler) bytesOf(column string, op filter.Op, value string) Fragment {
	condition, _, ok := c.bytesCondition(column, op, []byte(value))
	if !ok {
		return Fragment{SQL: column + " <> ?", Args: []any{[]byte(value)}}
	}
	return condition
}

func constant(holds bool) Fragment {
	if holds {
		return Fragment{SQL: "TRUE"}
	}
	return Fragment{SQL: "FALSE"}
}

// resourceType is the same for all resources of a kind.
func (c *compiler) resourceType(f filter.Compare) Plan {
	if filter.Match(f, schema.Object{"meta": schema.Object{"resourceType": c.kind.String()}}) {
		return exactly(Fragment{SQL: "TRUE"})
	}
	return nothing()
}

func nothing() Plan {
	none := Source{Fragment: Fragment{SQL: "SELECT r.id FROM main.resources r WHERE FALSE"}, cost: unique}
	return exactly(Fragment{SQL: "FALSE"}, none)
}

// resources is the source of those that meet a condition on the columns.
func (c *compiler) resources(where Fragment, cost cost) Source {
	return Source{
		Fragment: Fragment{
			SQL:  "SELECT r.id FROM main.resources r WHERE r.kind = " + c.dialect.kind() + " AND " + where.SQL,
			Args: append([]any{int64(c.kind)}, where.Args...),
		},
		cost: cost,
	}
}

// column compares with a column of bytes that is NULL where there is no value. The condition itself never is.
func (c *compiler) column(name string, f filter.Compare, value []byte) Plan {
	condition, cost, ok := c.bytesCondition("r."+name, f.Op, value)
	switch {
	case ok:
		where := Fragment{SQL: fmt.Sprintf("(r.%s IS NOT NULL AND %s)", name, condition.SQL), Args: condition.Args}
		source := c.resources(condition, cost)
		source.Ordered = f.Op == filter.Eq && name != "key"
		if name == "key" && f.Op == filter.Eq {
			source.cost = few
		}
		return exactly(where, source)
	case f.Op == filter.Ne && !c.element:
		return exactly(Fragment{SQL: fmt.Sprintf("(r.%[1]s IS NULL OR r.%[1]s <> ?)", name), Args: []any{value}})
	default:
		return anything()
	}
}

// time compares with a column of microseconds. A literal may lie between two of them.
func (c *compiler) time(path string, f filter.Compare) Plan {
	column, indexed := "r.created", false
	if path == "meta.lastModified" {
		column, indexed = "r.modified", true
	}
	micros := f.Value.Time.UnixMicro()
	between := !f.Value.Time.Truncate(time.Microsecond).Equal(f.Value.Time)
	op, ok := map[filter.Op]string{
		filter.Eq: "=", filter.Ne: "<>", filter.Gt: ">", filter.Ge: ">=", filter.Lt: "<", filter.Le: "<=",
	}[f.Op]
	switch {
	case !ok || f.Value.Kind != filter.DateTime:
		return anything()
	case between && f.Op == filter.Eq:
		return nothing()
	case between && f.Op == filter.Ne:
		return exactly(Fragment{SQL: "TRUE"})
	case between && f.Op == filter.Ge:
		op = ">"
	case between && f.Op == filter.Lt:
		op = "<="
	}
	where := Fragment{SQL: column + " " + op + " ?", Args: []any{micros}}
	if !indexed || f.Op == filter.Ne {
		return exactly(where)
	}
	return exactly(where, c.resources(where, span))
}

// attribute compares with the attribute index. A resource matches when any of its entries does.
func (c *compiler) attribute(f filter.Compare) Plan {
	key, ok := f.Key()
	if !ok {
		return anything()
	}
	leaf := f.Path.Leaf()
	several := f.Path.Attribute.MultiValued || leaf.MultiValued
	switch f.Op {
	case filter.Eq, filter.Ne:
		if f.Op == filter.Ne && (several || c.element) {
			return anything()
		}
		equals := c.equals(f.Path, key)
		equals.Exact = len(key) < shortest
		if leaf.Type == schema.TypeBoolean {
			equals.Sources[0].cost = scan // half of all have it
		}
		if f.Op == filter.Eq {
			return equals
		}
		if !equals.Exact {
			return anything()
		}
		return exactly(Fragment{SQL: "NOT " + equals.Where.SQL, Args: equals.Where.Args})
	case filter.Co, filter.Ew, filter.Sw:
		if leaf.Type != schema.TypeString && leaf.Type != schema.TypeReference {
			return anything()
		}
	default:
		// The keys of numbers are not in the order of the numbers.
		if leaf.Type != schema.TypeString && leaf.Type != schema.TypeReference && leaf.Type != schema.TypeDateTime {
			return anything()
		}
	}
	op, whole := f.Op, len(key) < shortest
	if !whole { // values that differ behind the cut have equal keys
		switch op {
		case filter.Gt:
			op = filter.Ge
		case filter.Lt:
			op = filter.Le
		}
	}
	condition, cost, ok := c.bytesCondition("a.key", op, []byte(key))
	if !ok {
		return anything()
	}
	met := &entries{path: f.Path, conditions: []Fragment{condition}, cost: cost}
	if op == filter.Co || op == filter.Ew {
		cut := Fragment{SQL: fmt.Sprintf("length(a.key) >= %d", shortest)}
		met.conditions = append(met.conditions, cut)
		c.cut = distinct(append(c.cut, c.entries("1", f.Path, cut)))
		whole = whole && !c.mistrust
	}
	met.exact = whole
	return c.set(met)
}

// entries are those of one attribute that meet one of the conditions.
type entries struct {
	path       schema.Path
	conditions []Fragment
	exact      bool // nothing else meets them
	cost       cost
}

// or adds the conditions of others of the same attribute.
func (e *entries) or(others *entries) {
	for _, condition := range others.conditions {
		if !slices.ContainsFunc(e.conditions, condition.equals) {
			e.conditions = append(e.conditions, condition)
		}
	}
	e.exact = e.exact && others.exact
	e.cost = max(e.cost, others.cost)
}

// set is the plan for what has one of these entries, while there may be more sets.
func (c *compiler) set(met *entries) Plan {
	if c.sets == maxSets {
		return Plan{Where: anything().Where, entries: met}
	}
	c.sets++
	return c.among(met)
}

// equals looks the resource's own entry up, at any number of resources with the same value.
func (c *compiler) equals(path schema.Path, key string) Plan {
	same := Fragment{SQL: "a.key = ?", Args: []any{[]byte(key)}}
	entry := c.entries("1", path, same)
	return exactly(
		Fragment{SQL: "EXISTS (" + entry.SQL + " AND a.resource = r.id)", Args: entry.Args},
		Source{Fragment: c.entries("a.resource AS id", path, same), Ordered: true, cost: equal},
	)
}

// among is for conditions that many entries meet: finding these once is cheaper than asking for each resource.
func (c *compiler) among(met *entries) Plan {
	found := c.entries("a.resource AS id", met.path, join(" OR ", met.conditions))
	plan := exactly(
		Fragment{SQL: "r.id IN (" + found.SQL + ")", Args: found.Args},
		Source{Fragment: found, Repeats: met.path.Attribute.MultiValued || met.path.Leaf().MultiValued, cost: met.cost},
	)
	plan.Exact, plan.entries = met.exact, met
	return plan
}

func (c *compiler) entries(column string, path schema.Path, where Fragment) Fragment {
	number := c.dialect.path(c.kind, path.String())
	return Fragment{
		SQL:  "SELECT " + column + " FROM main.attributes a WHERE a.path = " + number.SQL + " AND " + where.SQL,
		Args: append(number.Args, where.Args...),
	}
}

// bytesCondition compares bytes in their order. ok is false for Ne, which no index finds.
func (c *compiler) bytesCondition(column string, op filter.Op, value []byte) (condition Fragment, how cost, ok bool) {
	args := []any{value}
	switch op {
	case filter.Eq:
		return Fragment{SQL: column + " = ?", Args: args}, equal, true
	case filter.Gt, filter.Ge, filter.Lt, filter.Le:
		symbol := map[filter.Op]string{filter.Gt: ">", filter.Ge: ">=", filter.Lt: "<", filter.Le: "<="}[op]
		return Fragment{SQL: column + " " + symbol + " ?", Args: args}, span, true
	case filter.Sw:
		end, bounded := successor(value)
		if !bounded {
			return Fragment{SQL: column + " >= ?", Args: args}, span, true
		}
		sql := strings.ReplaceAll("(# >= ? AND # < ?)", "#", column)
		return Fragment{SQL: sql, Args: []any{value, end}}, span, true
	case filter.Co:
		return Fragment{SQL: c.dialect.position(column) + " > 0", Args: args}, scan, true
	case filter.Ew:
		sql := strings.ReplaceAll("(length(#) >= ? AND substr(#, length(#) - ? + 1) = ?)", "#", column)
		n := int64(len(value))
		return Fragment{SQL: sql, Args: []any{n, n, value}}, scan, true
	default:
		return Fragment{}, 0, false
	}
}

// successor is the smallest byte string that is greater than all that begin with prefix.
func successor(prefix []byte) (end []byte, ok bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end = append(end, prefix[:i+1]...)
			end[i]++
			return end, true
		}
	}
	return nil, false
}
