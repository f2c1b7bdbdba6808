package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func decode(t testing.TB, body string) schema.Object {
	t.Helper()
	obj, err := schema.Decode([]byte(body))
	if err != nil {
		t.Fatalf("decoding %s: %v", body, err)
	}
	return obj
}

func encode(t testing.TB, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// device declares an attribute of every type, as a tenant can.
func device() *schema.Schema {
	return &schema.Schema{ID: "urn:example:device:1.0:User", Name: "Device", Attributes: []*schema.Attribute{
		{Name: "serial", Mutability: schema.Immutable},
		{Name: "seats", Type: schema.TypeInteger},
		{Name: "weight", Type: schema.TypeDecimal},
		{Name: "bought", Type: schema.TypeDateTime},
		{Name: "key", Type: schema.TypeBinary},
		{Name: "tags", MultiValued: true},
		{Name: "place", Type: schema.TypeComplex, SubAttributes: []*schema.Attribute{
			{Name: "type"}, {Name: "floor", Type: schema.TypeInteger, Required: true}}},
		{Name: "ports", Type: schema.TypeComplex, MultiValued: true, SubAttributes: []*schema.Attribute{
			{Name: "value", Required: true}, {Name: "names", MultiValued: true}}},
		{Name: "pin", Returned: schema.ReturnedRequest},
	}}
}

const (
	enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	medius     = `"urn:ietf:params:scim:schemas:extension:medius:2.0:User"`
)

// In the names of cases, "entra 1.5" is a section of the project's fact sheet on Entra's provisioning client, and "bug 4" a
// row of its table of bugs that SCIM servers had with that client.

func TestNormalizeUser(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a create from Entra comes out canonical",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",` + enterprise + `],
			  "externalId":"anna.k","userName":"anna.k@contoso.test","active":true,"displayName":"Anna K",
			  "emails":[{"primary":true,"type":"work","value":"anna.k@contoso.test"}],"meta":{"resourceType":"User"},
			  "name":{"formatted":"Anna K","familyName":"K","givenName":"Anna"},"roles":[],` + medius + `:{"customFieldText1":"CC-100"}}`,
			`{"active":true,"displayName":"Anna K","emails":[{"primary":true,"type":"work","value":"anna.k@contoso.test"}],
			  "externalId":"anna.k","name":{"familyName":"K","formatted":"Anna K","givenName":"Anna"},` + medius + `:{"customFieldText1":"CC-100"},
			  "userName":"anna.k@contoso.test"}`},
		{"an extension is read although its URN is not in schemas (entra 1.4)",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a",` + medius + `:{"nameIdentifier":"n"}}`,
			`{` + medius + `:{"nameIdentifier":"n"},"userName":"a"}`},
		{"names and URNs are read in any case",
			`{"USERNAME":"a","Name":{"GIVENNAME":"A"},"Emails":[{"Primary":true,"Value":"x"}],
			  "URN:IETF:PARAMS:SCIM:SCHEMAS:EXTENSION:MEDIUS:2.0:USER":{"CUSTOMFIELDTEXT1":"1"}}`,
			`{"emails":[{"primary":true,"value":"x"}],"name":{"givenName":"A"},` + medius + `:{"customFieldText1":"1"},"userName":"a"}`},
		{"dotted keys are read as nested ones (bug 3)",
			`{"userName":"a","name.givenName":"A","name.familyName":"K","emails.value":"x","emails.type":"work"}`,
			`{"emails":[{"type":"work","value":"x"}],"name":{"familyName":"K","givenName":"A"},"userName":"a"}`},
		{"a dotted value that is emptied takes its labels with it", `{"userName":"a","emails.type":"work","emails.value":""}`, `{"userName":"a"}`},
		{"a dotted key adds to the nested object beside it",
			`{"userName":"a","name":{"givenName":"A"},"name.familyName":"K"}`,
			`{"name":{"familyName":"K","givenName":"A"},"userName":"a"}`},
		{"keys behind a URN are read, the dot in 2.0 notwithstanding (bug 5)",
			`{"urn:ietf:params:scim:schemas:core:2.0:User:userName":"a","urn:ietf:params:scim:schemas:core:2.0:User:name.givenName":"A",
			  "urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"1",
			  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department":"D"}`,
			`{"name":{"givenName":"A"},` + enterprise + `:{"department":"D"},` + medius + `:{"customFieldText1":"1"},"userName":"a"}`},
		{"core attributes are read from an object under the core URN",
			`{"urn:ietf:params:scim:schemas:core:2.0:User":{"userName":"a","externalId":"e","NAME":{"givenName":"A"}}}`,
			`{"externalId":"e","name":{"givenName":"A"},"userName":"a"}`},
		{"a custom attribute behind the core URN is found in its extension (bug 20)",
			`{"userName":"a","urn:ietf:params:scim:schemas:core:2.0:User:customFieldText2":"2"}`,
			`{` + medius + `:{"customFieldText2":"2"},"userName":"a"}`},
		{"unknown attributes are dropped at every level",
			`{"userName":"a","shoeSize":1,"name":{"givenName":"A","x":1},"urn:x:y":{"a":1},"a.b":2,"emails":[{"value":"x","y":1}],` + medius + `:{"z":1}}`,
			`{"emails":[{"value":"x"}],"name":{"givenName":"A"},"userName":"a"}`},
		{"what only the server can write is dropped",
			`{"userName":"a","id":"1","meta":{"version":"1"},"groups":[{"value":"g"}],
			  "urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"defaults":"d","companies":["c"]}}`,
			`{"userName":"a"}`},
		{"a password is never kept", `{"userName":"a","password":"hunter2"}`, `{"userName":"a"}`},
		{"null, empty text and empty arrays unassign (entra 1.9)",
			`{"userName":"a","title":null,"nickName":"","emails":[],"phoneNumbers":null,"roles":"","name":{"givenName":null,"familyName":""},` + medius + `:null}`,
			`{"userName":"a"}`},
		{"elements without content are no elements",
			`{"userName":"a","emails":[null,"",{"value":""},{"value":"x"}]}`,
			`{"emails":[{"value":"x"}],"userName":"a"}`},
		{"an element that has lost its value is not kept for its labels",
			`{"userName":"a","emails":[{"type":"work","primary":true,"value":null}],"addresses":[{"type":"work","formatted":""}]}`,
			`{"userName":"a"}`},
		{"booleans come as strings (bug 2)", `{"userName":"a","active":"False"}`, `{"active":false,"userName":"a"}`},
		{"primary True of a role becomes a boolean (bug 24)",
			`{"userName":"a","roles":[{"primary":"True","type":"WindowsAzureActiveDirectoryRole","value":"Admin"}]}`,
			`{"roles":[{"primary":true,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"}],"userName":"a"}`},
		{"a role that is JSON in a string stays as it was sent (bug 25)",
			`{"userName":"a","roles":[{"value":"{\"id\":\"1\",\"value\":\"Admin\"}"}]}`,
			`{"roles":[{"value":"{\"id\":\"1\",\"value\":\"Admin\"}"}],"userName":"a"}`},
		{"displayName of a role is its display (entra 1.8)",
			`{"userName":"a","roles":[{"value":"Admin","displayName":"Administrator","primary":false}]}`,
			`{"roles":[{"display":"Administrator","primary":false,"value":"Admin"}],"userName":"a"}`},
		{"a manager can be a bare string (bug 8)", `{"userName":"a",` + enterprise + `:{"manager":"m"}}`,
			`{` + enterprise + `:{"manager":{"value":"m"}},"userName":"a"}`},
		{"a manager can be an array of one, and only its id is kept (bug 9)",
			`{"userName":"a",` + enterprise + `:{"manager":[{"$ref":"https://x/Users/m","value":"m","displayName":"M"}]}}`,
			`{` + enterprise + `:{"manager":{"value":"m"}},"userName":"a"}`},
		{"an empty manager is none", `{"userName":"a",` + enterprise + `:{"manager":""}}`, `{"userName":"a"}`},
		{"a manager without URN is the enterprise one", `{"userName":"a","manager":{"value":"m"}}`,
			`{` + enterprise + `:{"manager":{"value":"m"}},"userName":"a"}`},
		{"a wrapped simple value is unwrapped (entra 1.5)", `{"userName":[{"$ref":null,"value":"a"}],"title":{"Value":"T"},"nickName":["N"]}`,
			`{"nickName":"N","title":"T","userName":"a"}`},
		{"one value of a multi-valued attribute needs no array", `{"userName":"a","emails":{"value":"x"},"roles":"Admin"}`,
			`{"emails":[{"value":"x"}],"roles":[{"value":"Admin"}],"userName":"a"}`},
		{"name.displayName is a sub-attribute of name (entra 7)", `{"userName":"a","name":{"displayName":"A"}}`,
			`{"name":{"displayName":"A"},"userName":"a"}`},
		{"two values of one type are both kept", `{"userName":"a","emails":[{"type":"work","value":"x"},{"type":"work","value":"y"}]}`,
			`{"emails":[{"type":"work","value":"x"},{"type":"work","value":"y"}],"userName":"a"}`},
		{"any type is accepted beside the canonical ones", `{"userName":"a","emails":[{"type":"boat","value":"x"}]}`,
			`{"emails":[{"type":"boat","value":"x"}],"userName":"a"}`},
		{"values stay as they were sent", `{"userName":" Anna ","phoneNumbers":[{"value":"+46 (0)8-1"}],"displayName":"\u00c5sa \ud83d\ude00"}`,
			`{"displayName":"Åsa 😀","phoneNumbers":[{"value":"+46 (0)8-1"}],"userName":" Anna "}`},
		{"every type of a declared extension is read",
			`{"userName":"a","urn:example:device:1.0:User":{"seats":"4","weight":1.50,"bought":"2026-01-31T12:00:00+01:00","key":"AQI=","tags":["x",{"value":"y"}],"place":{"type":"lab","floor":2},"ports":[{"value":"p","names":"n"}]}}`,
			`{"urn:example:device:1.0:User":{"bought":"2026-01-31T12:00:00+01:00","key":"AQI=","place":{"floor":2,"type":"lab"},"ports":[{"names":["n"],"value":"p"}],"seats":4,"tags":["x","y"],"weight":1.50},"userName":"a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := decode(t, c.in)
			before := encode(t, in)
			got, _, err := schema.User(device()).Normalize(in)
			if err != nil {
				t.Fatal(err)
			}
			wantNamed(t, schema.User(device()), in, got)
			if want := encode(t, decode(t, c.want)); encode(t, got) != want {
				t.Errorf("got  %s\nwant %s", encode(t, got), want)
			}
			if encode(t, in) != before {
				t.Errorf("the input was changed to %s", encode(t, in))
			}
		})
	}
}

func TestNormalizeGroup(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"Microsoft's own URN and externalId are fine (entra 1.10)",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
			  "externalId":"o","displayName":"Buyers","meta":{"resourceType":"Group"}}`,
			`{"displayName":"Buyers","externalId":"o"}`},
		{"externalID is so spelt by MediusFlow (entra 7)", `{"displayName":"B","externalID":"o"}`, `{"displayName":"B","externalId":"o"}`},
		{"members keep their ids only (bug 22)",
			`{"displayName":"B","members":[{"$ref":null,"value":"u1"},{"value":"u2","type":"User","displayName":"U"},"u3"]}`,
			`{"displayName":"B","members":[{"value":"u1"},{"value":"u2"},{"value":"u3"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := schema.Group().Normalize(decode(t, c.in))
			if err != nil {
				t.Fatal(err)
			}
			if want := encode(t, decode(t, c.want)); encode(t, got) != want {
				t.Errorf("got  %s\nwant %s", encode(t, got), want)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	many := strings.Repeat(`{"value":"x"},`, schema.MaxValues) + `{"value":"x"}`
	for _, c := range []struct{ name, in, want string }{
		{"a user without userName", `{"displayName":"A"}`, "userName is required"},
		{"a user with an empty userName", `{"userName":""}`, "userName is required"},
		{"a boolean that is none", `{"userName":"a","active":"yes"}`, "active accepts true or false"},
		{"a boolean for a string", `{"userName":true}`, "userName accepts a string"},
		{"a string for a complex attribute without value", `{"userName":"a","name":"Anna"}`, "name accepts an object"},
		{"an object without value for a string", `{"userName":"a","title":{"x":"T"}}`, "title accepts a string"},
		{"a nested object for a string", `{"userName":"a","title":{"value":{"value":"T"}}}`, "title accepts a string"},
		{"several values for a single-valued attribute", `{"userName":["a","b"]}`, "userName accepts one value; several were sent"},
		{"two managers", `{"userName":"a",` + enterprise + `:{"manager":[{"value":"1"},{"value":"2"}]}}`,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager accepts one value; several were sent"},
		{"a boolean as an e-mail's value", `{"userName":"a","emails":[{"value":false}]}`, "emails.value accepts a string"},
		{"two primary values", `{"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":"True"}]}`,
			"emails accepts one value with primary true; several were sent"},
		{"a dotted sub-attribute that there is none of", `{"userName":"a","emails.vaule":"x"}`, "emails accepts its values under its name, or each behind one of the names value, display, type, primary"},
		{"and one beside others", `{"userName":"a","name":{"givenName":"A"},"name.first":"A"}`, "name accepts its values under its name, or each behind one of the names formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"},
		{"and one of an extension", `{"userName":"a",` + enterprise + `:{"manager.id":"m"}}`, schema.EnterpriseUser + ":manager accepts its values under its name, or each behind one of the names value"},
		{"a dotted attribute without sub-attributes", `{"userName":"a","title.en":"x"}`, "title accepts its value under its name alone"},
		{"a key with a filter", `{"userName":"a","emails[type eq \"work\"].value":"x"}`, "emails accepts its values under its name, or each behind one of the names value, display, type, primary"},
		{"a key with a filter behind a URN", `{"userName":"a","urn:ietf:params:scim:schemas:core:2.0:User:roles[primary eq true]":"x"}`, "roles accepts its values under its name, or each behind one of the names value, display, type, primary"},
		{"an attribute in two spellings", `{"userName":"a","urn:ietf:params:scim:schemas:core:2.0:User:userName":"b"}`, "userName is given more than once, with different spellings of its name"},
		{"a sub-attribute nested and dotted", `{"userName":"a","name":{"givenName":"A"},"name.givenName":"B"}`,
			"name.givenName is given more than once, with different spellings of its name"},
		{"an extension that is no object", `{"userName":"a",` + medius + `:"x"}`,
			"urn:ietf:params:scim:schemas:extension:medius:2.0:User accepts an object of its attributes"},
		{"a certificate that is not base64", `{"userName":"a","x509Certificates":[{"value":"no base64!"}]}`, "x509Certificates.value accepts base64 text"},
		{"a fraction for an integer", `{"userName":"a","urn:example:device:1.0:User":{"seats":1.5}}`, "urn:example:device:1.0:User:seats accepts a whole number"},
		{"a word for a decimal", `{"userName":"a","urn:example:device:1.0:User":{"weight":"heavy"}}`, "urn:example:device:1.0:User:weight accepts a number"},
		{"a date that is none", `{"userName":"a","urn:example:device:1.0:User":{"bought":"yesterday"}}`,
			"urn:example:device:1.0:User:bought accepts a dateTime such as 2026-01-31T12:00:00Z"},
		{"a complex value without its required sub-attribute", `{"userName":"a","urn:example:device:1.0:User":{"place":{"type":"lab"}}}`,
			"urn:example:device:1.0:User:place.floor is required"},
		{"the character that no database stores", `{"userName":"a\u0000b"}`, "userName accepts text without the character U+0000"},
		{"more values than an attribute can have", `{"userName":"a","emails":[` + many + `]}`, "emails accepts at most 1000 values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := schema.User(device()).Normalize(decode(t, c.in))
			wantError(t, err, schema.InvalidValue, c.want)
		})
	}
	t.Run("a group without displayName", func(t *testing.T) {
		_, _, err := schema.Group().Normalize(decode(t, `{"externalId":"x"}`))
		wantError(t, err, schema.InvalidValue, "displayName is required")
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

func TestAGroupHasAnyNumberOfMembers(t *testing.T) {
	many := strings.Repeat(`"x",`, schema.MaxValues) + `"x"`
	got, _, err := schema.Group().Normalize(decode(t, `{"displayName":"B","members":[`+many+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got["members"].([]any)); n != schema.MaxValues+1 {
		t.Errorf("%d members, want %d", n, schema.MaxValues+1)
	}
}

func TestSchemasListsTheExtensionsThatHaveData(t *testing.T) {
	rt := schema.User()
	got, _, err := rt.Normalize(decode(t, `{"userName":"a",`+medius+`:{"nameIdentifier":"n"},`+enterprise+`:{"manager":""}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `["urn:ietf:params:scim:schemas:core:2.0:User",` + medius + `]`
	if urns := encode(t, rt.Schemas([]byte(encode(t, got)))); urns != want {
		t.Errorf("got %s, want %s", urns, want)
	}
}

func TestImmutableValuesCannotChange(t *testing.T) {
	rt := schema.User(device())
	set := decode(t, `{"urn:example:device:1.0:User":{"serial":"1"}}`)
	other := decode(t, `{"urn:example:device:1.0:User":{"serial":"2"}}`)
	if err := rt.CheckImmutable(schema.Object{}, set); err != nil {
		t.Errorf("setting it the first time: %v", err)
	}
	if err := rt.CheckImmutable(set, set); err != nil {
		t.Errorf("leaving it: %v", err)
	}
	for _, next := range []schema.Object{other, {}} {
		wantError(t, rt.CheckImmutable(set, next), schema.IsMutability,
			"urn:example:device:1.0:User:serial cannot be changed once it is set")
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"numbers stay as they are written", `{"a":1.50,"b":12345678901234567890}`, `{"a":1.50,"b":12345678901234567890}`},
		{"whitespace around is fine", " {\"a\":[true,null,\"x\",{}]}\r\n", `{"a":[true,null,"x",{}]}`},
		{"colons, brackets and quotes in strings are text", `{"a":":{[\\\":","b:":"]}"}`, `{"a":":{[\\\":","b:":"]}"}`},
		{"pairs of surrogates, other escapes and what looks like one are text", `{"\ud83d\uDE00":"\\ud800 \u00e5\ud83d\ude00\uD83D\uDE00\\\ud83d\ude00\ufffd\ue000\ud7ff"}`, `{"😀":"\\ud800 å😀😀\\😀` + "\ufffd\ue000\ud7ff" + `"}`},
		{"the same key in different objects is fine", `{"a":{"b":1},"c":{"b":1}}`, `{"a":{"b":1},"c":{"b":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := encode(t, decode(t, c.in)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	var many string // members of one object
	for n := range 100 {
		many += fmt.Sprintf(`"k%d":0,`, n)
	}
	const half = `a text of the body has an unpaired surrogate: each of \uD800 to \uDBFF must be followed by one of \uDC00 to \uDFFF`
	deep := strings.Repeat(`{"a":`, schema.MaxDepth) + `[]` + strings.Repeat(`}`, schema.MaxDepth)
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, "the request has no body; it must be a JSON object"},
		{"half an object", `{"a":`, "the body is not valid JSON (near byte 5)"},
		{"half a string", `{"a":"b`, "the body is not valid JSON (near byte 7)"},
		{"an array", `[1]`, "the body must be a JSON object"},
		{"null", `null`, "the body must be a JSON object"},
		{"two objects", `{} {}`, "the body must be one JSON object; something follows it"},
		{"garbage behind", `{}x`, "the body must be one JSON object; something follows it"},
		{"the same key twice", `{"a":1,"\u0061":2}`, "an object of the body has the key a twice; case does not count"},
		{"the same key twice further in", `{"a":[{"b":{"c":1},"b":{"c":1}}]}`, "an object of the body has the key b twice; case does not count"},
		{"the same key in another case", `{"Operations":[],"operations":[]}`, "an object of the body has the key operations twice; case does not count"},
		{"the same key in another case further in", `{"A":[{"b":[[{"urn:x:User":1,"c":{"c":2},"URN:X:user":3}]]}]}`, "an object of the body has the key URN:X:user twice; case does not count"},
		{"the same key in another case among many", `{` + many + `"K7":1}`, "an object of the body has the key K7 twice; case does not count"},
		{"the same key twice that could be somebody's", `{"a":{"anna@contoso.test":1,"Anna@contoso.test":2}}`, "an object of the body has the same key twice; case does not count"},
		{"deep nesting", deep, "the body nests more than 16 levels"},
		{"text that is not UTF-8", "{\"a\":\"\xff\"}", "the body must be UTF-8"},
		{"an unpaired surrogate", `{"a":"\ud800"}`, half},
		{"the second half alone", `{"a":"x\uDC00"}`, half},
		{"the halves in the wrong order", `{"a":"\udc00\ud800"}`, half},
		{"a half before another escape", `{"a":"\ud83d\n"}`, half},
		{"a half before another character", `{"a":"\ud83d\u0041"}`, half},
		{"a half before text", `{"a":"\ud83dde00"}`, half},
		{"a half twice", `{"a":"\ud83d\ud83d\ude00"}`, half},
		{"a half behind a pair", `{"a":"\ud83d\ude00\ude00"}`, half},
		{"a half before an escaped backslash", `{"a":"\ud83d\\ude00"}`, half},
		{"an unpaired surrogate in a key", `{"a\ud800":1}`, half},
		{"an unpaired surrogate further in", `{"a":[{"b":["x",{"c":"\udfff"}]}]}`, half},
		{"halves in two texts", `{"a":["\ud83d","\ude00"]}`, half},
		{"a half that is cut off", `{"a":"\ud83`, "the body is not valid JSON (near byte 11)"},
		{"an escape that is none", `{"a":"\uzzzz"}`, "the body is not valid JSON (near byte 9)"},
		{"a trailing comma", `{"a":1,}`, "the body is not valid JSON (near byte 8)"},
		{"a key that is no string", `{1:2}`, "the body is not valid JSON (near byte 2)"},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			_, err := schema.Decode([]byte(c.in))
			wantError(t, err, schema.InvalidSyntax, c.want)
		})
	}
}
