// Package sqlfilter compiles a filter to SQL over the tables that the SQL engines share: resources (one narrow row
// each), attributes (the index of their values) and members. Nothing of a filter becomes part of the SQL text; every
// value is a bound parameter, written "?"; an engine that numbers its parameters replaces these.
package sqlfilter

import (
	"reflect"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Fragment is a piece of SQL and the parameters in it.
type Fragment struct {
	SQL  string
	Args []any
}

// Plan is a compiled filter.
type Plan struct {
	// Where is a condition on one row of "resources AS r". Every resource that matches meets it.
	Where Fragment

	// Exact says that nothing else meets Where.
	Exact bool

	// Cut are queries for index keys that were cut, one for each attribute that is compared with what may stand behind the
	// cut. The plan holds if none of them finds a row.
	Cut []Fragment

	// Walks says that a term about memberships has to look at all rows of a resource, which may be many.
	Walks bool

	// Sources are queries of one column, id, each of which finds every match by an index; the most selective first, as
	// far as that can be known. Without any, all resources have to be walked through.
	Sources []Source

	entries *entries // nil unless the plan is one condition on the entries of one attribute
	ids     []string // what the plan finds where it is one or more ids, nil otherwise
}

// Source is one way to find the resources that can match.
type Source struct {
	Fragment
	// Rest is what remains of Where for those that the source finds; its SQL is empty if nothing does.
	Rest Fragment
	// Repeats says that the source can find one id several times.
	Repeats bool
	// Ordered says that its index has the ids in their order, so that a page of them can be read from there.
	Ordered bool

	cost cost
}

// Complete tells whether the source alone decides the filter as exactly as Where does.
func (s Source) Complete() bool { return s.Rest.SQL == "" }

// Narrow tells whether the source asks for one value, which few resources have as a rule.
func (s Source) Narrow() bool { return s.cost <= equal }

// Few tells whether the source finds few resources in any directory.
func (s Source) Few() bool { return s.cost <= few }

// Listed tells whether the source finds at most what the filter lists, which is no more than a filter has comparisons.
func (s Source) Listed() bool { return s.cost <= listed }

// Bounded tells whether the source reads no more than it finds, so that a LIMIT bounds its work.
func (s Source) Bounded() bool { return s.cost <= span }

// cost orders sources by what is known without asking the database.
type cost int

const (
	unique cost = iota // at most one row
	few                // one row, or the few that share a name
	listed             // rows that the filter names one by one
	equal              // rows with one value
	span               // rows within a range of values
	scan               // all rows of one attribute
)

// Compile compiles the filter of a query. It cannot fail: what SQL cannot decide is left to the exact check.
func Compile(dialect Dialect, q store.Query) Plan {
	c := compiler{dialect: dialect, kind: q.Kind, location: q.Location}
	plan := c.compile(q.Filter)
	plan.Cut, plan.Walks = c.cut, c.walks
	return plan
}

// CompileCut compiles the filter for the case that Cut of its plan found a row.
func CompileCut(dialect Dialect, q store.Query) Plan {
	c := compiler{dialect: dialect, kind: q.Kind, location: q.Location, mistrust: true}
	return c.compile(q.Filter)
}

// All is the plan of a query without a filter.
func All() Plan { return exactly(Fragment{SQL: "TRUE"}) }

type compiler struct {
	dialect  Dialect
	kind     store.Kind
	location func(store.Kind) string // see store.Query
	element  bool                    // the filter is about one element of a multi-valued attribute
	mistrust bool                    // keys that were cut are among those that the filter looks into
	walks    bool
	cut      []Fragment
	sets     int // see maxSets
}

// maxSets is how many sets of ids a statement may make, each of which can have all ids of a directory in the memory of the
// engine. Terms beyond that are left to the exact check, which looks at each resource once for all of them.
const maxSets = 8

// anything is the plan of what SQL cannot tell.
func anything() Plan { return Plan{Where: Fragment{SQL: "TRUE"}} }

func exactly(where Fragment, sources ...Source) Plan {
	return Plan{Where: where, Exact: true, Sources: sources}
}

func (c *compiler) compile(f filter.Filter) Plan {
	if filter.AboutRows(f) {
		return c.membership(f)
	}
	switch f := f.(type) {
	case filter.And:
		return c.and(f.Terms)
	case filter.Or:
		return c.or(f.Terms)
	case filter.Not:
		return c.not(f.Term)
	case filter.Compare:
		return c.compare(f)
	case filter.Present:
		return c.present(f.Path)
	case filter.Elements:
		return c.elements(f)
	default:
		return anything()
	}
}

func (c *compiler) and(terms []filter.Filter) Plan {
	plan := Plan{Exact: !c.element}
	plans := make([]Plan, len(terms))
	where := make([]Fragment, len(terms))
	for i, term := range terms {
		plans[i] = c.compile(term)
		where[i] = plans[i].Where
		plan.Exact = plan.Exact && plans[i].Exact
	}
	plan.Where = join(" AND ", where)
	for i, p := range plans {
		for _, s := range p.Sources {
			rest := slices.Clone(where)
			if rest[i] = s.Rest; s.Complete() {
				rest = slices.Delete(rest, i, i+1)
			}
			s.Rest = join(" AND ", rest)
			plan.Sources = append(plan.Sources, s)
		}
	}
	slices.SortStableFunc(plan.Sources, func(a, b Source) int { return int(a.cost) - int(b.cost) })
	return plan
}

// or has a source only where each of its terms has one: the union of the best of each.
func (c *compiler) or(terms []filter.Filter) Plan {
	plans := c.alternatives(terms)
	if len(plans) == 1 {
		return plans[0]
	}
	plan := Plan{Exact: true}
	var where, sources []Fragment
	union := Source{Repeats: true, cost: few}
	complete, everywhere := true, true
	for _, p := range plans {
		where = append(where, p.Where)
		plan.Exact = plan.Exact && p.Exact
		if len(p.Sources) == 0 {
			everywhere = false
			continue
		}
		best := p.Sources[0]
		sources = append(sources, best.Fragment)
		complete = complete && best.Complete()
		union.cost = max(union.cost, best.cost)
	}
	plan.Where = join(" OR ", where)
	if everywhere {
		// Not UNION, which the caller's DISTINCT does anyway: for it SQLite would read whole indexes in the order of ids.
		union.Fragment = concat(" UNION ALL ", distinct(sources))
		if !complete {
			union.Rest = plan.Where
		}
		plan.Sources = []Source{union}
	}
	return plan
}

// alternatives are the plans of terms of which one has to hold. Those that are conditions on the entries of one attribute are
// one plan, so that the entries are read once, and so are ids: as a statement that names each, to prepare it would take longer than to run it.
func (c *compiler) alternatives(terms []filter.Filter) (plans []Plan) {
	for _, term := range terms {
		p := c.compile(term)
		same := slices.IndexFunc(plans, func(other Plan) bool {
			return p.ids != nil && other.ids != nil || p.entries != nil && other.entries != nil && p.entries.path.String() == other.entries.path.String()
		})
		if same < 0 {
			plans = append(plans, p)
			continue
		}
		if p.ids != nil {
			plans[same].ids = append(plans[same].ids, p.ids...)
			continue
		}
		if len(p.Sources) > 0 {
			c.sets--
		}
		plans[same].entries.or(p.entries)
	}
	for i, p := range plans {
		if len(p.ids) > 1 {
			plans[i] = c.amongIDs(p.ids)
		}
		if p.entries != nil && len(p.Sources) > 0 {
			plans[i] = c.among(p.entries)
		}
	}
	return plans
}

// not turns a superset into a subset, which is of no use; only an exact condition has an opposite.
func (c *compiler) not(term filter.Filter) Plan {
	p := c.compile(term)
	if !p.Exact || c.element {
		return anything()
	}
	return exactly(Fragment{SQL: "NOT " + p.Where.SQL, Args: p.Where.Args})
}

// elements asks of the resource what its filter asks of one element. That is exact where one comparison is all there is:
// the index does not know which of a resource's values belong to one element.
func (c *compiler) elements(f filter.Elements) Plan {
	outside := *c
	c.element, c.location = true, nil
	plan := c.compile(f.Filter)
	c.element, c.location = outside.element, outside.location
	return plan
}

// distinct returns the fragments without those that stand there before.
func distinct(parts []Fragment) (out []Fragment) {
	for _, part := range parts {
		if !slices.ContainsFunc(out, part.equals) {
			out = append(out, part)
		}
	}
	return out
}

func (f Fragment) equals(other Fragment) bool {
	return f.SQL == other.SQL && reflect.DeepEqual(f.Args, other.Args)
}

// join puts conditions together, each once.
func join(op string, parts []Fragment) Fragment {
	f := concat(op, distinct(parts))
	return Fragment{SQL: "(" + f.SQL + ")", Args: f.Args}
}

func concat(op string, parts []Fragment) Fragment {
	var sql strings.Builder
	var args []any
	for i, part := range parts {
		if i > 0 {
			sql.WriteString(op)
		}
		sql.WriteString(part.SQL)
		args = append(args, part.Args...)
	}
	return Fragment{SQL: sql.String(), Args: args}
}
