package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// TestTheChoiceOfAttributesIsBounded: each name is looked up, so a request may not have any number of them.
func TestTheChoiceOfAttributesIsBounded(t *testing.T) {
	const search = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"id pr",`
	name := strings.Repeat("n", protocol.MaxChoice/protocol.MaxChosen-1)
	most := strings.Repeat(name+",", protocol.MaxChosen) // as many and as long as can be
	for what, names := range map[string]string{
		"too many":  strings.Repeat("x,", protocol.MaxChosen) + "x",
		"too long":  most + "x",
		"one name":  strings.Repeat("x", protocol.MaxChoice+1),
		"a bracket": "emails[" + strings.Repeat("x", protocol.MaxChoice) + "]",
	} {
		for _, parameter := range []string{"attributes", "excludedAttributes"} {
			t.Run(parameter+" "+what, func(t *testing.T) {
				f := newFixtureForUsers(t)
				f.create("anna", "/Users", `{"userName":"anna"}`)
				f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
				query := "?" + parameter + "=" + names
				f.wantError(f.sendWith("GET", "/Me"+query, "", bearer(f.userToken(nil))), http.StatusBadRequest, "invalidValue")
				list := `["` + strings.ReplaceAll(names, ",", `","`) + `"]`
				for _, c := range []struct{ method, path, body string }{
					{"GET", "/Users/{anna}" + query, ""},
					{"GET", "/Groups/{buyers}" + query, ""},
					{"GET", "/Users" + query, ""},
					{"GET", "/Groups" + query + "&cursor=", ""},
					{"GET", "/" + query + "&filter=id+pr", ""},
					{"GET", "/Schemas" + query, ""},
					{"GET", "/ServiceProviderConfig" + query, ""},
					{"POST", "/Users" + query, `{"userName":"new"}`},
					{"PUT", "/Users/{anna}" + query, `{"userName":"new"}`},
					{"PATCH", "/Users/{anna}" + query, patchOf(`{"op":"replace","path":"userName","value":"new"}`)},
					{"POST", "/Groups" + query, `{"displayName":"new"}`},
					{"PATCH", "/Groups/{buyers}" + query, patchOf(`{"op":"replace","path":"displayName","value":"new"}`)},
					{"POST", "/Bulk" + query, `{"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":{"userName":"new"}}]}`},
					{"POST", "/.search", search + `"` + parameter + `":` + list + `}`},
					{"POST", "/Users/.search", search + `"` + parameter + `":"` + names + `"}`},
					{"POST", "/Groups/.search", search + `"` + parameter + `":["x","` + names + `"]}`},
				} {
					got := f.send(c.method, c.path, c.body)
					f.wantError(got, http.StatusBadRequest, "invalidValue")
					if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, parameter+" ") {
						t.Errorf("%s %.40s: %s, want the parameter's name first", c.method, c.path, detail)
					}
				}
				if got := f.field(f.send("GET", `/?filter=id pr&count=0`, ""), "totalResults"); got != 2.0 {
					t.Errorf("there are %v resources, want the 2 that were", got)
				}
			})
		}
	}
	t.Run("as many and as long as can be", func(t *testing.T) {
		f := newFixture(t)
		f.create("anna", "/Users", `{"userName":"anna"}`)
		list := `["userName","` + strings.ReplaceAll(strings.TrimSuffix(most, ","+name+","), ",", `","`) + `"]`
		got := f.expect("POST", "/Users/.search", search+`"attributes":`+list+`}`, 200, "")
		if !strings.Contains(string(got.body), `"userName":"anna"`) {
			t.Errorf("got %s", got.body)
		}
		f.expect("GET", "/Users/{anna}?attributes="+strings.TrimSuffix(most, ","), "", 200, "")
	})
	t.Run("empty names in any number of parts", func(t *testing.T) {
		f := newFixture(t)
		f.wantError(f.send("POST", "/Users/.search", search+`"attributes":[`+strings.Repeat(`"",`, 1<<20)+`""]}`), http.StatusBadRequest, "invalidValue")
	})
}

// TestTheChoiceOfAttributesIsReadOnceARequest: what a name costs does not grow with the page.
func TestTheChoiceOfAttributesIsReadOnceARequest(t *testing.T) {
	f := newFixture(t)
	for i := range 50 {
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d"}`, i))
	}
	many := strings.Repeat("shoeSize,", protocol.MaxChosen-1)
	allocated := func(names string, count int) int64 {
		return f.allocates("GET", fmt.Sprintf("/Users?count=%d&attributes=%s", count, names), "")
	}
	once := allocated(many+"userName", 1) - allocated("userName", 1)
	for range 3 {
		if page := allocated(many+"userName", 50) - allocated("userName", 50); page > 2*once {
			t.Errorf("%d names more cost %d bytes with one user, and %d with 50", protocol.MaxChosen-1, once, page)
		}
	}
}

// TestAnAnswerEndsWhenItsClientHasGone: nothing is made of resources that nobody waits for.
func TestAnAnswerEndsWhenItsClientHasGone(t *testing.T) {
	f := newFixture(t)
	for i := range 3 {
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d"}`, i))
		f.create("", "/Groups", fmt.Sprintf(`{"displayName":"group %d"}`, i))
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/Users", ""},
		{"GET", "/Users?attributes=userName", ""},
		{"GET", "/Groups", ""},
		{"GET", "/Groups?cursor=&excludedAttributes=members", ""},
		{"POST", "/.search", `{"filter":"meta.created pr"}`},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		f.database.found = cancel
		got := f.handle(ctx, c.method, c.path, c.body)
		f.database.found = nil
		if got.Code == http.StatusOK {
			t.Errorf("%s %s: %d bytes were made of resources after the client had gone", c.method, c.path, got.Body.Len())
		}
	}
}

// handle asks the handler without a connection.
func (f *fixture) handle(ctx context.Context, method, path, body string) *httptest.ResponseRecorder {
	f.t.Helper()
	for name, id := range f.ids {
		path, body = strings.ReplaceAll(path, "{"+name+"}", id), strings.ReplaceAll(body, "{"+name+"}", id)
	}
	request := httptest.NewRequestWithContext(ctx, method, v1alpha1.BasePath+path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+f.token)
	out := httptest.NewRecorder()
	f.http.Config.Handler.ServeHTTP(out, request)
	return out
}

// allocates tells how many bytes a request that succeeds allocates, beside its answer.
func (f *fixture) allocates(method, path, body string) int64 {
	f.t.Helper()
	least := int64(-1)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := f.handle(f.t.Context(), method, path, body)
		runtime.ReadMemStats(&after)
		if got.Code != http.StatusOK {
			f.t.Fatalf("%s %.60s = %d %s", method, path, got.Code, got.Body)
		}
		if n := int64(after.TotalAlloc - before.TotalAlloc); least < 0 || n < least {
			least = n
		}
	}
	return least
}
