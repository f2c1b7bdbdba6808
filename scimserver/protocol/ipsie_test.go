package protocol_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TestTheHandbookIsRightAboutTheIPSIEDraft holds the table of docs/scim.md against the server, a subtest a row.
func TestTheHandbookIsRightAboutTheIPSIEDraft(t *testing.T) {
	for row, check := range map[string]func(*testing.T, *fixture){
		"an access token for a client assertion, of scope scim and no other": func(t *testing.T, f *fixture) {
			f.allow(func(a *v1alpha1.Authentication) {
				a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
			})
			got := f.ask("POST", f.assertionForm(nil), nil)
			if got := f.sendWith("POST", "/Users", `{"userName":"anna"}`, bearer(f.issued(got))); got.status != http.StatusCreated {
				t.Errorf("%d %s", got.status, got.body)
			}
			if methods := f.field(f.metadata("GET"), "token_endpoint_auth_methods_supported").([]any); !slices.Contains(methods, any("private_key_jwt")) {
				t.Errorf("the metadata has %v", methods)
			}
		},
		"bulk requests": func(t *testing.T, f *fixture) {
			var operations []string
			for i := range 1000 {
				operations = append(operations, fmt.Sprintf(`{"method":"DELETE","path":"/Users/%d"}`, i))
			}
			f.bulk(bulkOf(strings.Join(operations, ",")), strings.TrimSpace(strings.Repeat("404 ", 1000)))
			if supported := f.field(f.expect("GET", "/ServiceProviderConfig", "", 200, ""), "bulk", "supported"); supported != true {
				t.Errorf("bulk.supported = %v", supported)
			}
		},
		"25 requests a second, and 429 beyond the limit": func(_ *testing.T, f *fixture) {
			f.limit(25, 25)
			for range 3 {
				for range 25 {
					f.expect("GET", "/Users?count=0", "", 200, "")
				}
				f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 1)
				f.advance(time.Second)
			}
		},
		"50 changes of members in one request": func(t *testing.T, f *fixture) {
			f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
			var add, remove []string
			for i := range 50 {
				f.create(fmt.Sprint("u", i), "/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
				add = append(add, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"{u%d}"}]}`, i))
				remove = append(remove, fmt.Sprintf(`{"op":"remove","path":"members[value eq \"{u%d}\"]"}`, i))
			}
			f.expect("PATCH", "/Groups/{buyers}", patchOf(strings.Join(add, ",")), 204, "")
			if members := f.field(f.expect("GET", "/Groups/{buyers}", "", 200, ""), "members").([]any); len(members) != 50 {
				t.Errorf("%d members, want 50", len(members))
			}
			f.expect("PATCH", "/Groups/{buyers}", patchOf(strings.Join(remove, ",")), 204, "")
			if members := f.field(f.expect("GET", "/Groups/{buyers}", "", 200, ""), "members").([]any); len(members) != 0 {
				t.Errorf("%d members, want none", len(members))
			}
		},
		"filters by e-mail and by member": func(t *testing.T, f *fixture) {
			f.create("anna", "/Users", `{"userName":"anna","emails":[{"type":"work","value":"anna@contoso.test"},{"type":"home","value":"anna@home.test"}]}`)
			f.create("bea", "/Users", `{"userName":"bea","emails":[{"type":"home","value":"bea@contoso.test"}]}`)
			f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
			f.create("sellers", "/Groups", `{"displayName":"Sellers","members":[{"value":"{bea}"}]}`)
			for path, want := range map[string]string{
				`/Users?filter=emails[value eq "ANNA@contoso.test"]`:                     "anna",
				`/Users?filter=emails[type eq "work" and value eq "anna@contoso.test"]`:  "anna",
				`/Users?filter=emails[type eq "home" and value eq "bea@contoso.test"]`:   "bea",
				`/Groups?filter=members[value eq "` + f.ids["bea"] + `"]`:                "sellers",
				`/Groups?filter=members[value eq "` + f.ids["anna"] + `"]&attributes=id`: "buyers",
			} {
				if id := f.first(f.expect("GET", path, "", 200, ""))["id"]; id != f.ids[want] {
					t.Errorf("%s finds %v, want %s", path, id, want)
				}
			}
			nobody := f.expect("GET", `/Users?filter=emails[type eq "work" and value eq "bea@contoso.test"]`, "", 200, "")
			if total := f.field(nobody, "totalResults"); total != 0.0 {
				t.Errorf("one element must match as a whole: %s", nobody.body)
			}
		},
		"no password": func(t *testing.T, f *fixture) {
			f.create("anna", "/Users", `{"userName":"anna","password":"correct horse"}`)
			f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"password","value":"battery staple"}`), 204, "")
			for _, path := range []string{"/Users/{anna}", "/Users/{anna}?attributes=password", "/Users?attributes=userName,password"} {
				if got := f.expect("GET", path, "", 200, ""); strings.Contains(string(got.body), "password") {
					t.Errorf("%s: %s", path, got.body)
				}
			}
			if supported := f.field(f.expect("GET", "/ServiceProviderConfig", "", 200, ""), "changePassword", "supported"); supported != false {
				t.Errorf("changePassword.supported = %v", supported)
			}
		},
		"deactivation, reactivation and a userName that is free again": func(t *testing.T, f *fixture) {
			f.allow(func(a *v1alpha1.Authentication) { a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}} })
			me := func() int { return f.sendWith("GET", "/Me", "", bearer(f.userToken(nil))).status }
			f.create("anna", "/Users", `{"userName":"anna.k@contoso.test"}`)
			f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
			f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"active","value":false}`), 204, "")
			if got := f.expect("GET", "/Users/{anna}", "", 200, ""); f.field(got, "active") != false || me() != http.StatusForbidden {
				t.Errorf("inactive: %s, /Me = %d", got.body, me())
			}
			f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"active","value":true}`), 204, "")
			if got := f.expect("GET", "/Users/{anna}", "", 200, ""); f.field(got, "active") != true || f.field(got, "groups") == nil || me() != http.StatusOK {
				t.Errorf("active again: %s, /Me = %d", got.body, me())
			}
			before := f.ids["anna"]
			f.expect("DELETE", "/Users/{anna}", "", 204, "")
			f.create("anna", "/Users", `{"userName":"Anna.K@contoso.test"}`)
			if f.ids["anna"] == before {
				t.Error("the new user has the id of the old one")
			}
			if log := f.logged(); len(log) != 7 {
				t.Errorf("six changes, one of which takes a member from a group, are %d entries of the provisioning log: %v", len(log), log)
			}
		},
	} {
		t.Run(row, func(t *testing.T) { check(t, newFixture(t)) })
	}
}
