package protocol_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/token"
)

// bulkOf is a bulk request; operations are given without their brackets.
func bulkOf(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + operations + `]}`
}

// bulk sends a bulk request, checks the status of each operation that is reported, and remembers new ids by bulkId.
func (f *fixture) bulk(body, statuses string) []map[string]any {
	f.t.Helper()
	got := f.expect("POST", "/Bulk", body, 200, "")
	var answer struct{ Operations []map[string]any }
	if err := json.Unmarshal(got.body, &answer); err != nil {
		f.t.Fatal(err)
	}
	var have []string
	for _, op := range answer.Operations {
		status, _ := op["status"].(string)
		have = append(have, status)
		if location, _ := op["location"].(string); status == "201" {
			f.ids[op["bulkId"].(string)] = location[strings.LastIndex(location, "/")+1:]
		}
	}
	if strings.Join(have, " ") != statuses {
		f.t.Fatalf("statuses = %v, want %s\n%s", have, statuses, got.body)
	}
	return answer.Operations
}

func post(bulkID, path, data string) string {
	return fmt.Sprintf(`{"method":"POST","path":%q,"bulkId":%q,"data":%s}`, path, bulkID, data)
}

func TestBulkCarriesOutEveryKindOfOperation(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("bob", "/Users", `{"userName":"bob"}`)
	f.create("eve", "/Users", `{"userName":"eve"}`)
	got := f.bulk(bulkOf(post("new", "/Users", `{"userName":"new"}`)+`,
	 {"method":"PUT","path":"/Users/{anna}","version":"W/\"1\"","data":{"userName":"anna","title":"CFO"}},
	 {"method":"PATCH","path":"/Users/{bob}","data":{"Operations":[{"op":"Add","path":"active","value":"False"}]}},
	 {"method":"DELETE","path":"/Users/{eve}"}`), "201 200 200 204")
	if got[0]["version"] != `W/"1"` || got[1]["version"] != `W/"2"` || got[1]["location"] != tenantURL+"/Users/"+f.ids["anna"] {
		t.Errorf("%v", got)
	}
	f.wantError(f.send("GET", "/Users/{eve}", ""), 404, "")
	if f.field(f.send("GET", "/Users/{bob}", ""), "active") != false {
		t.Error("bob is still active")
	}
}

func TestBulkResolvesReferencesInAnyOrderAndInCircles(t *testing.T) {
	f := newFixture(t)
	const manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	f.bulk(bulkOf(strings.Join([]string{
		`{"method":"PATCH","path":"/Groups/bulkId:a","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:u2"}]}]}}`,
		post("a", "/Groups", `{"displayName":"A","members":[{"value":"bulkId:u1","type":"User"},{"value":"bulkId:b","type":"Group"}]}`),
		post("b", "/Groups", `{"displayName":"B","members":[{"value":"bulkId:a"}]}`),
		post("u1", "/Users", `{"userName":"u1","title":"bulkId:none","`+manager+`":{"manager":"bulkId:u2"}}`),
		post("u2", "/Users", `{"userName":"u2","`+manager+`":{"manager":{"value":"bulkId:u1"}}}`),
	}, ",")), "200 201 201 201 201")
	if got := strings.Fields(f.members("a")); len(got) != 3 {
		t.Errorf("members of a = %v, want u1, u2 and b", got)
	}
	if got := f.members("b"); got != "a" {
		t.Errorf("members of b = %q, want a", got)
	}
	for user, boss := range map[string]string{"u1": "u2", "u2": "u1"} {
		if got := f.field(f.send("GET", "/Users/{"+user+"}", ""), manager, "manager", "value"); got != f.ids[boss] {
			t.Errorf("manager of %s = %v, want %s", user, got, f.ids[boss])
		}
	}
}

func TestOfACircleThatFailsNothingStays(t *testing.T) {
	f := newFixture(t)
	f.create("taken", "/Groups", `{"displayName":"B"}`)
	f.bulk(bulkOf(post("a", "/Groups", `{"displayName":"A","members":[{"value":"bulkId:b"}]}`)+","+
		post("b", "/Groups", `{"displayName":"B","members":[{"value":"bulkId:a"}]}`)+","+
		post("c", "/Groups", `{"displayName":"C","members":[{"value":"bulkId:a"}]}`)), "409 409 409")
	if got := f.field(f.send("GET", "/Groups", ""), "totalResults"); got != 1.0 {
		t.Errorf("%v groups, want the one that was there", got)
	}
}

func TestABadOperationIsAnErrorOfItsOwn(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	for name, c := range map[string]struct{ operation, status, scimType string }{
		"no object":              {`1`, "400", "invalidSyntax"},
		"no method":              {`{"path":"/Users"}`, "400", "invalidSyntax"},
		"an unknown method":      {`{"method":"GET","path":"/Users"}`, "400", "invalidValue"},
		"no path":                {`{"method":"DELETE"}`, "400", "invalidSyntax"},
		"an unknown path":        {`{"method":"POST","bulkId":"x","path":"/Devices","data":{}}`, "400", "invalidValue"},
		"a POST with an id":      {post("x", "/Users/1", "{}"), "400", "invalidValue"},
		"a POST without bulkId":  {`{"method":"POST","path":"/Users","data":{"userName":"x"}}`, "400", "invalidSyntax"},
		"no data":                {`{"method":"PUT","path":"/Users/{anna}"}`, "400", "invalidSyntax"},
		"a user without a name":  {post("x", "/Users", "{}"), "400", "invalidValue"},
		"an unknown bulkId":      {post("x", "/Groups", `{"displayName":"X","members":[{"value":"bulkId:none"}]}`), "400", "invalidValue"},
		"an unknown id":          {`{"method":"DELETE","path":"/Users/none"}`, "404", ""},
		"another version":        {`{"method":"DELETE","path":"/Users/{anna}","version":"W/\"7\""}`, "412", ""},
		"a version that is none": {`{"method":"DELETE","path":"/Users/{anna}","version":7}`, "400", "invalidValue"},
		"an array of versions":   {`{"method":"DELETE","path":"/Users/{anna}","version":["W/\"7\""]}`, "400", "invalidValue"},
		"a misspelt version":     {`{"method":"DELETE","path":"/Users/{anna}","ifVersion":"W/\"7\""}`, "400", "invalidSyntax"},
		"a version as a header":  {`{"method":"PUT","path":"/Users/{anna}","If-Match":"W/\"7\"","data":{"userName":"b"}}`, "400", "invalidSyntax"},
		"a key of nobody's":      {`{"method":"PATCH","path":"/Users/{anna}","version":null,"anna@contoso.test":1,"data":{"Operations":[]}}`, "400", "invalidSyntax"},
		"a name that is taken":   {post("x", "/Users", `{"userName":"ANNA"}`), "409", "uniqueness"},
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			got := f.bulk(bulkOf(c.operation+","+post("good", "/Users", fmt.Sprintf(`{"userName":%q}`, name))), c.status+" 201")
			response, _ := got[0]["response"].(map[string]any)
			if scimType, _ := response["scimType"].(string); response["status"] != c.status || scimType != c.scimType || response["detail"] == "" {
				t.Errorf("response = %v", response)
			}
		})
	}
	f.t = t
	f.create("ben", "/Users", `{"userName":"ben"}`)
	f.bulk(bulkOf(`{"method":"PATCH","path":"/Users/{ben}","version":"W/\"1\"","comment":"c","data":{"Operations":[]}},
		{"method":"PATCH","path":"/Users/{ben}","version":null,"comment":null,"data":{"Operations":[]}},
		{"method":"POST","bulkId":"e","path":"/Users","comment":"c","data":{"userName":"e"}}`), "200 200 201")
	f.bulk(bulkOf(post("d", "/Users", `{"userName":"d1"}`)+","+post("d", "/Users", `{"userName":"d2"}`)), "201 400")
}

func TestBulkStopsAfterAsManyErrorsAsTheClientSaid(t *testing.T) {
	f := newFixture(t)
	body := bulkOf(post("a", "/Users", `{}`) + "," + post("b", "/Users", `{"userName":"b"}`))
	f.bulk(strings.Replace(body, `"Operations"`, `"failOnErrors":1,"Operations"`, 1), "400")
	f.bulk(strings.Replace(body, `"Operations"`, `"failOnErrors":2,"Operations"`, 1), "400 201")
	f.wantError(f.send("POST", "/Bulk", `{"failOnErrors":"x","Operations":[]}`), 400, "invalidValue")
	f.wantError(f.send("POST", "/Bulk", `{}`), 400, "invalidSyntax")
}

func TestBulkHasLimitsAndReadersMayNotUseIt(t *testing.T) {
	f := newFixture(t)
	f.wantError(f.send("POST", "/Bulk", bulkOf(strings.TrimSuffix(strings.Repeat("{},", 1001), ","))), http.StatusRequestEntityTooLarge, "")
	f.wantError(f.send("POST", "/Bulk", `{"Operations":["`+strings.Repeat("x", 4<<20)+`"]}`), http.StatusRequestEntityTooLarge, "")
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))
	f.wantError(f.sendWith("POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"a"}`)), bearer(reader)), http.StatusForbidden, "")
}

func TestOperationsThatAreTogetherTooMuchWorkAreRefused(t *testing.T) {
	values := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"value":"somebody.%03d@contoso.test"}`, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	const expensive = `{"method":"PATCH","path":"/Users/{anna}","data":{"Operations":[{"op":"replace","path":"emails[value co \"test\"].display","value":"DISPLAY"}]}}`
	cheap := `{"method":"PATCH","path":"/Users/{bob}","data":{"Operations":[{"op":"replace","path":"title","value":"CFO"}]}}`
	everybody := `{"method":"PUT","path":"/Groups/{buyers}","data":{"displayName":"Buyers","members":[{"value":"{anna}"},{"value":"{bob}"}]}}`
	for name, c := range map[string]struct {
		work       int
		operations []string
		statuses   string
	}{
		"all fit":                              {100_000, []string{expensive, cheap, everybody}, "200 200 200"},
		"the second no longer fits":            {10_000, []string{cheap, expensive, cheap, post("x", "/Users", `{"userName":"x"}`)}, "200 413 413 413"},
		"nothing is carried out after it":      {10_000, []string{expensive, `{"method":"DELETE","path":"/Users/{bob}"}`}, "413 413"},
		"the sizes of resources count":         {150, []string{cheap, cheap, cheap, cheap, cheap}, "200 200 200 413 413"},
		"members that are read count":          {50, []string{everybody, everybody}, "200 413"},
		"what is made and deleted is no work":  {0, []string{post("x", "/Users", `{"userName":"x"}`), `{"method":"DELETE","path":"/Users/{bob}"}`}, "201 204"},
		"a circle that no longer fits is gone": {0, []string{post("a", "/Groups", `{"displayName":"A","members":[{"value":"bulkId:b"}]}`), post("b", "/Groups", `{"displayName":"B","members":[{"value":"bulkId:a"}]}`)}, "413 409"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{"userName":"anna","emails":`+values(500)+`}`)
			f.create("bob", "/Users", `{"userName":"bob"}`)
			f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
			f.server.SetBulkWork(c.work)
			got := f.bulk(bulkOf(strings.Join(c.operations, ",")), c.statuses)
			for _, operation := range got {
				if operation["status"] != "413" {
					continue
				}
				response, _ := operation["response"].(map[string]any)
				detail, _ := response["detail"].(string)
				if response["status"] != "413" || !strings.HasPrefix(detail, "this operation and those before it are more work than one bulk request can ask for; send it and those after it in another (request ") {
					t.Errorf("response = %v", response)
				}
			}
			changed := strings.Contains(string(f.send("GET", "/Users/{anna}", "").body), "DISPLAY")
			if want := name == "all fit"; changed != want {
				t.Errorf("anna is changed: %v, want %v", changed, want)
			}
		})
	}
}
