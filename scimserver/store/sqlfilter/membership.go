package sqlfilter

import (
	"slices"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Memberships says of a row of "resources AS r" what store.Record.Memberships has to say. Its SQL is empty where the query's
// filter has no term about memberships.
func Memberships(dialect Dialect, q store.Query) Fragment {
	c := compiler{dialect: dialect, kind: q.Kind, location: q.Location}
	var terms []Fragment
	filter.Rewrite(q.Filter, func(term filter.Filter) filter.Filter {
		if filter.AboutRows(term) {
			holds := c.membership(term).Where
			terms = append(terms, Fragment{SQL: "CASE WHEN " + holds.SQL + " THEN '1' ELSE '0' END", Args: holds.Args})
		}
		return term
	})
	return concat(" || ", terms)
}

// membership decides a term about the members of a group, or the groups of a user, by asking for a row of members
// that meets it. Each row is one element of the attribute, so this is exact whatever the term is.
func (c *compiler) membership(f filter.Filter) Plan {
	row := c.row(f)
	exists := Fragment{SQL: "EXISTS (SELECT 1 FROM members m WHERE m." + c.own() + " = r.id AND " + row.SQL + ")", Args: row.Args}
	if compare, ok := f.(filter.Compare); ok && compare.Op == filter.Ne { // which also holds where there is no value
		none := Fragment{SQL: "NOT EXISTS (SELECT 1 FROM members m WHERE m." + c.own() + " = r.id)"}
		return exactly(join(" OR ", []Fragment{exists, none}))
	}
	if !row.indexed {
		return exactly(exists)
	}
	source := Source{
		Fragment: Fragment{SQL: "SELECT m." + c.own() + " AS id FROM members m WHERE " + row.SQL, Args: row.Args},
		Repeats:  !row.once, cost: row.cost,
	}
	if c.kind == store.User { // groups have members that are groups
		source.SQL += " AND m.kind = ?"
		source.Args = append(slices.Clip(source.Args), int64(c.kind))
	}
	return exactly(exists, source)
}

// own is the column of members with the id of the resource that the filter is about, other that of the values.
func (c *compiler) own() string {
	if c.kind == store.Group {
		return "group_id"
	}
	return "member_id"
}

func (c *compiler) other() string {
	if c.kind == store.Group {
		return "m.member_id"
	}
	return "m.group_id"
}

// rowCondition is a condition on one row of "members AS m" that is never NULL.
type rowCondition struct {
	Fragment
	indexed bool // an index finds the rows that meet it, at this cost
	cost    cost
	once    bool // and of each resource at most one
}

func (c *compiler) row(f filter.Filter) rowCondition {
	switch f := f.(type) {
	case filter.Elements:
		return c.row(f.Filter)
	case filter.And:
		var all rowCondition
		terms := make([]Fragment, len(f.Terms))
		for i, term := range f.Terms {
			row := c.row(term)
			terms[i] = row.Fragment
			if row.indexed && (!all.indexed || row.cost < all.cost) {
				all = row
			}
		}
		all.Fragment = join(" AND ", terms)
		return all
	case filter.Or:
		terms := make([]Fragment, len(f.Terms))
		for i, term := range f.Terms {
			terms[i] = c.row(term).Fragment
		}
		return rowCondition{Fragment: join(" OR ", terms)}
	case filter.Not:
		row := c.row(f.Term)
		return rowCondition{Fragment: Fragment{SQL: "NOT " + row.SQL, Args: row.Args}}
	case filter.Compare:
		return c.rowCompare(f)
	case filter.Present:
		return rowCondition{Fragment: constant(f.Path.Sub == nil || c.has(f.Path.Sub))}
	default:
		return rowCondition{Fragment: constant(false)}
	}
}

// has tells whether the values have a sub-attribute, as they are answered: members have no display.
func (c *compiler) has(sub *schema.Attribute) bool {
	switch sub.Name {
	case "value", "type":
		return true
	case "display":
		return c.kind == store.User
	default:
		return c.location != nil
	}
}

func (c *compiler) rowCompare(f filter.Compare) rowCondition {
	if f.Path.Sub == nil || !c.has(f.Path.Sub) {
		return rowCondition{Fragment: constant(f.Op == filter.Ne)}
	}
	switch f.Path.Sub.Name {
	case "value":
		return rowCondition{Fragment: c.identifier(c.other(), f), indexed: f.Op == filter.Eq, cost: equal, once: true}
	case "display":
		return c.display(f)
	case "type":
		if c.kind == store.User {
			return rowCondition{Fragment: constant(filter.MatchElement(f, schema.Object{"type": "direct"}))}
		}
		return c.ofKinds(func(kind store.Kind) Fragment {
			return constant(filter.MatchElement(f, schema.Object{"type": kind.String()}))
		})
	default:
		if c.kind == store.User {
			return rowCondition{Fragment: c.reference(c.other(), store.Group, f)}
		}
		return c.ofKinds(func(kind store.Kind) Fragment { return c.reference(c.other(), kind, f) })
	}
}

// display compares with the names of the groups: finding these once is cheaper than asking for each row.
func (c *compiler) display(f filter.Compare) rowCondition {
	name := f.Path.Leaf().Fold(f.Value.Text)
	_, cost, indexed := c.bytesCondition("g.key", f.Op, []byte(name))
	condition := c.bytesOf("g.key", f.Op, name)
	return rowCondition{
		Fragment: Fragment{
			SQL:  "m.group_id IN (SELECT g.id FROM resources g WHERE g.kind = ? AND " + condition.SQL + ")",
			Args: append([]any{int64(store.Group)}, condition.Args...),
		},
		indexed: indexed, cost: cost,
	}
}

// ofKinds is for what depends on the kind of a member.
func (c *compiler) ofKinds(condition func(store.Kind) Fragment) rowCondition {
	var kinds []Fragment
	for _, kind := range []store.Kind{store.User, store.Group} {
		kinds = append(kinds, join(" AND ", []Fragment{{SQL: "m.kind = ?", Args: []any{int64(kind)}}, condition(kind)}))
	}
	return rowCondition{Fragment: join(" OR ", kinds)}
}
