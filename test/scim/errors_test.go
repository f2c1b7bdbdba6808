package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/test/scim/transcript"
)

// private stands wherever a request could carry somebody's data. No error may repeat it.
const private = "pr1vate"

func user(rest string) string { return `{"userName": "` + private + `"` + rest + `}` }

func patchBody(operations string) string {
	return `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [` + operations + `]}`
}

// TestEveryErrorSaysWhatWouldBeRight provokes each error that a client can cause and compares what it is told with
// testdata/errors.txt, which people read: does it say what was wrong, of which attribute, and what would be right?
func TestEveryErrorSaysWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 8193)
	for name, open := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, open)
			values := transcript.Values{}
			for name, body := range map[string]string{
				"anna": `{"userName": "taken-` + private + `", "emails": [{"type": "work", "value": "` + private + `"}]}`, "bob": `{"userName": "bob"}`,
			} {
				values[name] = identify(t, s.send(t, "POST", "/Users", body, nil))
			}
			values["group"] = identify(t, s.send(t, "POST", "/Groups", `{"displayName": "taken-`+private+`"}`, nil))
			var told strings.Builder
			for _, c := range []struct {
				name, method, target, body string
				header                     http.Header
			}{
				{"no token", "GET", "/Users", "", http.Header{"Authorization": {""}}},
				{"another scheme", "GET", "/Users", "", http.Header{"Authorization": {"Basic " + private}}},
				{"a wrong token", "GET", "/Users", "", http.Header{"Authorization": {"Bearer " + private}}},
				{"a write with a reader's token", "PATCH", "/Users/{anna}", patchBody(""), http.Header{"Authorization": {"Bearer " + s.reader}}},
				{"an unknown endpoint", "GET", "/" + private, "", nil},
				{"an unknown endpoint below a resource", "GET", "/Users/{anna}/" + private, "", nil},
				{"a method that a list lacks", "DELETE", "/Users", "", nil},
				{"a method that a resource lacks", "POST", "/Users/{anna}", "{}", nil},
				{"a method that discovery lacks", "PUT", "/Schemas", "{}", nil},
				{"a method that nobody knows", "BREW", "/Users", "", nil},
				{"an unknown user", "GET", "/Users/" + private, "", nil},
				{"an unknown group", "DELETE", "/Groups/" + private, "", nil},
				{"a user's id among groups", "GET", "/Groups/{anna}", "", nil},
				{"an unknown schema", "GET", "/Schemas/urn:" + private, "", nil},
				{"an unknown resource type", "GET", "/ResourceTypes/" + private, "", nil},
				{"a filter of discovery", "GET", `/Schemas?filter=id eq "` + private + `"`, "", nil},
				{"a wrong media type", "POST", "/Users", user(""), http.Header{"Content-Type": {"text/plain"}}},
				{"a media type that is none", "POST", "/Users", user(""), http.Header{"Content-Type": {"; " + private}}},
				{"a compressed body", "POST", "/Users", user(""), http.Header{"Content-Encoding": {"gzip"}}},
				{"a huge body", "POST", "/Users", user(`, "title": "` + strings.Repeat("x", 4<<20) + `"`), nil},

				{"no body", "POST", "/Users", "", nil},
				{"a body that is no JSON", "POST", "/Users", `{"userName": ` + private, nil},
				{"a body that ends too early", "POST", "/Users", `{"userName": "` + private + `"`, nil},
				{"a body that is an array", "POST", "/Users", `["` + private + `"]`, nil},
				{"two bodies", "POST", "/Users", user("") + user(""), nil},
				{"the same key twice", "POST", "/Users", user(`, "userName": "` + private + `"`), nil},
				{"the same key in another case", "POST", "/Users", user(`, "title": "a", "TITLE": "b"`), nil},
				{"Operations twice in a PATCH", "PATCH", "/Users/{anna}", `{"Operations": [], "operations": [{"op": "Remove", "path": "` + private + `"}]}`, nil},
				{"the same key twice in a value of a PATCH", "PATCH", "/Users/{anna}", patchBody(`{"op": "replace", "value": {"name": {"givenName": "` + private + `", "GivenName": "b"}}}`), nil},
				{"the same key twice in a bulk request", "POST", "/Bulk", `{"Operations": [{"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "` + private + `", "username": "b"}}]}`, nil},
				{"the same key twice in a search", "POST", "/.search", `{"filter": "id pr", "Filter": "` + private + `"}`, nil},
				{"text that is not UTF-8", "POST", "/Users", user(", \"title\": \"\xff\""), nil},
				{"deep nesting", "POST", "/Users", user(`, "x": ` + strings.Repeat("[", 17) + strings.Repeat("]", 17)), nil},

				{"no userName", "POST", "/Users", `{"displayName": "` + private + `"}`, nil},
				{"a userName that is a boolean", "POST", "/Users", `{"userName": true}`, nil},
				{"a userName of blanks", "POST", "/Users", `{"userName": " \u200b"}`, nil},
				{"a group's name of blanks", "PUT", "/Groups/{group}", `{"displayName": "\u00a0"}`, nil},
				{"a userName that is an object", "POST", "/Users", `{"userName": {"` + private + `": 1}}`, nil},
				{"no displayName of a group", "POST", "/Groups", `{"externalId": "` + private + `"}`, nil},
				{"a userName that is taken", "POST", "/Users", `{"userName": "TAKEN-` + private + `"}`, nil},
				{"a group's name that is taken", "POST", "/Groups", `{"displayName": "TAKEN-` + private + `"}`, nil},
				{"a word for a boolean", "POST", "/Users", user(`, "active": "` + private + `"`), nil},
				{"a string for a complex attribute", "POST", "/Users", user(`, "name": "` + private + `"`), nil},
				{"a boolean for a sub-attribute", "POST", "/Users", user(`, "name": {"givenName": true}`), nil},
				{"an object for a text", "POST", "/Users", user(`, "title": {"a": "` + private + `"}`), nil},
				{"two values for one", "POST", "/Users", user(`, "title": ["` + private + `", "b"]`), nil},
				{"a string for an extension", "POST", "/Users", user(`, "` + enterprise + `": "` + private + `"`), nil},
				{"a boolean in an extension", "POST", "/Users", user(`, "` + enterprise + `": {"department": true}`), nil},
				{"a certificate that is no base64", "POST", "/Users", user(`, "x509Certificates": [{"value": "` + private + `!"}]`), nil},
				{"two primary values", "POST", "/Users", user(`, "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": "True"}]`), nil},
				{"too many values", "POST", "/Users", user(`, "emails": [` + strings.TrimSuffix(strings.Repeat(`"a",`, 1001), ",") + `]`), nil},
				{"one attribute under two spellings", "POST", "/Users", user(`, "name": {"givenName": "a"}, "name.givenName": "b"`), nil},
				{"the character that no database takes", "POST", "/Users", user(`, "title": "` + private + `\u0000"`), nil},
				{"PUT without userName", "PUT", "/Users/{anna}", `{"displayName": "` + private + `"}`, nil},
				{"PUT of a name that is taken", "PUT", "/Users/{bob}", `{"userName": "taken-` + private + `"}`, nil},

				{"a write for another version", "PUT", "/Users/{anna}", user(""), http.Header{"If-Match": {`W/"7"`}}},
				{"a write for no version", "DELETE", "/Users/{anna}", "", http.Header{"If-None-Match": {"*"}}},
				{"a version that is none", "DELETE", "/Users/{anna}", "", http.Header{"If-Match": {private}}},

				{"PATCH without Operations", "PATCH", "/Users/{anna}", `{"op": "Replace"}`, nil},
				{"Operations that are an object", "PATCH", "/Users/{anna}", `{"Operations": {"op": "Replace"}}`, nil},
				{"an operation that is a string", "PATCH", "/Users/{anna}", patchBody(`"` + private + `"`), nil},
				{"an operation without op", "PATCH", "/Users/{anna}", patchBody(`{"path": "title", "value": "` + private + `"}`), nil},
				{"an unknown op", "PATCH", "/Users/{anna}", patchBody(`{"op": "` + private + `", "path": "title"}`), nil},
				{"a path that is a number", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": 1, "value": "x"}`), nil},
				{"a path that names no attribute", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "dispalyName", "value": "` + private + `"}`), nil},
				{"a path that is no name", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "` + private + `@contoso.test", "value": "x"}`), nil},
				{"a path to an unknown sub-attribute", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "name.` + private + `", "value": "x"}`), nil},
				{"a path that goes on", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "emails[type eq \"work\"].value ` + private + `", "value": "x"}`), nil},
				{"a path with a bad filter", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "emails[type is \"` + private + `\"].value", "value": "x"}`), nil},
				{"brackets behind a simple attribute", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "title[value eq \"` + private + `\"]", "value": "x"}`), nil},
				{"add without value", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "title"}`), nil},
				{"add without path and object", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "value": "` + private + `"}`), nil},
				{"remove without path", "PATCH", "/Users/{anna}", patchBody(`{"op": "Remove"}`), nil},
				{"a value of another type", "PATCH", "/Users/{anna}", patchBody(`{"op": "Replace", "path": "active", "value": "` + private + `"}`), nil},
				{"a value of another type in a value without path", "PATCH", "/Users/{anna}", patchBody(`{"op": "replace", "value": {"name.givenName": {"` + private + `": 1}}}`), nil},
				{"a filter that selects nothing and creates nothing", "PATCH", "/Users/{anna}", patchBody(`{"op": "Replace", "path": "emails[value co \"` + private + `x\"].display", "value": "x"}`), nil},
				{"the removal of userName", "PATCH", "/Users/{anna}", patchBody(`{"op": "Remove", "path": "userName"}`), nil},
				{"a change of id", "PATCH", "/Users/{anna}", patchBody(`{"op": "Replace", "path": "id", "value": "` + private + `"}`), nil},
				{"a change of the groups of a user", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "groups", "value": [{"value": "` + private + `"}]}`), nil},
				{"a change of what the server gave", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:companies", "value": "` + private + `"}`), nil},
				{"a rename to a name that is taken", "PATCH", "/Users/{bob}", patchBody(`{"op": "Replace", "path": "userName", "value": "taken-` + private + `"}`), nil},
				{"too many operations", "PATCH", "/Users/{anna}", patchBody(strings.TrimSuffix(strings.Repeat(`{"op":"Remove","path":"title"},`, 5001), ",")), nil},
				{"an unknown attribute of a group", "PATCH", "/Groups/{group}", patchBody(`{"op": "Add", "path": "userName", "value": "` + private + `"}`), nil},
				{"a member that is a boolean", "PATCH", "/Groups/{group}", patchBody(`{"op": "Add", "path": "members", "value": [{"value": true}]}`), nil},

				{"an e-mail without its value", "POST", "/Users", user(`, "emails": [{"value": "a"}, {"vaule": "` + private + `"}]`), nil},
				{"an array in an array", "POST", "/Users", user(`, "emails": [["` + private + `"]]`), nil},
				{"an array in an array for one value", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "manager", "value": [["` + private + `"]]}`), nil},
				{"an address that is not understood", "PATCH", "/Users/{anna}", patchBody(`{"op": "Add", "path": "addresses", "value": [{"street": "` + private + `"}]}`), nil},
				{"a name that is not understood", "PUT", "/Users/{anna}", user(`, "name": {"first": "` + private + `"}`), nil},
				{"a manager without an id", "POST", "/Users", user(`, "manager": {"displayName": "` + private + `"}`), nil},
				{"a manager by the URL of a group", "POST", "/Users", user(`, "manager": {"$ref": "../Groups/` + private + `"}`), nil},
				{"a member without an id", "PATCH", "/Groups/{group}", patchBody(`{"op": "Remove", "path": "members", "value": [{"display": "` + private + `"}]}`), nil},
				{"a member by a URL that is none", "PATCH", "/Groups/{group}", patchBody(`{"op": "Add", "path": "members", "value": [{"$ref": "` + private + `"}]}`), nil},
				{"a member chosen by its name", "PATCH", "/Groups/{group}", patchBody(`{"op": "Remove", "path": "members[display eq \"` + private + `\"]"}`), nil},
				{"members replaced by nobody", "PATCH", "/Groups/{group}", patchBody(`{"op": "Replace", "path": "members", "value": [{"value": "` + private + `"}]}`), nil},

				{"an unknown attribute in a filter", "GET", `/Users?filter=userNmae eq "` + private + `"`, "", nil},
				{"an unknown operator", "GET", `/Users?filter=userName is "` + private + `"`, "", nil},
				{"a filter without a value", "GET", "/Users?filter=userName eq", "", nil},
				{"a filter without an operator", "GET", "/Users?filter=userName", "", nil},
				{"a value that does not end", "GET", `/Users?filter=userName eq "` + private, "", nil},
				{"a parenthesis that does not end", "GET", `/Users?filter=(userName eq "` + private + `"`, "", nil},
				{"a filter that goes on", "GET", `/Users?filter=userName eq "` + private + `" ` + private, "", nil},
				{"an order of booleans", "GET", "/Users?filter=active gt true", "", nil},
				{"a word for a boolean in a filter", "GET", `/Users?filter=active eq "` + private + `"`, "", nil},
				{"a word for a dateTime", "GET", `/Users?filter=meta.created gt "` + private + `"`, "", nil},
				{"a comparison with a whole name", "GET", `/Users?filter=name eq "` + private + `"`, "", nil},
				{"a long filter", "GET", `/Users?filter=userName eq "` + long + `"`, "", nil},
				{"a deep filter", "GET", "/Users?filter=" + strings.Repeat("(", 33) + "title pr" + strings.Repeat(")", 33), "", nil},
				{"a wide filter", "GET", "/Users?filter=" + strings.Repeat("id pr or ", 256) + "id pr", "", nil},
				{"a filter with a stray percent sign", "GET", `/Users?filter=userName eq "` + private + `%"`, "", nil},
				{"a filter that is not UTF-8", "GET", `/Users?filter=userName eq "%ff` + private + `"`, "", nil},
				{"a blank filter", "GET", "/Users?filter=+", "", nil},
				{"a filter twice", "GET", `/Users?filter=userName eq "` + private + `"&Filter=userName eq "` + private + `"`, "", nil},
				{"a filter behind an escaped ampersand", "GET", `/Users?count=1&amp;filter=userName eq "` + private + `"`, "", nil},
				{"a filter of one resource", "DELETE", `/Users/{anna}?filter=userName eq "` + private + `"`, "", nil},
				{"a chosen attribute with a stray percent sign", "PUT", "/Users/{anna}?attributes=%" + private, user(""), nil},
				{"a search with a filter in the URL", "POST", `/Users/.search?filter=userName eq "` + private + `"`, "{}", nil},
				{"a search with a blank filter", "POST", "/Users/.search", `{"filter": " "}`, nil},
				{"a startIndex that is no number", "GET", "/Users?startIndex=" + private, "", nil},
				{"a count that is no number", "GET", "/Users?count=1.5", "", nil},
				{"a cursor that nobody was given", "GET", "/Users?cursor=" + private, "", nil},
				{"a page of nothing by cursor", "GET", "/Users?cursor&count=0", "", nil},
				{"an order that there is not", "GET", "/Users?sortBy=userName&sortOrder=" + private, "", nil},
				{"an order by what nobody knows", "GET", "/Users?sortBy=shoeSize", "", nil},
				{"an order by a whole name", "GET", "/Users?sortBy=name", "", nil},
				{"an order by what is never returned", "GET", "/Users?sortBy=password", "", nil},
				{"an order by memberships", "GET", "/Users?sortBy=groups", "", nil},
				{"a search of another schema", "POST", "/.search", patchBody(""), nil},
				{"a search with a number for a filter", "POST", "/.search", `{"filter": 1}`, nil},
				{"a search with a text for a count", "POST", "/Users/.search", `{"count": "` + private + `"}`, nil},
				{"a search with an object for names", "POST", "/Groups/.search", `{"attributes": {"` + private + `": 1}}`, nil},
				{"a search for what neither users nor groups have", "POST", "/.search", `{"filter": "shoeSize pr"}`, nil},
				{"a chosen attribute with half a bracket", "GET", `/Users/{anna}?attributes=emails[type eq "` + private, "", nil},
			} {
				got := s.send(t, c.method, transcript.Encode(values.Fill(c.target)), values.Fill(c.body), c.header)
				fmt.Fprintf(&told, "%s\n    %s\n", c.name, explain(t, c.name, c.method, got))
			}
			compareGolden(t, "testdata/errors.txt", told.String())
		})
	}
}

// explain is what an answer tells, without the request id.
func explain(t *testing.T, name, method string, got answer) string {
	t.Helper()
	var body struct{ ScimType, Detail string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status < 400 {
		t.Errorf("%s: got %d %s, want an error", name, got.status, got.body)
		return ""
	}
	if err := wellFormed(method, got); err != nil {
		t.Errorf("%s: %v\n%s", name, err, got.body)
	}
	if strings.Contains(got.body, private) {
		t.Errorf("%s: the error repeats what was sent: %s", name, got.body)
	}
	detail, ok := strings.CutSuffix(body.Detail, " (request "+got.header.Get("X-Request-Id")+")")
	if !ok {
		t.Errorf("%s: the detail does not end with the request id: %s", name, body.Detail)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", got.status, body.ScimType)) + ": " + detail
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := readText(t, file); got != want {
		t.Errorf("%s is out of date; go test ./test/scim -update writes it. Now:\n%s", file, got)
	}
}
