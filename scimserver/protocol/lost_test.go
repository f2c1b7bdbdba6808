package protocol_test

import (
	"net/http"
	"strings"
	"testing"
)

// twoEach has a group of two users and a group, and a user of two e-mails.
func twoEach(t *testing.T) *fixture {
	t.Helper()
	f := withUsers(t, 3)
	f.create("anna", "/Users", `{"userName":"anna","title":"CFO","emails":[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"}]}`)
	f.create("team", "/Groups", `{"displayName":"Team","members":[{"value":"{u1}"},{"value":"{u2}"},{"value":"{buyers}"}]}`)
	return f
}

// TestAnOperationThatLosesSomethingIsRefused has operations of which a part would be passed over, and that would then do more, or less, than
// their client wants, and answer 204.
func TestAnOperationThatLosesSomethingIsRefused(t *testing.T) {
	for _, c := range []struct{ name, path, operation, scimType string }{
		{"a removal of members by a misspelt value", "/Groups/{team}", `{"op":"remove","path":"members","values":[{"value":"{u1}"}]}`, "invalidSyntax"},
		{"by the name of the attribute", "/Groups/{team}", `{"op":"remove","path":"members","members":[{"value":"{u1}"}]}`, "invalidSyntax"},
		{"a removal by a misspelt path", "/Groups/{team}", `{"op":"replace","paths":"displayName","value":{"members":[]}}`, "invalidSyntax"},
		{"a removal of e-mails by a misspelt value", "/Users/{anna}", `{"op":"remove","path":"emails","val":[{"value":"w@x"}]}`, "invalidSyntax"},
		{"a removal of two ids in one text", "/Groups/{team}", `{"op":"remove","path":"members","value":"{u1},{u2}"}`, "invalidValue"},
		{"a removal of ids in a path", "/Groups/{team}", `{"op":"remove","path":"members[value eq \"{u1},{u2}\"]"}`, "invalidValue"},
		{"of JSON in a text", "/Groups/{team}", `{"op":"remove","path":"members","value":"[{\"value\":\"{u1}\"}]"}`, "invalidValue"},
		{"of one in quotes", "/Groups/{team}", `{"op":"remove","path":"members","value":[{"value":"\"{u1}\""}]}`, "invalidValue"},
		{"of the URL of an application", "/Groups/{team}", `{"op":"remove","path":"members","value":["https://x/Apps/{u1}"]}`, "invalidValue"},
		{"a removal of one by its path and of another by its value", "/Groups/{team}", `{"op":"remove","path":"members[value eq \"{u1}\"]","value":[{"value":"{u2}"}]}`, "invalidValue"},
		{"a user in the place of groups", "/Groups/{team}", `{"op":"replace","path":"members[type eq \"Group\"].value","value":"{u3}"}`, "invalidValue"},
		{"a value of two spellings of active", "/Users/{anna}", `{"op":"replace","value":{"active":false,"urn:ietf:params:scim:schemas:core:2.0:User:active":true}}`, "invalidValue"},
		{"and of members", "/Groups/{team}", `{"op":"replace","value":{"members":[{"value":"{u1}"}],"urn:ietf:params:scim:schemas:core:2.0:Group:members":[]}}`, "invalidValue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := twoEach(t)
			before := f.expect(http.MethodGet, c.path, "", http.StatusOK, "")
			f.wantError(f.send(http.MethodPatch, c.path, patchOf(c.operation)), http.StatusBadRequest, c.scimType)
			results := f.bulk(bulkOf(`{"method":"PATCH","path":"`+c.path+`","data":`+patchOf(c.operation)+`}`), "400")
			if response, _ := results[0]["response"].(map[string]any); response["scimType"] != c.scimType {
				t.Errorf("in a bulk request: %v", response)
			}
			if after := f.expect(http.MethodGet, c.path, "", http.StatusOK, ""); string(after.body) != string(before.body) {
				t.Errorf("it became %s", after.body)
			}
		})
	}
}

// TestARemovalTakesWhatPathAndValueName has removals that say by a filter and by a value what they take away: both must hold.
func TestARemovalTakesWhatPathAndValueName(t *testing.T) {
	const both = `[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"}]`
	for _, c := range []struct{ operation, members, emails string }{
		{`{"op":"remove","path":"members[type eq \"User\"]","value":[{"value":"{u1}"}]}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members[type eq \"Group\"]","value":[{"value":"{u1}"}]}`, "u1 u2 buyers", ""},
		{`{"op":"remove","path":"members[type eq \"User\"].value","value":"{u2}"}`, "u1 buyers", ""},
		{`{"op":"remove","path":"members[value eq \"{u1}\"]","value":[{"value":"{u1}"}]}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members[value eq \"{u1}\"]","value":{}}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members[value eq \"{u1}\"]","value":null,"$ref":null,"type":"User"}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members","value":[{"value":"{u1}"},{"value":"x|12345678-1234-1234-1234-123456789012"}]}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members[not (type eq \"Group\")]","value":["{u1}","{u2}","{u3}"]}`, "buyers", ""},
		{`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"{u1}"}]}`, "u2 buyers", ""},
		{`{"op":"remove","path":"members[type eq \"User\"]"}`, "buyers", ""},
		{`{"op":"remove","path":"emails[type eq \"work\"]","value":[{"value":"zz"}]}`, "", both},
		{`{"op":"remove","path":"emails[type eq \"work\"]","value":[{"value":"h@x"}]}`, "", both},
		{`{"op":"remove","path":"emails[type eq \"work\"].value","value":"h@x"}`, "", `[{"type":"home","value":"h@x"}]`},
		{`{"op":"remove","path":"emails[type eq \"work\"]","value":[{"value":"W@x"}]}`, "", `[{"type":"home","value":"h@x"}]`},
		{`{"op":"remove","path":"emails[type eq \"work\"]","value":""}`, "", `[{"type":"home","value":"h@x"}]`},
	} {
		t.Run(c.operation, func(t *testing.T) {
			f := twoEach(t)
			if c.emails == "" {
				f.expect(http.MethodPatch, "/Groups/{team}", patchOf(c.operation), http.StatusNoContent, "")
				if got := f.members("team"); got != c.members {
					t.Errorf("members = %q, want %q", got, c.members)
				}
				return
			}
			f.expect(http.MethodPatch, "/Users/{anna}", patchOf(c.operation), http.StatusNoContent, "")
			f.expect(http.MethodGet, "/Users/{anna}?attributes=emails", "", http.StatusOK,
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","emails":`+c.emails+`}`)
		})
	}
}

// TestAMemberIsNamedByAnySpellingOfItsID has ids as clients write them. The removal of one must not be lost.
func TestAMemberIsNamedByAnySpellingOfItsID(t *testing.T) {
	for name, spell := range map[string]func(id string) string{
		"in upper case": strings.ToUpper, "with blanks": func(id string) string { return "  " + id + "\u00a0" },
		"by URL": func(id string) string { return tenantURL + "/Users/" + id }, "by a relative one": func(id string) string { return "Users/" + id },
		"by one in upper case with blanks": func(id string) string { return " ../users/" + strings.ToUpper(id) + "/ " },
	} {
		t.Run(name, func(t *testing.T) {
			for operation, want := range map[string]string{
				`{"op":"remove","path":"members","value":[{"value":"ID"}]}`:              "u2 buyers",
				`{"op":"remove","path":"members","value":"ID"}`:                          "u2 buyers",
				`{"op":"remove","path":"members.value","value":"ID"}`:                    "u2 buyers",
				`{"op":"remove","path":"members[value eq \"ID\"]"}`:                      "u2 buyers",
				`{"op":"remove","path":"members[type eq \"User\" and value eq \"ID\"]"}`: "u2 buyers",
				`{"op":"replace","path":"members","value":[{"value":"ID"}]}`:             "u1",
				`{"op":"add","path":"members","value":[{"value":"ID"}]}`:                 "u1 u2 buyers",
			} {
				f := twoEach(t)
				f.expect(http.MethodPatch, "/Groups/{team}", patchOf(strings.ReplaceAll(operation, "ID", spell(f.ids["u1"]))), http.StatusNoContent, "")
				if got := f.members("team"); got != want {
					t.Errorf("%s: members = %q, want %q", operation, got, want)
				}
				f.wantUnknown("team", 0)
			}
			f := twoEach(t)
			f.expect(http.MethodPut, "/Groups/{team}", `{"displayName":"Team","members":[{"value":"`+spell(f.ids["u1"])+`"}]}`, http.StatusOK, "")
			if got := f.members("team"); got != "u1" {
				t.Errorf("after PUT, members = %q", got)
			}
		})
	}
}

// TestAKeyThatLosesItsValueIsRefused has keys of a whole resource of which only the attribute is known. A PUT would remove the value that
// the user has.
func TestAKeyThatLosesItsValueIsRefused(t *testing.T) {
	for _, key := range []string{
		`emails[type eq \"work\"].value`, `emails[type eq \"work\"]`, `EMAILS[type eq 'work'].value`, `urn:ietf:params:scim:schemas:core:2.0:User:emails[0].value`,
		`emails.vaule`, `name.first`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.id`, `title.en`,
	} {
		t.Run(key, func(t *testing.T) {
			f := twoEach(t)
			body := `{"userName":"anna","` + key + `":"n@x"}`
			f.wantError(f.send(http.MethodPut, "/Users/{anna}", body), http.StatusBadRequest, "invalidValue")
			f.wantError(f.send(http.MethodPost, "/Users", strings.Replace(body, "anna", "bea", 1)), http.StatusBadRequest, "invalidValue")
			f.bulk(bulkOf(`{"method":"PUT","path":"/Users/{anna}","data":`+body+`}`), "400")
			f.expect(http.MethodGet, "/Users/{anna}?attributes=emails", "", http.StatusOK,
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","emails":[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"}]}`)
			f.expect(http.MethodPut, "/Users/{anna}", strings.Replace(body, `"n@x"`, "null", 1), http.StatusOK, "")
		})
	}
	f := newFixture(t)
	f.create("g", "/Groups", `{"displayName":"G"}`)
	f.wantError(f.send(http.MethodPut, "/Groups/{g}", `{"displayName":"G","members[type eq \"User\"].value":"x"}`), http.StatusBadRequest, "invalidValue")
	f.create("u", "/Users", `{"userName":"u","shoe.size":7,"shoes[0]":8,"meta.x":1,"password.x":"y","groups[0].value":"z"}`)
}

func TestEnterpriseAttributesAreReadUnderEveryURN(t *testing.T) {
	for _, urn := range []string{
		"urn:scim:schemas:extension:enterprise:1.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:1.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:1.0",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0", "URN:IETF:params:scim:schemas:extension:Enterprise:2.0",
	} {
		for _, value := range []string{`"` + urn + `":{"department":"D"}`, `"` + urn + `:department":"D"`} {
			f := newFixture(t)
			f.create("u", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+urn+`"],"userName":"u",`+value+`}`)
			if got := f.quirks(); got != "older-urn" && got != "name-case older-urn" {
				t.Errorf("%s: counted %q", value, got)
			}
			f.expect(http.MethodPatch, "/Users/{u}", patchOf(`{"op":"add","path":"`+urn+`:division","value":"V"}`), http.StatusNoContent, "")
			f.expect(http.MethodGet, `/Users/{u}?attributes=`+urn, "", http.StatusOK, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
				"id":"{u}","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","division":"V"}}`)
		}
	}
}

// A client may remove what was never there, by ids of another server.
func TestARemovalOfNobodySucceeds(t *testing.T) {
	f := twoEach(t)
	for _, operation := range []string{
		`{"op":"remove","path":"members","value":[{"value":"{u1}"},{"value":"anna"}]}`, `{"op":"remove","path":"members","value":["0192f0c1000070008000000000000000"]}`,
		`{"op":"remove","path":"members.value","value":"anna"}`, `{"op":"remove","path":"members[value eq \"anna\"]"}`,
		`{"op":"remove","path":"members[type eq \"User\" and value eq \"anna\"]"}`, `{"op":"remove","path":"members[value eq \"` + nobody + `\"]"}`,
	} {
		f.expect(http.MethodPatch, "/Groups/{team}", patchOf(operation), http.StatusNoContent, "")
	}
	if got := f.members("team"); got != "u2 buyers" {
		t.Errorf("members = %q", got)
	}
}

// An add never takes away what is there (RFC 7644 section 3.5.2.1), also where its path names the value of elements and none of them.
func TestAnAddAtTheValueOfElementsAddsOne(t *testing.T) {
	f := twoEach(t)
	add := patchOf(`{"op":"add","path":"emails.value","value":"n@x"}`)
	for range 2 {
		f.expect(http.MethodPatch, "/Users/{anna}", add, http.StatusNoContent, "")
	}
	f.expect(http.MethodGet, "/Users/{anna}?attributes=emails", "", http.StatusOK,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","emails":[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"},{"value":"n@x"}]}`)
	f.expect(http.MethodPatch, "/Users/{anna}", patchOf(`{"op":"replace","path":"emails.value","value":"all@x"}`), http.StatusNoContent, "")
	f.expect(http.MethodGet, "/Users/{anna}?attributes=emails.value", "", http.StatusOK,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","emails":[{"value":"all@x"},{"value":"all@x"},{"value":"all@x"}]}`)
}
