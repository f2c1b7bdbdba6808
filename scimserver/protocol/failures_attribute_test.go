package protocol_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// An administrator sees which attribute was refused, by its path in the schemas: no value, no filter, and no name that they do not have.
func TestAFailureTellsWhichAttributeWasWrong(t *testing.T) {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	user := func(more string) string { return `{"userName":"canary",` + more + `}` }
	for _, c := range []struct{ name, method, path, body, want string }{
		{"a userName that is missing", "POST", "/Users", `{"title":"canary"}`, "invalidValue userName"},
		{"a userName of blanks", "POST", "/Users", `{"userName":" "}`, "invalidValue userName"},
		{"a userName that is too long", "POST", "/Users", `{"userName":"` + strings.Repeat("x", 3000) + `"}`, "invalidValue userName"},
		{"a userName that is taken", "POST", "/Users", `{"userName":"anna"}`, "uniqueness userName"},
		{"a displayName that is taken", "POST", "/Groups", `{"displayName":"Buyers"}`, "uniqueness displayName"},
		{"an element without a value", "POST", "/Users", user(`"emails":[{"value":"a@b"},{"vaule":"canary"}]`), "invalidValue emails.value"},
		{"a sub-attribute of a wrong type", "POST", "/Users", user(`"emails":[{"value":{"canary":1}}]`), "invalidValue emails.value"},
		{"several primary values", "POST", "/Users", user(`"emails":[{"value":"a","primary":true},{"value":"canary","primary":true}]`), "invalidValue emails"},
		{"a boolean that is none", "POST", "/Users", user(`"active":"canary"`), "invalidValue active"},
		{"an attribute of an extension", "POST", "/Users", user(`"` + enterprise + `":{"department":["canary","b"]}`), "invalidValue " + enterprise + ":department"},
		{"an extension that is no object", "POST", "/Users", user(`"` + enterprise + `":"canary"`), "invalidValue " + enterprise},
		{"an attribute in two spellings", "POST", "/Users", user(`"title":"a","urn:ietf:params:scim:schemas:core:2.0:User:title":"canary"`), "invalidValue title"},
		{"JSON that is none", "POST", "/Users", `{"canary`, "invalidSyntax "},
		{"PUT", "PUT", "/Users/{anna}", user(`"name":"canary"`), "invalidValue name"},
		{"PUT of a name that is taken", "PUT", "/Users/{anna}", `{"userName":"bo"}`, "uniqueness userName"},
		{"PUT of members that are not there", "PUT", "/Groups/{buyers}", `{"displayName":"canary","members":[{"value":"canary"}]}`, "invalidValue members"},
		{"PATCH that removes what is required", "PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"userName"}`), "mutability userName"},
		{"PATCH of what the server writes", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"meta.created","value":"canary"}`), "mutability meta.created"},
		{"PATCH of a sub-attribute", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"name.givenName","value":["canary","b"]}`), "invalidValue name.givenName"},
		{"PATCH of who is not there", "PATCH", "/Groups/{buyers}", patchOf(`{"op":"replace","path":"members[type ne \"User\"]","value":{"value":"{anna}"}}`), "noTarget members"},
		{"PATCH of a value that is not there", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"emails[not (value eq \"canary\")].type","value":"x"}`), "noTarget emails.type"},
		{"PATCH of an unknown sub-attribute", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"name.canary","value":"x"}`), "invalidPath name"},
		{"PATCH of an unknown attribute", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"canary eq","value":"x"}`), "invalidPath "},
		{"PATCH of members that are none", "PATCH", "/Groups/{buyers}", patchOf(`{"op":"add","path":"members","value":[{"display":"canary"}]}`), "invalidValue members.value"},
		{"PATCH without a value", "PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title"}`), "invalidValue "},
		{"DELETE", "DELETE", "/Users/canary", "", "notFound "},
		{"Bulk", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"canary","data":` +
			user(`"emails":[{"value":7,"primary":"canary"}]`) + `}]}`, "invalidValue emails.primary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna"}`)
			f.create("bo", "/Users", `{"userName":"bo"}`)
			f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
			if got := f.send(c.method, c.path, c.body); got.status < 400 && c.path != "/Bulk" {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			if _, err := f.directory.WriteFailures(t.Context()); err != nil {
				t.Fatal(err)
			}
			entries := f.entries()
			last := &entries[len(entries)-1]
			if got := last.Outcome + " " + strings.Join(last.Attributes, ","); len(entries) != 4 || got != c.want {
				t.Errorf("entry %d tells %q, want entry 4 and %q", len(entries), got, c.want)
			}
			if text := fmt.Sprintf("%+v", last); strings.Contains(text, "canary") {
				t.Errorf("a value reached the log: %s", text)
			}
			if unlisted(last) {
				t.Error("a failure is said to have changed members")
			}
		})
	}
}

func TestFailuresOfDifferentAttributesAreDifferentEntries(t *testing.T) {
	f := newFixture(t)
	var ids []string
	for _, body := range []string{`{"title":"x"}`, `{"userName":"a","emails":[{"vaule":"x"}]}`, `{"title":"y"}`} {
		ids = append(ids, f.send("POST", "/Users", body).header.Get("X-Request-Id"))
	}
	if _, err := f.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range f.entries() {
		told = append(told, fmt.Sprintf("%s of %v x%d", e.RequestID, e.Attributes, e.Count))
	}
	if want := []string{ids[0] + " of [userName] x2", ids[1] + " of [emails.value] x1"}; !slices.Equal(told, want) {
		t.Errorf("entries %q, want %q", told, want)
	}
}

func TestAClientThatHangsUpIsNoOutage(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cut := io.MultiReader(strings.NewReader(`{"userName":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	for _, c := range []struct {
		ctx          context.Context
		method, path string
		body         io.Reader
	}{
		{gone, "POST", "/Users", strings.NewReader(`{"userName":"bo"}`)},
		{gone, "PATCH", "/Users/" + f.ids["anna"], strings.NewReader(patchOf(`{"op":"replace","path":"title","value":"x"}`))},
		{gone, "DELETE", "/Users/" + f.ids["anna"], http.NoBody},
		{t.Context(), "PUT", "/Users/" + f.ids["anna"], cut},
	} {
		request := httptest.NewRequestWithContext(c.ctx, c.method, v1alpha1.BasePath+c.path, c.body)
		request.Header.Set("Authorization", "Bearer "+f.token)
		request.Header.Set("Content-Type", "application/scim+json")
		f.server.Handler().ServeHTTP(httptest.NewRecorder(), request)
	}
	want := []string{
		"create User anna: success x1", "create User no id: canceled x1", "patch User anna: canceled x1", "delete User anna: canceled x1",
		"replace User anna: canceled x1",
	}
	if got := f.logged(); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// Each outcome that a failure has is one that can be asked for.
func TestEachOutcomeOfAnErrorIsKnown(t *testing.T) {
	for status := http.StatusBadRequest; status < 600; status++ {
		if outcome := protocol.OutcomeOf(&protocol.Error{Status: status}); !slices.Contains(directory.Outcomes(), outcome) {
			t.Errorf("a failure with status %d has the outcome %q, which is not known", status, outcome)
		}
	}
}
