package filter_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestDistinctLeavesOutWhatStandsThereTwice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`title eq "a"`:                                            `title eq "a"`,
		`title eq "a" or title eq "a"`:                            `title eq "a"`,
		`title eq "a" or title eq "b" or title eq "a"`:            `title eq "a" or title eq "b"`,
		`title eq "a" or title eq "A"`:                            `title eq "a" or title eq "A"`,
		`title eq "a" or title ne "a"`:                            `title eq "a" or title ne "a"`,
		`(title pr and title pr) or title pr`:                     `title pr`,
		`(title pr or active eq true) and (title pr or title pr)`: `(title pr or active eq true) and title pr`,
		`not (title pr and title pr)`:                             `not (title pr)`,
		`emails[value eq "a" and value eq "a"]`:                   `emails[value eq "a"]`,
		`emails[value eq "a"] or emails[value eq "a"]`:            `emails[value eq "a"]`,
		`groups.value eq "a" and groups.value eq "a"`:             `groups.value eq "a"`,
	} {
		parsed, err := filter.Parse(schema.User(), text)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Distinct(parsed).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
