package protocol_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// entries are those of the provisioning log.
func (f *fixture) entries() (all []store.Entry) {
	f.t.Helper()
	for entry, err := range f.directory.Log(f.t.Context(), directory.LogQuery{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, entry)
	}
	return all
}

// unlisted reports whether members changed and the entry does not say which.
func unlisted(e *store.Entry) bool {
	return e.Outcome == directory.OutcomeSuccess && len(e.Members) == 0 && slices.Contains(e.Attributes, "members")
}

// membersIn writes the members of an entry as +name and -name, sorted.
func (f *fixture) membersIn(e *store.Entry) string {
	names := map[string]string{}
	for name, id := range f.ids {
		names[id] = name
	}
	var told []string
	for _, m := range e.Members {
		sign := "-"
		if m.Added {
			sign = "+"
		}
		told = append(told, sign+names[store.FormatID(m.ID)])
	}
	slices.Sort(told)
	if unlisted(e) {
		told = append(told, "unlisted")
	}
	return strings.Join(told, " ")
}

// A group begins with anna and the group sellers as its members.
func TestTheLogTellsWhichMembersOfAGroupChanged(t *testing.T) {
	const group = "/Groups/{buyers}"
	members := func(names ...string) string {
		var list []string
		for _, name := range names {
			list = append(list, `{"value":"{`+name+`}"}`)
		}
		return `[` + strings.Join(list, ",") + `]`
	}
	for _, c := range []struct{ name, method, path, body, want string }{
		{"POST", "POST", "/Groups", `{"displayName":"New","members":` + members("anna", "bo", "sellers") + `}`, "create displayName,members: +anna +bo +sellers"},
		{"POST without members", "POST", "/Groups", `{"displayName":"New"}`, "create displayName: "},
		{"POST with nobody", "POST", "/Groups", `{"displayName":"New","members":[{"value":"nobody"}]}`, "create displayName: "},
		{"PUT", "PUT", group, `{"displayName":"Buyers","members":` + members("anna", "bo") + `}`, "replace members: +bo -sellers"},
		{"PUT with another name", "PUT", group, `{"displayName":"Byers","members":` + members("anna", "sellers", "bo") + `}`, "replace displayName,members: +bo"},
		{"PUT of another name alone", "PUT", group, `{"displayName":"Byers","members":` + members("anna", "sellers") + `}`, "replace displayName: "},
		{"PUT of the same", "PUT", group, `{"displayName":"Buyers","members":` + members("sellers", "anna") + `}`, ""},
		{"PUT without members", "PUT", group, `{"displayName":"Buyers"}`, "replace members: -anna -sellers"},
		{"PATCH that adds", "PATCH", group, patchOf(`{"op":"add","path":"members","value":` + members("bo", "anna") + `}`), "patch members: +bo"},
		{"PATCH that adds one", "PATCH", group, patchOf(`{"op":"add","path":"members","value":` + members("bo") + `}`), "patch members: +bo"},
		{"PATCH that adds who is there", "PATCH", group, patchOf(`{"op":"add","path":"members","value":` + members("anna") + `}`), ""},
		{"PATCH that removes", "PATCH", group, patchOf(`{"op":"remove","path":"members[value eq \"{anna}\"]"}`), "patch members: -anna"},
		{"PATCH that removes in Entra's older way", "PATCH", group, patchOf(`{"op":"Remove","path":"members","value":` + members("anna", "sellers") + `}`),
			"patch members: -anna -sellers"},
		{"PATCH that removes who is not there", "PATCH", group, patchOf(`{"op":"remove","path":"members","value":` + members("bo") + `}`), ""},
		{"PATCH that removes all", "PATCH", group, patchOf(`{"op":"remove","path":"members"}`), "patch members: -anna -sellers"},
		{"PATCH that removes by a filter", "PATCH", group, patchOf(`{"op":"remove","path":"members[type eq \"Group\"]"}`), "patch members: -sellers"},
		{"PATCH that replaces", "PATCH", group, patchOf(`{"op":"replace","path":"members","value":` + members("bo", "sellers") + `}`), "patch members: +bo -anna"},
		{"PATCH that replaces by the same", "PATCH", group, patchOf(`{"op":"replace","path":"members","value":` + members("anna", "sellers") + `}`), ""},
		{"PATCH that takes one and brings it back", "PATCH", group, patchOf(`{"op":"remove","path":"members[type eq \"User\"]"},` +
			`{"op":"add","path":"members","value":` + members("anna") + `}`), ""},
		{"PATCH that clears and brings one back", "PATCH", group, patchOf(`{"op":"remove","path":"members"},` +
			`{"op":"add","path":"members","value":` + members("anna", "bo") + `}`), "patch members: +bo -sellers"},
		{"PATCH with a name", "PATCH", group, patchOf(`{"op":"replace","value":{"displayName":"Byers","members":` + members("anna") + `}}`),
			"patch displayName,members: -sellers"},
		{"Bulk", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"PATCH","path":"` + group +
			`","data":` + patchOf(`{"op":"add","path":"members","value":`+members("bo")+`}`) + `}]}`, "patch members: +bo"},
		{"DELETE of a member", "DELETE", "/Users/{anna}", "", "unassign members: -anna; delete : "},
		{"DELETE of a group that is a member", "DELETE", "/Groups/{sellers}", "", "unassign members: -sellers; delete : "},
		{"DELETE of the group", "DELETE", group, "", "delete : "},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna"}`)
			f.create("bo", "/Users", `{"userName":"bo"}`)
			f.create("sellers", "/Groups", `{"displayName":"Sellers"}`)
			f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"},{"value":"{sellers}"}]}`)
			before := len(f.entries())
			version := f.send(http.MethodGet, group, "").header.Get("ETag")
			if got := f.send(c.method, c.path, c.body); got.status >= 300 {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			var told []string
			for _, e := range f.entries()[before:] {
				told = append(told, fmt.Sprintf("%s %s: %s", e.Operation, strings.Join(e.Attributes, ","), f.membersIn(&e)))
			}
			if diff := cmp.Diff(c.want, strings.Join(told, "; ")); diff != "" {
				t.Errorf("the log tells (-want +got):\n%s", diff)
			}
			if after := f.send(http.MethodGet, group, "").header.Get("ETag"); after == version && strings.Contains(c.want, "members: ") && c.method != "POST" {
				t.Errorf("members changed and the group is still %s", version)
			} else if c.want == "" && after != version {
				t.Errorf("nothing changed and the group is %s in the place of %s", after, version)
			}
		})
	}
}

func TestAChangeOfMoreMembersThanAnEntryListsSaysSo(t *testing.T) {
	f := newFixture(t)
	var all []string
	for n := range store.MaxMemberChanges + 1 {
		user, err := f.directory.Create(t.Context(), directory.Caller{}, store.User, map[string]any{"userName": fmt.Sprint("user ", n), "active": true})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, `{"value":"`+user.ID+`"}`)
	}
	list := func(n int) string { return `[` + strings.Join(all[:n], ",") + `]` }
	f.create("most", "/Groups", `{"displayName":"Most","members":`+list(len(all)-1)+`}`)
	f.create("more", "/Groups", `{"displayName":"More","members":`+list(len(all))+`}`)
	f.expect(http.MethodPatch, "/Groups/{more}", patchOf(`{"op":"remove","path":"members"}`), http.StatusNoContent, "")
	f.expect(http.MethodPatch, "/Groups/{most}", patchOf(`{"op":"remove","path":"members"}`), http.StatusNoContent, "")
	f.expect(http.MethodPut, "/Groups/{more}", `{"displayName":"More","members":`+list(2)+`}`, http.StatusOK, "")
	entries := f.entries()[len(all):]
	for i, want := range []struct {
		listed   int
		unlisted bool
	}{{len(all) - 1, false}, {0, true}, {0, true}, {len(all) - 1, false}, {2, false}} {
		if e := &entries[i]; len(e.Members) != want.listed || unlisted(e) != want.unlisted {
			t.Errorf("entry %d, %s, lists %d members, unlisted %t, want %+v", i, e.Operation, len(e.Members), unlisted(e), want)
		}
	}
}

// A reader that follows the log has the members of each group, by whichever request they changed.
func TestTheLogLeadsToTheMembersOfEveryGroup(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(14, 48))
	var users []string
	groups := map[string]bool{}
	add := func(path, body string) string {
		return f.field(f.expect(http.MethodPost, path, body, http.StatusCreated, ""), "id").(string)
	}
	for n := range 12 {
		users = append(users, add("/Users", fmt.Sprintf(`{"userName":"user%d"}`, n)))
	}
	some := func() string {
		var list []string
		for range random.IntN(5) {
			from := append(slices.Sorted(maps.Keys(groups)), users...)
			list = append(list, `{"value":"`+from[random.IntN(len(from))]+`"}`)
		}
		return `[` + strings.Join(list, ",") + `]`
	}
	for n := range 150 {
		ids := slices.Sorted(maps.Keys(groups))
		if len(ids) < 3 {
			groups[add("/Groups", fmt.Sprintf(`{"displayName":"group %d","members":%s}`, n, some()))] = true
			continue
		}
		group := ids[random.IntN(len(ids))]
		var operations []string
		for range 1 + random.IntN(3) {
			operations = append(operations, []string{
				`{"op":"add","path":"members","value":` + some() + `}`,
				`{"op":"remove","path":"members","value":` + strings.Replace(some(), `[]`, `[{"value":"`+users[0]+`"}]`, 1) + `}`,
				`{"op":"remove","path":"members"}`,
				`{"op":"replace","path":"members","value":` + some() + `}`,
				`{"op":"remove","path":"members[type eq \"User\"]"}`,
				`{"op":"replace","path":"displayName","value":"` + fmt.Sprint("name ", n) + `"}`,
			}[random.IntN(6)])
		}
		switch random.IntN(8) {
		case 0:
			f.expect(http.MethodDelete, "/Groups/"+group, "", http.StatusNoContent, "")
			delete(groups, group)
		case 1:
			at := random.IntN(len(users))
			f.expect(http.MethodDelete, "/Users/"+users[at], "", http.StatusNoContent, "")
			users[at] = add("/Users", fmt.Sprintf(`{"userName":"new%d"}`, n))
		case 2, 3:
			f.send(http.MethodPut, "/Groups/"+group, fmt.Sprintf(`{"displayName":"put %d","members":%s}`, n, some()))
		default: // which may ask for what matches nobody, or for a member that is the group, and is refused as a whole
			f.send(http.MethodPatch, "/Groups/"+group, patchOf(strings.Join(operations, ",")))
		}
	}
	told := map[string]map[string]bool{}
	for _, e := range f.entries() {
		switch {
		case e.Kind == store.User || e.Outcome != directory.OutcomeSuccess:
			continue
		case e.Operation == directory.OperationDelete:
			delete(told, e.ResourceID)
			continue
		case told[e.ResourceID] == nil:
			told[e.ResourceID] = map[string]bool{}
		}
		if listed := len(e.Members) > 0; listed != slices.Contains(e.Attributes, "members") {
			t.Errorf("entry %d: %v and %d members", e.Sequence, e.Attributes, len(e.Members))
		}
		for _, m := range e.Members {
			id := store.FormatID(m.ID)
			if told[e.ResourceID][id] == m.Added {
				t.Errorf("entry %d tells of a member what was so before", e.Sequence)
			}
			if delete(told[e.ResourceID], id); m.Added {
				told[e.ResourceID][id] = true
			}
		}
	}
	are := map[string]map[string]bool{}
	for group := range groups {
		members, err := f.database.Members(context.Background(), group)
		if err != nil {
			t.Fatal(err)
		}
		are[group] = map[string]bool{}
		for _, m := range members {
			are[group][m.ID] = true
		}
	}
	if diff := cmp.Diff(are, told); diff != "" {
		t.Errorf("members (-are +told by the log):\n%s", diff)
	}
}
