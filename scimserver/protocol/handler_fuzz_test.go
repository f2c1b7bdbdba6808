package protocol_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// FuzzHandler sends whatever a client with a good token can send to a directory of a few users and groups, whose ids stand
// in braces, such as {anna}. The handler must neither panic nor fail; an error is a SCIM error that tells nothing of the
// database; a success is JSON; and a request that is refused has changed nobody.
func FuzzHandler(f *testing.F) {
	for _, seed := range hostileRequests() {
		f.Add(seed.method, seed.target, seed.header, seed.body)
	}
	target := newFuzzed(f)
	f.Fuzz(func(t *testing.T, method, path, header, body string) {
		request, ok := target.parse(t, method, path, header, body)
		if !ok {
			return
		}
		before := target.state(t)
		got := target.serve(request)
		if got.Code >= http.StatusBadRequest {
			target.wantError(t, request, got)
			if after := target.state(t); after != before {
				t.Fatalf("a request that was refused with %d made\n%s\nof\n%s", got.Code, after, before)
			}
			return
		}
		wantSuccess(t, request, got)
		if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, request.Method) && target.state(t) != before {
			target.open(t)
		}
	})
}

type hostile struct{ method, target, header, body string }

func hostileRequests() []hostile {
	const base = v1alpha1.BasePath
	long := strings.Repeat("x", 9000)
	seeds := []hostile{
		{"GET", base + "/Users?filter=userName+eq+%22anna%22", "", ""},
		{"GET", base + "/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22a%40x%22&attributes=emails[type+eq+%22work%22]", "", ""},
		{"GET", base + "/Groups?excludedAttributes=members&filter=displayName+eq+%22Buyers%22", "Accept: */*\r\n", ""},
		{"GET", base + "/Groups?filter=id+eq+%22{buyers}%22+and+members+eq+%22{anna}%22&attributes=id", "", ""},
		{"GET", base + "/Users/{anna}?attributes=groups,manager.value,urn:ietf:params:scim:schemas:extension:medius:2.0:User", "If-None-Match: W/\"1\"\r\n", ""},
		{"GET", base + "/Users?startIndex=-99999999999999999999&count=99999999999999999999&sortBy=name.familyName&sortOrder=descending", "", ""},
		{"GET", base + "/Users?cursor=&count=1", "", ""},
		{"GET", base + "/?filter=meta.created+gt+%222026-01-01T00:00:00Z%22&cursor=AAAA", "", ""},
		{"GET", base + "/Users?filter=" + strings.Repeat("(", 40), "", ""},
		{"GET", base + "/Users?filter=title+eq+%22" + long + "%22", "", ""},
		{"GET", base + "/Users?filter=%zz;%00=%ff&attributes=emails[", "", ""},
		{"GET", base + "/Users/x'%20OR%201=1--%00", "", ""},
		{"GET", base + "/Users/..%2f..%2fGroups", "", ""},
		{"GET", base + "//Users/./{anna}/", "ADSCIMVersion: 5.0\r\n", ""},
		{"GET", base + "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User?startIndex=9", "", ""},
		{"GET", base + "/ResourceTypes?filter=id+pr", "", ""},
		{"GET", "*", "", ""},
		{"OPTIONS", "*", "", ""},
		{"CONNECT", "contoso:443", "", ""},
		{"GET", "http://elsewhere.test" + base + "/Me", "X-Forwarded-Proto: https\r\nX-Forwarded-For: \"\r\n", ""},
		{"BREW", base + "/Users", "", ""},
		{"HEAD", base + "/Users/nobody", "", ""},
		{"POST", v1alpha1.TokenPath, "Content-Type: application/x-www-form-urlencoded\r\n", "grant_type=client_credentials&client_id=a&client_secret=b"},
		{"POST", base + "/Users", "", anna},
		{"POST", base + "/Users?attributes=emails[", "", `{"userName":"new"}`},
		{"POST", base + "/Users", "Content-Type: text/plain; charset=\"\r\n", `{"userName":"new"}`},
		{"POST", base + "/Users", "Transfer-Encoding: chunked\r\n", "5\r\n{\"use\r\n"},
		{"POST", base + "/Users", "", `{"userName":"new","USERNAME":"new","x":{"y":1,"Y":2}}`},
		{"POST", base + "/Users", "", "{\"userName\":\"\\u0000\\ud800\xff\"}"},
		{"POST", base + "/Users", "", strings.Repeat("[", 5000)},
		{"POST", base + "/Groups", "", `{"displayName":"New","members":[{"value":"{anna}"},{"value":"{buyers}"},"string id 1",{"$ref":null}]}`},
		{"POST", base + "/.search", "", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"displayName pr","count":1e9,"startIndex":-1.5}`},
		{"POST", base + "/Groups/.search", "", `{"attributes":["displayName","members[value"],"sortBy":"members","cursor":""}`},
		{"PUT", base + "/Users/{anna}?excludedAttributes=]", "If-Match: W/\"1\", \"2\"\r\n", `{"userName":"bob"}`},
		{"PUT", base + "/Groups/{buyers}", "If-Match: *\r\n", `{"displayName":"Buyers","members":[]}`},
		{"DELETE", base + "/Groups/{buyers}", "If-Match: W/\"1\r\n", ""},
		{"DELETE", base + "/Users/{boss}", "", ""},
		{"POST", base + "/Bulk", "", bulkOf(post("a", "/Users", `{"userName":"a","manager":"bulkId:b"}`) + "," + post("b", "/Users", `{"userName":"b","manager":"bulkId:a"}`) +
			`,{"method":"DELETE","path":"/Users/{anna}"},{"method":"PUT","path":"/Users/none","data":{"userName":"anna"}},{"method":"GET"}`)},
		{"POST", base + "/Bulk", "", `{"failOnErrors":1,"Operations":[{"method":"PATCH","path":"/Groups/{buyers}","version":"W/","data":{"Operations":[{"op":"replace","path":"members"}]}}]}`},
	}
	for _, operations := range []string{
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},{"op":"Replace","path":"active","value":"False"}`,
		`{"op":"replace","value":{"displayName":"Anna New","name.givenName":"Anna","urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"CC-200"}}`,
		`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":[{"$ref":null,"value":"{boss}"}]}`,
		`{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"User"},{"op":"remove","path":"userName"}`,
		`{"op":"add","path":"title","value":"a"},{"op":"explode","path":"title"}`,
		`{"op":"replace","path":"userName","value":"boss"}`,
		`{"op":"replace","path":"emails[value co \"\" or not (type pr)].display","value":null}`,
	} {
		seeds = append(seeds, hostile{"PATCH", base + "/Users/{anna}?attributes=userName", "", patchOf(operations)})
	}
	for _, operations := range []string{
		`{"op":"Add","path":"members","value":[{"$ref":null,"value":"{boss}"}]}`,
		`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"{anna}"}]}`,
		`{"op":"remove","path":"members[value eq \"{anna}\" or type eq \"Group\"]"},{"op":"add","path":"members","value":"string id 1"}`,
		`{"op":"replace","path":"members[type ne \"User\"].value","value":"{anna}"},{"op":"replace","path":"displayName","value":""}`,
	} {
		seeds = append(seeds, hostile{"PATCH", base + "/Groups/{buyers}", "", patchOf(operations)})
	}
	return seeds
}

// fuzzed is a server over a directory that is put back to what it was after each request that changed it.
type fuzzed struct {
	token    string
	settings *settings.Snapshot
	ids      map[string]string
	seeded   string // the folder of the directory as it was
	folder   string
	started  time.Time
	ctx      context.Context // outlives the one request that a directory is opened in

	database *sqlite.Store
	handler  http.Handler
	logs     bytes.Buffer
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	target := &fuzzed{ids: map[string]string{}, seeded: f.TempDir(), folder: f.TempDir(), ctx: f.Context()}
	target.started, _ = time.Parse(time.RFC3339, started)
	target.token, _ = token.New(strings.NewReader(strings.Repeat("contoso's token ", 2)))
	target.settings = contoso(target.token, target.started)
	target.open(f)
	for _, resource := range [][3]string{
		{"boss", "/Users", `{"userName":"boss","externalId":"boss-1"}`},
		{"anna", "/Users", `{"userName":"anna","externalId":"anna-1","emails":[{"value":"a@x","type":"work","primary":true},{"value":"b@x"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"{boss}","department":"D"}}`},
		{"buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`},
		{"all", "/Groups", `{"displayName":"All","members":[{"value":"{anna}"},{"value":"{boss}"},{"value":"{buyers}"}]}`},
	} {
		request, ok := target.parse(f, http.MethodPost, v1alpha1.BasePath+resource[1], "", resource[2])
		if !ok {
			f.Fatalf("the request for %s is none", resource[0])
		}
		got := target.serve(request)
		var created struct{ ID string }
		if err := json.Unmarshal(got.Body.Bytes(), &created); err != nil || created.ID == "" {
			f.Fatalf("%s: %d %s", resource[0], got.Code, got.Body)
		}
		target.ids[resource[0]] = created.ID
	}
	target.close(f)
	if err := os.CopyFS(target.seeded, os.DirFS(target.folder)); err != nil {
		f.Fatal(err)
	}
	target.open(f)
	f.Cleanup(func() { target.close(f) })
	return target
}

func (f *fuzzed) close(t testing.TB) {
	t.Helper()
	if f.database == nil {
		return
	}
	if err := f.database.Close(); err != nil {
		t.Fatal(err)
	}
	f.database = nil
}

// open begins anew with the directory as it was seeded.
func (f *fuzzed) open(t testing.TB) {
	t.Helper()
	f.close(t)
	if err := os.RemoveAll(f.folder); err != nil {
		t.Fatal(err)
	}
	err := os.CopyFS(f.folder, os.DirFS(f.seeded))
	if err != nil {
		t.Fatal(err)
	}
	if f.database, err = sqlite.Open(f.ctx, f.folder); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return f.started }
	users := directory.New(directory.Options{Store: f.database, Now: clock})
	f.handler = protocol.New(protocol.Options{
		Directory: users,
		Settings:  func() *settings.Snapshot { return f.settings },
		Auth:      auth.New(auth.Options{Now: clock, Keys: users}),
		Log:       funcr.New(func(_, line string) { f.logs.WriteString(line + "\n") }, funcr.Options{}),
		Metrics:   prometheus.NewRegistry(), Now: clock,
	}).Handler()
}

// parse reads a request as a server does from its connection; ok is false for what never reaches a handler.
func (f *fuzzed) parse(t testing.TB, method, target, header, body string) (request *http.Request, ok bool) {
	t.Helper()
	for name, id := range f.ids {
		placeholder := "{" + name + "}"
		target, body = strings.ReplaceAll(target, placeholder, id), strings.ReplaceAll(body, placeholder, id)
	}
	raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: contoso.test\r\nAuthorization: Bearer %s\r\n", method, target, f.token)
	if !strings.Contains(strings.ToLower(header), "transfer-encoding") {
		raw += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw + header + "\r\n" + body)))
	if err != nil {
		return nil, false
	}
	return request.WithContext(f.ctx), true
}

func (f *fuzzed) serve(request *http.Request) *httptest.ResponseRecorder {
	f.logs.Reset()
	out := httptest.NewRecorder()
	f.handler.ServeHTTP(out, request)
	return out
}

// state is all that a client can read of users and groups.
func (f *fuzzed) state(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{"/Users", "/Groups"} {
		request, ok := f.parse(t, http.MethodGet, v1alpha1.BasePath+path, "", "")
		if !ok {
			t.Fatal("the request for the state is none")
		}
		got := f.serve(request)
		if got.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, got.Code, got.Body)
		}
		all.Write(got.Body.Bytes())
	}
	return all.String()
}

// databaseWords are what only a database would say: no name that an error may repeat has spaces.
var databaseWords = regexp.MustCompile(
	`(?i)sql logic|sqlite_|select .* from|insert into|delete from |constraint failed|no such (table|column)|near ".*": syntax`)

var requestID = regexp.MustCompile(` \(request ([A-Z2-7]{16})\)$`)

type scimError struct {
	Schemas  []string
	Status   string
	ScimType string
	Detail   string
}

func (f *fuzzed) wantError(t *testing.T, request *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	if got.Code >= http.StatusInternalServerError && got.Code != http.StatusNotImplemented {
		t.Fatalf("%s %s = %d %s\n%s", request.Method, request.URL, got.Code, got.Body, &f.logs)
	}
	id := got.Header().Get("X-Request-Id")
	if id == "" {
		t.Fatalf("%s %s = %d without a request id", request.Method, request.URL, got.Code)
	}
	if got.Header().Get("Content-Type") == "application/json" && request.URL.Path == v1alpha1.TokenPath {
		return // OAuth has errors of its own
	}
	wantSCIMError(t, got.Body.Bytes(), strconv.Itoa(got.Code), id)
}

func wantSCIMError(t *testing.T, body []byte, status, id string) {
	t.Helper()
	var e scimError
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("an error is not JSON: %v\n%s", err, body)
	}
	found := requestID.FindStringSubmatch(e.Detail)
	if !slices.Equal(e.Schemas, []string{"urn:ietf:params:scim:api:messages:2.0:Error"}) || e.Status != status || found == nil || found[1] != id {
		t.Fatalf("an error with status %s and request id %s is %s", status, id, body)
	}
	if databaseWords.Match(body) {
		t.Fatalf("an error speaks of the database: %s", body)
	}
}

func wantSuccess(t *testing.T, request *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	body := got.Body.Bytes()
	if got.Code == http.StatusNoContent || got.Code == http.StatusNotModified {
		if len(body) > 0 {
			t.Fatalf("%d with a body: %s", got.Code, body)
		}
		return
	}
	var answer struct {
		Schemas    []string
		Operations []struct {
			Status   string
			Response json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || got.Code != http.StatusOK && got.Code != http.StatusCreated {
		t.Fatalf("%s %s = %d %s (%v)", request.Method, request.URL, got.Code, body, err)
	}
	if !slices.Equal(answer.Schemas, []string{"urn:ietf:params:scim:api:messages:2.0:BulkResponse"}) {
		return
	}
	for _, op := range answer.Operations {
		switch {
		case op.Status >= "500":
			t.Fatalf("an operation failed: %s", body)
		case op.Status >= "400":
			wantSCIMError(t, op.Response, op.Status, got.Header().Get("X-Request-Id"))
		}
	}
}

// TestHostileRequestsReachTheHandler keeps the seeds from meaning nothing: which of them never get past net/http is known.
func TestHostileRequestsReachTheHandler(t *testing.T) {
	refused := map[string]bool{}
	for _, seed := range hostileRequests() {
		if _, ok := (&fuzzed{ctx: t.Context()}).parse(t, seed.method, seed.target, seed.header, seed.body); !ok {
			refused[seed.method+" "+seed.target] = true
		}
	}
	if len(refused) > 0 {
		t.Errorf("these seeds never reach the handler: %v", slices.Collect(maps.Keys(refused)))
	}
}
