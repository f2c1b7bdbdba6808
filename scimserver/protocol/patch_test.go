package protocol_test

import (
	"testing"
	"time"
)

// TestPatchToTheLetterOverHTTP has the sentences of RFC 7644 section 3.5.2 that scimserver/patch.TestPatchToTheLetter cannot
// show: those about answers, versions and memberships.
func TestPatchToTheLetterOverHTTP(t *testing.T) {
	const (
		unchanged = `W/"1"`
		changed   = `W/"2"`
		user      = "/Users/{u1}"
		group     = "/Groups/{buyers}" // with u1 and u2
	)
	for _, c := range []struct {
		sentence, target, operations string
		status                       int
		scimType                     string
		version                      string
		members                      string
	}{
		{"on success the answer is 204", user, `{"op":"add","path":"title","value":"T"}`, 204, "", changed, "u1 u2"},
		{"with attributes asked for it is 200 with the resource", user + "?attributes=title", `{"op":"add","path":"title","value":"T"}`, 200, "", changed, "u1 u2"},
		{"a value that is there already is a success that changes no timestamp", user, `{"op":"add","path":"userName","value":"u1@contoso.test"}`, 204, "", unchanged, "u1 u2"},
		{"one of several as well, in another case", user, `{"op":"add","path":"roles","value":[{"value":"R1"}]}`, 204, "", unchanged, "u1 u2"},
		{"and without path", user, `{"op":"add","value":{"roles":["R1"]}}`, 204, "", unchanged, "u1 u2"},
		{"with attributes asked for as well", user + "?attributes=userName", `{"op":"add","path":"userName","value":"u1@contoso.test"}`, 200, "", unchanged, "u1 u2"},
		{"if one operation fails all are undone and the answer is an error", user, `{"op":"add","path":"title","value":"T"},{"op":"remove","path":"id"}`, 400, "mutability", unchanged, "u1 u2"},
		{"also where memberships were changed before", group, `{"op":"remove","path":"members"},{"op":"remove","path":"displayName"}`, 400, "mutability", unchanged, "u1 u2"},
		{"also where they would be afterwards", group, `{"op":"replace","path":"displayName","value":"B"},{"op":"add","path":"members","value":[{"value":true}]}`, 400, "invalidValue", unchanged, "u1 u2"},

		{"members: a new value is added", group, `{"op":"add","path":"members","value":[{"value":"{u3}"}]}`, 204, "", changed, "u1 u2 u3"},
		{"members: one that is there already changes nothing", group, `{"op":"add","path":"members","value":[{"value":"{u1}"}]}`, 204, "", unchanged, "u1 u2"},
		{"members: one becomes unassigned", group, `{"op":"remove","path":"members[value eq \"{u1}\"]"}`, 204, "", changed, "u2"},
		{"members: a filter that matches nobody removes nobody", group, `{"op":"remove","path":"members[value eq \"{u3}\"]"}`, 204, "", unchanged, "u1 u2"},
		{"members: all become unassigned", group, `{"op":"remove","path":"members"}`, 204, "", changed, ""},
		{"members: all are replaced", group, `{"op":"replace","path":"members","value":[{"value":"{u2}"},{"value":"{u3}"}]}`, 204, "", changed, "u2 u3"},
		{"members: by what they are already", group, `{"op":"replace","path":"members","value":[{"value":"{u2}"},{"value":"{u1}"}]}`, 204, "", unchanged, "u1 u2"},
		{"members: one is replaced", group, `{"op":"replace","path":"members[value eq \"{u1}\"].value","value":"{u3}"}`, 204, "", changed, "u2 u3"},
		{"members: one is replaced by itself", group, `{"op":"replace","path":"members[value eq \"{u1}\"]","value":{"value":"{u1}"}}`, 204, "", unchanged, "u1 u2"},
		{"members: all that a filter matches are replaced", group, `{"op":"replace","path":"members[type eq \"User\"]","value":{"value":"{u3}"}}`, 204, "", changed, "u3"},
		{"members: if a filter matches nobody, a replace fails with noTarget", group, `{"op":"replace","path":"members[type ne \"User\"]","value":{"value":"{u3}"}}`, 400, "noTarget", unchanged, "u1 u2"},
		{"members: what the server says of them is readOnly", group, `{"op":"replace","path":"members[value eq \"{u1}\"].type","value":"Group"}`, 400, "mutability", unchanged, "u1 u2"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFixture(t)
			for _, name := range []string{"u1", "u2", "u3"} {
				f.create(name, "/Users", `{"userName":"`+name+`@contoso.test","roles":[{"value":"r1"}]}`)
			}
			f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{u1}"},{"value":"{u2}"}]}`)
			f.advance(time.Hour)
			got := f.send("PATCH", c.target, patchOf(c.operations))
			switch {
			case c.status >= 400:
				f.wantError(got, c.status, c.scimType)
			case got.status != c.status || got.header.Get("ETag") != c.version:
				t.Fatalf("got %d with ETag %s, want %d with %s\n%s", got.status, got.header.Get("ETag"), c.status, c.version, got.body)
			}
			meta := f.field(f.expect("GET", c.target, "", 200, ""), "meta")
			if c.target == user || c.target == group {
				modified := started
				if c.version == changed {
					modified = "2026-11-23T13:00:00Z"
				}
				if have := meta.(map[string]any); have["version"] != c.version || have["lastModified"] != modified {
					t.Errorf("meta = %v, want version %s and lastModified %s", have, c.version, modified)
				}
			}
			if have := f.members("buyers"); have != c.members {
				t.Errorf("members = %q, want %q", have, c.members)
			}
		})
	}
}

func TestSchemasFollowWhatAPatchAddsAndRemoves(t *testing.T) {
	const core, enterprise = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.expect("PATCH", "/Users/{anna}?attributes=userName", patchOf(`{"op":"add","path":"`+enterprise+`:employeeNumber","value":"7"}`), 200,
		`{"schemas":["`+core+`","`+enterprise+`"],"id":"{anna}","userName":"anna"}`)
	f.expect("PATCH", "/Users/{anna}?attributes=userName", patchOf(`{"op":"remove","path":"`+enterprise+`:employeeNumber"}`), 200,
		`{"schemas":["`+core+`"],"id":"{anna}","userName":"anna"}`)
}

func TestLabelsAndValueOfANewElementComeInAnyOrder(t *testing.T) {
	const primary, value = `{"op":"replace","path":"emails[type eq \"work\"].primary","value":true}`, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"w@x"}`
	for name, operations := range map[string]string{
		"primary first": primary + "," + value, "value first": value + "," + primary,
		"as keys": `{"op":"replace","value":{"emails[type eq \"work\"].primary":"True","emails[type eq \"work\"].value":"w@x"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna","emails":[{"type":"home","value":"h@x","primary":true}]}`)
			f.expect("PATCH", "/Users/{anna}?attributes=emails", patchOf(operations), 200,
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","emails":[{"type":"home","value":"h@x","primary":false},{"type":"work","value":"w@x","primary":true}]}`)
		})
	}
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna","emails":[{"type":"home","value":"h@x","primary":true}]}`)
	for name, operation := range map[string]string{
		"labels of an element that never comes": primary,
		"labels that the element has":           `{"op":"replace","path":"emails[type eq \"home\"]","value":{"primary":"True"}}`,
	} {
		if got := f.expect("PATCH", "/Users/{anna}", patchOf(operation), 204, ""); got.header.Get("ETag") != `W/"1"` {
			t.Errorf("%s make the version %s", name, got.header.Get("ETag"))
		}
	}
}
