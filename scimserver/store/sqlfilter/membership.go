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
	exists := Fragment{SQL: "EXISTS (SELECT 1 FROM main.members m WHERE m." + c.own() + " = r.id AND " + row.SQL + ")", Args: row.Args}
	if compare, ok := f.(filter.Compare); ok && compare.Op == filter.Ne { // which also holds where there is no value
		c.walks = true
		none := Fragment{SQL: "NOT EXISTS (SELECT 1 FROM main.members m WHERE m." + c.own() + " = r.id)"}
		return exactly(join(" OR ", []Fragment{exists, none}))
	}
	c.walks = c.walks || !row.once
	if row.index.SQL == "" {
		return exactly(exists)
	}
	source := Source{
		Fragment: Fragment{SQL: "SELECT m." + c.own() + " AS id FROM main.members m WHERE " + row.index.SQL, Args: row.index.Args},
		Repeats:  !row.once, cost: row.cost,
	}
	if !row.index.equals(row.Fragment) {
		source.Rest = exists
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
	index Fragment // the part of it by which an index finds rows, at this cost; empty for none
	cost  cost
	once  bool // the index finds at most one row of each resource
}

func (c *compiler) row(f filter.Filter) rowCondition {
	switch f := f.(type) {
	case filter.Elements:
		return c.row(f.Filter)
	case filter.And:
		var all rowCondition
		var terms []Fragment
		for _, term := range f.Terms {
			row := c.row(term)
			if row.SQL != constant(true).SQL {
				terms = append(terms, row.Fragment)
			}
			if row.index.SQL != "" && (all.index.SQL == "" || row.cost < all.cost) {
				all = row
			}
		}
		switch terms = distinct(terms); len(terms) {
		case 0:
			all.Fragment = constant(true)
		case 1:
			all.Fragment = terms[0]
		default:
			all.Fragment = join(" AND ", terms)
		}
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
		same := c.identifier(c.other(), f)
		if f.Op != filter.Eq {
			return rowCondition{Fragment: same}
		}
		return rowCondition{Fragment: same, index: same, cost: equal, once: true}
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
	args := append([]any{int64(store.Group)}, condition.Args...)
	in := Fragment{SQL: "m.group_id IN (SELECT g.id FROM main.resources g WHERE g.kind = " + c.dialect.kind() + " AND " + condition.SQL + ")", Args: args}
	if c.sets == maxSets {
		each := "EXISTS (SELECT 1 FROM main.resources g WHERE g.kind = ? AND g.id = m.group_id AND " + condition.SQL + ")"
		return rowCondition{Fragment: Fragment{SQL: each, Args: args}}
	}
	c.sets++
	switch {
	case !indexed:
		return rowCondition{Fragment: in}
	case cost > equal:
		cost = scan // the groups within a range can be all of them
	}
	return rowCondition{Fragment: in, index: in, cost: cost}
}

// ofKinds is for what depends on the kind of a member.
func (c *compiler) ofKinds(condition func(store.Kind) Fragment) rowCondition {
	var kinds []Fragment
	for _, kind := range []store.Kind{store.User, store.Group} {
		kinds = append(kinds, join(" AND ", []Fragment{{SQL: "m.kind = ?", Args: []any{int64(kind)}}, condition(kind)}))
	}
	return rowCondition{Fragment: join(" OR ", kinds)}
}
