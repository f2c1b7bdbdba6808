package protocol_test

import (
	"net/http"
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
