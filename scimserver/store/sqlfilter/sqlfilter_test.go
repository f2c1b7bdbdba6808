package sqlfilter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// repeated is a filter of n terms, each made of its number.
func repeated(n int, operator, term string) string {
	terms := make([]string, n)
	for i := range terms {
		terms[i] = strings.ReplaceAll(term, "#", fmt.Sprint(i))
	}
	return strings.Join(terms, " "+operator+" ")
}

// ids is a filter for n ids.
func ids(n int) string {
	terms := make([]string, n)
	for i := range terms {
		terms[i] = fmt.Sprintf(`id eq "019ab0c0-0000-7000-8000-%012d"`, i)
	}
	return strings.Join(terms, " or ")
}

// A filter's cost is counted in the parts that it has the engine read: each query for keys that were cut and each set of ids reads
// all entries of an attribute, and each set can have all ids of the directory in memory.
func TestAFilterReadsNothingTwiceAndMakesFewSets(t *testing.T) {
	t.Parallel()
	const member = `"019ab0c0-0000-7000-8000-000000000001"`
	for name, c := range map[string]struct {
		kind              store.Kind
		filter            string
		cuts, sets, terms int // at most
	}{
		"one term":                            {store.User, `title co "x"`, 1, 1, 1},
		"different terms of one attribute":    {store.User, repeated(250, "or", `title co "zq#x"`), 1, 1, 250},
		"the same term":                       {store.User, repeated(250, "or", `title co "zqx"`), 1, 1, 1},
		"the same term in other cases":        {store.User, `title co "A" or title co "a" or title co "A" or title ew "q"`, 1, 1, 2},
		"the same term of a conjunction":      {store.User, repeated(250, "and", `title co "zqx"`), 1, 1, 1},
		"the same term, nested":               {store.User, `(title co "x" or (title co "x")) or (title co "x" and (title co "x" and title co "x"))`, 1, 1, 1},
		"the same term, negated":              {store.User, repeated(50, "and", `not (title co "x")`), 1, 1, 1},
		"the same value path":                 {store.User, repeated(50, "or", `emails[value co "x"]`), 1, 1, 1},
		"different value paths":               {store.User, repeated(50, "or", `emails[value co "x#x"]`), 1, 1, 50},
		"different elements of a value path":  {store.User, `emails[` + repeated(50, "or", `value co "x#x"`) + `]`, 1, 1, 50},
		"the same presence":                   {store.User, repeated(100, "or", `title pr`), 0, 1, 0},
		"presence in other spellings":         {store.User, `title pr or TITLE pr or ` + schema.CoreUser + `:title pr`, 0, 1, 0},
		"a conjunction of different terms":    {store.User, repeated(250, "and", `title co "zq#x"`), 1, 8, 8},
		"a conjunction of value paths":        {store.User, repeated(100, "and", `emails[value co "x#x"]`), 1, 8, 8},
		"alternatives within a conjunction":   {store.User, repeated(60, "and", `(title co "a#" or title co "b#" or nickName co "c#")`), 2, 8, 200},
		"alternatives of negations":           {store.User, repeated(100, "or", `not (title co "x#x")`), 1, 8, 8},
		"different ids":                       {store.User, ids(150), 0, 1, 0},
		"the same membership":                 {store.User, repeated(100, "or", `groups.display co "x"`), 0, 0, 1},
		"different memberships":               {store.User, repeated(100, "or", `groups.display co "x#x"`), 0, 8, 100},
		"the same member":                     {store.Group, repeated(60, "or", `members.value eq `+member), 0, 0, 0},
		"the same reference of a membership":  {store.Group, repeated(60, "or", `members.$ref co "x"`), 0, 0, 2},
		"many elements of a membership":       {store.User, `groups[` + repeated(100, "or", `display co "x#x"`) + `]`, 0, 8, 100},
		"sub-attributes of a complex of ours": {store.User, repeated(100, "or", `name.familyName co "x"`), 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := schema.User()
			if c.kind == store.Group {
				rt = schema.Group()
			}
			parsed, err := filter.Parse(rt, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			parsed = filter.Distinct(parsed)
			for _, dialect := range []sqlfilter.Dialect{sqlfilter.SQLite, sqlfilter.PostgreSQL} {
				q := store.Query{Kind: c.kind, Filter: parsed, Location: func(store.Kind) string { return "https://contoso.test/" }}
				plan := sqlfilter.Compile(dialect, q)
				if len(plan.Cut) > c.cuts {
					t.Errorf("%d queries for keys that were cut, want %d", len(plan.Cut), c.cuts)
				}
				conditions := map[string]sqlfilter.Fragment{
					"the condition": plan.Where, "the condition for cut keys": sqlfilter.CompileCut(dialect, q).Where,
					"what Match is told of memberships": sqlfilter.Memberships(dialect, q),
				}
				for i, source := range plan.Sources {
					conditions[fmt.Sprintf("source %d", i)] = source.Fragment
				}
				for what, condition := range conditions {
					sets := strings.Count(condition.SQL, " IN (SELECT ") + strings.Count(condition.SQL, "SELECT a.resource AS id FROM main.attributes") -
						strings.Count(condition.SQL, " IN (SELECT a.resource AS id")
					if sets > max(c.sets, 1) {
						t.Errorf("%s has %d sets, want at most %d", what, sets, c.sets)
					}
					if terms := strings.Count(condition.SQL, "instr(") + strings.Count(condition.SQL, "position("); terms > c.terms {
						t.Errorf("%s compares %d times, want at most %d", what, terms, c.terms)
					}
				}
			}
		})
	}
}

// A statement that names each of a hundred ids takes longer to prepare than to run.
func TestManyIDsAreOneStatement(t *testing.T) {
	t.Parallel()
	texts := map[string]bool{}
	for n := 2; n < 160; n += 50 {
		parsed, err := filter.Parse(schema.User(), ids(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, dialect := range []sqlfilter.Dialect{sqlfilter.SQLite, sqlfilter.PostgreSQL} {
			plan := sqlfilter.Compile(dialect, store.Query{Kind: store.User, Filter: filter.Distinct(parsed)})
			if !plan.Exact || len(plan.Sources) != 1 || !plan.Sources[0].Complete() || !plan.Sources[0].Listed() {
				t.Errorf("%d ids: %+v", n, plan)
			}
			texts[plan.Where.SQL+plan.Sources[0].SQL] = true
		}
	}
	if len(texts) != 2 {
		t.Errorf("%d statements of two engines", len(texts))
	}
}
