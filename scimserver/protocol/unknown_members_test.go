package protocol_test

import (
	"strings"
	"testing"
)

const nobody = "0192f0c1-0000-7000-8000-000000000000"

// TestMembersThatDoNotExist has the ways to name members of whom some, or all, are nobody here.
func TestMembersThatDoNotExist(t *testing.T) {
	const none = "none of the members that were sent exists here; nothing was changed"
	put := func(members string) string { return `{"displayName":"Buyers","members":` + members + `}` }
	for _, c := range []struct {
		name, method, body string
		status             int
		members            string
		unknown            int
	}{
		{"PATCH replace by some who exist", "PATCH", patchOf(`{"op":"replace","path":"members","value":[{"value":"{u3}"},{"value":"` + nobody + `"},{"value":"x"}]}`), 204, "u3", 2},
		{"PATCH replace by nobody", "PATCH", patchOf(`{"op":"Replace","path":"members","value":[{"value":"` + nobody + `"}]}`), 400, "u1 u2", 0},
		{"PATCH replace without path", "PATCH", patchOf(`{"op":"replace","value":{"members":["x"],"externalId":"e"}}`), 400, "u1 u2", 0},
		{"PATCH replace by the group itself", "PATCH", patchOf(`{"op":"replace","path":"members","value":[{"value":"{buyers}"}]}`), 400, "u1 u2", 0},
		{"PATCH replace by a URL of nobody", "PATCH", patchOf(`{"op":"replace","path":"members","value":[{"$ref":"https://elsewhere.example/Users/` + nobody + `"}]}`), 400, "u1 u2", 0},
		{"PATCH replace of one by nobody", "PATCH", patchOf(`{"op":"replace","path":"members[value eq \"{u1}\"]","value":{"value":"` + nobody + `"}}`), 400, "u1 u2", 0},
		{"PATCH replace of the id of one", "PATCH", patchOf(`{"op":"replace","path":"members[value eq \"{u1}\"].value","value":"` + nobody + `"}`), 400, "u1 u2", 0},
		{"PATCH replace of the ids of all", "PATCH", patchOf(`{"op":"replace","path":"members.value","value":"` + nobody + `"}`), 400, "u1 u2", 0},
		{"PATCH replace after another operation", "PATCH", patchOf(`{"op":"remove","path":"members[value eq \"{u1}\"]"},{"op":"replace","path":"members","value":["x"]}`), 400, "u1 u2", 0},
		{"PATCH replace by no members", "PATCH", patchOf(`{"op":"replace","path":"members","value":[]}`), 204, "", 0},
		{"PATCH add of some who exist", "PATCH", patchOf(`{"op":"Add","path":"members","value":[{"value":"{u3}"},{"value":"` + nobody + `"},{"value":"{buyers}"}]}`), 204, "u1 u2 u3", 2},
		{"PATCH add of nobody", "PATCH", patchOf(`{"op":"Add","path":"members","value":[{"value":"` + nobody + `"}]}`), 204, "u1 u2", 1},
		{"Entra's own test suite (entra 5.3)", "PATCH", patchOf(`{"op":"add","path":"members","value":"string id 1"}`), 204, "u1 u2", 1},
		{"PATCH adds of nobody", "PATCH", patchOf(`{"op":"add","path":"members","value":"x"},{"op":"add","path":"members","value":"y"}`), 204, "u1 u2", 2},
		{"PATCH remove of nobody", "PATCH", patchOf(`{"op":"Remove","path":"members","value":[{"value":"` + nobody + `"}]}`), 204, "u1 u2", 0},
		{"PATCH remove of nobody by path", "PATCH", patchOf(`{"op":"remove","path":"members[value eq \"` + nobody + `\"]"}`), 204, "u1 u2", 0},
		{"PUT of some who exist", "PUT", put(`[{"value":"{u2}"},{"value":"` + nobody + `"}]`), 200, "u2", 1},
		{"PUT of nobody", "PUT", put(`[{"value":"` + nobody + `"}]`), 400, "u1 u2", 0},
		{"PUT without members", "PUT", put(`[]`), 200, "", 0},
	} {
		for _, bulk := range []bool{false, true} {
			name := c.name
			if bulk {
				name += " in a bulk request"
			}
			t.Run(name, func(t *testing.T) {
				f := withUsers(t, 3)
				f.expect("PATCH", "/Groups/{buyers}", patchOf(`{"op":"add","path":"members","value":["{u1}","{u2}"]}`), 204, "")
				before := f.expect("GET", "/Groups/{buyers}", "", 200, "")
				detail := ""
				if bulk {
					status := map[bool]string{true: "400", false: "200"}[c.status == 400]
					results := f.bulk(bulkOf(`{"method":"`+c.method+`","path":"/Groups/{buyers}","data":`+c.body+`}`), status)
					if response, failed := results[0]["response"].(map[string]any); failed {
						detail, _ = response["detail"].(string)
					}
				} else {
					got := f.expect(c.method, "/Groups/{buyers}", c.body, c.status, "")
					detail = string(got.body)
				}
				if c.status == 400 && !strings.Contains(detail, none) {
					t.Errorf("the error says %s", detail)
				}
				if got := f.members("buyers"); got != c.members {
					t.Errorf("members = %q, want %q", got, c.members)
				}
				if after := f.expect("GET", "/Groups/{buyers}", "", 200, ""); c.status == 400 && string(after.body) != string(before.body) {
					t.Errorf("it became %s", after.body)
				}
				f.wantUnknown("buyers", c.unknown)
			})
		}
	}
}

// wantUnknown checks that one request was counted and logged which named so many members that do not exist, or none was.
func (f *fixture) wantUnknown(group string, members int) {
	f.t.Helper()
	if got, want := strings.Count(f.quirks(), "unknown-member"), min(members, 1); got != want {
		f.t.Errorf("unknown-member was counted %d times, want %d", got, want)
	}
	f.mu.Lock()
	logs := f.logs.String()
	f.mu.Unlock()
	var lines []string
	for line := range strings.Lines(logs) {
		if strings.Contains(line, "do not exist") {
			lines = append(lines, line)
		}
	}
	if strings.Contains(logs, nobody) || strings.Contains(logs, "string id 1") {
		f.t.Errorf("the log names a member: %s", logs)
	}
	if members == 0 {
		if len(lines) > 0 {
			f.t.Errorf("logged %q", lines)
		}
		return
	}
	if len(lines) != 1 || !strings.Contains(lines[0], `"members"=`+string(rune('0'+members))) ||
		!strings.Contains(lines[0], `"group"="`+f.ids[group]+`"`) || !strings.Contains(lines[0], `"requestID"="`) {
		f.t.Errorf("logged %q, want %d members of group %s", lines, members, f.ids[group])
	}
}

func TestAGroupIsCreatedWithoutMembersThatDoNotExist(t *testing.T) {
	for name, c := range map[string]struct {
		members, want string
		unknown       int
	}{
		"some":    {`[{"value":"{u1}"},{"value":"` + nobody + `"}]`, "u1", 1},
		"all":     {`["` + nobody + `","x"]`, "", 2},
		"none":    {`[{"value":"{u1}"}]`, "u1", 0},
		"by URLs": {`[{"$ref":"../Users/{u1}"},{"$ref":"../Users/` + nobody + `"}]`, "u1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := withUsers(t, 1)
			f.create("new", "/Groups", `{"displayName":"New","members":`+c.members+`}`)
			if got := f.members("new"); got != c.want {
				t.Errorf("members = %q, want %q", got, c.want)
			}
			f.wantUnknown("new", c.unknown)
		})
		t.Run(name+" in a bulk request", func(t *testing.T) {
			f := withUsers(t, 1)
			f.bulk(bulkOf(post("new", "/Groups", `{"displayName":"New","members":`+c.members+`}`)), "201")
			if got := f.members("new"); got != c.want {
				t.Errorf("members = %q, want %q", got, c.want)
			}
			f.wantUnknown("new", c.unknown)
		})
	}
}

// A bulk request creates groups of a circle without their references first, and gives them these afterwards.
func TestAMemberOfACircleThatDoesNotExistIsToldOnce(t *testing.T) {
	f := withUsers(t, 1)
	f.bulk(bulkOf(post("a", "/Groups", `{"displayName":"A","members":[{"value":"bulkId:b"},{"value":"`+nobody+`"}]}`)+","+
		post("b", "/Groups", `{"displayName":"B","members":[{"value":"bulkId:a"}]}`)), "201 201")
	f.wantUnknown("a", 1)
}

func TestAReferenceByURLNamesAResource(t *testing.T) {
	f := withUsers(t, 3)
	f.create("all", "/Groups", `{"displayName":"All","members":[{"$ref":"`+tenantURL+`/Users/{u1}"},{"$ref":"../Groups/{buyers}"}]}`)
	members := func(want string) {
		t.Helper()
		if got := f.members("all"); got != want {
			t.Errorf("members = %q, want %q", got, want)
		}
	}
	members("u1 buyers")
	f.expect("PATCH", "/Groups/{all}", patchOf(`{"op":"add","path":"members","value":[{"$ref":"/scim/v2/Users/{u2}"},{"$ref":"../Users/{u1}","value":"{u3}"}]}`), 204, "")
	members("u1 u2 u3 buyers")
	f.expect("PATCH", "/Groups/{all}", patchOf(`{"op":"remove","path":"members","value":[{"$ref":"Users/{u1}"}]},{"op":"remove","path":"members[$ref eq \"`+tenantURL+`/Users/{u2}\"]"}`), 204, "")
	members("u3 buyers")
	f.expect("PUT", "/Groups/{all}", `{"displayName":"All","members":[{"$ref":"../Users/{u2}"}]}`, 200, "")
	members("u2")
	f.expect("PATCH", "/Users/{u1}", patchOf(`{"op":"add","path":"`+managerPath+`","value":{"$ref":"../Users/{u2}"}}`), 204, "")
	if got := f.manager("u1"); got != `{"value":"`+f.ids["u2"]+`"}` {
		t.Errorf("manager = %s", got)
	}
	f.bulk(bulkOf(post("x", "/Users", `{"userName":"x","`+enterpriseURN+`":{"manager":{"$ref":"bulkId:y"}}}`)+`,`+post("y", "/Users", `{"userName":"y"}`)+`,`+
		post("g", "/Groups", `{"displayName":"G","members":[{"$ref":"bulkId:x"},{"$ref":"/Users/bulkId:y"},{"$ref":"bulkId:h"}]}`)+`,`+post("h", "/Groups", `{"displayName":"H"}`)), "201 201 201 201")
	if got := f.members("g"); got != "y x h" {
		t.Errorf("members = %q", got)
	}
	if got := f.manager("x"); got != `{"value":"`+f.ids["y"]+`"}` {
		t.Errorf("manager = %s", got)
	}
}
