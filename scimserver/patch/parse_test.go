package patch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const (
	enterprise = schema.EnterpriseUser + ":"
	medius     = schema.MediusUser + ":"
)

// device has what the core schemas lack, as a tenant can declare it.
func device() *schema.Schema {
	return &schema.Schema{ID: "urn:example:device:1.0:User", Attributes: []*schema.Attribute{
		{Name: "serial", Mutability: schema.Immutable},
		{Name: "seats", Type: schema.TypeInteger},
		{Name: "tags", MultiValued: true},
		{Name: "place", Type: schema.TypeComplex, SubAttributes: []*schema.Attribute{{Name: "floor"}, {Name: "room", Required: true}}},
		{Name: "ports", Type: schema.TypeComplex, MultiValued: true, SubAttributes: []*schema.Attribute{
			{Name: "value", Required: true}, {Name: "names", MultiValued: true}}},
	}}
}

func body(operations string) []byte {
	return []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`)
}

// show prints a request in one line an operation.
func show(t testing.TB, r patch.Request) string {
	t.Helper()
	var b strings.Builder
	for _, op := range r.Operations {
		fmt.Fprintf(&b, "%s %s", op.Op, op.Path)
		if op.Value != nil {
			value, err := json.Marshal(op.Value)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " = %s", value)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// In the names of cases, "entra 1.5" is a section of the project's fact sheet on Entra's provisioning client, and "bug 4" a
// row of its table of bugs that SCIM servers had with that client.

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		quirks   string
	}{
		{"RFC: add without path", `{"op":"add","value":{"emails":[{"value":"babs@jensen.org","type":"home"}],"nickname":"Babs"}}`,
			[]string{`add emails = [{"type":"home","value":"babs@jensen.org"}]`, `add nickName = "Babs"`}, "name-case"},
		{"RFC: replace without path has extensions in objects of their own",
			`{"op":"replace","value":{"title":"T","` + schema.EnterpriseUser + `":{"department":"D","manager":{"value":"m"}}}}`,
			[]string{`replace title = "T"`, `replace ` + enterprise + `department = "D"`, `replace ` + enterprise + `manager = {"value":"m"}`}, ""},
		{"RFC: remove of what a filter selects", `{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"}`,
			[]string{`remove emails[type eq "work" and value ew "example.com"]`}, ""},
		{"RFC: replace of a sub-attribute by filter", `{"op":"replace","path":"addresses[type eq \"work\"].streetAddress","value":"1010 Broadway Ave"}`,
			[]string{`replace addresses[type eq "work"].streetAddress = "1010 Broadway Ave"`}, ""},

		{"Entra's default dialect (entra 1.5)",
			`{"op":"Replace","path":"displayName","value":"Anna New"},
			 {"op":"Replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
			 {"op":"Replace","path":"name.givenName","value":"Anna"},
			 {"op":"Replace","path":"active","value":"False"},
			 {"op":"Add","path":"nickName","value":"Ann"},
			 {"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"E9"}`,
			[]string{`replace displayName = "Anna New"`, `replace emails[type eq "work"].value = "anna@new.test"`, `replace name.givenName = "Anna"`,
				`replace active = false`, `add nickName = "Ann"`, `replace ` + enterprise + `employeeNumber = "E9"`},
			"boolean-string op-case"},
		{"Entra's flagged dialect (entra 1.5)",
			`{"op":"replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
			 {"op":"replace","value":{"displayName":"Anna New","name.givenName":"Anna","name.familyName":"New",
			  "urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"CC-200"}}`,
			[]string{`replace emails[type eq "work"].value = "anna@new.test"`, `replace displayName = "Anna New"`, `replace name.familyName = "New"`,
				`replace name.givenName = "Anna"`, `replace ` + medius + `customFieldText1 = "CC-200"`},
			"dotted-key qualified-key"},
		{"op in any case (bug 1)", `{"op":"ADD","path":"title","value":"T"},{"OP":"remove","Path":"title"}`,
			[]string{`add title = "T"`, `remove title`}, "op-case"},
		{"add without path has dotted keys too (entra 1.5, bug 3)", `{"op":"add","value":{"name.givenName":"A"}}`, []string{`add name.givenName = "A"`}, "dotted-key"},
		{"a filtered path as a key", `{"op":"replace","value":{"emails[type eq \"work\"].value":"x"}}`, []string{`replace emails[type eq "work"].value = "x"`}, "filtered-key"},
		{"add of active as a string (bugs 2 and 21)", `{"op":"Add","path":"active","value":"True"}`, []string{`add active = true`}, "boolean-string op-case"},
		{"a wrapped single value (entra 1.5)", `{"op":"Replace","path":"userName","value":[{"$ref":null,"value":"x"}]}`, []string{`replace userName = "x"`}, "op-case wrapped-value"},
		{"no operations (bug 23)", ``, nil, "no-operations"},
		{"a wrapped element of a declared multi-valued attribute (entra 1.5)", `{"op":"Add","path":"tags","value":[{"value":"1"}]}`,
			[]string{`add urn:example:device:1.0:User:tags = ["1"]`}, "op-case unqualified-extension wrapped-value"},
		{"a role that is JSON in a string (bug 25)", `{"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}]}`,
			[]string{`add roles = [{"value":"{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}]`}, "op-case"},
		{"a string primary of a value path (entra 1.5)", `{"op":"Replace","path":"emails[type eq \"work\"].primary","value":"True"}`,
			[]string{`replace emails[type eq "work"].primary = true`}, "boolean-string op-case"},
		{"the single role (entra 1.8)", `{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"User"}`,
			[]string{`replace roles[primary eq true].value = "User"`}, "op-case"},
		{"a core URN before the path (bug 20)", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"T"}`, []string{`replace title = "T"`}, ""},
		{"a core URN before a custom attribute (bug 20)", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:nameIdentifier","value":"n"}`,
			[]string{`replace ` + medius + `nameIdentifier = "n"`}, "unqualified-extension"},
		{"a dot behind the URN (entra 1.7)", `{"op":"replace","path":"` + schema.MediusUser + `.customFieldText1","value":"1"}`,
			[]string{`replace ` + medius + `customFieldText1 = "1"`}, "urn-dot"},
		{"a URN in another case", `{"op":"replace","path":"` + strings.ToUpper(medius) + `customFieldText1","value":"1"}`, []string{`replace ` + medius + `customFieldText1 = "1"`}, ""},

		{"a manager as a bare string (bug 8)", `{"op":"Add","path":"` + enterprise + `manager","value":"m"}`, []string{`add ` + enterprise + `manager = {"value":"m"}`}, "bare-value op-case"},
		{"a manager removed by empty text (entra 1.6)", `{"op":"Replace","path":"` + enterprise + `manager","value":""}`, []string{`remove ` + enterprise + `manager`}, "empty-string op-case"},
		{"a manager removed by null", `{"op":"replace","path":"` + enterprise + `manager","value":null}`, []string{`remove ` + enterprise + `manager`}, ""},
		{"a manager removed by a null id", `{"op":"replace","path":"` + enterprise + `manager","value":{"value":null}}`, []string{`remove ` + enterprise + `manager.value`}, ""},
		{"a manager in an array (entra 1.6)", `{"op":"Add","path":"` + enterprise + `manager","value":[{"$ref":"https://x/Users/m","value":"m"}]}`,
			[]string{`add ` + enterprise + `manager = {"value":"m"}`}, "op-case server-attribute wrapped-value"},
		{"a manager without URN (entra 1.6)", `{"op":"Add","path":"manager","value":{"value":"m"}}`, []string{`add ` + enterprise + `manager = {"value":"m"}`}, "op-case unqualified-extension"},
		{"a manager in a value without path", `{"op":"add","value":{"` + enterprise + `manager":"m"}}`, []string{`add ` + enterprise + `manager = {"value":"m"}`}, "bare-value qualified-key"},
		{"the manager's id alone", `{"op":"replace","path":"` + enterprise + `manager.value","value":"m"}`, []string{`replace ` + enterprise + `manager.value = "m"`}, ""},

		{"empty text, null and an empty array unassign (entra 1.9)",
			`{"op":"replace","path":"title","value":""},{"op":"replace","path":"nickName","value":null},{"op":"replace","path":"phoneNumbers","value":[]},
			 {"op":"replace","path":"emails[type eq \"work\"].value","value":""},{"op":"add","path":"locale","value":""},{"op":"replace","path":"emails[type eq \"home\"]","value":null}`,
			[]string{`remove title`, `remove nickName`, `remove phoneNumbers`, `remove emails[type eq "work"].value`, `remove locale`, `remove emails[type eq "home"]`}, "empty-string"},
		{"nothing is added when no values are", `{"op":"add","path":"emails","value":[]},{"op":"add","path":"emails","value":null},{"op":"add","path":"emails[type eq \"work\"]","value":null},{"op":"add","path":"emails.value","value":null}`, nil, ""},
		{"labels are added to the elements that there are", `{"op":"add","path":"emails[type eq \"work\"]","value":{"Primary":"True","type":"home"}}`,
			[]string{`add emails[type eq "work"].primary = true`, `add emails[type eq "work"].type = "home"`}, "boolean-string"},
		{"active is neither removed nor emptied", `{"op":"remove","path":"active"},{"op":"replace","path":"active","value":null},{"op":"add","path":"active","value":""},{"op":"replace","path":"active","value":[]},
			{"op":"replace","value":{"active":null}},{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":[{"value":null}]},{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":null}}},
			{"op":"remove","path":"ACTIVE","value":true},{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:active":{"value":""}}}`, nil, "active-cleared empty-string name-case qualified-key remove-with-value wrapped-value"},
		{"a manager by URL", `{"op":"add","path":"manager","value":{"$ref":"../Users/m","value":null}},{"op":"remove","path":"manager[$ref eq \"https://h/Users/m\"]"}`,
			[]string{`add ` + enterprise + `manager = {"value":"m"}`, `remove ` + enterprise + `manager[value eq "m"]`}, "reference unqualified-extension"},
		{"numbers for texts", `{"op":"replace","value":{"title":7.50,"` + enterprise + `employeeNumber":701984}},{"op":"add","path":"phoneNumbers","value":[{"value":46701234567}]},{"op":"add","path":"manager","value":7}`,
			[]string{`replace title = "7.50"`, `replace ` + enterprise + `employeeNumber = "701984"`, `add phoneNumbers = [{"value":"46701234567"}]`, `add ` + enterprise + `manager = {"value":"7"}`},
			"bare-value number-for-text qualified-key unqualified-extension"},
		{"older URNs", `{"op":"replace","path":"urn:scim:schemas:extension:enterprise:1.0:department","value":"D"},{"op":"replace","path":"urn:scim:schemas:core:1.0:title","value":"T"},
			{"op":"replace","value":{"urn:scim:schemas:extension:enterprise:1.0:costCenter":"C","urn:scim:schemas:extension:enterprise:2.0:User":{"division":"V"},"urn:scim:schemas:core:1.0":{"nickName":"N"}}},
			{"op":"remove","path":"urn:scim:schemas:extension:enterprise:1.0.manager[value eq \"m\"]"}`,
			[]string{`replace ` + enterprise + `department = "D"`, `replace title = "T"`, `replace nickName = "N"`, `replace ` + enterprise + `costCenter = "C"`, `replace ` + enterprise + `division = "V"`,
				`remove ` + enterprise + `manager[value eq "m"]`}, "older-urn qualified-key urn-dot"},
		{"a manager as SCIM 1.1 has it", `{"op":"replace","path":"manager","value":{"managerId":"m","displayName":"M"}},{"op":"replace","path":"` + enterprise + `manager","value":{"managerId":""}},{"op":"replace","path":"manager.managerId","value":"n"}`,
			[]string{`replace ` + enterprise + `manager = {"value":"m"}`, `remove ` + enterprise + `manager.value`, `replace ` + enterprise + `manager.value = "n"`}, "empty-string manager-id server-attribute unqualified-extension"},
		{"a null sub-attribute unassigns only itself", `{"op":"replace","path":"name","value":{"givenName":"A","familyName":null}}`,
			[]string{`replace name = {"givenName":"A"}`, `remove name.familyName`}, ""},
		{"a null for what only the server writes is no removal", `{"op":"replace","path":"manager","value":{"value":"m","displayName":null}}`,
			[]string{`replace ` + enterprise + `manager = {"value":"m"}`}, "server-attribute unqualified-extension"},
		{"an empty complex value changes nothing", `{"op":"replace","path":"name","value":{}}`, nil, ""},
		{"a remove with a value of a single-valued attribute (entra 1.9)", `{"op":"Remove","path":"title","value":"T"}`, []string{`remove title`}, "op-case remove-with-value"},
		{"a remove with values takes these only (entra 1.9)", `{"op":"remove","path":"phoneNumbers","value":[{"value":"1"}]}`, []string{`remove phoneNumbers = [{"value":"1"}]`}, "remove-with-value"},
		{"a remove with a null value is one without", `{"op":"remove","path":"phoneNumbers","value":null}`, []string{`remove phoneNumbers`}, ""},
		{"a whole extension removed", `{"op":"remove","path":"urn:example:device:1.0:User"}`,
			[]string{"remove urn:example:device:1.0:User:serial", "remove urn:example:device:1.0:User:seats", "remove urn:example:device:1.0:User:tags",
				"remove urn:example:device:1.0:User:place", "remove urn:example:device:1.0:User:ports"}, ""},
		{"a whole extension replaced", `{"op":"replace","path":"urn:example:device:1.0:User","value":{"seats":"4"}}`,
			[]string{"replace urn:example:device:1.0:User:seats = 4"}, "number-string"},

		{"unknown attributes of a value without path (entra 10.7)", `{"op":"replace","value":{"shoeSize":1,"title":"T","` + medius + `colour":"x"}}`, []string{`replace title = "T"`}, "unknown-attribute"},
		{"an unknown attribute behind a URN (bug 20)",
			`{"op":"Replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:role","value":"x"},{"op":"Replace","path":"active","value":"False"}`,
			[]string{`replace active = false`}, "boolean-string op-case unknown-attribute"},
		{"what only the server writes, among others", `{"op":"replace","value":{"id":"1","meta":{"version":"x"},"schemas":["x"],"title":"T"}}`, []string{`replace title = "T"`}, "server-attribute"},
		{"schemas as a path", `{"op":"add","path":"schemas","value":["x"]}`, nil, "server-attribute"},
		{"a password", `{"op":"replace","path":"password","value":"hunter2"}`, nil, "password"},
		{"an empty path is none", `{"op":"add","path":"","value":{"title":"T"}}`, []string{`add title = "T"`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := patch.Parse(schema.User(device()), body(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := show(t, r), strings.Join(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := strings.Join(r.Quirks, " "); got != c.quirks {
				t.Errorf("quirks are %q, want %q", got, c.quirks)
			}
		})
	}
}

func TestParseGroup(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"externalId of a group (bug 21)", `{"op":"Add","path":"externalId","value":"o"}`, `add externalId = "o"`},
		{"MediusFlow's externalID (entra 7)", `{"op":"Replace","path":"externalID","value":"o"}`, `replace externalId = "o"`},
		{"a rename (entra 1.10)", `{"op":"Replace","path":"displayName","value":"Buyers EU"}`, `replace displayName = "Buyers EU"`},
		{"a value without path does not touch the members (bug 7)", `{"op":"replace","value":{"id":"1","displayName":"B"}}`, `replace displayName = "B"`},
		{"a member with $ref null (bug 22)", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"u"}]}`, `add members = [{"value":"u"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := patch.Parse(schema.Group(), body(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(t, r); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseNamesWhatItIgnored(t *testing.T) {
	r, err := patch.Parse(schema.User(), body(`{"op":"replace","path":"urn:x:2.0:User:role","value":"x"},{"op":"add","value":{"shoeSize":1,"anna@contoso.test":2,"`+schema.MediusUser+`":{"colour":1}}},
		{"op":"replace","path":"urn:x:2.0:User:role","value":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(r.Ignored, " "), "shoeSize "+medius+"colour urn:x:2.0:User:role"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAKeyTooManyIsIgnoredBesidePathAndValue(t *testing.T) {
	for in, want := range map[string]string{
		`{"op":"replace","path":"title","value":"x","name":"Postman's","id":7}`:                                            `replace title = "x"`,
		`{"OP":"remove","Path":"title","VALUE":null}`:                                                                      "remove title",
		`{"op":"replace","path":"title","value":false,"x":1}`:                                                              "",
		`{"op":"add","value":{"title":"x"}}`:                                                                               `add title = "x"`,
		`{"op":"add","value":{"name":{"givenName":"A"},"name.familyName":"B"}}`:                                            "add name = {\"givenName\":\"A\"}\nadd name.familyName = \"B\"",
		`{"op":"add","value":{"title":"x"}},{"op":"add","value":{"urn:ietf:params:scim:schemas:core:2.0:User:title":"x"}}`: "add title = \"x\"\nadd title = \"x\"",
	} {
		r, err := patch.Parse(schema.User(), body(in))
		if want == "" {
			wantError(t, err, schema.InvalidValue, "title accepts a string")
		} else if err != nil || show(t, r) != want {
			t.Errorf("%s: %s, %v", in, show(t, r), err)
		}
	}
}

func TestParseTakesAnySchemas(t *testing.T) {
	for name, in := range map[string]string{
		"none":    `{"Operations":[]}`,
		"foreign": `{"schemas":["urn:x"],"Operations":[]}`,
		"no list": `{"schemas":"urn:x","operations":[]}`,
	} {
		r, err := patch.Parse(schema.User(), []byte(in))
		if err != nil || strings.Join(r.Quirks, " ") != "missing-schemas no-operations" {
			t.Errorf("%s: got %v, %v", name, r.Quirks, err)
		}
	}
}

const unknownKey = "an operation has op, path and value; this one lacks a value or path and has "

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, scimType, want string }{
		{"an unknown op", `{"op":"move","path":"title"}`, schema.InvalidSyntax, "each operation has an op: add, remove or replace"},
		{"no op", `{"path":"title"}`, schema.InvalidSyntax, "each operation has an op: add, remove or replace"},
		{"an operation that is no object", `"remove"`, schema.InvalidSyntax, "each of the Operations is an object"},
		{"a misspelt value of a removal", `{"op":"remove","path":"emails","values":[{"value":"a"}]}`, schema.InvalidSyntax, unknownKey + `"values"`},
		{"a misspelt value beside one that is null", `{"op":"remove","path":"title","value":null,"Valeu":"x"}`, schema.InvalidSyntax, unknownKey + `"Valeu"`},
		{"a misspelt value of an add", `{"op":"add","path":"title","val":"x"}`, schema.InvalidSyntax, unknownKey + `"val"`},
		{"a misspelt path", `{"op":"replace","paht":"emails","value":{"title":"x"}}`, schema.InvalidSyntax, unknownKey + `"paht"`},
		{"a misspelt path beside an empty one", `{"op":"replace","path":"","target":"x","value":{"title":"x"}}`, schema.InvalidSyntax, unknownKey + `"target"`},
		{"a key that is no name", `{"op":"remove","path":"emails"," value":"a@x"}`, schema.InvalidSyntax, unknownKey + "another key"},
		{"active in two spellings", `{"op":"replace","value":{"active":false,"urn:ietf:params:scim:schemas:core:2.0:User:active":true}}`, schema.InvalidValue, "active is given more than once, with different spellings of its name"},
		{"one below its URN and by itself", `{"op":"add","value":{"` + schema.EnterpriseUser + `":{"department":"D"},"` + enterprise + `department":"E"}}`, schema.InvalidValue, enterprise + "department is given more than once, with different spellings of its name"},
		{"one without and with the URN", `{"op":"add","value":{"department":"D","` + enterprise + `department":"E"}}`, schema.InvalidValue, enterprise + "department is given more than once, with different spellings of its name"},
		{"one by an older URN", `{"op":"add","path":"` + schema.EnterpriseUser + `","value":{"manager":"D","manager.managerId":"E","manager.value":"F"}}`, schema.InvalidValue, enterprise + "manager.value is given more than once, with different spellings of its name"},
		{"a sub-attribute nested and dotted", `{"op":"add","value":{"name":{"givenName":"A"},"name.givenName":"B"}}`, schema.InvalidValue, "name.givenName is given more than once, with different spellings of its name"},
		{"an element by two filters that are the same", `{"op":"add","value":{"emails[type eq \"work\"].value":"a","emails[type eq 'work'].value":"b"}}`, schema.InvalidValue, "emails.value is given more than once, with different spellings of its name"},
		{"a path that is no string", `{"op":"remove","path":["title"]}`, schema.InvalidSyntax, "the path of an operation is a string"},
		{"a remove without path (RFC)", `{"op":"remove"}`, schema.NoTarget, "an operation remove needs a path"},
		{"an add without value", `{"op":"add","path":"title"}`, schema.InvalidValue, "an operation add needs a value"},
		{"an add without path and object", `{"op":"add","value":"x"}`, schema.InvalidValue, "an operation add without path needs an object of attributes as its value"},
		{"a misspelt name as path", `{"op":"replace","path":"dispalyName","value":"x"}`, schema.InvalidPath, `this resource has no attribute "dispalyName"; /Schemas lists those that it has`},
		{"a misspelt sub-attribute", `{"op":"replace","path":"name.first","value":"x"}`, schema.InvalidPath,
			"name has the sub-attributes formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName; another was named"},
		{"a path that is none", `{"op":"replace","path":"name givenName","value":"x"}`, schema.InvalidPath,
			"an attribute name was expected, such as userName, name.givenName or " + enterprise + "department"},
		{"a path with half a filter", `{"op":"replace","path":"emails[type eq \"work\"","value":"x"}`, schema.InvalidFilter, "and, or, or ] was expected at byte 21 of the filter"},
		{"a path that only the server writes", `{"op":"replace","path":"id","value":"x"}`, schema.IsMutability, "id is written by the server only"},
		{"a path into what only the server writes", `{"op":"remove","path":"meta.created"}`, schema.IsMutability, "meta.created is written by the server only"},
		{"a user's groups", `{"op":"add","path":"groups","value":[{"value":"g"}]}`, schema.IsMutability, "groups is written by the server only"},
		{"what the server gave the user", `{"op":"replace","path":"` + schema.TenantryUser + `:defaults","value":"x"}`, schema.IsMutability,
			schema.TenantryUser + ":defaults is written by the server only"},
		{"a value of the wrong type", `{"op":"replace","path":"active","value":"maybe"}`, schema.InvalidValue, "active accepts true or false"},
		{"a boolean in a value without path", `{"op":"replace","value":{"title":true}}`, schema.InvalidValue, "title accepts a string"},
		{"a string for name", `{"op":"replace","path":"name","value":"Anna"}`, schema.InvalidValue, "name accepts an object"},
		{"a name of unknown attributes", `{"op":"replace","path":"name","value":{"first":"A"}}`, schema.InvalidValue,
			"name needs one of formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"},
		{"a name of unknown attributes, without path", `{"op":"add","value":{"name":{"first":"A"}}}`, schema.InvalidValue,
			"name needs one of formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"},
		{"values of which one is none", `{"op":"replace","path":"emails","value":[{"value":"a"},{"vaule":"b"}]}`, schema.InvalidValue, "emails[1].value is required: without it the element says nothing"},
		{"a removal of what is not understood", `{"op":"remove","path":"emails","value":[{"type":"work"}]}`, schema.InvalidValue, "emails[0].value is required: without it the element says nothing"},
		{"an element that is none", `{"op":"replace","path":"emails[type eq \"work\"]","value":{"vaule":"b"}}`, schema.InvalidValue, "emails.value is required: without it the element says nothing"},
		{"an element of nothing", `{"op":"add","path":"emails[type eq \"work\"]","value":{}}`, schema.InvalidValue, "emails.value is required: without it the element says nothing"},
		{"a manager in an array in an array", `{"op":"add","path":"manager","value":[["m"]]}`, schema.InvalidValue, enterprise + "manager accepts one value; an array in an array was sent"},
		{"a manager by what nobody stores", `{"op":"remove","path":"manager[displayName eq \"M\"]"}`, schema.InvalidFilter, "a value of " + enterprise + "manager is chosen by its value, or by $ref eq and its URL"},
		{"two primary values", `{"op":"add","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, schema.InvalidValue,
			"emails accepts one value with primary true; several were sent"},
		{"an extension that is no object", `{"op":"replace","value":{"` + schema.MediusUser + `":"x"}}`, schema.InvalidValue, schema.MediusUser + " accepts an object of its attributes"},
		{"too many operations", strings.Repeat(`{"op":"remove","path":"title"},`, patch.MaxOperations) + `{"op":"remove","path":"title"}`, schema.TooMany,
			"a PATCH request can have at most 5000 operations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := patch.Parse(schema.User(), body(c.in))
			wantError(t, err, c.scimType, c.want)
		})
	}
	for _, sub := range []string{"$ref", "type", "display"} {
		for path, name := range map[string]string{"members." + sub: "", `members[value eq \"u\"].` + sub: " of one member"} {
			for _, op := range []string{"add", "replace", "remove"} {
				t.Run(op+" "+sub+name, func(t *testing.T) {
					_, err := patch.Parse(schema.Group(), body(`{"op":"`+op+`","path":"`+path+`","value":"x"}`))
					wantError(t, err, schema.IsMutability, "members."+sub+" is written by the server only")
				})
			}
		}
	}
	for name, in := range map[string]string{"no Operations": `{}`, "Operations that are no array": `{"Operations":{}}`} {
		t.Run(name, func(t *testing.T) {
			_, err := patch.Parse(schema.User(), []byte(in))
			wantError(t, err, schema.InvalidSyntax, "a PATCH request has an array Operations")
		})
	}
	t.Run("half a body", func(t *testing.T) {
		_, err := patch.Parse(schema.User(), []byte(`{"Operations":[`))
		wantError(t, err, schema.InvalidSyntax, "the body is not valid JSON (near byte 15)")
	})
}

func wantError(t *testing.T, err error, scimType, detail string) {
	t.Helper()
	var got *schema.Error
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want an *schema.Error", err)
	}
	if got.ScimType != scimType || got.Detail != detail {
		t.Errorf("got  %s: %s\nwant %s: %s", got.ScimType, got.Detail, scimType, detail)
	}
}
