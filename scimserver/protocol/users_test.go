package protocol_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const anna = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
 "externalId":"anna.k","userName":"anna.k@contoso.test","active":true,"displayName":"Anna K",
 "emails":[{"primary":true,"type":"work","value":"anna.k@contoso.test"}],"meta":{"resourceType":"User"},
 "name":{"formatted":"Anna K","familyName":"K","givenName":"Anna"},"roles":[],
 "urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"customFieldText1":"CC-100"}}`

const annaStored = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:medius:2.0:User"],
 "id": "{anna}","externalId":"anna.k","userName":"anna.k@contoso.test","active":true,"displayName":"Anna K",
 "emails":[{"primary":true,"type":"work","value":"anna.k@contoso.test"}],
 "name":{"formatted":"Anna K","familyName":"K","givenName":"Anna"},
 "urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"customFieldText1":"CC-100"},
 "meta":{"resourceType":"User","created":"` + started + `","lastModified":"` + started + `",
  "location":"` + tenantURL + `/Users/{anna}","version":"W/\"1\""}}`

const emptyList = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[],"startIndex":1,"itemsPerPage":0}`

func patchOf(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

func TestTestConnectionFindsNobodyAndSucceeds(t *testing.T) {
	f := newFixture(t)
	f.expect("GET", `/Users?filter=userName eq "7be5a3a8-2e7c-4f2b-8cbd-64c76e2e9d3b"`, "", 200, emptyList)
	f.expect("GET", `/Groups?filter=displayName eq "7be5a3a8-2e7c-4f2b-8cbd-64c76e2e9d3b"&excludedAttributes=members`, "", 200, emptyList)
}

func TestAUserComesBackExactlyAsItWasSent(t *testing.T) {
	f := newFixture(t)
	created := f.expect("POST", "/Users", anna, 201, annaStored)
	if got, want := created.header.Get("Location"), tenantURL+"/Users/"+f.ids["anna"]; got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
	f.expect("GET", "/Users/{anna}", "", 200, annaStored)
	f.expect("GET", "//Users/{anna}/?aadOptscim062020", "", 200, annaStored)
}

func TestAUserIsFoundByEveryAttributeThatEntraMatchesOn(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("bob", "/Users", `{"userName":"bob@contoso.test","externalId":"ANNA.K"}`)
	for _, filter := range []string{
		`userName eq "anna.k@contoso.test"`,
		`userName eq "ANNA.K@Contoso.Test"`,
		`userName eq anna.k@contoso.test`,
		`externalId eq "anna.k"`,
		`emails[type eq "work"].value eq "anna.k@contoso.test"`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "anna.k@contoso.test"`,
		`urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1 eq "cc-100"`,
		`id eq "{anna}"`,
		`displayName eq "anna k" and active eq true`,
		`name.familyName eq "K" and (emails.value co "contoso" or emails.value co "example.org")`,
		`userName sw anna`,
		`not (userName sw "bob")`,
		`userName eq "anna.k@contoso.test" and active eq "True"`,
		`meta.created ge "2026-11-23T13:00:00+01:00" and userName sw "anna"`,
	} {
		for name, id := range f.ids {
			filter = strings.ReplaceAll(filter, "{"+name+"}", id)
		}
		got := f.expect("GET", "/Users?filter="+filter, "", 200, "")
		if total := f.field(got, "totalResults"); total != 1.0 {
			t.Errorf("%s: totalResults = %v, want 1", filter, total)
			continue
		}
		first := f.field(got, "Resources").([]any)[0].(map[string]any)
		if first["id"] != f.ids["anna"] {
			t.Errorf("%s: found %v, want Anna", filter, first["id"])
		}
	}
}

func TestASecondUserOfTheSameNameIsAConflict(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.wantError(f.send("POST", "/Users", `{"userName":"ANNA.K@contoso.test"}`), 409, "uniqueness")
	f.create("bob", "/Users", `{"userName":"bob@contoso.test"}`)
	f.wantError(f.send("PATCH", "/Users/{bob}", patchOf(`{"op":"Replace","path":"userName","value":"anna.K@contoso.test"}`)), 409, "uniqueness")
	if got := f.field(f.expect("GET", "/Users/{bob}", "", 200, ""), "userName"); got != "bob@contoso.test" {
		t.Errorf("a refused PATCH changed userName to %v", got)
	}
}

func TestBothDialectsReachTheSameEnd(t *testing.T) {
	legacy := patchOf(`{"op":"Replace","path":"displayName","value":"Anna New"},
	 {"op":"Replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
	 {"op":"Add","path":"emails[type eq \"home\"].value","value":"anna@home.test"},
	 {"op":"Replace","path":"name.givenName","value":"Ann"},
	 {"op":"Replace","path":"active","value":"False"},
	 {"op":"Add","path":"nickName","value":"Annie"},
	 {"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"{boss}"},
	 {"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1","value":"CC-200"}`)
	flagged := patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
	 {"op":"add","path":"emails[type eq \"home\"].value","value":"anna@home.test"},
	 {"op":"replace","value":{"displayName":"Anna New","name.givenName":"Ann","active":false,"nickName":"Annie",
	  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"{boss}",
	  "urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"CC-200"}}`)
	for name, body := range map[string]string{"legacy": legacy, "flagged": flagged} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("boss", "/Users", `{"userName":"boss@contoso.test"}`)
			f.create("anna", "/Users", anna)
			f.advance(time.Hour)
			f.expect("PATCH", "/Users/{anna}", body, 204, "")
			want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
			  "urn:ietf:params:scim:schemas:extension:medius:2.0:User"],
			 "id": "{anna}","externalId":"anna.k","userName":"anna.k@contoso.test","active":false,"displayName":"Anna New","nickName":"Annie",
			 "emails":[{"primary":true,"type":"work","value":"anna@new.test"},{"type":"home","value":"anna@home.test"}],
			 "name":{"formatted":"Anna K","familyName":"K","givenName":"Ann"},
			 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"{boss}"}},
			 "urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"customFieldText1":"CC-200"},
			 "meta":{"resourceType":"User","created":"` + started + `","lastModified":"2026-11-23T13:00:00Z",
			  "location":"` + tenantURL + `/Users/{anna}","version":"W/\"2\""}}`
			f.expect("GET", "/Users/{anna}", "", 200, want)
			f.advance(time.Hour)
			f.expect("PATCH", "/Users/{anna}", body, 204, "")
			f.expect("GET", "/Users/{anna}", "", 200, want) // The same again is no new version.
		})
	}
}

func TestAnInactiveUserStaysAndADeletedOneIsGone(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	f.expect("PATCH", "/Groups/{buyers}", patchOf(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"{anna}"}]}`), 204, "")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"False"}`), 204, "")
	inactive := f.expect("GET", "/Users/{anna}", "", 200, "")
	if f.field(inactive, "active") != false || len(f.field(inactive, "groups").([]any)) != 1 {
		t.Errorf("an inactive user must stay readable and keep its groups: %s", inactive.body)
	}
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"True"}`), 204, "")
	f.expect("DELETE", "/Users/{anna}", "", 204, "")
	f.wantError(f.send("DELETE", "/Users/{anna}", ""), 404, "")
	f.wantError(f.send("GET", "/Users/{anna}", ""), 404, "")
	f.wantError(f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"True"}`)), 404, "")
	if got := f.field(f.expect("GET", "/Groups/{buyers}", "", 200, ""), "members"); len(got.([]any)) != 0 {
		t.Errorf("the group still has %v", got)
	}
	f.create("anna", "/Users", anna) // The name is free again.
}

func TestPutReplacesWhatTheClientSent(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna.k@contoso.test","active":"True","id":"ignored","unknown":1}`, 200,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id": "{anna}","userName":"anna.k@contoso.test","active":true,
		 "meta":{"resourceType":"User","created":"`+started+`","lastModified":"2026-11-23T12:00:00.001Z","location":"`+tenantURL+`/Users/{anna}","version":"W/\"2\""}}`)
	f.wantError(f.send("PUT", "/Users/{anna}", `{"displayName":"no name"}`), 400, "invalidValue")
}

func TestAMalformedRequestIsRefusedAndChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	before := f.expect("GET", "/Users/{anna}", "", 200, "")
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		scimType           string
	}{
		"a body that is no JSON":                {"POST", "/Users", `{"userName":`, 400, "invalidSyntax"},
		"a body that is no object":              {"POST", "/Users", `[]`, 400, "invalidSyntax"},
		"no body":                               {"POST", "/Users", ``, 400, "invalidSyntax"},
		"a user without userName":               {"POST", "/Users", `{"displayName":"x"}`, 400, "invalidValue"},
		"a group without displayName":           {"POST", "/Groups", `{}`, 400, "invalidValue"},
		"an attribute of another type":          {"POST", "/Users", `{"userName":"x","name":"X"}`, 400, "invalidValue"},
		"a filter that does not parse":          {"GET", `/Users?filter=userName eq`, "", 400, "invalidFilter"},
		"a filter with an unknown operator":     {"GET", `/Users?filter=userName is "x"`, "", 400, "invalidFilter"},
		"a startIndex that is no number":        {"GET", `/Users?startIndex=one`, "", 400, "invalidValue"},
		"a PATCH whose second operation is bad": {"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"displayName","value":"Changed"},{"op":"explode","path":"title"}`), 400, "invalidSyntax"},
		"a PATCH that removes userName":         {"PATCH", "/Users/{anna}", patchOf(`{"op":"Remove","path":"userName"}`), 400, "*"},
		"a PATCH of a read-only attribute":      {"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"id","value":"x"}`), 400, "mutability"},
		"an endpoint that does not exist":       {"GET", "/Devices", "", 404, ""},
		"a method that an endpoint lacks":       {"DELETE", "/Users", "", 405, ""},
		"a user that does not exist":            {"GET", "/Users/01930000-0000-7000-8000-000000000000", "", 404, ""},
		"a group's id among users":              {"GET", "/Users/x' OR 1=1", "", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			got := f.send(c.method, strings.ReplaceAll(c.path, " ", "%20"), c.body)
			if strings.Contains(c.path, "filter=") {
				got = f.send(c.method, c.path, c.body)
			}
			scimType := c.scimType
			if scimType == "*" {
				scimType, _ = f.field(got, "scimType").(string)
			}
			f.wantError(got, c.status, scimType)
		})
	}
	f.t = t
	f.compare("Anna after all that", f.send("GET", "/Users/{anna}", "").body, string(before.body))
	if got := f.field(f.send("GET", "/Users", ""), "totalResults"); got != 1.0 {
		t.Errorf("there are %v users, want 1", got)
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	f := newFixture(t)
	f.wantError(f.send("POST", "/Users", `{"userName":"`+strings.Repeat("x", 4<<20)+`"}`), 413, "")
	f.wantError(f.sendWith("POST", "/Users", `{"userName":"x"}`, http.Header{
		"Authorization": {"Bearer " + f.token}, "Content-Type": {"text/plain"},
	}), 415, "")
}

func TestPagesAreStableAndHonest(t *testing.T) {
	f := newFixture(t)
	for name := range strings.SplitSeq("abcdefghijk", "") {
		f.create(name, "/Users", `{"userName":"`+name+`@contoso.test"}`)
	}
	var seen []string
	for _, page := range []struct {
		query        string
		start, items float64
	}{
		{"startIndex=1&count=5", 1, 5}, {"startIndex=6&count=5", 6, 5}, {"startIndex=11&count=5", 11, 1}, {"startIndex=16&count=5", 16, 0},
	} {
		got := f.expect("GET", "/Users?"+page.query, "", 200, "")
		if f.field(got, "startIndex") != page.start || f.field(got, "itemsPerPage") != page.items || f.field(got, "totalResults") != 11.0 {
			t.Errorf("%s: %s", page.query, got.body)
		}
		for _, resource := range f.field(got, "Resources").([]any) {
			seen = append(seen, resource.(map[string]any)["userName"].(string)[:1])
		}
	}
	if got := strings.Join(seen, ""); got != "abcdefghijk" {
		t.Errorf("pages gave %q, want each user once in the order of their creation", got)
	}
	f.expect("GET", "/Users?count=0", "", 200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":11,"Resources":[],"startIndex":1,"itemsPerPage":0}`)
	if got := f.expect("GET", "/Users?startIndex=-3&count=-1", "", 200, ""); f.field(got, "startIndex") != 1.0 || f.field(got, "itemsPerPage") != 0.0 {
		t.Errorf("negative numbers: %s", got.body)
	}
}

func TestOnlyTheAttributesAskedForComeBack(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.expect("GET", "/Users/{anna}?attributes=userName,emails.value", "", 200,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:medius:2.0:User"],
		  "id":"{anna}","userName":"anna.k@contoso.test","emails":[{"value":"anna.k@contoso.test"}]}`)
}
