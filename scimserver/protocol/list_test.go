package protocol_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const searchRequest = `"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]`

// page is a ListResponse by the names of its resources.
type page struct {
	Names               []string
	Total, Start, Items int
	NextCursor          string
	HasStart            bool
}

func (f *fixture) page(a answer) page {
	f.t.Helper()
	if a.status != http.StatusOK {
		f.t.Fatalf("status = %d\n%s", a.status, a.body)
	}
	var body struct {
		TotalResults, ItemsPerPage int
		StartIndex                 *int
		NextCursor                 string
		Resources                  []struct{ UserName, DisplayName string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		f.t.Fatalf("%v\n%s", err, a.body)
	}
	p := page{Names: []string{}, Total: body.TotalResults, Items: body.ItemsPerPage, NextCursor: body.NextCursor}
	if body.StartIndex != nil {
		p.Start, p.HasStart = *body.StartIndex, true
	}
	if body.Resources == nil {
		f.t.Errorf("Resources must be an array: %s", a.body)
	}
	for _, r := range body.Resources {
		p.Names = append(p.Names, r.UserName+r.DisplayName)
	}
	if p.Items != len(p.Names) {
		f.t.Errorf("itemsPerPage = %d with %d resources", p.Items, len(p.Names))
	}
	return p
}

func (f *fixture) names(a answer) string {
	f.t.Helper()
	return strings.Join(f.page(a).Names, " ")
}

// people fills a directory with users and groups whose order by name is not that in which they arrived.
func people(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	for _, c := range [][3]string{
		{"dag", `"title":"Clerk"`, `[{"type":"work","value":"a@contoso.test"},{"type":"home","value":"z@contoso.test","primary":true}]`},
		{"Bea", `"title":"boss"`, `[{"type":"work","value":"m@contoso.test"}]`},
		{"alf", `"locale":"sv-SE"`, `[{"type":"work","value":"b@contoso.test"}]`},
		{"Cia", `"title":"clerk","name":{"familyName":"Ek"}`, ``},
	} {
		emails := ""
		if c[2] != "" {
			emails = `,"emails":` + c[2]
		}
		f.create(c[0], "/Users", fmt.Sprintf(`{"userName":%q,%s%s}`, c[0], c[1], emails))
		f.advance(time.Minute)
	}
	f.create("staff", "/Groups", `{"displayName":"Staff","members":[{"value":"{dag}"},{"value":"{alf}"}]}`)
	f.create("admins", "/Groups", `{"displayName":"Admins","members":[{"value":"{dag}"}]}`)
	return f
}

func TestListsAreSorted(t *testing.T) {
	f := people(t)
	for _, c := range []struct{ name, query, want string }{
		{"not at all: in the order of arrival", "", "dag Bea alf Cia"},
		{"by name, without regard to case", "sortBy=userName", "alf Bea Cia dag"},
		{"descending", "sortBy=userName&sortOrder=Descending", "dag Cia Bea alf"},
		{"ascending when asked for", "sortBy=userName&sortOrder=ascending", "alf Bea Cia dag"},
		{"those without a value last, equal ones as they arrived", "sortBy=title", "Bea dag Cia alf"},
		{"descending, those without a value first", "sortBy=title&sortOrder=descending", "alf Cia dag Bea"},
		{"by the primary of several values, or the first", "sortBy=emails", "alf Bea dag Cia"},
		{"by a sub-attribute behind a URN", "sortBy=urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", "Cia dag Bea alf"},
		{"by a name in odd case", "sortBy=LOCALE", "alf dag Bea Cia"},
		{"by time", "sortBy=meta.created&sortOrder=descending", "Cia alf Bea dag"},
		{"a page of it", "sortBy=userName&startIndex=2&count=2", "Bea Cia"},
		{"with a filter", "sortBy=userName&filter=" + url.QueryEscape(`title eq "clerk"`), "Cia dag"},
		{"an order without an attribute", "sortOrder=descending", "dag Bea alf Cia"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := f.names(f.send(http.MethodGet, "/Users?"+c.query, "")); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for query, scimType := range map[string]string{
		"/Users?sortBy=shoeSize": "invalidPath", "/Users?sortBy=name": "invalidPath", "/Users?sortBy=password": "invalidPath",
		"/Users?sortBy=groups": "invalidPath", "/Groups?sortBy=members.value": "invalidPath", "/Users?sortBy=userName&sortOrder=up": "invalidValue",
	} {
		f.wantError(f.send(http.MethodGet, query, ""), http.StatusBadRequest, scimType)
	}
}

func TestPagesByIndexAreHonest(t *testing.T) {
	f := people(t)
	const huge = "99999999999999999999999999"
	for query, want := range map[string]page{
		"":                      {[]string{"dag", "Bea", "alf", "Cia"}, 4, 1, 4, "", true},
		"startIndex=3&count=1":  {[]string{"alf"}, 4, 3, 1, "", true},
		"startIndex=0&count=1":  {[]string{"dag"}, 4, 1, 1, "", true},
		"startIndex=-7&count=1": {[]string{"dag"}, 4, 1, 1, "", true},
		"count=0":               {[]string{}, 4, 1, 0, "", true},
		"count=-3":              {[]string{}, 4, 1, 0, "", true},
		"startIndex=5":          {[]string{}, 4, 5, 0, "", true},
		"count=" + huge:         {[]string{"dag", "Bea", "alf", "Cia"}, 4, 1, 4, "", true},
		"count=-" + huge:        {[]string{}, 4, 1, 0, "", true},
		"startIndex=" + huge:    {[]string{}, 4, 1<<63 - 1, 0, "", true},
		"startIndex=&count=":    {[]string{"dag", "Bea", "alf", "Cia"}, 4, 1, 4, "", true},
		"sortBy=title&count=-1": {[]string{}, 4, 1, 0, "", true},
		"sortBy=locale&startIndex=" + huge + "&count=" + huge: {[]string{}, 4, 1<<63 - 1, 0, "", true},
	} {
		if diff := cmp.Diff(want, f.page(f.send(http.MethodGet, "/Users?"+query, ""))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"count=many", "count=1.5", "count=1e3", "startIndex=first", "startIndex=%2B1", "count=--1"} {
		f.wantError(f.send(http.MethodGet, "/Users?"+query, ""), http.StatusBadRequest, "invalidValue")
	}
}

func TestSearchIsAQueryInABody(t *testing.T) {
	f := people(t)
	for _, c := range []struct {
		name, path, body, want string
		total                  int
	}{
		{"users", "/Users/.search", `{` + searchRequest + `,"filter":"title eq \"clerk\"","sortBy":"userName","sortOrder":"descending"}`, "dag Cia", 2},
		{"groups", "/Groups/.search", `{` + searchRequest + `,"startIndex":2,"count":1}`, "Admins", 2},
		{"nothing asked for", "/Users/.search", `{` + searchRequest + `}`, "dag Bea alf Cia", 4},
		{"names in any case, null and what nobody knows", "/Users/.search", `{` + searchRequest + `,"SORTBY":"userName","Count":1,"filter":null,"x":{}}`, "alf", 4},
		{"both types, users first", "/.search", `{` + searchRequest + `}`, "dag Bea alf Cia Staff Admins", 6},
		{"a page across both", "/.search", `{` + searchRequest + `,"startIndex":4,"count":2}`, "Cia Staff", 6},
		{"a page of the second alone", "/.search", `{` + searchRequest + `,"startIndex":6,"count":2}`, "Admins", 6},
		{"a page behind both", "/.search", `{` + searchRequest + `,"startIndex":7,"count":2}`, "", 6},
		{"both, sorted among themselves", "/.search", `{` + searchRequest + `,"sortBy":"displayName"}`, "dag Bea alf Cia Admins Staff", 6},
		{"both, sorted by what one has", "/.search", `{` + searchRequest + `,"sortBy":"userName","count":5}`, "alf Bea Cia dag Staff", 6},
		{"one of both (RFC 7644 section 3.4.2.1)", "/.search", `{` + searchRequest + `,"filter":"meta.resourceType eq \"Group\""}`, "Staff Admins", 2},
		{"an attribute that one has", "/.search", `{` + searchRequest + `,"filter":"userName eq \"BEA\" or displayName eq \"staff\""}`, "Bea Staff", 2},
		{"memberships", "/.search", `{` + searchRequest + `,"filter":"members eq \"{alf}\" or groups eq \"{admins}\""}`, "dag Staff", 2},
		{"only a total", "/.search", `{` + searchRequest + `,"count":0}`, "", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := f.page(f.send(http.MethodPost, c.path, c.body))
			if names := strings.Join(got.Names, " "); names != c.want || got.Total != c.total {
				t.Errorf("got %s of %d, want %s of %d", names, got.Total, c.want, c.total)
			}
		})
	}
	t.Run("with attributes", func(t *testing.T) {
		f.expect(http.MethodPost, "/Users/.search",
			`{`+searchRequest+`,"attributes":["userName","emails[type eq \"work, or not\"]"],"excludedAttributes":["emails.type"],"filter":"userName eq \"Bea\""}`, http.StatusOK,
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,"itemsPerPage":1,"Resources":[
				{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{Bea}","userName":"Bea","emails":[{"value":"m@contoso.test"}]}]}`)
	})
	for name, c := range map[string]struct{ body, scimType string }{
		"another schema":        {`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}`, "invalidValue"},
		"a number for a filter": {`{` + searchRequest + `,"filter":1}`, "invalidValue"},
		"a text for a count":    {`{` + searchRequest + `,"count":"many"}`, "invalidValue"},
		"a part of a count":     {`{` + searchRequest + `,"count":1.5}`, "invalidValue"},
		"an object for names":   {`{` + searchRequest + `,"attributes":{}}`, "invalidValue"},
		"a wrong filter":        {`{` + searchRequest + `,"filter":"userName is 1"}`, "invalidFilter"},
		"an unknown attribute":  {`{` + searchRequest + `,"filter":"shoeSize eq 44"}`, "invalidFilter"},
		"an unknown sort":       {`{` + searchRequest + `,"sortBy":"shoeSize"}`, "invalidPath"},
		"no JSON":               {`{`, "invalidSyntax"},
		"no object":             {`[]`, "invalidSyntax"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			f.wantError(f.send(http.MethodPost, "/.search", c.body), http.StatusBadRequest, c.scimType)
		})
	}
	t.Run("is open to readers", func(t *testing.T) {
		reader, _ := token.New(strings.NewReader(strings.Repeat("a reader's token", 2)))
		f.snapshot.Verifiers.Verifiers = append(f.snapshot.Verifiers.Verifiers, token.NewVerifier(reader, token.RoleReader, f.now))
		got := f.sendWith(http.MethodPost, "/.search", `{`+searchRequest+`}`, http.Header{"Authorization": {"Bearer " + reader}})
		if got.status != http.StatusOK {
			t.Errorf("status = %d\n%s", got.status, got.body)
		}
	})
	t.Run("leaves a type out that is switched off", func(t *testing.T) {
		f.snapshot.Tenant.Spec.Provisioning.Users = v1alpha1.SwitchDisabled
		if got := f.names(f.send(http.MethodPost, "/.search", `{`+searchRequest+`}`)); got != "Staff Admins" {
			t.Errorf("got %s", got)
		}
		f.wantError(f.send(http.MethodPost, "/Users/.search", `{`+searchRequest+`}`), http.StatusServiceUnavailable, "")
		f.snapshot.Tenant.Spec.Provisioning.Groups = v1alpha1.SwitchDisabled
		f.wantError(f.send(http.MethodPost, "/.search", `{`+searchRequest+`}`), http.StatusServiceUnavailable, "")
	})
}

func TestMembershipsAreFilteredByWhatTheAnswersShow(t *testing.T) {
	f := people(t)
	f.expect(http.MethodPatch, "/Groups/{staff}", patchOf(`{"op":"add","path":"members","value":[{"value":"{admins}"}]}`), http.StatusNoContent, "")
	const base = "https://contoso.scim.example.com" + v1alpha1.BasePath
	for _, c := range []struct{ path, filter, want string }{
		{"/Groups", `members.type eq "group"`, "Staff"},
		{"/Groups", `members[type eq "User" and value eq "{alf}"]`, "Staff"},
		{"/Groups", `members[type eq "User" and value eq "{admins}"]`, ""},
		{"/Groups", `members.$ref eq "` + base + `/Users/{dag}"`, "Staff Admins"},
		{"/Groups", `members.$ref sw "` + base + `/Groups/"`, "Staff"},
		{"/Groups", `members[$ref co "/Users/"] and meta.location eq "` + base + `/Groups/{admins}"`, "Admins"},
		{"/Groups", `members.display pr`, ""},
		{"/Users", `groups.display eq "ADMINS"`, "dag"},
		{"/Users", `groups[display sw "st" and type eq "direct"]`, "dag alf"},
		{"/Users", `not (groups pr) and meta.location pr`, "Bea Cia"},
		{"/Users", `groups.value ne "{staff}"`, "dag Bea Cia"},
		{"/Users", `emails[type eq "work" and value co "@"] and not (groups[display co "a"])`, "Bea"},
		{"", `members pr or groups.display ew "f"`, "dag alf Staff Admins"},
	} {
		t.Run(c.filter, func(t *testing.T) {
			if got := f.names(f.send(http.MethodGet, c.path+"?filter="+c.filter, "")); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheBaseIsSearchedWhenItIsFiltered(t *testing.T) {
	f := people(t)
	if got := f.names(f.send(http.MethodGet, "?filter=displayName pr or userName eq \"bea\"&count=2", "")); got != "Bea Staff" {
		t.Errorf("got %s", got)
	}
	if got := f.send(http.MethodGet, "/", ""); got.status != http.StatusOK || f.field(got, "patch") == nil {
		t.Errorf("the bare base: %d\n%s", got.status, got.body)
	}
}

func TestFiltersOfSchemasFindExtensions(t *testing.T) {
	f := people(t)
	f.create("eva", "/Users", `{"userName":"eva","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Finance"}}`)
	if got := f.names(f.send(http.MethodGet, `/Users?filter=schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`, "")); got != "eva" {
		t.Errorf("got %s", got)
	}
}
