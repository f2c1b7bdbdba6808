package filter_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestParseForSeveralResourceTypes(t *testing.T) {
	user, group := schema.User(), schema.Group()
	const never, always = `not (id pr)`, `id pr`
	for _, c := range []struct{ name, in, user, group string }{
		{"an attribute that both have", `displayName eq "x"`, `displayName eq "x"`, `displayName eq "x"`},
		{"an attribute of users", `userName eq "x"`, `userName eq "x"`, never},
		{"an attribute of groups", `members eq "x"`, never, `members.value eq "x"`},
		{"ne of what has no value", `userName ne "x"`, `userName ne "x"`, always},
		{"pr of what has no value", `userName pr`, `userName pr`, never},
		{"null of what has no value", `userName eq null`, `not (userName pr)`, always},
		{"a value path", `emails[type eq "work" and not (value eq "x")]`, `emails[type eq "work" and not (value eq "x")]`, never},
		{"behind a value path", `emails[type eq "work"].value ne "x"`, `emails[type eq "work" and value ne "x"]`, never},
		{"an extension's", schema.EnterpriseUser + `:department eq "x"`, schema.EnterpriseUser + `:department eq "x"`, never},
		{"a core URN", schema.CoreGroup + `:displayName eq "x"`, never, `displayName eq "x"`},
		{"RFC 7644 section 3.4.2.1", `(meta.resourceType eq "User") or (meta.resourceType eq "Group")`,
			`meta.resourceType eq "User" or meta.resourceType eq "Group"`, `meta.resourceType eq "User" or meta.resourceType eq "Group"`},
		{"one of each", `not (userName eq "x" and displayName eq "y")`, `not (userName eq "x" and displayName eq "y")`,
			`not (` + never + ` and displayName eq "y")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for want, types := range map[string][2]*schema.ResourceType{"user: " + c.user: {user, group}, "group: " + c.group: {group, user}} {
				kind := map[*schema.ResourceType]string{user: "user: ", group: "group: "}[types[0]]
				f, _, err := filter.ParseFor(types[0], types[1:], c.in)
				if err != nil {
					t.Fatal(err)
				}
				if got := kind + f.String(); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
	for name, c := range map[string]struct{ in, want string }{
		"what nobody has":                         {`shoeSize eq 44`, `this resource has no attribute "shoeSize"; /Schemas lists those that it has`},
		"a wrong value for another's":             {`active eq "maybe"`, "active can be compared with eq or ne, and with true or false"},
		"an unknown sub-attribute in brackets":    {`emails[colour eq "x"]`, "emails has the sub-attributes value, display, type, primary; another was named"},
		"another's attribute in foreign brackets": {`members[userName eq "x"]`, "members has the sub-attributes value, $ref, type; another was named"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, _, err := filter.ParseFor(group, []*schema.ResourceType{user}, c.in)
			wantError(t, err, schema.InvalidFilter, c.want)
		})
	}
}
