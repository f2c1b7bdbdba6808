package protocol_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

func TestAQueryIsUnderstood(t *testing.T) {
	for raw, want := range map[string]url.Values{
		"":                                  {},
		"&&":                                {},
		`filter=userName+eq+"a"`:            {"filter": {`userName eq "a"`}},
		`filter=userName%20eq%20%22a%22`:    {"filter": {`userName eq "a"`}},
		`filter=userName+eq+"a;b"&count=1`:  {"filter": {`userName eq "a;b"`}, "count": {"1"}},
		`filter=userName+eq+"a%3Bb"`:        {"filter": {`userName eq "a;b"`}},
		`filter=a=b`:                        {"filter": {`a=b`}},
		`filter=a%2Bb%26c%3dd`:              {"filter": {`a+b&c=d`}},
		"filter=åä":                         {"filter": {"åä"}},
		"FILTER=a&StartIndex=2&SORTBY=c":    {"filter": {"a"}, "startIndex": {"2"}, "sortBy": {"c"}},
		"%66ilter=a":                        {"filter": {"a"}},
		"+filter+=a":                        {"filter": {"a"}},
		"attributes=a&Attributes=b,c":       {"attributes": {"a", "b", "c"}},
		"excludedattributes=a&cursor":       {"excludedAttributes": {"a"}, "cursor": {""}},
		"startIndex=&count=&sortOrder=down": {"startIndex": {""}, "count": {""}, "sortOrder": {"down"}},
		"x=%zz&%zz=x&%&;&y;z=%ff&x=1&x=2":   {},
		"filters=%zz&my-filter=a&count2=b":  {},
		"x=1;y=2&next=a%26filter=b":         {},
		"x=1;filter&y=/Users?page=2":        {},
	} {
		got, err := protocol.ParseQuery(raw)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", raw, err, diff)
		}
	}
}

// misunderstood are queries that have a known parameter in a form that cannot be read, with what the error must name.
var misunderstood = map[string]string{
	`filter=userName+eq+"a%zz"`:                               "filter",
	`filter=userName+eq+"100%"`:                               "filter",
	`filter=userName+eq+"a%2"`:                                "filter",
	`filter=userName+eq+"%ff"`:                                "filter",
	"filter=userName+eq+\"\xe5\"":                             "filter",
	"filter":                                                  "filter",
	"filter=":                                                 "filter",
	"Filter=%20%09+":                                          "filter",
	`filter=userName+eq+"a"&filter=userName+eq+"a"`:           "filter",
	`filter=userName+eq+"a"&FILTER=userName+eq+"b"`:           "filter",
	`filter%zz=userName+eq+"a"`:                               "filter",
	`filter%3DuserName+eq+"a"`:                                "filter",
	`?filter=userName+eq+"a"`:                                 "filter",
	`count=1&amp;filter=userName+eq+"a"`:                      "filter",
	`$filter=userName+eq+'a'`:                                 "filter",
	`filter[userName]=a`:                                      "filter",
	"attributes=userName,%zz":                                 "attributes",
	"attributes=userName&attributes=%":                        "attributes",
	"excludedAttributes=%e5":                                  "excludedAttributes",
	"excludedAttributes%=members":                             "excludedAttributes",
	`attributes=userName?filter=userName%20eq%20%22nobody%22`: "attributes",
	`attributes=userName;title`:                               "attributes",
	`attributes=userName;filter=userName+eq+"nobody"`:         "attributes",
	`attributes=id%26filter=userName+eq+"nobody"`:             "attributes",
	`attributes=id%2526filter%253Dx`:                          "attributes",
	"attributes=userName%0D%0Afilter=x":                       "attributes",
	"attributes=userName%00":                                  "attributes",
	"attributes=userName&attributes=userName%0Atitle":         "attributes",
	"attributes=userName+title":                               "attributes",
	`attributes="userName"`:                                   "attributes",
	`attributes=["userName","title"]`:                         "attributes",
	"attributes='userName','title'":                           "attributes",
	"attributes=“userName”":                                   "attributes",
	"attributes=userName=x,title":                             "attributes",
	`attributes=userName,filter=userName+eq+"nobody"`:         "attributes",
	`attributes=emails[type+eq+"work"]?filter=x`:              "attributes",
	`attributes=emails[value+eq+"]?"],id?filter=x`:            "attributes",
	`attributes={userName}`:                                   "attributes",
	"excludedAttributes=groups?filter=x":                      "excludedAttributes",
	"excludedAttributes=groups|filter=x":                      "excludedAttributes",
	`excludedAttributes=groups\u0026filter`:                   "excludedAttributes",
	"sortBy=userName?filter=x":                                "sortBy",
	"sortBy=userName;sortOrder=descending":                    "sortBy",
	"sortBy=userName+desc":                                    "sortBy",
	"sortBy=%zz":                                              "sortBy",
	"sortBy=userName&sortby=title":                            "sortBy",
	"sortOrder=%d":                                            "sortOrder",
	"sortOrder=ascending&SortOrder=descending":                "sortOrder",
	"startIndex=%3":                                           "startIndex",
	"startIndex=1&startindex=1":                               "startIndex",
	"count=%":                                                 "count",
	"count=1&count=1":                                         "count",
	"cursor=%zz":                                              "cursor",
	"cursor&cursor=":                                          "cursor",
	"x=1&amp;count=1":                                         "count",
}

func scimTypeOf(parameter string) string {
	if parameter == "filter" {
		return "invalidFilter"
	}
	return "invalidValue"
}

func TestAQueryThatIsNotUnderstoodIsRefused(t *testing.T) {
	f := people(t)
	for query, name := range misunderstood {
		got := f.raw(http.MethodGet, "/Users?"+query, "")
		f.wantError(got, http.StatusBadRequest, scimTypeOf(name))
		if detail := f.field(got, "detail").(string); !strings.HasPrefix(detail, name+" ") {
			t.Errorf("%s: the detail does not begin with the name of the parameter: %s", query, detail)
		}
	}
}

func TestASemicolonInAQueryIsAnOrdinaryCharacter(t *testing.T) {
	f := newFixture(t)
	f.create("odd", "/Users", `{"userName":"a;b"}`)
	f.create("other", "/Users", `{"userName":"other"}`)
	for query, want := range map[string]string{
		`filter=userName+eq+"a;b"`:                                  "a;b",
		`filter=userName+eq+"a%3Bb"`:                                "a;b",
		`filter=userName+eq+"x;y"&count=1`:                          "",
		`Filter=userName+eq+"other"`:                                "other",
		`x=a;b&%zz&y=%zz&filter=userName+eq+"a;b"`:                  "a;b",
		`filter=userName+eq+"other";x=1`:                            "400",
		`filter=userName+eq+"other"&x=1;filter=userName+eq+"a;b"`:   "400",
		`x=%zz&unknown=1&unknown=2;3`:                               "a;b other",
		`attributes=userName&attributes=title&filter=id+pr&count=1`: "a;b",
	} {
		got := f.raw(http.MethodGet, "/Users?"+query, "")
		if want == "400" {
			f.wantError(got, http.StatusBadRequest, "invalidFilter")
		} else if names := f.names(got); names != want {
			t.Errorf("%s: got %q, want %q", query, names, want)
		}
	}
}

// A name that no schema has chooses nothing, and harms nobody.
func TestEveryListOfNamesIsUnderstood(t *testing.T) {
	f := people(t)
	const answer = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{Bea}"`
	for list, want := range map[string]string{
		`emails[value eq "["],userName`:                                      answer + `,"userName":"Bea","emails":[{"type":"work","value":"m@contoso.test"}]}`,
		`emails[value eq "a\"],b"].type , userName`:                          answer + `,"userName":"Bea","emails":[{"type":"work"}]}`,
		`emails[value eq '],'].type,userName`:                                answer + `,"userName":"Bea","emails":[{"type":"work"}]}`,
		`emails[value eq O'Brien],userName`:                                  answer + `,"userName":"Bea","emails":[{"type":"work","value":"m@contoso.test"}]}`,
		`shoeSize,emails[type eq "work"],x-y_z.$ref,,urn:a:b:1.0:c#d/e`:      answer + `,"emails":[{"type":"work","value":"m@contoso.test"}]}`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName,größe,@odata.x`: answer + `,"userName":"Bea"}`,
	} {
		f.expect(http.MethodGet, "/Users/{Bea}?attributes="+url.QueryEscape(list), "", http.StatusOK, want)
	}
}

// A request that is refused for its query changes nothing, whatever it would have done.
func TestEveryEndpointRefusesAQueryThatItDoesNotUnderstand(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna","externalId":"`+annasOID+`"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	person := f.userToken(authtest.Claims{})
	before := string(f.send(http.MethodGet, "/", "").body) + string(f.send(http.MethodPost, "/.search", "{}").body)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/Users", ""}, {"GET", "/Groups", ""}, {"HEAD", "/Users", ""},
		{"GET", "/Users/{anna}", ""}, {"GET", "/Groups/{buyers}", ""}, {"GET", "/Me", ""},
		{"POST", "/Users", `{"userName":"bob"}`}, {"POST", "/Groups", `{"displayName":"Sellers"}`},
		{"PUT", "/Users/{anna}", `{"userName":"anna","title":"CFO"}`}, {"PUT", "/Groups/{buyers}", `{"displayName":"Sellers"}`},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`)},
		{"PATCH", "/Groups/{buyers}", patchOf(`{"op":"replace","path":"displayName","value":"Sellers"}`)},
		{"DELETE", "/Users/{anna}", ""}, {"DELETE", "/Groups/{buyers}", ""},
		{"POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"bob"}`))},
		{"POST", "/.search", "{}"}, {"POST", "/Users/.search", "{}"}, {"POST", "/Groups/.search", "{}"},
		{"GET", "/ServiceProviderConfig", ""}, {"GET", "/Schemas", ""}, {"GET", "/ResourceTypes", ""}, {"GET", "/ResourceTypes/User", ""},
	} {
		for query, scimType := range map[string]string{
			"attributes=%zz": "invalidValue", "excludedAttributes=%ff": "invalidValue", "filter=%zz": "invalidFilter",
			"filter=": "invalidFilter", "count=1&Count=2": "invalidValue", `amp;filter=userName+eq+"a"`: "invalidFilter",
		} {
			header := bearer(f.token)
			if c.path == "/Me" {
				header = bearer(person)
			}
			got := f.sendWith(c.method, f.http.URL+v1alpha1.BasePath+c.path+"?&"+query, c.body, header)
			if c.method == "HEAD" {
				if got.status != http.StatusBadRequest {
					t.Errorf("%s %s?%s = %d", c.method, c.path, query, got.status)
				}
				continue
			}
			f.wantError(got, http.StatusBadRequest, scimType)
		}
	}
	after := string(f.send(http.MethodGet, "/", "").body) + string(f.send(http.MethodPost, "/.search", "{}").body)
	if after != before {
		t.Errorf("a request that was refused changed something (-before +after):\n%s", cmp.Diff(before, after))
	}
}

// A filter narrows what a request is about. Where nothing is filtered it is refused, so that nobody takes an answer for a filtered one.
func TestAFilterIsRefusedWhereNothingIsFiltered(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/Users/{anna}", ""}, {"DELETE", "/Users/{anna}", ""}, {"PUT", "/Users/{anna}", `{"userName":"bea"}`},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`)}, {"POST", "/Users", `{"userName":"bea"}`},
		{"POST", "/Groups", `{"displayName":"Buyers"}`}, {"POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"bea"}`))},
	} {
		f.wantError(f.send(c.method, c.path+`?filter=active eq false`, c.body), http.StatusBadRequest, "invalidFilter")
	}
	f.expect(http.MethodGet, "/Users/{anna}", "", http.StatusOK, "")
	if got := f.names(f.send(http.MethodPost, "/.search", "{}")); got != "anna" {
		t.Errorf("there are %s", got)
	}
}

func TestASearchThatIsNotUnderstoodIsRefused(t *testing.T) {
	f := people(t)
	for _, path := range []string{"/.search", "/Users/.search", "/Groups/.search"} {
		for body, name := range map[string]string{
			`{"filter":""}`:                             "filter",
			`{"filter":"  "}`:                           "filter",
			`{"filter ":"id pr","Filter":"id pr"}`:      "filter",
			`{"filter[userName]":"dag"}`:                "filter",
			`{"count":"abc"}`:                           "count",
			`{"count":"5"}`:                             "count",
			`{"startIndex":true}`:                       "startIndex",
			`{"startIndex":1.5}`:                        "startIndex",
			`{"sortBy":["userName"]}`:                   "sortBy",
			`{"sortOrder":1}`:                           "sortOrder",
			`{"sortOrder":"up"}`:                        "sortOrder",
			`{"cursor":1}`:                              "cursor",
			`{"attributes":5}`:                          "attributes",
			`{"attributes":["userName",5]}`:             "attributes",
			`{"excludedAttributes":[["a"]]}`:            "excludedAttributes",
			`{"attributes":["userName?filter=x"]}`:      "attributes",
			`{"attributes":["id","a&filter=x"]}`:        "attributes",
			`{"attributes":"userName;title"}`:           "attributes",
			`{"excludedAttributes":["a\r\nfilter=x"]}`:  "excludedAttributes",
			`{"sortBy":"userName?filter=x"}`:            "sortBy",
			`{"excludedAttributes":{"name":"members"}}`: "excludedAttributes",
		} {
			got := f.send(http.MethodPost, path, body)
			f.wantError(got, http.StatusBadRequest, scimTypeOf(name))
			if detail := f.field(got, "detail").(string); !strings.HasPrefix(detail, name+" ") {
				t.Errorf("%s %s: the detail does not begin with the name of the parameter: %s", path, body, detail)
			}
		}
		for _, urn := range []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest", "URN:ietf:params:scim:api:messages:2.0:searchrequest"} {
			f.wantError(f.send(http.MethodPost, path, `{"`+urn+`":{"filter":"userName eq \"nobody\""}}`), http.StatusBadRequest, "invalidValue")
		}
		// The parameters of a search stand in its body. One in the URL would be passed over.
		for query, name := range map[string]string{
			`filter=userName+eq+"dag"`: "filter", "Attributes=userName": "attributes", "count=1": "count", "cursor": "cursor",
			"startIndex=2&x=1": "startIndex", `count=1&filter=userName+eq+"dag"`: "filter",
		} {
			got := f.raw(http.MethodPost, path+"?"+query, `{"count":1}`)
			f.wantError(got, http.StatusBadRequest, scimTypeOf(name))
			if detail := f.field(got, "detail").(string); !strings.HasPrefix(detail, name+" ") || !strings.Contains(detail, "body") {
				t.Errorf("%s?%s: the detail does not say that %s stands in the body: %s", path, query, name, detail)
			}
		}
	}
	for body, want := range map[string]string{
		`{"filter":null,"attributes":null,"count":null,"cursor":null}`: "dag Bea alf Cia",
		`{"FILTER":"userName eq \"dag\"","Attributes":"userName"}`:     "dag",
		`{"filter ":"userName eq \"dag\""}`:                            "dag",
		`{"unknown":{"filter":1},"filters":5}`:                         "dag Bea alf Cia",
	} {
		if got := f.names(f.raw(http.MethodPost, "/Users/.search?x=%zz&;", body)); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	reader, _ := token.New(strings.NewReader(strings.Repeat("a reader's token", 2)))
	f.snapshot.Verifiers.Verifiers = append(f.snapshot.Verifiers.Verifiers, token.NewVerifier(reader, token.RoleReader, f.now))
	// A credential that may not call the endpoint is told that first.
	f.wantError(f.sendWith(http.MethodPost, "/Users?attributes=%zz", "{}", bearer(reader)), http.StatusForbidden, "")
}

// FuzzParseQuery holds the parser to what it promises: known names only, each understood, and an error that names a parameter.
func FuzzParseQuery(f *testing.F) {
	for query := range misunderstood {
		f.Add(query)
	}
	for _, query := range []string{`filter=userName+eq+"a;b"&count=1`, "attributes=a&Attributes=b,c", "x=%zz&%zz=x&%&;&y;z=%ff", "%66ilter=a", "+cursor+"} {
		f.Add(query)
	}
	names := []string{"filter", "attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "cursor"}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := protocol.ParseQuery(raw)
		if err != nil {
			if got != nil || !strings.ContainsAny(err.Error(), " ") {
				t.Fatalf("%q: %v with %v", raw, err, got)
			}
			return
		}
		known := 0
		for _, name := range names {
			values, given := got[name]
			if !given {
				continue
			}
			known++
			if len(values) != 1 && !strings.HasSuffix(strings.ToLower(name), "attributes") || !utf8.ValidString(strings.Join(values, "")) {
				t.Fatalf("%q: %s is %q", raw, name, values)
			}
		}
		if known != len(got) || got.Has("filter") && strings.TrimSpace(got.Get("filter")) == "" {
			t.Fatalf("%q: %v", raw, got)
		}
		// A query that was understood is understood alike when it is written anew.
		again, err := protocol.ParseQuery(got.Encode())
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Fatalf("%q: %v\n%s", raw, err, diff)
		}
	})
}
