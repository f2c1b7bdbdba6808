package schema_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// differences are where a definition of ours is not that of RFC 7643 section 8.7, and why.
var differences = map[string]string{
	"User externalId":       "a common attribute that the RFC does not repeat; Entra looks here for all that it maps",
	"User name.displayName": "Entra's mapping of Medius has it",
	"User profileUrl":       "a reference is case-exact (section 2.3.7)",
	"User photos.value":     "a reference is case-exact (section 2.3.7)",

	"User addresses.primary":      "section 2.4 gives it to every multi-valued attribute, and section 4.1.2 has an example",
	"User groups.value":           "an id is case-exact (section 3.1)",
	"User groups.$ref":            "a reference is case-exact (section 2.3.7), and only groups have members",
	"User x509Certificates.value": "binary data is case-exact (section 2.3.6)",

	"Group externalId":    "a common attribute that the RFC does not repeat; Entra looks here for all that it maps",
	"Group displayName":   "required by section 4.2; unique because Entra matches groups by it",
	"Group members.value": "an id is case-exact (section 3.1)",
	"Group members.$ref":  "a reference is case-exact (section 2.3.7)",

	"EnterpriseUser manager.value":       "an id is case-exact (section 3.1)",
	"EnterpriseUser manager.$ref":        "never returned: Entra resends a manager that comes back in another form than it was sent",
	"EnterpriseUser manager.displayName": "never returned, for the same reason",

	"ServiceProviderConfig documentationUri":                       "never returned: each operator's documentation is elsewhere",
	"ServiceProviderConfig authenticationSchemes.specUri":          "a reference is case-exact (section 2.3.7)",
	"ServiceProviderConfig authenticationSchemes.documentationUri": "never returned",

	"ServiceProviderConfig pagination":                         "RFC 9865 section 4",
	"ServiceProviderConfig pagination.cursor":                  "RFC 9865 section 4",
	"ServiceProviderConfig pagination.index":                   "RFC 9865 section 4",
	"ServiceProviderConfig pagination.defaultPaginationMethod": "RFC 9865 section 4",
	"ServiceProviderConfig pagination.defaultPageSize":         "RFC 9865 section 4",
	"ServiceProviderConfig pagination.maxPageSize":             "RFC 9865 section 4",
	"ServiceProviderConfig pagination.cursorTimeout":           "RFC 9865 section 4",

	"ResourceType endpoint": "a reference is case-exact (section 2.3.7)",
}

func TestDefinitionsAreThoseOfTheRFCOrHaveAReason(t *testing.T) {
	data, err := os.ReadFile("testdata/rfc7643.txt")
	if err != nil {
		t.Fatal(err)
	}
	rfc := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			rfc[key(line)] = line
		}
	}
	if len(rfc) != 138 {
		t.Fatalf("only %d attributes were read", len(rfc))
	}
	ours := map[string]string{}
	for _, s := range append([]*schema.Schema{
		schema.User().Schema, schema.Group().Schema, schema.User().SchemaOf(schema.EnterpriseUser),
	}, schema.Discovery()...) {
		for _, line := range describe(strings.ReplaceAll(s.Name, "Service Provider Configuration", "ServiceProviderConfig")+" ", s.Published()) {
			ours[key(line)] = line
		}
	}
	for name, line := range rfc {
		if _, excused := differences[name]; ours[name] != line && !excused {
			t.Errorf("ours: %s\nRFC:  %s", ours[name], line)
		}
	}
	for name, line := range ours {
		if _, excused := differences[name]; rfc[name] == "" && !excused {
			t.Errorf("ours: %s\nthe RFC has nothing of it", line)
		}
	}
	for name := range differences {
		if ours[name] == rfc[name] {
			t.Errorf("%s is as in the RFC and needs no reason", name)
		}
	}
}

// key is the schema and name of a line.
func key(line string) string {
	words := strings.SplitN(line, " ", 3)
	return words[0] + " " + words[1]
}

// describe writes definitions as testdata/rfc7643.txt has them.
func describe(prefix string, attributes []*schema.Attribute) []string {
	var lines []string
	for _, a := range attributes {
		line := prefix + a.Name + " " + string(a.Type)
		add := func(when bool, text string) {
			if when {
				line += text
			}
		}
		add(a.MultiValued, "[]")
		add(a.Required, " required")
		add(a.CaseExact, " caseExact")
		add(a.Mutability != schema.ReadWrite, " "+string(a.Mutability))
		add(a.Returned != schema.ReturnedDefault, " returned:"+string(a.Returned))
		add(a.Uniqueness != schema.UniquenessNone, " unique:"+string(a.Uniqueness))
		add(len(a.CanonicalValues) > 0, " values:"+strings.Join(a.CanonicalValues, "|"))
		add(len(a.ReferenceTypes) > 0, " refs:"+strings.Join(a.ReferenceTypes, "|"))
		lines = append(append(lines, line), describe(prefix+a.Name+".", a.SubAttributes)...)
	}
	return lines
}
