package protocol_test

import (
	"net/http"
	"testing"
)

// TestHalfACharacterIsRefused: JSON can escape one half of a surrogate pair alone (RFC 8259 section 8.2). Decoded, it is
// U+FFFD, by which different names would become the same.
func TestHalfACharacterIsRefused(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("staff", "/Groups", `{"displayName":"Staff"}`)
	for _, c := range []struct{ name, method, path, body, scimType string }{
		{"a new user", "POST", "/Users", `{"userName":"\ud800"}`, "invalidSyntax"},
		{"a new user's key", "POST", "/Users", `{"userName":"x","\udc00":1}`, "invalidSyntax"},
		{"a new group", "POST", "/Groups", `{"displayName":"x\udc00\ud800"}`, "invalidSyntax"},
		{"a replaced user", "PUT", "/Users/{anna}", `{"userName":"anna","title":"\ud800\n"}`, "invalidSyntax"},
		{"a replaced group", "PUT", "/Groups/{staff}", `{"displayName":"\ud83d\ud83d\ude00"}`, "invalidSyntax"},
		{"a patched user", "PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"\ud800"}`), "invalidSyntax"},
		{"a path", "PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"emails[value eq \"\ud800\"]"}`), "invalidSyntax"},
		{"an escape in the filter of a path", "PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"emails[value eq \"\\ud800\"]"}`), "invalidFilter"},
		{"a key", "PATCH", "/Users/{anna}", patchOf(`{"op":"add","value":{"emails[value eq '\\ud800'].display":"x"}}`), "invalidFilter"},
		{"a bulk request", "POST", "/Bulk", bulkOf(post("x", "/Users", `{"userName":"\ud800"}`)), "invalidSyntax"},
		{"a search", "POST", "/Users/.search", `{` + searchRequest + `,"filter":"userName eq \"\ud800\""}`, "invalidSyntax"},
		{"an escape in a search", "POST", "/.search", `{` + searchRequest + `,"filter":"userName eq \"\\ud800\""}`, "invalidFilter"},
		{"a filter", "GET", `/Users?filter=userName eq "\ud800"`, "", "invalidFilter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.wantError(f.send(c.method, c.path, c.body), http.StatusBadRequest, c.scimType)
		})
	}
	if got := f.names(f.send(http.MethodGet, `?filter=meta.version eq "W/\"1\""`, "")); got != "anna Staff" {
		t.Errorf("unchanged are %s", got)
	}
	f.expect(http.MethodPatch, "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"\ud83d\ude00"}`), http.StatusNoContent, "")
	if got := f.names(f.send(http.MethodGet, `/Users?filter=title eq "\ud83d\ude00" and title eq "😀"`, "")); got != "anna" {
		t.Errorf("a whole character is found with %q", got)
	}
}
