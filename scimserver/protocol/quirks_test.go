package protocol_test

import (
	"slices"
	"strings"
	"testing"
)

// quirks names the accommodations that were counted so far, each as often as it was.
func (f *fixture) quirks() string {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		if family.GetName() != "scim_client_dialect_total" {
			continue
		}
		for _, counter := range family.GetMetric() {
			for range int(counter.GetCounter().GetValue()) {
				names = append(names, counter.GetLabel()[0].GetValue())
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestEveryAccommodationIsCounted(t *testing.T) {
	const (
		schemas = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
		medius  = `"urn:ietf:params:scim:schemas:extension:medius:2.0:User"`
	)
	for _, c := range []struct{ name, method, path, body, want string }{
		{"a user to the letter", "POST", "/Users", `{` + schemas + `"userName":"x","active":true,"emails":[{"value":"x","primary":true}],"title":null,"roles":[]}`, ""},
		{"no schemas", "POST", "/Users", `{"userName":"x"}`, "missing-schemas"},
		{"schemas that are no array", "POST", "/Users", `{"schemas":"urn:ietf:params:scim:schemas:core:2.0:User","userName":"x"}`, "missing-schemas"},
		{"without the one of the resource", "POST", "/Users", `{"schemas":[` + medius + `],"userName":"x",` + medius + `:{"nameIdentifier":"n"}}`, "missing-schemas"},
		{"an extension that schemas do not have (entra 1.4)", "POST", "/Users", `{` + schemas + `"userName":"x",` + medius + `:{"customFieldText1":"CC-100"}}`, "missing-schemas"},
		{"in another case", "POST", "/Users", `{"schemas":["URN:ietf:params:scim:schemas:core:2.0:user"],"userName":"x"}`, ""},
		{"an extension of which nothing is sent", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",` + medius + `],"userName":"x"}`, ""},
		{"Microsoft's own schema of groups (entra 1.10)", "POST", "/Groups",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"displayName":"x"}`, "foreign-schema"},
		{"what the server gives (entra 1.4)", "POST", "/Users", `{` + schemas + `"userName":"x","id":"7","meta":{"resourceType":"User"},"groups":[]}`, "server-attribute"},
		{"among the values of a complex attribute", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"m","displayName":"M"}}}`, "server-attribute"},
		{"a password", "POST", "/Users", `{` + schemas + `"userName":"x","password":"hunter2"}`, "password"},
		{"an attribute that no schema has", "POST", "/Users", `{` + schemas + `"userName":"x","shoeSize":7}`, "unknown-attribute"},
		{"a sub-attribute that no schema has", "POST", "/Users", `{` + schemas + `"userName":"x","name":{"givenName":"x","nick":"y"}}`, "unknown-attribute"},
		{"a boolean in quotes (entra 5.3)", "POST", "/Users", `{` + schemas + `"userName":"x","active":"True"}`, "boolean-string"},
		{"primary in quotes (entra 1.8)", "POST", "/Users", `{` + schemas + `"userName":"x","roles":[{"value":"r","primary":"True"}]}`, "boolean-string"},
		{"a name in another case", "POST", "/Users", `{` + schemas + `"USERNAME":"x"}`, "name-case"},
		{"a sub-attribute in another case (entra 5.3)", "POST", "/Users", `{` + schemas + `"userName":"x","emails":[{"value":"x","Primary":true}]}`, "name-case"},
		{"a dotted name", "POST", "/Users", `{` + schemas + `"userName":"x","name.givenName":"y"}`, "name-case"},
		{"a manager as a string", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"m"}}`, "bare-value"},
		{"a single value in an array", "POST", "/Users", `{` + schemas + `"userName":[{"$ref":null,"value":"x"}]}`, "wrapped-value"},
		{"one value without its array", "POST", "/Users", `{` + schemas + `"userName":"x","emails":{"value":"y"}}`, "single-value"},
		{"a manager by URL", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"$ref":"../Users/m"}}}`, "reference"},
		{"a member by URL", "PATCH", "/Groups/{staff}", patchOf(`{"op":"add","path":"members","value":[{"$ref":"../Users/{anna}"}]}`), "reference"},
		{"a member who does not exist", "PATCH", "/Groups/{staff}", patchOf(`{"op":"add","path":"members","value":[{"value":"x"}]}`), "unknown-member"},
		{"a manager as SCIM 1.1 has it", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"managerId":"m"}}}`, "manager-id"},
		{"an empty text", "POST", "/Users", `{` + schemas + `"userName":"x","title":""}`, "empty-string"},
		{"several of them, each once", "POST", "/Users", `{"userName":"x","active":"True","emails":[{"value":"y","primary":"True"}],"shoeSize":1,"hatSize":2}`, "boolean-string missing-schemas unknown-attribute"},
		{"PUT as POST", "PUT", "/Users/{anna}", `{"userName":"anna","active":"False","id":"{anna}","unknown":1}`, "boolean-string missing-schemas server-attribute unknown-attribute"},
		{"what is refused is not counted", "POST", "/Users", `{"active":"True"}`, ""},

		{"PATCH", "PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"False"}`), "boolean-string op-case"},
		{"PATCH of a value that is not there", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`), "missing-target"},
		{"PATCH of no value that can be made", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"emails[type ne \"work\"].value","value":"x"}`), ""},
		{"PATCH of a value in single quotes", "PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"emails[type eq 'work' or type eq 'home']"}`), "single-quotes"},
		{"and in typographic ones, in a key", "PATCH", "/Users/{anna}", patchOf(`{"op":"add","value":{"emails[type eq “work”].value":"x"}}`), "filtered-key missing-target single-quotes"},
		{"PATCH of a group", "PATCH", "/Groups/{staff}", patchOf(`{"op":"remove","path":"members[value eq 'x']"}`), "single-quotes"},
		{"a list of users", "GET", "/Users?filter=userName eq 'anna'", "", "single-quotes"},
		{"a list of both kinds, once", "GET", "?filter=userName eq 'anna' or displayName eq 'Staff'", "", "single-quotes"},
		{"a list by cursor", "GET", "/Groups?filter=displayName eq 'Staff'&cursor=", "", "single-quotes"},
		{"a search", "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq 'anna'"}`, "single-quotes"},
		{"a list with double quotes", "GET", "/Users?filter=userName eq \"an'na\" or title eq O'Brien", "", ""},
		{"a list that is refused", "GET", "/Users?filter=userName eq 'anna", "", ""},
		{"a bulk request to the letter", "POST", "/Bulk", bulkOf(post("x", "/Users", `{`+schemas+`"userName":"x"}`)), ""},
		{"a bulk request without schemas", "POST", "/Bulk", `{"Operations":[]}`, "missing-schemas"},
		{"a method in lower case", "POST", "/Bulk", bulkOf(`{"method":"delete","path":"/Users/none"},{"method":"Delete","path":"/Users/none"}`), "method-case"},
		{"the resources of a bulk request, each for itself", "POST", "/Bulk",
			bulkOf(post("x", "/Users", `{`+schemas+`"userName":"x","active":"True"}`) + `,{"method":"PUT","path":"/Users/{anna}","data":{` + schemas + `"userName":"anna","title":""}}`), "boolean-string empty-string"},
		{"a search without schemas", "POST", "/.search", `{"count":0}`, "missing-schemas"},
		{"a search with one name instead of an array", "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":"userName"}`, "single-value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{`+schemas+`"userName":"anna"}`)
			f.create("staff", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Staff"}`)
			f.send(c.method, c.path, c.body)
			if got := f.quirks(); got != c.want {
				t.Errorf("counted %q, want %q", got, c.want)
			}
		})
	}
}
