package filter_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestTermsAreReplacedInTheirOrderAndTheRestStays(t *testing.T) {
	const text = `title eq "a" and not (groups pr or groups[value eq "x"] and title pr) or emails[type eq "work"]`
	parsed, err := filter.Parse(schema.User(), text)
	if err != nil {
		t.Fatal(err)
	}
	title := schema.Object{"title": "a"}
	for name, c := range map[string]struct {
		rows []bool // what is known of the terms about memberships
		want bool
	}{
		"neither holds":         {[]bool{false, false}, true},
		"the first holds":       {[]bool{true, false}, false},
		"the second holds":      {[]bool{false, true}, false},
		"what they say is left": {[]bool{true, true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			got := filter.Rewrite(parsed, func(term filter.Filter) filter.Filter {
				if !filter.AboutRows(term) {
					return term
				}
				n++
				return filter.Constant(c.rows[n-1])
			})
			if holds := filter.Match(got, title); n != 2 || holds != c.want {
				t.Errorf("%d terms are about memberships, and it holds: %v", n, holds)
			}
		})
	}
	if same := filter.Rewrite(parsed, func(term filter.Filter) filter.Filter { return term }); same.String() != parsed.String() {
		t.Errorf("%s became %s", parsed, same)
	}
}
