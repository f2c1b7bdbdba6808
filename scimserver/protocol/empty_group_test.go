package protocol_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TestAGroupWithoutMembersSaysSo: a client that repairs memberships passes over a group that comes back without the attribute, because
// a server may leave it out that never shows members (RFC 7643 section 2.5 makes both the same). So it is there wherever members are.
func TestAGroupWithoutMembersSaysSo(t *testing.T) {
	const search = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"displayName pr"`
	unchanged := patchOf(`{"op":"remove","path":"members"}`)
	for _, c := range []struct {
		name, method, path, body string
		want                     bool
	}{
		{"POST without members", "POST", "/Groups", `{"displayName":"New"}`, true},
		{"POST with an empty list", "POST", "/Groups", `{"displayName":"New","members":[]}`, true},
		{"POST of null", "POST", "/Groups", `{"displayName":"New","members":null}`, true},
		{"PUT", "PUT", "/Groups/{buyers}", `{"displayName":"Buyers"}`, true},
		{"PUT that takes the last member", "PUT", "/Groups/{sellers}", `{"displayName":"Sellers"}`, true},
		{"PATCH that takes the last member", "PATCH", "/Groups/{sellers}?excludedAttributes=meta", unchanged, true},
		{"GET", "GET", "/Groups/{buyers}", "", true},
		{"a list", "GET", "/Groups?filter=displayName eq \"Buyers\"", "", true},
		{"a list by cursor", "GET", "/Groups?filter=displayName eq \"Buyers\"&cursor=", "", true},
		{"a search of groups", "POST", "/Groups/.search", search + `,"count":1}`, true},
		{"a search of everything", "POST", "/.search", search + `,"count":1}`, true},
		{"a query of everything", "GET", "/?filter=displayName eq \"Buyers\"", "", true},
		{"POST that wants members", "POST", "/Groups?attributes=members", `{"displayName":"New"}`, true},
		{"PUT that wants ids", "PUT", "/Groups/{buyers}?attributes=members.value", `{"displayName":"Buyers"}`, true},
		{"PATCH that wants ids", "PATCH", "/Groups/{buyers}?attributes=displayName,members.value", unchanged, true},
		{"GET of members", "GET", "/Groups/{buyers}?attributes=members", "", true},
		{"GET of ids", "GET", "/Groups/{buyers}?attributes=MEMBERS.value", "", true},
		{"GET of ids behind the URN", "GET", "/Groups/{buyers}?attributes=" + coreGroupURN + ":members.value", "", true},
		{"GET of a schema", "GET", "/Groups/{buyers}?attributes=" + coreGroupURN, "", true},
		{"GET without types", "GET", "/Groups/{buyers}?excludedAttributes=members.type", "", true},
		{"a list of ids", "GET", "/Groups?filter=displayName eq \"Buyers\"&attributes=members.value", "", true},
		{"a search for members", "POST", "/.search", search + `,"count":1,"attributes":["members"]}`, true},

		{"POST without members asked for", "POST", "/Groups?attributes=displayName", `{"displayName":"New"}`, false},
		{"POST with members excluded", "POST", "/Groups?excludedAttributes=members", `{"displayName":"New"}`, false},
		{"PUT with members excluded", "PUT", "/Groups/{buyers}?excludedAttributes=members", `{"displayName":"Buyers"}`, false},
		{"PATCH with members excluded", "PATCH", "/Groups/{buyers}?excludedAttributes=members", unchanged, false},
		{"GET with members excluded", "GET", "/Groups/{buyers}?excludedAttributes=members", "", false},
		{"GET of another attribute", "GET", "/Groups/{buyers}?attributes=displayName", "", false},
		{"a list with members excluded", "GET", "/Groups?filter=displayName eq \"Buyers\"&excludedAttributes=members", "", false},
		{"a search for names", "POST", "/.search", search + `,"count":1,"attributes":["displayName"]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
			f.create("anna", "/Users", `{"userName":"anna"}`)
			f.create("sellers", "/Groups", `{"displayName":"Sellers","members":[{"value":"{anna}"}]}`)
			f.database.members.Store(0)
			got := f.send(c.method, c.path, c.body)
			if got.status != http.StatusOK && got.status != http.StatusCreated {
				t.Fatalf("%d %s", got.status, got.body)
			}
			group := f.first(got)
			members, there := group["members"]
			if there != c.want || there && !cmp.Equal(members, []any{}) {
				t.Errorf("members = %v (there: %v), want an empty list: %v\n%s", members, there, c.want, got.body)
			}
			if read := f.database.members.Load() > 0; read != c.want {
				t.Errorf("members were read: %v, want %v", read, c.want)
			}
		})
	}
}

// first is the resource of an answer, or the first of a list.
func (f *fixture) first(a answer) map[string]any {
	f.t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		f.t.Fatal(err)
	}
	if resources, list := body["Resources"].([]any); list {
		if len(resources) != 1 {
			f.t.Fatalf("%d resources, want 1: %s", len(resources), a.body)
		}
		return resources[0].(map[string]any)
	}
	return body
}

func TestAFilterStillTellsAGroupWithoutMembers(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[]}`)
	f.create("sellers", "/Groups", `{"displayName":"Sellers","members":[{"value":"{anna}"}]}`)
	for filter, want := range map[string]string{
		"members pr": "Sellers", "not (members pr)": "Buyers", "members.value pr": "Sellers",
	} {
		got := f.expect("GET", "/Groups?filter="+filter+"&attributes=displayName", "", 200, "")
		if name := f.first(got)["displayName"]; name != want {
			t.Errorf("%s finds %v, want %s", filter, name, want)
		}
	}
}

// With an attribute that comes on request only, each answer is taken apart.
func TestAGroupWithoutMembersSaysSoWhereAttributesAreHidden(t *testing.T) {
	f := newFixture(t)
	f.declare(v1alpha1.SchemaExtension{
		ID: "urn:contoso:hr:1.0:Group", ResourceType: v1alpha1.ExtendedGroup,
		Attributes: []v1alpha1.SchemaAttribute{{Name: "notes", Returned: "request"}},
	})
	f.create("buyers", "/Groups", `{"displayName":"Buyers","urn:contoso:hr:1.0:Group":{"notes":"x"}}`)
	for _, path := range []string{"/Groups/{buyers}", "/Groups"} {
		if group := f.first(f.expect("GET", path, "", 200, "")); !cmp.Equal(group["members"], []any{}) || group["urn:contoso:hr:1.0:Group"] != nil {
			t.Errorf("%s: %v", path, group)
		}
	}
}
