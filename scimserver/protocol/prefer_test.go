package protocol_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/protocol"
)

func TestPreferredReturn(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"none", nil, ""},
		{"an empty header", []string{""}, ""},
		{"the resource", []string{"return=representation"}, "representation"},
		{"no more than needed", []string{"return=minimal"}, "minimal"},
		{"blanks around everything", []string{" \t return \t=  minimal ; x ,, wait=1"}, "minimal"},
		{"a name in another case", []string{"Return=minimal"}, "minimal"},
		{"a value in another case", []string{"RETURN=Representation"}, "representation"},
		{"a quoted value", []string{`return="representation"`}, "representation"},
		{"a quoted value with a needless backslash", []string{`return="mini\mal"`}, "minimal"},
		{"among others", []string{"respond-async, return=minimal, wait=10"}, "minimal"},
		{"in a second line", []string{"respond-async", "wait=10, return=minimal"}, "minimal"},
		{"with parameters", []string{`return=minimal; foo=bar; baz="a,b;c"`}, "minimal"},
		{"behind parameters", []string{`respond-async;wait=5, return=representation`}, "representation"},
		{"behind a quoted comma", []string{`title="a, return=minimal", return=representation`}, "representation"},
		{"behind a quoted quote", []string{`title="a\", return=minimal", return=representation`}, "representation"},
		{"the first of two", []string{"return=representation, return=minimal"}, "representation"},
		{"the first of two lines", []string{"return=minimal", "return=representation"}, "minimal"},
		{"the first of two, which nobody knows", []string{"return=everything, return=minimal"}, ""},
		{"the first of two, which has no value", []string{"return, return=minimal"}, ""},
		{"no value", []string{"return"}, ""},
		{"an empty value", []string{"return="}, ""},
		{"an empty quoted value", []string{`return=""`}, ""},
		{"another value", []string{"return=headers-only"}, ""},
		{"another preference that begins alike", []string{"return-minimal, returns=minimal"}, ""},
		{"as the parameter of another preference", []string{"respond-async; return=minimal"}, ""},
		{"as the value of another preference", []string{`x="return=minimal"`}, ""},
		{"a quote that is not closed", []string{`return="minimal`}, ""},
		{"a quote that is not closed before it", []string{`x="a, return=minimal`}, ""},
		{"a backslash at the end", []string{`return="minimal\`}, ""},
		{"something behind the quote", []string{`return="minimal"x`}, ""},
		{"no list of preferences", []string{"=,;,=minimal,\x00"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := protocol.PreferredReturn(c.lines); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// sendPreferring sends a request with Prefer headers.
func (f *fixture) sendPreferring(method, path, body string, prefer ...string) answer {
	f.t.Helper()
	return f.sendWith(method, path, body, http.Header{"Authorization": {"Bearer " + f.token}, "Prefer": prefer})
}

// TestTheAnswerOfAWriteIsAsTheClientPrefers is RFC 7240 sections 3 and 4.2, for users and groups.
func TestTheAnswerOfAWriteIsAsTheClientPrefers(t *testing.T) {
	const representation, minimal = "return=representation", "return=minimal"
	type want struct {
		status  int
		applied string
	}
	bare, shown := want{204, ""}, func(status int, applied string) want { return want{status, applied} }
	for name, c := range map[string]struct {
		query, prefer    string
		post, put, patch want
	}{
		"nothing":                             {"", "", shown(201, ""), shown(200, ""), bare},
		"another preference":                  {"", "respond-async", shown(201, ""), shown(200, ""), bare},
		"a return that nobody knows":          {"", "return=headers-only", shown(201, ""), shown(200, ""), bare},
		"the resource":                        {"", "Return=Representation", shown(201, representation), shown(200, representation), shown(200, representation)},
		"no more than needed":                 {"", `wait=5, RETURN="minimal"; x=y`, want{-201, minimal}, want{204, minimal}, want{204, minimal}},
		"attributes":                          {"?attributes=externalId", "", shown(201, ""), shown(200, ""), shown(200, "")},
		"attributes of the resource":          {"?attributes=externalId", representation, shown(201, representation), shown(200, representation), shown(200, representation)},
		"attributes win over minimal":         {"?attributes=externalId", minimal, shown(201, ""), shown(200, ""), shown(200, "")},
		"excluded attributes win over it too": {"?excludedAttributes=meta", minimal, shown(201, ""), shown(200, ""), shown(200, "")},
		"no attributes named":                 {"?attributes=&excludedAttributes=,", minimal, want{-201, minimal}, want{204, minimal}, want{204, minimal}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			for endpoint, body := range map[string]string{"/Users": `{"userName":"%s","externalId":"e"}`, "/Groups": `{"displayName":"%s","externalId":"e"}`} {
				check := func(what string, want want, got answer) {
					t.Helper()
					status, hasBody := want.status, want.status > 0 && want.status != 204
					if status < 0 {
						status = -status
					}
					if got.status != status || len(got.body) > 0 != hasBody {
						t.Fatalf("%s %s = %d %q, want %+v", what, endpoint, got.status, got.body, want)
					}
					if hasBody && f.field(got, "externalId") == nil {
						t.Errorf("%s %s answers %s", what, endpoint, got.body)
					}
					if applied := got.header.Values("Preference-Applied"); !slices.Equal(applied, slices.DeleteFunc([]string{want.applied}, func(s string) bool { return s == "" })) {
						t.Errorf("%s %s: Preference-Applied = %q, want %q", what, endpoint, applied, want.applied)
					}
					if got.header.Get("Etag") == "" || got.header.Get("Content-Type") != "application/scim+json; charset=utf-8" {
						t.Errorf("%s %s: headers %v", what, endpoint, got.header)
					}
				}
				created := f.sendPreferring("POST", endpoint+c.query, fmt.Sprintf(body, "anna"), c.prefer)
				check("POST", c.post, created)
				location := created.header.Get("Location")
				path, below := strings.CutPrefix(location, tenantURL)
				if !below || f.send("GET", path, "").status != 200 {
					t.Fatalf("POST %s: Location = %q", endpoint, location)
				}
				check("PUT", c.put, f.sendPreferring("PUT", path+c.query, fmt.Sprintf(body, "bea"), c.prefer))
				check("PATCH", c.patch, f.sendPreferring("PATCH", path+c.query, patchOf(`{"op":"replace","path":"externalId","value":"f"}`), c.prefer))
				check("PATCH without effect of", c.patch, f.sendPreferring("PATCH", path+c.query, patchOf(`{"op":"replace","path":"externalId","value":"f"}`), c.prefer))
			}
		})
	}
}

func TestTheResourceThatAClientPrefersIsTheWholeOne(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	for path, operation := range map[string]string{
		"/Users/{anna}": `{"op":"add","path":"title","value":"CFO"}`, "/Groups/{buyers}": `{"op":"add","path":"members","value":[{"value":"{anna}"}]}`,
	} {
		got := f.sendPreferring("PATCH", path, patchOf(operation), "respond-async", "return=representation")
		read := f.expect("GET", path, "", 200, "")
		if got.status != 200 || string(got.body) != string(read.body) || got.header.Get("Etag") != read.header.Get("Etag") {
			t.Errorf("PATCH %s = %d %s, read afterwards: %s", path, got.status, got.body, read.body)
		}
	}
}

func TestAPreferenceReadsMembershipsOnlyForAnAnswerThatHasThem(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	f.create("sellers", "/Groups", `{"displayName":"Sellers","members":[{"value":"{anna}"}]}`)
	f.create("bo", "/Users", `{"userName":"bo"}`)
	for _, c := range []struct {
		method, path, body, prefer string
		members, groups            int32
	}{
		{"POST", "/Groups", `{"displayName":"a"}`, "return=minimal", 0, 0},
		{"PUT", "/Groups/{buyers}", `{"displayName":"Buyers"}`, "return=minimal", 0, 0},
		{"PUT", "/Users/{anna}", `{"userName":"anna"}`, "return=minimal", 0, 0},
		{"PATCH", "/Groups/{buyers}", patchOf(""), "return=minimal", 0, 0},
		{"PATCH", "/Groups/{buyers}", patchOf(""), "return=representation", 1, 0},
		{"PATCH", "/Groups/{buyers}?excludedAttributes=members", patchOf(""), "return=representation", 0, 0},
		{"PATCH", "/Users/{anna}", patchOf(""), "return=representation", 0, 1},
		{"GET", "/Users/{anna}", "", "", 0, 1},
		{"GET", "/Users/{bo}", "", "", 0, 0}, // whom no group has, as the look-up told
	} {
		f.database.members.Store(0)
		f.database.groups.Store(0)
		if got := f.sendPreferring(c.method, c.path, c.body, c.prefer); got.status >= 300 {
			t.Fatalf("%s %s = %d %s", c.method, c.path, got.status, got.body)
		}
		if members, groups := f.database.members.Load(), f.database.groups.Load(); members != c.members || groups != c.groups {
			t.Errorf("%s %s with %s read the members of %d groups and the groups of users %d times, want %d and %d",
				c.method, c.path, c.prefer, members, groups, c.members, c.groups)
		}
	}
}

func TestAPreferenceIsNotAppliedToWhatFails(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	for _, prefer := range []string{"return=minimal", "return=representation"} {
		for _, c := range []struct {
			method, path, body string
			status             int
		}{
			{"POST", "/Users", `{"userName":"ANNA"}`, 409},
			{"POST", "/Groups", `{}`, 400},
			{"PUT", "/Users/none", `{"userName":"b"}`, 404},
			{"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"userName"}`), 400},
		} {
			got := f.sendPreferring(c.method, c.path, c.body, prefer)
			if got.status != c.status || got.header.Get("Preference-Applied") != "" || len(got.body) == 0 {
				t.Errorf("%s %s with %s = %d %v %s", c.method, c.path, prefer, got.status, got.header, got.body)
			}
		}
		// The answers to a read, a removal and a bulk request have one form.
		f.create("bea", "/Users", `{"userName":"bea"}`)
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/Users/{bea}", ""}, {"GET", "/Users", ""}, {"DELETE", "/Users/{bea}", ""},
			{"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`},
		} {
			if got := f.sendPreferring(c.method, c.path, c.body, prefer); got.status >= 300 || got.header.Get("Preference-Applied") != "" {
				t.Errorf("%s %s with %s = %d %v", c.method, c.path, prefer, got.status, got.header)
			}
		}
	}
}

// TestAnAnswerWithoutABodyHasTheMediaTypeOfTheOthers reads what stands on the wire: a client's library may hide it.
func TestAnAnswerWithoutABodyHasTheMediaTypeOfTheOthers(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	for _, c := range []struct{ method, path, body, prefer, status string }{
		{"POST", "/Users", `{"userName":"bea"}`, "return=minimal", "201 Created"},
		{"PUT", "/Users/" + f.ids["anna"], `{"userName":"anna","title":"CFO"}`, "return=minimal", "204 No Content"},
		{"PATCH", "/Users/" + f.ids["anna"], patchOf(`{"op":"remove","path":"title"}`), "", "204 No Content"},
		{"PATCH", "/Groups/" + f.ids["buyers"], patchOf(`{"op":"add","path":"externalId","value":"e"}`), "return=minimal", "204 No Content"},
		{"DELETE", "/Users/" + f.ids["anna"], "", "", "204 No Content"},
		{"DELETE", "/Groups/" + f.ids["buyers"], "", "", "204 No Content"},
	} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(connection, "%s /scim/v2%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nPrefer: %s\r\nConnection: close\r\n"+
			"Content-Type: application/scim+json\r\nContent-Length: %d\r\n\r\n%s", c.method, c.path, f.token, c.prefer, len(c.body), c.body)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(bufio.NewReader(connection))
		if err != nil {
			t.Fatal(err)
		}
		_ = connection.Close()
		head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 "+c.status+"\r\n") || body != "" ||
			!strings.Contains(head+"\r\n", "\r\nContent-Type: application/scim+json; charset=utf-8\r\n") {
			t.Errorf("%s %s:\n%s", c.method, c.path, raw)
		}
	}
}
