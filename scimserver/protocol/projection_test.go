package protocol_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestTheAnswerOfAWriteHasWhatTheClientAskedFor is RFC 7644 section 3.9 for POST, PUT and PATCH.
func TestTheAnswerOfAWriteHasWhatTheClientAskedFor(t *testing.T) {
	const resource = `{"displayName":"Buyers","externalId":"e","members":[{"value":"{anna}"}]}`
	urns := `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id": "{buyers}"`
	for name, c := range map[string]struct{ query, want string }{
		"attributes":                  {"?attributes=displayName", `{` + urns + `,"displayName":"Buyers"}`},
		"a sub-attribute":             {"?attributes=members.value", `{` + urns + `,"members":[{"value":"{anna}"}]}`},
		"excluded attributes":         {"?excludedAttributes=members,meta,externalId", `{` + urns + `,"displayName":"Buyers"}`},
		"an excluded sub-attribute":   {"?attributes=members&excludedAttributes=members.$ref,members.type", `{` + urns + `,"members":[{"value":"{anna}"}]}`},
		"what cannot be excluded":     {"?attributes=displayName&excludedAttributes=id,schemas", `{` + urns + `,"displayName":"Buyers"}`},
		"what no schema has":          {"?attributes=shoeSize", `{` + urns + `}`},
		"names in any case, and URNs": {"?attributes=DISPLAYNAME,urn:ietf:params:scim:schemas:core:2.0:Group:externalId", `{` + urns + `,"displayName":"Buyers","externalId":"e"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna"}`)
			f.expect("POST", "/Groups"+c.query, resource, 201, c.want)
			f.expect("PUT", "/Groups/{buyers}"+c.query, strings.Replace(resource, `"e"`, `"f"`, 1), 200, strings.ReplaceAll(c.want, `"e"`, `"f"`))
			f.expect("PATCH", "/Groups/{buyers}"+c.query, patchOf(`{"op":"replace","path":"externalId","value":"e"}`), 200, c.want)
		})
	}
}

func TestARequestForAnAnswerThatCannotBeGivenWritesNothing(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	for _, query := range []string{"?attributes=emails[", "?excludedAttributes=emails]"} {
		for method, path := range map[string]string{"POST": "/Users", "PUT": "/Users/{anna}"} {
			f.wantError(f.send(method, path+query, `{"userName":"changed"}`), http.StatusBadRequest, "invalidPath")
		}
		f.wantError(f.send("PATCH", "/Users/{anna}"+query, patchOf(`{"op":"replace","path":"userName","value":"changed"}`)), http.StatusBadRequest, "invalidPath")
	}
	if got := f.send("GET", "/Users?attributes=userName", ""); f.field(got, "totalResults") != 1.0 || !strings.Contains(string(got.body), `"userName":"anna"`) {
		t.Errorf("there is now %s", got.body)
	}
}

func TestAWriteReadsTheMembershipsThatItsAnswerHasAndNoOthers(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	const group, user = `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`, `{"userName":"anna"}`
	nothing := patchOf("")
	for _, c := range []struct {
		method, path, body string
		members, groups    int32
	}{
		{"POST", "/Groups?excludedAttributes=members", `{"displayName":"a","members":[{"value":"{anna}"}]}`, 0, 0},
		{"POST", "/Groups?attributes=displayName", `{"displayName":"b","members":[{"value":"{anna}"}]}`, 0, 0},
		{"POST", "/Groups", `{"displayName":"c","members":[{"value":"{anna}"}]}`, 1, 0},
		{"POST", "/Users", `{"userName":"of no group yet"}`, 0, 0},
		{"PUT", "/Groups/{buyers}?excludedAttributes=members", group, 0, 0},
		{"PUT", "/Groups/{buyers}?attributes=displayName", group, 0, 0},
		{"PUT", "/Groups/{buyers}?excludedAttributes=members.type", group, 1, 0},
		{"PUT", "/Users/{anna}?excludedAttributes=groups", user, 0, 0},
		{"PUT", "/Users/{anna}?attributes=groups.display", user, 0, 1},
		{"PATCH", "/Groups/{buyers}", nothing, 0, 0},
		{"PATCH", "/Groups/{buyers}?excludedAttributes=members", nothing, 0, 0},
		{"PATCH", "/Groups/{buyers}?attributes=members.value", nothing, 1, 0},
		{"PATCH", "/Users/{anna}?attributes=userName", nothing, 0, 0},
		{"PATCH", "/Users/{anna}?attributes=groups", nothing, 0, 1},
	} {
		f.database.members.Store(0)
		f.database.groups.Store(0)
		if got := f.send(c.method, c.path, c.body); got.status >= 300 {
			t.Fatalf("%s %s = %d %s", c.method, c.path, got.status, got.body)
		}
		if members, groups := f.database.members.Load(), f.database.groups.Load(); members != c.members || groups != c.groups {
			t.Errorf("%s %s read the members of %d groups and the groups of users %d times, want %d and %d", c.method, c.path, members, groups, c.members, c.groups)
		}
	}
}
