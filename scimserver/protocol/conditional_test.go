package protocol_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/race"
)

// conditionally sends a request with preconditions, given as pairs of a header's name and value.
func (f *fixture) conditionally(method, path, body string, headers ...string) answer {
	f.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + f.token}}
	for i := 0; i < len(headers); i += 2 {
		header.Add(headers[i], headers[i+1])
	}
	return f.sendWith(method, path, body, header)
}

func TestEveryAnswerWithAResourceHasItsVersion(t *testing.T) {
	f := newFixture(t)
	created := f.expect("POST", "/Users", `{"userName":"anna"}`, 201, "")
	f.ids["anna"] = f.field(created, "id").(string)
	for _, c := range []struct {
		method, path, body string
		status             int
		version            string
	}{
		{"GET", "/Users/{anna}", "", 200, `W/"1"`},
		{"HEAD", "/Users/{anna}", "", 200, `W/"1"`},
		{"GET", "/Users/{anna}?attributes=userName", "", 200, `W/"1"`},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`), 204, `W/"2"`},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`), 204, `W/"2"`},
		{"PATCH", "/Users/{anna}?attributes=title", patchOf(`{"op":"add","path":"title","value":"CEO"}`), 200, `W/"3"`},
		{"PUT", "/Users/{anna}", `{"userName":"anna","title":"CTO"}`, 200, `W/"4"`},
		{"PUT", "/Users/{anna}", `{"userName":"anna","title":"CTO"}`, 200, `W/"4"`},
	} {
		got := f.expect(c.method, c.path, c.body, c.status, "")
		if tag := got.header.Get("ETag"); tag != c.version {
			t.Errorf("%s %s: ETag = %q, want %q", c.method, c.path, tag, c.version)
		}
	}
	if got := created.header.Get("ETag"); got != `W/"1"` || f.field(created, "meta", "version") != got {
		t.Errorf("POST: ETag = %q, meta.version = %v", got, f.field(created, "meta", "version"))
	}
	config := f.expect("GET", "/ServiceProviderConfig", "", 200, "")
	if f.field(config, "etag", "supported") != true {
		t.Error("the service provider configuration does not announce ETags")
	}
}

func TestAWriteIsCarriedOutOnlyOnTheVersionItWasMeantFor(t *testing.T) {
	for _, c := range []struct {
		name, header, value string
		holds               bool
	}{
		{"the present version", "If-Match", `W/"2"`, true},
		{"the present version as a strong tag", "If-Match", `"2"`, true},
		{"a list with the present version", "If-Match", `W/"1", W/"2"`, true},
		{"a list without spaces, with an empty element", "If-Match", `W/"7",,"2"`, true},
		{"any version", "If-Match", `*`, true},
		{"the present version, compressed by a proxy", "If-Match", `W/"2-gzip"`, true},
		{"a list of compressed versions", "If-Match", `"1-br", W/"2--gzip"`, true},
		{"an older version, compressed", "If-Match", `W/"1-gzip"`, false},
		{"a version behind another suffix", "If-Match", `W/"2-x"`, false},
		{"no other compressed version", "If-None-Match", `W/"1-gzip"`, true},
		{"not the present version, compressed", "If-None-Match", `"2-zstd"`, false},
		{"an older version", "If-Match", `W/"1"`, false},
		{"a later version", "If-Match", `W/"3"`, false},
		{"a list of others", "If-Match", `W/"1", "x,2"`, false},
		{"an empty tag", "If-Match", `""`, false},
		{"no other version", "If-None-Match", `W/"1"`, true},
		{"not the present version", "If-None-Match", `W/"2"`, false},
		{"not the present version, in a list", "If-None-Match", `"1", "2"`, false},
		{"only where nothing is", "If-None-Match", `*`, false},
	} {
		for method, body := range map[string]string{
			"PUT":    `{"userName":"anna","title":"after"}`,
			"PATCH":  patchOf(`{"op":"replace","path":"title","value":"after"}`),
			"DELETE": "",
		} {
			t.Run(method+" "+c.name, func(t *testing.T) {
				f := newFixture(t)
				f.create("anna", "/Users", `{"userName":"anna"}`)
				f.expect("PUT", "/Users/{anna}", `{"userName":"anna","title":"before"}`, 200, "")
				f.advance(time.Minute)
				before := f.send("GET", "/Users/{anna}", "")
				got := f.conditionally(method, "/Users/{anna}", body, c.header, c.value)
				after := f.send("GET", "/Users/{anna}", "")
				if !c.holds {
					f.wantError(got, http.StatusPreconditionFailed, "")
					f.compare("the user", after.body, string(before.body))
				} else if got.status > 204 || string(after.body) == string(before.body) {
					t.Errorf("%s = %d %s, and the user is %s", method, got.status, got.body, after.body)
				}
			})
		}
	}
}

func TestAReaderIsToldThatNothingChanged(t *testing.T) {
	f := withUsers(t, 2)
	f.expect("PATCH", "/Groups/{buyers}", patchOf(`{"op":"add","path":"members","value":[{"value":"{u1}"}]}`), 204, "")
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"the present version", []string{"If-None-Match", `W/"2"`}, 304},
		{"the present version in the second of two headers", []string{"If-None-Match", `W/"9"`, "If-None-Match", `"2"`}, 304},
		{"any version", []string{"If-None-Match", "*"}, 304},
		{"the present version, compressed", []string{"If-None-Match", `W/"2-gzip"`}, 304},
		{"the present version as a strong tag, compressed", []string{"If-None-Match", `"2-br"`}, 304},
		{"the present version, compressed, in a list", []string{"If-None-Match", `"1-br", "2-deflate"`}, 304},
		{"an older version, compressed", []string{"If-None-Match", `W/"1-gzip"`}, 200},
		{"an older version", []string{"If-None-Match", `W/"1"`}, 200},
		{"If-Match that holds", []string{"If-Match", `W/"2"`}, 200},
		{"If-Match that does not", []string{"If-Match", `W/"1"`}, 412},
		{"If-Match comes first", []string{"If-Match", `W/"1"`, "If-None-Match", `W/"2"`}, 412},
		{"times, of which no answer speaks", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(method+" "+c.name, func(t *testing.T) {
				f.t = t
				got := f.conditionally(method, "/Groups/{buyers}", "", c.headers...)
				if got.status != c.status {
					t.Fatalf("status = %d, want %d\n%s", got.status, c.status, got.body)
				}
				if c.status == 304 && (len(got.body) > 0 || got.header.Get("ETag") != `W/"2"` || got.header.Get("Content-Type") != "") {
					t.Errorf("a 304 has the version and no body: %v %q", got.header, got.body)
				}
			})
		}
	}
	f.t = t
	// A member more is another version, although the group's own document is as it was.
	f.expect("PATCH", "/Groups/{buyers}", patchOf(`{"op":"add","path":"members","value":[{"value":"{u2}"}]}`), 204, "")
	if got := f.conditionally("GET", "/Groups/{buyers}", "", "If-None-Match", `W/"2"`); got.status != 200 {
		t.Errorf("after a member came: %d, want 200", got.status)
	}
}

// The groups of a user change without the user's version, so an answer that holds them is never said to be unchanged.
func TestAnAnswerWithTheGroupsOfAUserIsSentAgain(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna","externalId":"`+annasOID+`","title":"CFO"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	for _, path := range []string{"/Users/{anna}", "/Me"} {
		credential := map[string]string{"/Users/{anna}": f.token, "/Me": f.userToken(nil)}[path]
		for query, status := range map[string]int{
			"": 200, "?attributes=groups": 200, "?attributes=title,groups.display": 200, "?excludedAttributes=title": 200, "?excludedAttributes=groups.display": 200,
			"?attributes=title": 304, "?attributes=id": 304, "?excludedAttributes=groups": 304, "?excludedAttributes=title,groups": 304,
		} {
			for _, method := range []string{"GET", "HEAD"} {
				header := bearer(credential)
				header.Set("If-None-Match", `W/"1"`)
				got := f.sendWith(method, path+query, "", header)
				if got.status != status || got.header.Get("ETag") != `W/"1"` || status == 304 && len(got.body) > 0 {
					t.Errorf("%s %s%s = %d %v %s, want %d", method, path, query, got.status, got.header, got.body, status)
				}
			}
			for name, c := range map[string]struct {
				header, value string
				status        int
			}{
				"another version":    {"If-None-Match", `W/"2"`, 200},
				"of the version":     {"If-Match", `W/"1"`, 200},
				"of another version": {"If-Match", `W/"2"`, 412},
				"unreadable":         {"If-None-Match", `2`, 400},
				"unreadable too":     {"If-Match", `2`, 400},
			} {
				header := bearer(credential)
				header.Set(c.header, c.value)
				if got := f.sendWith("GET", path+query, "", header); got.status != c.status {
					t.Errorf("GET %s%s, %s: %d, want %d", path, query, name, got.status, c.status)
				}
			}
		}
	}
}

func TestAPreconditionThatCannotBeReadIsRefusedAndChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	for _, value := range []string{"", "2", "W/2", `W/"2`, `"1" "2"x`, `w/"1"`, `*, "1"`, ", ,"} {
		for _, header := range []string{"If-Match", "If-None-Match"} {
			f.wantError(f.conditionally("DELETE", "/Users/{anna}", "", header, value), 400, "invalidValue")
		}
	}
	f.expect("GET", "/Users/{anna}", "", 200, "")
}

// RFC 9110 section 13.2.1: a precondition is not looked at where the answer would be an error without it.
func TestAnUnknownIDIs404WhateverThePrecondition(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/Users/nobody", "/Groups/nobody"} {
		f.wantError(f.conditionally("GET", path, "", "If-Match", "*"), 404, "")
		f.wantError(f.conditionally("PUT", path, `{"userName":"x","displayName":"x"}`, "If-Match", "*"), 404, "")
		f.wantError(f.conditionally("PATCH", path, patchOf(""), "If-Match", `W/"1"`), 404, "")
		f.wantError(f.conditionally("DELETE", path, "", "If-Match", `W/"1"`), 404, "")
	}
}

func TestOfParallelWritesOnOneVersionExactlyOneWins(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch got := f.conditionally("PUT", "/Users/{anna}", `{"userName":"anna","title":"CFO"}`, "If-Match", `W/"1"`); got.status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusPreconditionFailed:
				lost.Add(1)
			default:
				t.Errorf("PUT = %d %s", got.status, got.body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
}

// Proxies that compress an answer add the coding to its tag, and pass the tag on as it is when the client sends it back: Apache as
// "2-gzip", Caddy too, Jetty as "2--gzip".
func TestATagThatAProxySuffixedMatches(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	matches := func(tag string) (found []bool) {
		t.Helper()
		for _, path := range []string{"/Users/{anna}", "/Groups/{buyers}"} {
			read := f.conditionally("GET", path+"?excludedAttributes=groups", "", "If-None-Match", tag).status == http.StatusNotModified
			write := f.conditionally("PATCH", path, patchOf(""), "If-Match", tag).status == http.StatusNoContent
			quoted, err := json.Marshal(tag)
			if err != nil {
				t.Fatal(err)
			}
			bulk := f.field(f.expect("POST", "/Bulk", `{"Operations":[{"method":"PATCH","path":"`+path+`","version":`+string(quoted)+`,"data":`+patchOf("")+`}]}`, 200, ""), "Operations")
			found = append(found, read, write, bulk.([]any)[0].(map[string]any)["status"] == "200")
		}
		return found
	}
	for _, suffix := range []string{"", "-gzip", "-br", "-zstd", "-deflate", "--gzip", "--br", "--zstd", "--deflate"} {
		for _, tag := range []string{`W/"1` + suffix + `"`, `"1` + suffix + `"`, `"7", W/"1` + suffix + `"`} {
			if got := matches(tag); slices.Contains(got, false) {
				t.Errorf("%s: matches %v, want all", tag, got)
			}
		}
	}
	for _, opaque := range []string{
		"1-", "1--", "1-x", "1-gzi", "1-gzipx", "1-gzip-", "1-gzip-br", "1---gzip", "1gzip", "1-GZIP", "1;gzip", "1 -gzip", "-gzip", "--br", "x-gzip", "1x-gzip",
		"01-gzip", "2-gzip", "11-gzip", "1-gzip,1",
	} {
		if got := matches(`W/"` + opaque + `"`); slices.Contains(got, true) {
			t.Errorf("%s: matches %v, want none", opaque, got)
		}
	}
}
