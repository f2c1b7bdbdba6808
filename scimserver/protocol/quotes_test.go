package protocol_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/protocol"
)

// quoted are the ways in which a text is written into a filter that must be understood.
var quoted = map[string]string{"double": `\"%\"`, "single": `'%'`, "typographic": `“%”`, "typographic single": `‘%’`, "none": `%`}

// TestAValueInAnyQuotesIsThatValue has each place where a client writes a filter. A removal that finds nobody because of a
// quote would answer 204, and the client believes that access was taken away.
func TestAValueInAnyQuotesIsThatValue(t *testing.T) {
	for _, c := range []struct{ name, text, resource, operations, check string }{
		{"a member is removed", "{u1}", "/Groups/{buyers}", `{"op":"remove","path":"members[value eq Q]"}`, ""},
		{"of two as well", "{u1}", "/Groups/{buyers}", `{"op":"remove","path":"members[value eq Q or value eq \"none\"]"}`, ""},
		{"and by more than its id", "{u1}", "/Groups/{buyers}", `{"op":"remove","path":"members[type eq \"User\" and value eq Q]"}`, ""},
		{"an e-mail is replaced", "work", "/Users/{u1}", `{"op":"replace","path":"emails[type eq Q].value","value":"n@x"}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{u1}","emails":[{"type":"work","value":"n@x"},{"type":"home","value":"h@x"}]}`},
		{"without path", "work", "/Users/{u1}", `{"op":"replace","value":{"emails[type eq Q].value":"n@x"}}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{u1}","emails":[{"type":"work","value":"n@x"},{"type":"home","value":"h@x"}]}`},
		{"an e-mail is removed", "work", "/Users/{u1}", `{"op":"remove","path":"emails[type eq Q]"}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{u1}","emails":[{"type":"home","value":"h@x"}]}`},
		{"an e-mail is made", "other", "/Users/{u1}", `{"op":"add","path":"emails[type eq Q].value","value":"o@x"}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{u1}","emails":[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"},{"type":"other","value":"o@x"}]}`},
	} {
		for quotes, form := range quoted {
			t.Run(c.name+", "+quotes, func(t *testing.T) {
				f := newFixture(t)
				f.create("u1", "/Users", `{"userName":"u1","emails":[{"type":"work","value":"w@x"},{"type":"home","value":"h@x"}]}`)
				f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{u1}"}]}`)
				written := strings.ReplaceAll(form, "%", c.text)
				f.expect(http.MethodPatch, c.resource, patchOf(strings.ReplaceAll(c.operations, "Q", written)), http.StatusNoContent, "")
				if c.check != "" {
					f.expect(http.MethodGet, c.resource+"?attributes=emails", "", http.StatusOK, c.check)
				} else if got := f.members("buyers"); got != "" {
					t.Errorf("the group still has %s", got)
				}
			})
		}
	}
	f := people(t)
	f.create("obrien", "/Users", `{"userName":"O'Brien"}`)
	for quotes, form := range quoted {
		t.Run("lists, "+quotes, func(t *testing.T) {
			filter := `userName eq ` + strings.ReplaceAll(form, "%", "O'Brien")
			body := `{` + searchRequest + `,"filter":"` + filter + `"}`
			plain := strings.ReplaceAll(filter, `\"`, `"`)
			for _, got := range []answer{
				f.send(http.MethodGet, "/Users?filter="+plain, ""), f.send(http.MethodGet, "?filter="+plain, ""),
				f.send(http.MethodGet, "/Users?filter="+plain+"&cursor=", ""),
				f.send(http.MethodPost, "/Users/.search", body), f.send(http.MethodPost, "/.search", body),
			} {
				if names := f.names(got); names != "O'Brien" {
					t.Errorf("found %q", names)
				}
			}
		})
	}
	t.Run("chosen attributes", func(t *testing.T) {
		for _, chosen := range []string{`emails[type eq 'work, or home'].value,userName`, `userName,emails[type eq “work, or home”].value`} {
			f.expect(http.MethodGet, "/Users/{Bea}?attributes="+url.QueryEscape(chosen), "", http.StatusOK,
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{Bea}","userName":"Bea","emails":[{"value":"m@contoso.test"}]}`)
		}
	})
}

func TestABulkReferenceInAnyQuotesIsThatResource(t *testing.T) {
	for quotes, form := range quoted {
		t.Run(quotes, func(t *testing.T) {
			f := newFixture(t)
			written := strings.ReplaceAll(form, "%", "bulkId:u1")
			f.bulk(bulkOf(post("u1", "/Users", `{"userName":"u1"}`)+","+post("u2", "/Users", `{"userName":"u2"}`)+","+
				post("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"bulkId:u1"},{"value":"bulkId:u2"}]}`)+
				`,{"method":"PATCH","path":"/Groups/bulkId:buyers","data":{"Operations":[{"op":"remove","path":"members[value eq `+written+`]"}]}}`), "201 201 201 200")
			if got := f.members("buyers"); got != "u2" {
				t.Errorf("the group has %q", got)
			}
		})
	}
}

func TestAReferenceInAPathIsAWholeValue(t *testing.T) {
	for path, want := range map[string]string{
		`members[value eq "bulkId:u1"]`:                          `members[value eq "ID"]`,
		`members[value eq "bulkId:u2"]`:                          `members[value eq "bulkId:u2"]`,
		`members[value eq bulkId:u1]`:                            `members[value eq ID]`,
		`members[value eq "nobulkId:x" or value eq "bulkId:u1"]`: `members[value eq "nobulkId:x" or value eq "ID"]`,
		`members[value eq "bulkId:u1" or value eq bulkId:u1]`:    `members[value eq "ID" or value eq ID]`,
		`emails[display eq "see bulkId:u1"].value`:               `emails[display eq "see bulkId:u1"].value`,
		`emails[display eq "bulkId:"].value`:                     `emails[display eq "bulkId:"].value`,
		`bulkId:`:                                                `bulkId:`,
		`emails[display eq "a bulkId:u1" and type eq bulkId:u1]`: `emails[display eq "a bulkId:u1" and type eq ID]`,
	} {
		got := protocol.ReferencedInPath(path, func(bulkID string) any {
			switch bulkID {
			case "u1":
				return "ID"
			case "u2":
				return nil
			}
			t.Errorf("%s: %q is no reference", path, bulkID)
			return nil
		})
		if got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
	}
}

func TestQuotesThatDoNotMatchChangeNothing(t *testing.T) {
	f := newFixture(t)
	f.create("u1", "/Users", `{"userName":"u1","emails":[{"type":"work","value":"w@x"}]}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{u1}"}]}`)
	for _, form := range []string{`'%`, `%'`, `'%\"`, `‘%'`, `“%`, `%”`, "`%`", `´%´`, `''%''`, `\\'%\\'`, `&quot;%&quot;`, `<%>`, `%;`, `%,`, `*%*`, `′%′`, `ʼ%ʼ`} {
		t.Run(form, func(t *testing.T) {
			member, work := strings.ReplaceAll(form, "%", "{u1}"), strings.ReplaceAll(form, "%", "work")
			for _, c := range []struct{ path, operations string }{
				{"/Groups/{buyers}", `{"op":"remove","path":"members[value eq ` + member + `]"}`},
				{"/Users/{u1}", `{"op":"replace","path":"emails[type eq ` + work + `].value","value":"n@x"}`},
				{"/Users/{u1}", `{"op":"replace","value":{"emails[type eq ` + work + `].value":"n@x"}}`},
				{"/Users/{u1}", `{"op":"remove","path":"emails[type eq ` + work + `]"}`},
			} {
				f.wantError(f.send(http.MethodPatch, c.path, patchOf(c.operations)), http.StatusBadRequest, "invalidFilter")
				if got := f.expect(http.MethodGet, c.path, "", http.StatusOK, ""); f.field(got, "meta", "version") != `W/"1"` {
					t.Errorf("%s changed something: %s", c.operations, got.body)
				}
			}
			filter := `userName eq ` + strings.ReplaceAll(form, "%", "u1")
			f.wantError(f.send(http.MethodPost, "/Users/.search", `{`+searchRequest+`,"filter":"`+filter+`"}`), http.StatusBadRequest, "invalidFilter")
			plain := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(filter)
			f.wantError(f.send(http.MethodGet, "/Users?filter="+url.QueryEscape(plain), ""), http.StatusBadRequest, "invalidFilter")
		})
	}
	if got := f.quirks(); strings.Contains(got, "single-quotes") {
		t.Errorf("what is refused is counted as understood: %s", got)
	}
}
