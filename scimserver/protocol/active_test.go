package protocol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/patch"
)

// TestOnlyTrueMakesAnInactiveUserActive has the requests that take the value of active away, or leave it out.
func TestOnlyTrueMakesAnInactiveUserActive(t *testing.T) {
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	put := `{"schemas":["` + core + `"],"userName":"anna","title":"T"`
	for name, request := range map[string]struct{ method, path, body, counted string }{
		"PATCH replace with null":             {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"active","value":null}`), "active-cleared"},
		"PATCH replace with an empty text":    {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"active","value":""}`), "active-cleared empty-string"},
		"PATCH replace with an empty array":   {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"active","value":[]}`), "active-cleared"},
		"PATCH replace with a wrapped null":   {"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":[{"$ref":null,"value":null}]}`), "active-cleared op-case wrapped-value"},
		"PATCH add of null":                   {"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"active","value":null}`), "active-cleared"},
		"PATCH remove":                        {"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"active"}`), "active-cleared"},
		"PATCH remove with a value":           {"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"active","value":false}`), "active-cleared remove-with-value"},
		"PATCH remove of the qualified name":  {"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"` + core + `:active"}`), "active-cleared"},
		"PATCH without path":                  {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","value":{"active":null}}`), "active-cleared"},
		"PATCH without path, qualified":       {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","value":{"` + core + `:Active":null}}`), "active-cleared name-case qualified-key"},
		"PATCH without path, under the URN":   {"PATCH", "/Users/{anna}", patchOf(`{"op":"add","value":{"` + core + `":{"active":""}}}`), "active-cleared empty-string"},
		"PATCH of the whole core schema":      {"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"` + core + `","value":{"active":null}}`), "active-cleared"},
		"PUT without it":                      {"PUT", "/Users/{anna}", put + `}`, "active-cleared"},
		"PUT with null":                       {"PUT", "/Users/{anna}", put + `,"active":null}`, "active-cleared"},
		"PUT with an empty text":              {"PUT", "/Users/{anna}", put + `,"active":""}`, "active-cleared empty-string"},
		"PUT with a wrapped null":             {"PUT", "/Users/{anna}", put + `,"active":[{"value":null}]}`, "active-cleared wrapped-value"},
		"PUT with an empty array":             {"PUT", "/Users/{anna}", put + `,"` + core + `:active":[]}`, "active-cleared name-case"},
		"a PATCH in a bulk request":           {"POST", "/Bulk", bulkOf(`{"method":"PATCH","path":"/Users/{anna}","data":` + patchOf(`{"op":"remove","path":"active"}`) + `}`), "active-cleared"},
		"a PUT in a bulk request":             {"POST", "/Bulk", bulkOf(`{"method":"PUT","path":"/Users/{anna}","data":` + put + `}}`), "active-cleared"},
		"a PUT with null in a bulk request":   {"POST", "/Bulk", bulkOf(`{"method":"PUT","path":"/Users/{anna}","data":` + put + `,"active":null}}`), "active-cleared"},
		"a PATCH that is followed by another": {"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"active"},{"op":"replace","path":"title","value":"T"}`), "active-cleared"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, active := range []string{"false", "true"} {
				f := newFixture(t)
				f.create("anna", "/Users", `{"schemas":["`+core+`"],"userName":"anna","active":`+active+`}`)
				inactive := f.deactivated()
				f.advance(time.Hour)
				if got := f.send(request.method, request.path, request.body); got.status/100 != 2 {
					t.Fatalf("%d %s", got.status, got.body)
				}
				user := f.expect("GET", "/Users/{anna}", "", 200, "")
				if got := f.field(user, "active"); got != (active == "true") {
					t.Errorf("%s became %v", active, got)
				}
				if got := f.deactivated(); got != inactive {
					t.Errorf("inactive since before %s: %q, was %q", started, got, inactive)
				}
				counted := request.counted
				if active == "true" && strings.Contains(request.body, "userName") { // a PUT asks for nothing then
					counted = strings.TrimSpace(strings.TrimPrefix(counted, patch.QuirkActiveCleared))
				}
				if got := f.quirks(); got != counted {
					t.Errorf("counted %q, want %q", got, counted)
				}
			}
		})
	}
}

// deactivated lists the users who are inactive since the fixture's clock began.
func (f *fixture) deactivated() string {
	f.t.Helper()
	since, err := time.Parse(time.RFC3339, started)
	if err != nil {
		f.t.Fatal(err)
	}
	ids, err := f.database.Deactivated(f.t.Context(), since.Add(time.Second), 10)
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

func TestTrueMakesAnInactiveUserActive(t *testing.T) {
	for name, request := range map[string][2]string{
		"PATCH": {"PATCH", patchOf(`{"op":"replace","path":"active","value":true}`)},
		"Entra": {"PATCH", patchOf(`{"op":"Replace","path":"active","value":"True"}`)},
		"PUT":   {"PUT", `{"userName":"anna","active":true}`},
		"text":  {"PUT", `{"userName":"anna","active":"TRUE"}`},
		"last":  {"PATCH", patchOf(`{"op":"remove","path":"active"},{"op":"replace","path":"active","value":[{"value":"true"}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna","active":"False"}`)
			if got := f.send(request[0], "/Users/{anna}", request[1]); got.status/100 != 2 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if f.field(f.expect("GET", "/Users/{anna}", "", 200, ""), "active") != true {
				t.Error("the user is still inactive")
			}
		})
	}
}

func TestAUserWhoArrivesWithoutActiveIsActive(t *testing.T) {
	for _, active := range []string{``, `,"active":null`, `,"active":""`, `,"active":[]`, `,"active":[{"value":null}]`} {
		f := newFixture(t)
		f.create("anna", "/Users", `{"userName":"anna"`+active+`}`)
		if f.field(f.expect("GET", "/Users/{anna}", "", 200, ""), "active") != true {
			t.Errorf("a user who arrives with %q is inactive", active)
		}
	}
	for _, active := range []string{`"perhaps"`, `1`, `{"x":true}`, `[true,false]`} {
		f := newFixture(t)
		f.wantError(f.send("POST", "/Users", `{"userName":"anna","active":`+active+`}`), 400, "invalidValue")
	}
}
