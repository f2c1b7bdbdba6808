package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// zoe in her many forms: composed, decomposed, wide, in capitals.
var zoes = []string{"zoë", "zoe\u0308", "ＺＯＥ\u0308", "ZOË"}

func TestOneNameInAnotherFormIsTaken(t *testing.T) {
	f := newFixture(t)
	f.create("zoe", "/Users", `{"userName":"zoe\u0308"}`)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("group", "/Groups", `{"displayName":"zoe\u0308"}`)
	f.create("other", "/Groups", `{"displayName":"other"}`)
	for _, name := range zoes {
		f.wantError(f.send("POST", "/Users", `{"userName":"`+name+`"}`), http.StatusConflict, "uniqueness")
		f.wantError(f.send("PUT", "/Users/{anna}", `{"userName":"`+name+`"}`), http.StatusConflict, "uniqueness")
		f.wantError(f.send("PATCH", "/Users/{anna}", operation("replace", "userName", `"`+name+`"`)), http.StatusConflict, "uniqueness")
		f.wantError(f.send("POST", "/Groups", `{"displayName":"`+name+`","externalId":"x"}`), http.StatusConflict, "uniqueness")
		f.wantError(f.send("PATCH", "/Groups/{other}", operation("replace", "displayName", `"`+name+`"`)), http.StatusConflict, "uniqueness")
		bulk := f.expect("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"`+name+`"}}]}`, 200, "")
		if !strings.Contains(string(bulk.body), `"uniqueness"`) {
			t.Errorf("bulk: %s", bulk.body)
		}
		// The one who has it may spell it so, and is returned so.
		f.expect("PUT", "/Users/{zoe}", `{"userName":"`+name+`","title":"`+name+`"}`, 200, "")
		if got := f.field(f.expect("GET", "/Users/{zoe}", "", 200, ""), "userName"); got != name {
			t.Errorf("%+q is returned, %+q was sent", got, name)
		}
	}
	if n := f.field(f.expect("GET", "/Users", "", 200, ""), "totalResults"); n != 2.0 {
		t.Errorf("%v users", n)
	}
}

func TestANameIsFoundInEveryForm(t *testing.T) {
	for _, stored := range zoes {
		f := newFixture(t)
		f.create("anna", "/Users", `{"userName":"anna"}`)
		f.create("zoe", "/Users", `{"userName":"`+stored+`","title":"clerk"}`)
		f.create("group", "/Groups", `{"displayName":"`+stored+`","members":[{"value":"{zoe}"}]}`)
		for _, asked := range zoes {
			for _, filter := range []string{
				`userName eq "#"`, `userName sw "#"`, `userName ew "#"`, `userName co "#"`, `userName ge "#"`, `userName eq "#" and title eq "clerk"`,
				`not (userName ne "#")`, `userName eq "#" or externalId eq "x"`, `groups.display eq "#"`, `groups[display eq "#"]`,
				`userName eq "#" and not (x509Certificates pr)`, // which no index decides
			} {
				filter = strings.ReplaceAll(filter, "#", asked)
				got := f.expect("GET", "/Users?filter="+filter, "", 200, "")
				search := f.expect("POST", "/Users/.search",
					fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":%q}`, filter), 200, "")
				if f.field(got, "totalResults") != 1.0 || f.field(search, "totalResults") != 1.0 {
					t.Errorf("%+q, filter %+q: %s %s", stored, filter, got.body, search.body)
				}
			}
			if got := f.expect("GET", `/Groups?filter=displayName eq "`+asked+`"`, "", 200, ""); f.field(got, "totalResults") != 1.0 {
				t.Errorf("group %+q, asked %+q: %s", stored, asked, got.body)
			}
		}
	}
}

// RFC 8265 refuses these, and people have them.
func TestANameThatPrecisRefusesIsAcceptedAndUnique(t *testing.T) {
	for name, same := range map[string]string{
		"José O’Brien": "JOSE\u0301 o’brien", "a b": "A\u3000B", "שלוםxé": "שלוםxE\u0301", "ﬁna é": "ﬁNA e\u0301", "é\u00ad": "E\u0301\u00ad",
	} {
		f := newFixture(t)
		f.create("one", "/Users", `{"userName":"`+name+`"}`)
		f.wantError(f.send("POST", "/Users", `{"userName":"`+same+`"}`), http.StatusConflict, "uniqueness")
		if got := f.expect("GET", `/Users?filter=userName eq "`+same+`"`, "", 200, ""); f.field(got, "totalResults") != 1.0 {
			t.Errorf("%q: %s", name, got.body)
		}
	}
}

func TestMeIsFoundByANameInAnotherForm(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("zoe", "/Users", `{"userName":"zoe\u0308@contoso.test"}`)
	got := f.sendWith("GET", "/Me", "", bearer(f.userToken(authtest.Claims{"preferred_username": "ZOË@contoso.test"})))
	if got.status != 200 || f.field(got, "id") != f.ids["zoe"] {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestDefaultsAreGivenByANameInAnotherForm(t *testing.T) {
	f := newFixture(t)
	defaults, err := directory.NewDefaults(&v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "zoe"}, Spec: v1alpha1.UserDefaultsSpec{
		Filter: `userName ew "@Ｃontoso.test" and userName sw "zoë"`, Apply: v1alpha1.ApplyOnCreate, Locale: "sv-SE",
	}}, v1alpha1.Catalog{}, schema.User())
	if err != nil {
		t.Fatal(err)
	}
	f.directory.SetDefaults([]*directory.Defaults{defaults})
	f.create("zoe", "/Users", `{"userName":"Zoe\u0308@contoso.test"}`)
	if got := f.field(f.expect("GET", "/Users/{zoe}", "", 200, ""), "locale"); got != "sv-SE" {
		t.Errorf("locale %v", got)
	}
}

// A directory that an earlier version filled can have two such users. Each is served, and no third comes.
func TestTwoUsersOfOneNameFromBeforeAreServed(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("one", "/Users", `{"userName":"zoë"}`)
	f.create("two", "/Users", `{"userName":"two"}`)
	two, err := f.database.Get(t.Context(), store.User, f.ids["two"])
	if err != nil {
		t.Fatal(err)
	}
	two.Document, two.Key = []byte(`{"active":true,"userName":"zoe\u0308"}`), schema.Fold("zoe\u0308")
	write := func(ctx context.Context, change func(store.Tx) error) error { return f.database.Update(ctx, change) }
	if err := write(t.Context(), func(tx store.Tx) error { return tx.Replace(t.Context(), &two) }); err != nil {
		t.Fatal(err)
	}
	if err := store.Rekey(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	ambiguous := func(want int64) {
		t.Helper()
		stats, err := f.database.Stats(t.Context())
		if err != nil || stats.Ambiguous != want {
			t.Errorf("%d ambiguous names, want %d (%v)", stats.Ambiguous, want, err)
		}
	}
	ambiguous(2)
	for _, name := range zoes {
		if got := f.expect("GET", `/Users?filter=userName eq "`+name+`"`, "", 200, ""); f.field(got, "totalResults") != 2.0 {
			t.Errorf("%+q: %s", name, got.body)
		}
		f.wantError(f.send("POST", "/Users", `{"userName":"`+name+`"}`), http.StatusConflict, "uniqueness")
	}
	me := f.sendWith("GET", "/Me", "", bearer(f.userToken(authtest.Claims{"preferred_username": "zoë"})))
	f.wantError(me, http.StatusForbidden, "ambiguous")
	for _, id := range []string{"{one}", "{two}"} {
		name := f.field(f.expect("GET", "/Users/"+id, "", 200, ""), "userName").(string)
		f.expect("PATCH", "/Users/"+id, operation("replace", "title", `"clerk"`), 204, "")
		f.expect("PUT", "/Users/"+id, `{"userName":"`+name+`","externalId":"`+id+`"}`, 200, "")
	}
	ambiguous(2)
	f.expect("PATCH", "/Users/{one}", operation("replace", "userName", `"elsewhere"`), 204, "")
	ambiguous(0)
	f.wantError(f.send("PATCH", "/Users/{one}", operation("replace", "userName", `"zoë"`)), http.StatusConflict, "uniqueness")
	f.expect("DELETE", "/Users/{two}", "", 204, "")
	f.expect("PATCH", "/Users/{one}", operation("replace", "userName", `"zoë"`), 204, "")
	ambiguous(0)
}

func TestGroupsShareANameWhereEachHasAnExternalIDOfItsOwn(t *testing.T) {
	f := newFixture(t)
	f.create("one", "/Groups", `{"displayName":"Buyers","externalId":"a"}`)
	f.create("two", "/Groups", `{"displayName":"buyers","externalId":"A"}`)
	f.create("lone", "/Groups", `{"displayName":"Sellers"}`)
	f.create("other", "/Groups", `{"displayName":"Other","externalId":"a"}`)
	refused := func(what string, a answer) {
		t.Helper()
		if f.wantError(a, http.StatusConflict, "uniqueness"); !strings.Contains(string(a.body), "an externalId of its own") {
			t.Errorf("%s: the rule is not named: %s", what, a.body)
		}
	}
	for what, body := range map[string]string{
		"the same externalId": `{"displayName":"BUYERS","externalId":"a"}`, "no externalId beside some": `{"displayName":"Buyers"}`,
		"an externalId beside none": `{"displayName":"sellers","externalId":"a"}`, "no externalId twice": `{"displayName":"Sellers"}`,
	} {
		refused(what, f.send("POST", "/Groups", body))
		refused(what+", PUT", f.send("PUT", "/Groups/{other}", body))
	}
	refused("renamed", f.send("PATCH", "/Groups/{other}", operation("replace", "displayName", `"Buyers"`)))
	refused("externalId changed", f.send("PATCH", "/Groups/{two}", operation("replace", "externalId", `"a"`)))
	refused("externalId removed", f.send("PATCH", "/Groups/{two}", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations":[{"op":"remove","path":"externalId"}]}`))
	f.expect("PATCH", "/Groups/{other}", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations":[{"op":"replace","value":{"displayName":"Buyers","externalId":"c"}}]}`, 204, "")
	f.expect("PATCH", "/Groups/{two}", operation("add", "members", `[]`), 204, "")
	f.expect("PATCH", "/Groups/{two}", operation("replace", "externalId", `"b"`), 204, "")
	bulk := f.expect("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
		{"method":"POST","path":"/Groups","bulkId":"a","data":{"displayName":"Buyers","externalId":"d"}},
		{"method":"POST","path":"/Groups","bulkId":"b","data":{"displayName":"Buyers","externalId":"d"}},
		{"method":"POST","path":"/Groups","bulkId":"c","data":{"displayName":"Buyers"}}]}`, 200, "")
	if strings.Count(string(bulk.body), `"201"`) != 1 || strings.Count(string(bulk.body), `"uniqueness"`) != 2 {
		t.Errorf("bulk: %s", bulk.body)
	}
	for filter, want := range map[string]float64{
		`displayName eq "BUYERS"`: 4, `displayName eq "buyers" and externalId eq "b"`: 1, `displayName sw "buy"`: 4, `displayName eq "sellers"`: 1,
	} {
		if got := f.expect("GET", "/Groups?filter="+filter, "", 200, ""); f.field(got, "totalResults") != want {
			t.Errorf("%s: %s", filter, got.body)
		}
	}
	f.expect("DELETE", "/Groups/{one}", "", 204, "")
	refused("still others", f.send("POST", "/Groups", `{"displayName":"Buyers"}`))
	f.create("again", "/Groups", `{"displayName":"Buyers","externalId":"a"}`)
}

// However replicas interleave, groups of one name are one, or each has an externalId of its own.
func TestGroupsThatTakeOneNameAtOnceAreOfOneKind(t *testing.T) {
	race.Meets(t)
	c := newCrowd(t)
	for round := range 8 {
		name := fmt.Sprintf("Buyers %d", round)
		c.create("renamed", "/Groups", fmt.Sprintf(`{"displayName":"was %d","externalId":"r%d"}`, round, round))
		together(9, func(client int) {
			external := []string{"", `,"externalId":"a"`, `,"externalId":"b"`}[client%3]
			method, path := "POST", "/Groups"
			body := `{"displayName":"` + name + `"` + external + `}`
			if client == 8 {
				method, path = "PUT", "/Groups/"+c.ids["renamed"]
			}
			if status, answer := c.ask(client, method, path, body); status != 201 && status != 200 && status != http.StatusConflict {
				t.Errorf("%d: %d %s", client, status, answer)
			}
		})
		listed := c.expect("GET", `/Groups?filter=displayName eq "`+name+`"`, "", 200, "")
		found := c.field(listed, "Resources").([]any)
		externals := map[any]int{}
		for _, g := range found {
			externals[g.(map[string]any)["externalId"]]++
		}
		if externals[nil] > 0 && len(found) != 1 || len(externals) != len(found) || len(found) == 0 {
			t.Errorf("round %d: %v", round, externals)
		}
	}
}
