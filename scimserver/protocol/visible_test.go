package protocol_test

import (
	"strings"
	"testing"
)

func TestANameNeedsAVisibleCharacter(t *testing.T) {
	for _, blank := range []string{" ", `\t\n`, `\u00a0`, `\u200b`, `\u3164`, `\u2800`, `\ufeff\ufe0f`, `\u3000`} {
		t.Run(blank, func(t *testing.T) {
			f := withUsers(t, 1)
			user, group := `{"userName":"`+blank+`"}`, `{"displayName":"`+blank+`"}`
			before := f.expect("GET", "/Users/{u1}", "", 200, "")
			for _, request := range [][3]string{
				{"POST", "/Users", user}, {"PUT", "/Users/{u1}", user}, {"POST", "/Groups", group}, {"PUT", "/Groups/{buyers}", group},
				{"PATCH", "/Users/{u1}", patchOf(`{"op":"replace","path":"userName","value":"` + blank + `"}`)},
				{"PATCH", "/Users/{u1}", patchOf(`{"op":"add","value":` + user + `}`)},
				{"PATCH", "/Groups/{buyers}", patchOf(`{"op":"Replace","path":"displayName","value":"` + blank + `"}`)},
				{"PATCH", "/Groups/{buyers}", patchOf(`{"op":"replace","value":` + group + `}`)},
			} {
				want := "userName needs a visible character"
				if strings.HasPrefix(request[1], "/Groups") {
					want = "displayName needs a visible character"
				}
				got := f.send(request[0], request[1], request[2])
				f.wantError(got, 400, "invalidValue")
				if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, want+" (request ") {
					t.Errorf("%s %s: %s", request[0], request[1], detail)
				}
				bulkID := ""
				if request[0] == "POST" {
					bulkID = `"bulkId":"new",`
				}
				f.bulk(bulkOf(`{"method":"`+request[0]+`",`+bulkID+`"path":"`+request[1]+`","data":`+request[2]+`}`), "400")
			}
			if after := f.expect("GET", "/Users/{u1}", "", 200, ""); string(after.body) != string(before.body) {
				t.Errorf("it became %s", after.body)
			}
		})
	}
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":" a ","displayName":" "}`) // no name has to be there but the userName
	if got := f.field(f.expect("GET", "/Users/{anna}", "", 200, ""), "displayName"); got != " " {
		t.Errorf("displayName = %q", got)
	}
}

func TestANumberForATextIsItsText(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":7,"externalId":12345678901234567890,"`+enterpriseURN+`":{"employeeNumber":5}}`)
	f.create("bob", "/Users", `{"userName":"bob","`+enterpriseURN+`":{"employeeNumber":"5"},"manager":8}`)
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":1.50},{"op":"add","path":"phoneNumbers","value":[46701234567]}`), 204, "")
	f.compare("a user of numbers", f.expect("GET", "/Users/{anna}?excludedAttributes=meta", "", 200, "").body, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterpriseURN+`"],
	 "id":"{anna}","userName":"7","externalId":"12345678901234567890","active":true,"title":"1.50","phoneNumbers":[{"value":"46701234567"}],"`+enterpriseURN+`":{"employeeNumber":"5"}}`)
	f.expect("PUT", "/Users/{bob}", `{"userName":"bob","externalId":1e3}`, 200, "")
	f.bulk(bulkOf(post("carl", "/Users", `{"userName":9007199254740993,"`+enterpriseURN+`":{"employeeNumber":5}}`)+
		`,{"method":"PATCH","path":"/Users/bulkId:carl","data":`+patchOf(`{"op":"add","path":"externalId","value":-0.10}`)+`}`), "201 200")
	for filter, want := range map[string]float64{
		`userName eq "7"`: 1, `userName eq 7`: 1, `externalId eq 12345678901234567890`: 1, `externalId eq "1e3"`: 1, `employeeNumber eq 5`: 2, `employeeNumber eq "5"`: 2,
		`userName eq 9007199254740993`: 1, `externalId eq "-0.10"`: 1, `phoneNumbers[value eq 46701234567]`: 1, `title sw 1.5`: 1,
	} {
		if got := f.field(f.expect("GET", "/Users?filter="+filter, "", 200, ""), "totalResults"); got != want {
			t.Errorf("%s finds %v, want %v", filter, got, want)
		}
	}
	f.wantError(f.send("POST", "/Users", `{"userName":7}`), 409, "uniqueness")
	for _, body := range []string{`{"userName":true}`, `{"userName":"x","title":false}`, `{"userName":"x","profileUrl":7}`, `{"userName":"x","x509Certificates":[{"value":7}]}`, `{"userName":"x","active":0}`} {
		f.wantError(f.send("POST", "/Users", body), 400, "invalidValue")
	}
}
