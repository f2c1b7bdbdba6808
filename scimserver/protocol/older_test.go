package protocol_test

import "testing"

// TestOneLoginsTemplateIsUnderstood has the user of https://developers.onelogin.com/scim/define-user-schema.
func TestOneLoginsTemplateIsUnderstood(t *testing.T) {
	const older = "urn:scim:schemas:extension:enterprise:1.0"
	user := func(department string) string {
		return `{"schemas":["urn:scim:schemas:core:1.0","` + older + `"],"userName":"anna","name":{"familyName":"K","givenName":"Anna","formatted":"Anna K"},
		 "emails":{"value":"anna@contoso.test","type":"work","primary":true},"title":"CFO","` + older + `":{"department":"` + department + `","manager":{"managerId":"{boss}","displayName":"Boss B"}}}`
	}
	f := newFixture(t)
	f.create("boss", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"boss"}`)
	f.create("anna", "/Users", user("Sales"))
	if got := f.quirks(); got != "manager-id older-urn server-attribute single-value" {
		t.Errorf("counted %q", got)
	}
	department := func(want string) {
		t.Helper()
		f.compare("extension", f.expect("GET", "/Users/{anna}?attributes="+older+":department,"+older+".manager", "", 200, "").body,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterpriseURN+`"],"id":"{anna}","`+enterpriseURN+`":{"department":"`+want+`","manager":{"value":"{boss}"}}}`)
	}
	department("Sales")
	f.expect("PUT", "/Users/{anna}", user("IT"), 200, "")
	department("IT")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"`+older+`:department","value":"HR"}`), 204, "")
	department("HR")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","value":{"`+older+`":{"department":"PR"}}}`), 204, "")
	department("PR")
	f.bulk(bulkOf(`{"method":"PUT","path":"/Users/{anna}","data":`+user("QA")+`}`), "200")
	department("QA")
	f.create("staff", "/Groups", `{"schemas":["urn:scim:schemas:core:1.0"],"displayName":"Staff"}`)
	for _, filter := range []string{older + `:department eq "qa"`, older + `.manager.managerId eq "` + f.ids["boss"] + `"`, `urn:scim:schemas:core:1.0:userName eq "anna"`} {
		if got := f.field(f.expect("GET", "/Users?filter="+filter, "", 200, ""), "totalResults"); got != 1.0 {
			t.Errorf("%s finds %v", filter, got)
		}
	}
	found := f.expect("POST", "/Users/.search", `{"filter":"`+older+`:department pr","sortBy":"`+older+`:department","attributes":["`+older+`:department"]}`, 200, "")
	if f.field(found, "totalResults") != 1.0 {
		t.Errorf("a search finds %s", found.body)
	}
	f.wantError(f.send("GET", "/Schemas/"+older, ""), 404, "")
}
