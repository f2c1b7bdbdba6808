package schema_test

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

const managerNeedsID = schema.EnterpriseUser + ":manager.value is required: the id of a user, or its URL as $ref"

func TestAValueInWhichNothingIsUsableIsRefused(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an element of nothing", `"emails":[{}]`, "emails[0].value is required: without it the element says nothing"},
		{"among good ones, by its position", `"emails":[{"value":"x"},{"vaule":"y"},{"value":"z"}]`, "emails[1].value is required: without it the element says nothing"},
		{"a misspelt value beside labels", `"roles":[{"vaule":"Admin","type":"x","primary":true}]`, "roles[0].value is required: without it the element says nothing"},
		{"a misspelt value beside a name", `"roles":[{"value":"r"},{"vaule":"Admin","display":"Administrator"}]`, "roles[1].value is required: without it the element says nothing"},
		{"labels alone", `"emails":[{"type":"work"}]`, "emails[0].value is required: without it the element says nothing"},
		{"labels alone, one an empty text", `"emails":[{"type":"work","display":""}]`, "emails[0].value is required: without it the element says nothing"},
		{"dotted labels alone", `"emails.type":"work"`, "emails[0].value is required: without it the element says nothing"},
		{"one without its array", `"emails":{"vaule":"y"}`, "emails[0].value is required: without it the element says nothing"},
		{"the attribute in itself", `"emails":{"emails":[{"value":"x"}]}`, "emails[0].value is required: without it the element says nothing"},
		{"an array in an array", `"emails":[["nested"]]`, "emails[0] is an array; an element of emails is an object or its value"},
		{"an array of nothing in an array", `"emails":[{"value":"x"},[]]`, "emails[1] is an array; an element of emails is an object or its value"},
		{"an array of an object in an array", `"emails":[[{"value":"x"}]]`, "emails[0] is an array; an element of emails is an object or its value"},
		{"an address of unknown attributes", `"addresses":[{"type":"work","street":"S"}]`, "addresses[0] needs one of formatted, streetAddress, locality, region, postalCode, country"},
		{"an address of nothing", `"addresses":[{"locality":"L"},{}]`, "addresses[1] needs one of formatted, streetAddress, locality, region, postalCode, country"},
		{"a name of unknown attributes", `"name":{"givenname ":"A","first":"B"}`, "name needs one of formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"},
		{"a name of unknown attributes and nulls", `"name":{"givenName":null,"first":"B"}`, "name needs one of formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"},
		{"a name in an array in an array", `"name":[[{"givenName":"A"}]]`, "name accepts one value; an array in an array was sent"},
		{"a manager of whom only the name is said", enterprise + `:{"manager":{"displayName":"M"}}`, managerNeedsID},
		{"a manager under a wrong key", enterprise + `:{"manager":{"id":"m"}}`, managerNeedsID},
		{"a manager in an array in an array", enterprise + `:{"manager":[["m"]]}`, schema.EnterpriseUser + ":manager accepts one value; an array in an array was sent"},
		{"a declared element without its value", `"urn:example:device:1.0:User":{"ports":[{"value":"p"},{"names":["n"]}]}`, "urn:example:device:1.0:User:ports[1].value is required"},
		{"a declared element of unknown attributes", `"urn:example:device:1.0:User":{"ports":[{"port":"p"}]}`, "urn:example:device:1.0:User:ports[0].value is required: without it the element says nothing"},
		{"a declared simple value in an array in an array", `"urn:example:device:1.0:User":{"tags":["x",["y"]]}`,
			"urn:example:device:1.0:User:tags[1] is an array; an element of urn:example:device:1.0:User:tags is one value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := schema.User(device()).Normalize(decode(t, `{"userName":"a",`+c.in+`}`))
			wantError(t, err, schema.InvalidValue, c.want)
		})
	}
}

func TestWhatTheClientItselfSaysIsEmptyIsUnassigned(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"elements of nulls and empty texts", `"emails":[null,"",{"value":"","type":"work"},{"type":null,"display":""},{"Value":[]}]`, ``},
		{"but not a name for display", `"emails":[{"display":"d"},{"display":"e","colour":null}]`, `"emails":[{"display":"d"},{"display":"e"}],`},
		{"among good ones", `"roles":[{"value":"r"},{"value":"","primary":true},null]`, `"roles":[{"value":"r"}],`},
		{"an address whose parts are empty", `"addresses":[{"type":"work","formatted":"","locality":null}]`, ``},
		{"a name of nothing", `"name":{}`, ``},
		{"a name of nulls", `"name":{"givenName":null,"familyName":""}`, ``},
		{"a manager of nobody, by whatever name", enterprise + `:{"manager":{"value":"","displayName":"M"}}`, ``},
		{"a manager of nobody, as SCIM 1.1 has it", enterprise + `:{"manager":{"managerId":"","displayName":"M"}}`, ``},
		{"no values at all", `"emails":[],"roles":"","name":[],"addresses":null`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			normalized(t, schema.User(), `{"userName":"a",`+c.in+`}`, `{`+c.want+`"userName":"a"}`)
		})
	}
}

func TestAnAddressOfLabelsAloneIsKept(t *testing.T) {
	// ssosync sends one for each user.
	normalized(t, schema.User(), `{"userName":"a","addresses":[{"type":"work"}]}`, `{"addresses":[{"type":"work"}],"userName":"a"}`)
	normalized(t, schema.User(), `{"userName":"a","addresses":[{"type":"work","primary":"True"},{"locality":"L"}]}`,
		`{"addresses":[{"primary":true,"type":"work"},{"locality":"L"}],"userName":"a"}`)
}

func normalized(t *testing.T, rt *schema.ResourceType, in, want string, quirks ...string) {
	t.Helper()
	got, lenience, err := rt.Normalize(decode(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if encode(t, got) != encode(t, decode(t, want)) {
		t.Errorf("got  %s\nwant %s", encode(t, got), want)
	}
	for _, quirk := range quirks {
		if !strings.Contains(" "+strings.Join(lenience.Quirks(), " ")+" ", " "+quirk+" ") {
			t.Errorf("counted %q, and %s is missing", lenience.Quirks(), quirk)
		}
	}
}

func TestAReferenceByURLIsUnderstood(t *testing.T) {
	for _, ref := range []string{"https://contoso.scim.example.com/scim/v2/Users/u1", "/scim/v2/Users/u1", "../Users/u1", "Users/u1", "/Users/u1/",
		"https://elsewhere.example/Users/u1?x=1#y", "HTTPS://h/USERS/u1", "https://h/Users/%751"} {
		t.Run(ref, func(t *testing.T) {
			normalized(t, schema.Group(), `{"displayName":"B","members":[{"$ref":"`+ref+`"},{"value":"u2"}]}`,
				`{"displayName":"B","members":[{"value":"u1"},{"value":"u2"}]}`, schema.QuirkReference)
			normalized(t, schema.User(), `{"userName":"a",`+enterprise+`:{"manager":{"$ref":"`+ref+`","displayName":"M"}}}`,
				`{`+enterprise+`:{"manager":{"value":"u1"}},"userName":"a"}`, schema.QuirkReference)
		})
	}
	t.Run("of a group", func(t *testing.T) {
		normalized(t, schema.Group(), `{"displayName":"B","members":[{"$REF":"../groups/g1","value":null,"type":"Group"}]}`, `{"displayName":"B","members":[{"value":"g1"}]}`)
	})
	t.Run("the value wins where both are given", func(t *testing.T) {
		normalized(t, schema.Group(), `{"displayName":"B","members":[{"$ref":"../Users/u1","value":"u2"},{"$ref":7,"value":"u3"}]}`,
			`{"displayName":"B","members":[{"value":"u2"},{"value":"u3"}]}`)
		normalized(t, schema.User(), `{"userName":"a","manager":{"value":"m","managerId":"n","$ref":"../Users/o"}}`, `{`+enterprise+`:{"manager":{"value":"m"}},"userName":"a"}`)
	})
	t.Run("by a dotted name", func(t *testing.T) {
		normalized(t, schema.User(), `{"userName":"a","manager.$ref":"../Users/m"}`, `{`+enterprise+`:{"manager":{"value":"m"}},"userName":"a"}`, schema.QuirkReference)
		normalized(t, schema.Group(), `{"displayName":"B","members.$ref":"../Users/u"}`, `{"displayName":"B","members":[{"value":"u"}]}`, schema.QuirkReference)
		normalized(t, schema.User(), `{"userName":"a","manager.$ref":null}`, `{"userName":"a"}`)
		_, _, err := schema.Group().Normalize(decode(t, `{"displayName":"B","members.$ref":"u"}`))
		wantError(t, err, schema.InvalidValue, "members.$ref accepts the URL of a user or group, such as /Users/ID")
	})
	t.Run("SCIM 1.1's managerId", func(t *testing.T) {
		normalized(t, schema.User(), `{"userName":"a",`+enterprise+`:{"manager":{"managerId":"m","displayName":"M"}}}`,
			`{`+enterprise+`:{"manager":{"value":"m"}},"userName":"a"}`, schema.QuirkManagerID)
	})
	for _, ref := range []string{"https://h/scim/v2/Users", "u1", "urn:u1", "Users/", "https://h/Devices/u1", "https://h/Users/u1/x", "Users/..", "Users/%ff", "Users/%00", "%", "https://h"} {
		t.Run("refuses "+ref, func(t *testing.T) {
			_, _, err := schema.Group().Normalize(decode(t, `{"displayName":"B","members":[{"value":"u"},{"$ref":"`+ref+`"}]}`))
			wantError(t, err, schema.InvalidValue, "members[1].$ref accepts the URL of a user or group, such as /Users/ID")
		})
	}
	_, _, err := schema.User().Normalize(decode(t, `{"userName":"a","manager":{"$ref":"../Groups/g"}}`))
	wantError(t, err, schema.InvalidValue, schema.EnterpriseUser+":manager.$ref accepts the URL of a user, such as /Users/ID")
	_, _, err = schema.User().Normalize(decode(t, `{"userName":"a","manager":{"$ref":7}}`))
	wantError(t, err, schema.InvalidValue, schema.EnterpriseUser+":manager.$ref accepts the URL of a user, such as /Users/ID")
}

func TestAMemberHasAnID(t *testing.T) {
	for name, in := range map[string]string{
		"null": `[null]`, "an empty text": `[""]`, "an element of nothing": `[{}]`, "a name": `[{"display":"x"}]`, "a type": `[{"type":"User"}]`,
		"an empty id": `[{"$ref":null,"value":""}]`, "a misspelt id": `[{"vaule":"u"}]`, "members in members": `{"members":[{"value":"u"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := schema.Group().Normalize(decode(t, `{"displayName":"B","members":`+in+`}`))
			wantError(t, err, schema.InvalidValue, "members[0].value is required: the id of a user or group, or its URL as $ref")
		})
	}
	for _, none := range []string{`[]`, `null`, `""`} {
		normalized(t, schema.Group(), `{"displayName":"B","members":`+none+`}`, `{"displayName":"B"}`)
	}
}
