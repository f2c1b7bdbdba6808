package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestATenantURLIsTakenAsItIsPasted(t *testing.T) {
	const want = "https://contoso.example.com/scim/v2"
	for pasted, dialect := range map[string]Dialect{
		want:                            "",
		want + "/":                      "",
		"  " + want + "\n":              "",
		want + "?aadOptscim062020":      Flagged,
		want + "/?aadOptscim062020":     Flagged,
		want + "?x=1&aadOptscim062020":  Flagged,
		want + "/?AzureAdScimPatch2017": Legacy,
		want + "#top":                   "",
		"https://contoso.example.com//scim///v2//": "",
	} {
		if base, got, err := ParseTenantURL(pasted); base != want || got != dialect || err != nil {
			t.Errorf("%q: got %q, %q, %v", pasted, base, got, err)
		}
	}
	for _, wrong := range []string{
		"", "contoso.example.com/scim", "ftp://contoso.example.com", "https://", "https://a:b@contoso.example.com", "http://[::1",
	} {
		if base, _, err := ParseTenantURL(wrong); err == nil {
			t.Errorf("%q was taken for %q", wrong, base)
		}
	}
}

func TestPathsAreSplitAtTheSchemaTheFilterAndTheSubAttribute(t *testing.T) {
	for path, want := range map[string]Path{
		"userName":                        {Attribute: "userName"},
		"name.givenName":                  {Attribute: "name", Sub: "givenName"},
		SchemaUser + ":userName":          {URN: SchemaUser, Attribute: "userName"},
		SchemaEnterpriseUser + ":manager": {URN: SchemaEnterpriseUser, Attribute: "manager"},
		SchemaEnterpriseUser + ":manager.value": {
			URN: SchemaEnterpriseUser, Attribute: "manager", Sub: "value",
		},
		`emails[type eq "work"].value`: {Attribute: "emails", FilterAttribute: "type", FilterValue: "work", Sub: "value"},
		`urn:x:1.0:User:things[kind eq "a:b.c"].value`: {
			URN: "urn:x:1.0:User", Attribute: "things", FilterAttribute: "kind", FilterValue: "a:b.c", Sub: "value",
		},
	} {
		if got, err := ParsePath(path); got != want || err != nil {
			t.Errorf("%s: got %+v, %v", path, got, err)
		}
	}
	for _, wrong := range []string{"", "a[b", `a[b eq "c"]`, "a[b eq c].d", `a[b co "c"].d`, "urn:x:", `a[b eq ""c].d`} {
		if got, err := ParsePath(wrong); err == nil {
			t.Errorf("%q was taken for %+v", wrong, got)
		}
	}
}

func TestAResourceIsReadByPath(t *testing.T) {
	var r Resource
	if err := json.Unmarshal([]byte(`{
		"ID": "1", "USERNAME": "anna", "active": false, "nickName": "", "title": null, "phoneNumbers": [],
		"emails": [{"type": "home", "value": "h"}, {"Type": "Work", "value": "w"}],
		"roles": [{"primary": true, "value": "Admin"}],
		"members": [{"value": "a"}, {"value": "b"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "2"}, "department": "F"}
	}`), &r); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"userName": "anna", SchemaUser + ":userName": "anna", "active": false, `emails[type eq "work"].value`: "w",
		`roles[primary eq "True"].value`: "Admin", SchemaEnterpriseUser + ":department": "F",
		SchemaEnterpriseUser + ":manager.value": "2",
	} {
		if got, ok := r.Value(path); got != want || !ok {
			t.Errorf("%s: got %v, %v", path, got, ok)
		}
	}
	for _, path := range []string{
		"nickName", "title", "phoneNumbers", "none", "name.givenName", `emails[type eq "other"].value`, "urn:x:y:z", "[", "userName.x",
	} {
		if got, ok := r.Value(path); ok {
			t.Errorf("%s: got %v", path, got)
		}
	}
	if r.ID() != "1" || r.Reference(SchemaEnterpriseUser+":manager") != "2" || strings.Join(r.Members(), "") != "ab" {
		t.Errorf("id %q, manager %q, members %v", r.ID(), r.Reference(SchemaEnterpriseUser+":manager"), r.Members())
	}
}

// The samples are those of Microsoft's "SCIM protocol compliance" page, with other names.
func TestPatchesAreThoseOfTheSamples(t *testing.T) {
	replace := func(path string, value any) Change { return Change{Attribute{path, value}, true} }
	add := func(path string, value any) Change { return Change{Attribute{path, value}, false} }
	many := []Change{
		replace("displayName", "Anna New"), replace(`emails[type eq "work"].value`, "anna@new.test"),
		replace("name.givenName", "Anna"), replace(SchemaEnterpriseUser+":employeeNumber", "E9"),
	}
	for name, tt := range map[string]struct {
		got  []Operation
		want string
	}{
		"legacy, disable": {Patch(Legacy, []Change{replace("active", false)}), `[{"op":"Replace","path":"active","value":"False"}]`},
		"legacy, enable":  {Patch(Legacy, []Change{replace("active", true)}), `[{"op":"Replace","path":"active","value":"True"}]`},
		"legacy, add":     {Patch(Legacy, []Change{add("nickName", "Ann")}), `[{"op":"Add","path":"nickName","value":"Ann"}]`},
		"legacy, many": {Patch(Legacy, many), `[
			{"op":"Replace","path":"displayName","value":"Anna New"},
			{"op":"Replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
			{"op":"Replace","path":"name.givenName","value":"Anna"},
			{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"E9"}]`},
		"legacy, members out": {RemoveMembers(Legacy, []string{"1", "2"}),
			`[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"1"},{"$ref":null,"value":"2"}]}]`},
		"legacy, members in": {AddMembers(Legacy, []string{"1"}), `[{"op":"Add","path":"members","value":[{"$ref":null,"value":"1"}]}]`},
		"legacy, manager gone": {PatchReference(Legacy, SchemaEnterpriseUser+":manager", "", true),
			`[{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":""}]`},

		"flagged, disable": {Patch(Flagged, []Change{replace("active", false)}), `[{"op":"replace","path":"active","value":false}]`},
		"flagged, add":     {Patch(Flagged, []Change{add("nickName", "Ann")}), `[{"op":"add","path":"nickName","value":"Ann"}]`},
		"flagged, many": {Patch(Flagged, many), `[
			{"op":"replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
			{"op":"replace","value":{"displayName":"Anna New","name.givenName":"Anna",
				"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"E9"}}]`},
		"flagged, members out": {RemoveMembers(Flagged, []string{"1", "2"}),
			`[{"op":"remove","path":"members[value eq \"1\"]"},{"op":"remove","path":"members[value eq \"2\"]"}]`},
		"flagged, members in": {AddMembers(Flagged, []string{"1"}), `[{"op":"add","path":"members","value":[{"$ref":null,"value":"1"}]}]`},
		"flagged, adding and replacing stay apart": {
			Patch(Flagged, []Change{add("a", "1"), replace("b", "2"), add("c.d", true), replace("e", "3")}),
			`[{"op":"replace","value":{"b":"2","e":"3"}},{"op":"add","value":{"a":"1","c.d":true}}]`},
	} {
		var got, want any
		if err := json.Unmarshal(encode(tt.got), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s", name, encode(tt.got))
		}
	}
}

func TestFilteredPathsBecomeElementsOfACreate(t *testing.T) {
	got := CreateUser([]Attribute{
		{`emails[type eq "work"].value`, "a@b.test"}, {`emails[type eq "work"].display`, "A"},
		{`phoneNumbers[type eq "mobile"].value`, "+46 1"}, {`roles[primary eq "True"].value`, "Admin"},
		{SchemaUser + ":nickName", "Ann"},
	})
	want := Resource{
		"schemas": []any{SchemaUser, SchemaEnterpriseUser}, "meta": map[string]any{"resourceType": "User"}, "nickName": "Ann",
		"emails":       []any{map[string]any{"primary": true, "type": "work", "value": "a@b.test", "display": "A"}},
		"phoneNumbers": []any{map[string]any{"type": "mobile", "value": "+46 1"}},
		"roles":        []any{map[string]any{"primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": "Admin"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", encode(got))
	}
}

func TestServerTextsAreShortenedToALine(t *testing.T) {
	for body, want := range map[string]string{
		`{"scimType":"invalidValue","detail":"no\n  such thing"}`: "invalidValue no such thing",
		"<html>\n<b>blocked</b>":                                  "<html> <b>blocked</b>",
		"":                                                        "no explanation",
		strings.Repeat("å", 300):                                  strings.Repeat("å", 200) + "…",
	} {
		if got := detailOf([]byte(body)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"userName", `emails[type eq "work"].value`, SchemaMediusUser + ":customFieldText1", "a[", "]:.", `[eq "`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err == nil && p.Attribute == "" {
			t.Errorf("%q names no attribute and is taken", s)
		}
		_, _ = Resource{"emails": []any{nil, "x", map[string]any{"type": 1.0}}}.Value(s)
		_ = CreateUser([]Attribute{{s, "v"}})
	})
}

func FuzzParseTenantURL(f *testing.F) {
	for _, seed := range []string{"https://h/scim/v2/?aadOptscim062020", "http://[::1]:80//", "https://h/%2f", " x "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, _, err := ParseTenantURL(s)
		if err != nil {
			return
		}
		if again, _, err := ParseTenantURL(base); again != base || err != nil {
			t.Errorf("%q becomes %q, which becomes %q, %v", s, base, again, err)
		}
	})
}
