package protocol_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	managerPath   = enterpriseURN + ":manager"
)

// manager is what the enterprise extension of a user says of the manager, as JSON; "" if nothing.
func (f *fixture) manager(user string) string {
	f.t.Helper()
	value := f.field(f.expect("GET", "/Users/{"+user+"}", "", 200, ""), enterpriseURN, "manager")
	if value == nil {
		return ""
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(encoded)
}

func TestAManagerIsTakenInEveryFormThatEntraSendsAndComesBackInOne(t *testing.T) {
	for name, operation := range map[string]string{
		"a bare string":                 `{"op":"Add","path":"` + managerPath + `","value":"{boss}"}`,
		"a replaced bare string":        `{"op":"Replace","path":"` + managerPath + `","value":"{boss}"}`,
		"an object":                     `{"op":"add","path":"` + managerPath + `","value":{"value":"{boss}"}}`,
		"an array with a reference":     `{"op":"Add","path":"` + managerPath + `","value":[{"$ref":"https://x/Users/{boss}","value":"{boss}"}]}`,
		"without the URN":               `{"op":"Add","path":"manager","value":{"value":"{boss}"}}`,
		"its value by path":             `{"op":"replace","path":"` + managerPath + `.value","value":"{boss}"}`,
		"a qualified key without path":  `{"op":"replace","value":{"` + managerPath + `":"{boss}"}}`,
		"its $ref by path":              `{"op":"replace","path":"` + managerPath + `.$ref","value":"../Users/{boss}"}`,
		"its $ref as a key":             `{"op":"replace","value":{"` + managerPath + `.$ref":"https://x/scim/v2/Users/{boss}"}}`,
		"its $ref in the extension":     `{"op":"add","value":{"` + enterpriseURN + `":{"manager.$ref":"../Users/{boss}"}}}`,
		"nested under the schema's URN": `{"op":"add","value":{"` + enterpriseURN + `":{"manager":{"value":"{boss}","displayName":"Boss"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("boss", "/Users", `{"userName":"boss@contoso.test"}`)
			f.create("anna", "/Users", `{"userName":"anna@contoso.test"}`)
			f.expect("PATCH", "/Users/{anna}", patchOf(operation), 204, "")
			if got, want := f.manager("anna"), `{"value":"`+f.ids["boss"]+`"}`; got != want {
				t.Errorf("manager = %s, want %s", got, want)
			}
			found := f.expect("GET", `/Users?filter=id eq "`+f.ids["anna"]+`" and manager eq "`+f.ids["boss"]+`"&attributes=id`, "", 200, "")
			if f.field(found, "totalResults") != 1.0 {
				t.Errorf("Entra's reference check finds nobody: %s", found.body)
			}
		})
	}
}

func TestAManagerIsRemovedInEveryFormThatEntraSends(t *testing.T) {
	for name, operation := range map[string]string{
		"an empty string":         `{"op":"Replace","path":"` + managerPath + `","value":""}`,
		"null":                    `{"op":"Replace","path":"` + managerPath + `","value":null}`,
		"an object of null":       `{"op":"replace","path":"` + managerPath + `","value":{"value":null}}`,
		"an object of nothing":    `{"op":"replace","path":"` + managerPath + `","value":{"value":""}}`,
		"an empty array":          `{"op":"replace","path":"` + managerPath + `","value":[]}`,
		"a remove":                `{"op":"Remove","path":"` + managerPath + `"}`,
		"a remove with a value":   `{"op":"Remove","path":"` + managerPath + `","value":"{boss}"}`,
		"a remove of its value":   `{"op":"remove","path":"` + managerPath + `.value"}`,
		"null under a key":        `{"op":"replace","value":{"` + managerPath + `":null}}`,
		"null under a nested key": `{"op":"replace","value":{"` + enterpriseURN + `":{"manager":null}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("boss", "/Users", `{"userName":"boss@contoso.test"}`)
			f.create("anna", "/Users", `{"userName":"anna@contoso.test","`+enterpriseURN+`":{"department":"D","manager":"{boss}"}}`)
			if f.manager("anna") == "" {
				t.Fatal("Anna has no manager; this test would prove nothing")
			}
			f.expect("PATCH", "/Users/{anna}", patchOf(operation), 204, "")
			if got := f.manager("anna"); got != "" {
				t.Errorf("manager = %s", got)
			}
			if got := f.field(f.expect("GET", "/Users/{anna}", "", 200, ""), enterpriseURN, "department"); got != "D" {
				t.Errorf("department = %v", got)
			}
		})
	}
}

// TestAManagerIsNamedByAnySpellingOfItsID has ids as clients write them: what is stored is the id, so that a deletion finds it.
func TestAManagerIsNamedByAnySpellingOfItsID(t *testing.T) {
	patch := func(operation string) [2]string { return [2]string{"PATCH", patchOf(operation)} }
	put := func(attributes string) [2]string {
		return [2]string{"PUT", `{"userName":"anna@contoso.test",` + attributes + `}`}
	}
	for spelling, spell := range map[string]func(id string) string{
		"in upper case": strings.ToUpper, "with blanks": func(id string) string { return "  " + id + "\u00a0" },
		"by URL": func(id string) string { return tenantURL + "/Users/" + id }, "by a relative one": func(id string) string { return "../Users/" + id },
		"by one in upper case": func(id string) string { return "https://x/scim/v2/users/" + strings.ToUpper(id) + "/" },
	} {
		for name, request := range map[string][2]string{
			"PUT bare":          put(`"` + enterpriseURN + `":{"manager":"ID"}`),
			"PUT":               put(`"` + enterpriseURN + `":{"manager":{"value":"ID"}}`),
			"PUT managerId":     put(`"` + enterpriseURN + `":{"manager":{"managerId":"ID"}}`),
			"PUT of an array":   put(`"` + managerPath + `":[{"value":"ID"}]`),
			"PATCH bare":        patch(`{"op":"Add","path":"` + managerPath + `","value":"ID"}`),
			"PATCH":             patch(`{"op":"replace","path":"manager","value":{"value":"ID"}}`),
			"PATCH its value":   patch(`{"op":"replace","path":"` + managerPath + `.value","value":"ID"}`),
			"PATCH no path":     patch(`{"op":"add","value":{"` + managerPath + `":"ID"}}`),
			"PATCH by a filter": patch(`{"op":"add","path":"` + managerPath + `[value eq \"ID\"].value","value":"ID"}`),
			"in a bulk request": {"POST", `{"Operations":[{"method":"PUT","path":"/Users/{anna}","data":{"userName":"anna@contoso.test","manager":"ID"}}]}`},
		} {
			t.Run(name+" "+spelling, func(t *testing.T) {
				f := newFixture(t)
				f.create("boss", "/Users", `{"userName":"boss@contoso.test"}`)
				f.create("anna", "/Users", `{"userName":"anna@contoso.test"}`)
				path, body := "/Users/{anna}", strings.ReplaceAll(request[1], "ID", spell(f.ids["boss"]))
				if request[0] == "POST" {
					path = "/Bulk"
				}
				if got := f.send(request[0], path, body); got.status/100 != 2 {
					t.Fatalf("%d %s", got.status, got.body)
				}
				if got, want := f.manager("anna"), `{"value":"`+f.ids["boss"]+`"}`; got != want {
					t.Errorf("manager = %s, want %s", got, want)
				}
				for _, filter := range []string{`manager eq "ID"`, `manager.value eq "ID"`, managerPath + `[value eq "ID"]`, `not (manager ne "ID")`} {
					filter = strings.ReplaceAll(filter, "ID", spell(f.ids["boss"]))
					found := f.expect("GET", `/Users?filter=userName sw "anna" and `+filter, "", 200, "")
					if f.field(found, "totalResults") != 1.0 {
						t.Errorf("%s finds nobody", filter)
					}
				}
				f.expect("DELETE", "/Users/{boss}", "", 204, "")
				if got := f.manager("anna"); got != "" {
					t.Errorf("after the manager was deleted: %s", got)
				}
			})
		}
	}
}

func TestAManagerWhoIsNobodyIsKeptAsItWasSent(t *testing.T) {
	f := newFixture(t)
	// Microsoft's SCIM Validator makes up managers, and its Postman suite has this one.
	f.create("anna", "/Users", `{"userName":"anna@contoso.test","`+enterpriseURN+`":{"Manager":{"Value":"SuzzyQ"}}}`)
	if got := f.manager("anna"); got != `{"value":"SuzzyQ"}` {
		t.Errorf("manager = %s", got)
	}
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"`+managerPath+`","value":{"value":"AXTKDLNRKMKT"}}`), 204, "")
	if got := f.manager("anna"); got != `{"value":"AXTKDLNRKMKT"}` {
		t.Errorf("manager = %s", got)
	}
}

func TestAManagerWhoIsDeletedIsNobodysManagerAnyMore(t *testing.T) {
	f := newFixture(t)
	f.create("boss", "/Users", `{"userName":"boss@contoso.test"}`)
	f.create("other", "/Users", `{"userName":"other@contoso.test"}`)
	f.create("anna", "/Users", `{"userName":"anna@contoso.test","`+enterpriseURN+`":{"manager":"{boss}"}}`)
	f.create("bob", "/Users", `{"userName":"bob@contoso.test","`+enterpriseURN+`":{"department":"D","manager":"{boss}"}}`)
	f.create("carl", "/Users", `{"userName":"carl@contoso.test","`+enterpriseURN+`":{"manager":"{other}"}}`)
	f.expect("PATCH", "/Users/{boss}", patchOf(`{"op":"add","path":"`+managerPath+`","value":"{boss}"}`), 204, "")
	carl := f.expect("GET", "/Users/{carl}", "", 200, "")
	f.advance(time.Hour)
	f.expect("PATCH", "/Users/{boss}", patchOf(`{"op":"Replace","path":"active","value":"False"}`), 204, "")
	if got, want := f.manager("anna"), `{"value":"`+f.ids["boss"]+`"}`; got != want {
		t.Errorf("a manager who is only inactive must stay: %s", got)
	}
	f.expect("DELETE", "/Users/{boss}", "", 204, "")

	anna := f.expect("GET", "/Users/{anna}", "", 200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"`+f.ids["anna"]+`",
	 "userName":"anna@contoso.test","active":true,"meta":{"resourceType":"User","created":"`+started+`",
	 "lastModified":"2026-11-23T13:00:00Z","location":"`+tenantURL+`/Users/{anna}","version":"W/\"2\""}}`)
	if got := anna.header.Get("ETag"); got != `W/"2"` {
		t.Errorf("ETag = %s", got)
	}
	if got := f.field(f.expect("GET", "/Users/{bob}", "", 200, ""), enterpriseURN); !cmp.Equal(got, map[string]any{"department": "D"}) {
		t.Errorf("Bob's extension = %v", got)
	}
	if got := f.expect("GET", "/Users/{carl}", "", 200, ""); string(got.body) != string(carl.body) {
		t.Errorf("Carl has another manager and must stay as he was: %s", got.body)
	}
	found := f.expect("GET", `/Users?filter=manager eq "`+f.ids["boss"]+`"`, "", 200, "")
	if f.field(found, "totalResults") != 0.0 {
		t.Errorf("a filter still finds reports: %s", found.body)
	}

	entries, err := f.database.Log(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var unassigned []string
	for _, e := range entries {
		if e.Operation == "unassign" {
			unassigned = append(unassigned, e.ResourceID)
			if e.Kind != store.User || e.RequestID == "" || e.Client == "" || !slices.Equal(e.Attributes, []string{managerPath}) {
				t.Errorf("log entry %+v", e)
			}
		}
	}
	if want := []string{f.ids["anna"], f.ids["bob"]}; !slices.Equal(unassigned, want) {
		t.Errorf("the log has %v, want %v", unassigned, want)
	}
}
