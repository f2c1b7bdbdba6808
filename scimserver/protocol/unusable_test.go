package protocol_test

import (
	"strings"
	"testing"
)

// TestAValueThatIsNotUnderstoodChangesNothing sends values in which nothing can be used, by each way of writing.
func TestAValueThatIsNotUnderstoodChangesNothing(t *testing.T) {
	const (
		enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
		needsID    = "members[0].value is required: the id of a user or group, or its URL as $ref"
		needsName  = "name needs one of formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName"
	)
	for _, c := range []struct{ kind, attribute, value, want string }{
		{"Groups", "members", `[{"display":"x"}]`, needsID},
		{"Groups", "members", `[{}]`, needsID},
		{"Groups", "members", `[null]`, needsID},
		{"Groups", "members", `[""]`, needsID},
		{"Groups", "members", `{"members":[{"value":"{u1}"}]}`, needsID},
		{"Groups", "members", `[["{u1}"]]`, "members[0] is an array; an element of members is an object or its value"},
		{"Groups", "members", `[{"value":"{u1}"},{"vaule":"{u2}"}]`, strings.Replace(needsID, "0", "1", 1)},
		{"Groups", "members", `[{"$ref":"{u1}"}]`, "members[0].$ref accepts the URL of a user or group, such as /Users/ID"},
		{"Users", "emails", `[{"vaule":"x@y"}]`, "emails[0].value is required: without it the element says nothing"},
		{"Users", "emails", `[{"value":"x@y"},{}]`, "emails[1].value is required: without it the element says nothing"},
		{"Users", "emails", `[["nested"]]`, "emails[0] is an array; an element of emails is an object or its value"},
		{"Users", "roles", `[{"vaule":"r","type":"x"}]`, "roles[0].value is required: without it the element says nothing"},
		{"Users", "phoneNumbers", `[{"type":"work"}]`, "phoneNumbers[0].value is required: without it the element says nothing"},
		{"Users", "addresses", `[{"street":"S"}]`, "addresses[0] needs one of formatted, streetAddress, locality, region, postalCode, country"},
		{"Users", "name", `{"first":"A"}`, needsName},
		{"Users", enterprise + ":manager", `{"id":"m"}`, enterprise + ":manager.value is required: the id of a user, or its URL as $ref"},
	} {
		t.Run(c.attribute+" "+c.value, func(t *testing.T) {
			f := withUsers(t, 2)
			f.create("anna", "/Users", `{"userName":"anna","name":{"givenName":"Anna"},"emails":[{"value":"a@x"}],"roles":["r"],"phoneNumbers":["1"],
				"addresses":[{"locality":"L"}],"manager":"{u1}"}`)
			f.expect("PATCH", "/Groups/{buyers}", patchOf(`{"op":"add","path":"members","value":["{u1}","{u2}"]}`), 204, "")
			id, named := "{anna}", `"userName":"anna"`
			if c.kind == "Groups" {
				id, named = "{buyers}", `"displayName":"Buyers"`
			}
			path, whole := "/"+c.kind+"/"+id, `{`+named+`,"`+c.attribute+`":`+c.value+`}`
			all := "/" + c.kind + "?sortBy=id"
			before := f.expect("GET", all, "", 200, "")
			for name, request := range map[string][3]string{
				"POST":              {"POST", "/" + c.kind, strings.NewReplacer("anna", "new", "Buyers", "New").Replace(whole)},
				"PUT":               {"PUT", path, whole},
				"PATCH replace":     {"PATCH", path, patchOf(`{"op":"replace","path":"` + c.attribute + `","value":` + c.value + `}`)},
				"PATCH add":         {"PATCH", path, patchOf(`{"op":"Add","path":"` + c.attribute + `","value":` + c.value + `}`)},
				"PATCH remove":      {"PATCH", path, patchOf(`{"op":"Remove","path":"` + c.attribute + `","value":` + c.value + `}`)},
				"without path":      {"PATCH", path, patchOf(`{"op":"replace","value":{"` + c.attribute + `":` + c.value + `}}`)},
				"add without path":  {"PATCH", path, patchOf(`{"op":"add","value":{"` + c.attribute + `":` + c.value + `}}`)},
				"after what can be": {"PATCH", path, patchOf(`{"op":"replace","path":"externalId","value":"e"},{"op":"replace","path":"` + c.attribute + `","value":` + c.value + `}`)},
			} {
				if name == "PATCH remove" && (c.attribute == "name" || strings.HasSuffix(c.attribute, "manager")) {
					continue // of a single-valued attribute the value counts for nothing
				}
				got := f.send(request[0], request[1], request[2])
				f.wantError(got, 400, "invalidValue")
				if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, c.want+" (request ") {
					t.Errorf("%s:\ngot  %s\nwant %s", name, detail, c.want)
				}
				bulkID := ""
				if request[0] == "POST" {
					bulkID = `"bulkId":"new",`
				}
				results := f.bulk(bulkOf(`{"method":"`+request[0]+`",`+bulkID+`"path":"`+request[1]+`","data":`+request[2]+`}`), "400")
				if detail, _ := results[0]["response"].(map[string]any)["detail"].(string); !strings.HasPrefix(detail, c.want+" (request ") {
					t.Errorf("%s in a bulk request:\ngot  %s\nwant %s", name, detail, c.want)
				}
			}
			if after := f.expect("GET", all, "", 200, ""); string(after.body) != string(before.body) {
				t.Errorf("something was changed: %s", after.body)
			}
		})
	}
}

func TestABareValueOfAMultiValuedAttributeIsAnElement(t *testing.T) {
	const schemas = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	for name, send := range map[string]func(*fixture) answer{
		"POST": func(f *fixture) answer {
			got := f.send("POST", "/Users", `{`+schemas+`"userName":"x","emails":"x@y"}`)
			f.ids["anna"], _ = f.field(got, "id").(string)
			return got
		},
		"PUT": func(f *fixture) answer {
			return f.send("PUT", "/Users/{anna}", `{`+schemas+`"userName":"x","emails":"x@y"}`)
		},
		"PATCH": func(f *fixture) answer {
			return f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"emails","value":"x@y"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("anna", "/Users", `{`+schemas+`"userName":"anna"}`)
			if got := send(f); got.status/100 != 2 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			f.compare(name, f.expect("GET", "/Users/{anna}?attributes=emails", "", 200, "").body, `{`+schemas+`"id":"{anna}","emails":[{"value":"x@y"}]}`)
			if got := f.quirks(); got != "bare-value single-value" {
				t.Errorf("counted %q", got)
			}
		})
	}
}

func TestAnAddressOfATypeAloneIsKeptAsSent(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna","addresses":[{"type":"work"}]}`)
	addresses := func(want string) {
		t.Helper()
		f.compare("addresses", f.expect("GET", "/Users/{anna}?attributes=addresses", "", 200, "").body,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}"`+want+`}`)
	}
	addresses(`,"addresses":[{"type":"work"}]`)
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna","addresses":[{"type":"work"}]}`, 200, "")
	addresses(`,"addresses":[{"type":"work"}]`)
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"addresses[type eq \"work\"].locality","value":"L"}`), 204, "")
	addresses(`,"addresses":[{"type":"work","locality":"L"}]`)
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"addresses[type eq \"work\"].locality"}`), 204, "")
	addresses(``)
}
