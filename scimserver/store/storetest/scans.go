package storetest

import (
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Scans are queries that can look at all of a directory, by what makes them so. An engine lets few of them run at once, and cuts
// them off.
func Scans() map[string]store.Query {
	scans := map[string]store.Query{
		"a sort":               {Kind: store.User, Sort: sortBy(store.User, "title", false)},
		"a sort by a column":   {Kind: store.User, Sort: sortBy(store.User, "userName", true)},
		"a sort of all values": {Kind: store.User, Sort: sortBy(store.User, "emails", false)},
		"a walk along a sort":  {Kind: store.User, Sort: sortBy(store.User, "emails", false), After: store.Start},
	}
	for name, text := range map[string]string{
		"a part of a value":               `title co "x"`,
		"250 parts of a value":            strings.Repeat(`title co "x" or `, 249) + `title co "x"`,
		"the end of a value":              `title ew "x"`,
		"the end of a name":               `userName ew "x"`,
		"presence":                        `title pr`,
		"absence":                         `not (title pr)`,
		"another value":                   `title ne "x"`,
		"a boolean":                       `active eq true`,
		"a value path":                    `emails[type co "w" and value co "x"]`,
		"what no index has":               `x509Certificates.value pr`,
		"a term that no index has":        `title co "x" and x509Certificates.value pr`,
		"memberships":                     `groups pr`,
		"no memberships":                  `not (groups pr)`,
		"names of groups":                 `groups.display co "x"`,
		"URLs of groups":                  `groups.$ref co "x"`,
		"memberships of one user":         `id eq "` + id(1) + `" and groups.display co "x"`,
		"a membership among alternatives": `title eq "x" or groups.display co "x"`,
		"a membership and no index":       `groups.display co "x" and x509Certificates.value pr`,
		"times":                           `meta.created gt "2020-01-01T00:00:00Z"`,
		"ids":                             `id co "0"`,
	} {
		parsed, err := filter.Parse(typeOf(store.User), text)
		if err != nil {
			panic(err)
		}
		scans[name] = store.Query{Kind: store.User, Filter: parsed}
	}
	for name, q := range scans {
		q.Location = func(store.Kind) string { return "https://contoso.test/scim/v2/" }
		if q.Limit = 10; q.Filter != nil {
			q.Match = match(q.Filter)
		}
		scans[name] = q
	}
	return scans
}
