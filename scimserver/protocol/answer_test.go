package protocol_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// crowd makes users and a group of all of them, in the store.
func (f *fixture) crowd(group string, members int) {
	f.t.Helper()
	f.create(group, "/Groups", `{"displayName":"`+group+`"}`)
	err := f.database.Update(f.t.Context(), func(tx store.Tx) error {
		all := make([]store.Member, members)
		for i := range all {
			all[i] = store.Member{ID: numbered(i + 1), Kind: store.User}
		}
		_, err := tx.AddMembers(f.t.Context(), f.ids[group], all, nil)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func numbered(n int) string {
	return fmt.Sprintf("00000000-%04x-7000-8000-%012x", n>>16, n&0xffff)
}

// TestALargeAnswerIsTheSameAsASmallOne: it is sent in portions, which nobody sees.
func TestALargeAnswerIsTheSameAsASmallOne(t *testing.T) {
	f := newFixture(t)
	const members = 12_345
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.crowd("everybody", members)
	f.create("buyers", "/Groups", `{"displayName":"buyers","members":[{"value":"{anna}"}]}`)
	read := func(got answer, path ...string) {
		t.Helper()
		if got.status >= 300 || got.header.Get("Content-Type") != "application/scim+json; charset=utf-8" {
			t.Fatalf("%d %s\n%.300s", got.status, got.header, got.body)
		}
		group, _ := f.field(got, path...).(map[string]any)
		if len(path) > 0 {
			all, _ := f.field(got, path...).([]any)
			for _, one := range all {
				if one := one.(map[string]any); one["displayName"] == "everybody" {
					group = one
				}
			}
		}
		list, _ := group["members"].([]any)
		if len(list) != members || group["id"] != f.ids["everybody"] || group["displayName"] != "everybody" {
			t.Fatalf("%d members, want %d", len(list), members)
		}
		for i, one := range list {
			want := map[string]any{"value": numbered(i + 1), "type": "User", "$ref": tenantURL + "/Users/" + numbered(i+1)}
			if diff := cmp.Diff(want, one); diff != "" {
				t.Fatalf("member %d (-want +got):\n%s", i, diff)
			}
		}
	}
	got := f.send("GET", "/Groups/{everybody}", "")
	if read(got); got.header.Get("ETag") == "" || got.header.Get("ETag") != f.field(got, "meta", "version") {
		t.Errorf("the ETag is %q", got.header.Get("ETag"))
	}
	read(f.send("GET", "/Groups", ""), "Resources")
	read(f.send("GET", "/Groups?sortBy=displayName&sortOrder=descending", ""), "Resources")
	read(f.send("GET", "/Groups?cursor=", ""), "Resources")
	read(f.send("POST", "/.search", `{"filter":"id pr"}`), "Resources")
	represented := f.sendWith("PATCH", "/Groups/{everybody}", patchOf(`{"op":"add","path":"externalId","value":"e"}`),
		http.Header{"Authorization": {"Bearer " + f.token}, "Prefer": {"return=representation"}})
	if read(represented); represented.header.Get("Preference-Applied") != "return=representation" || represented.header.Get("ETag") != `W/"2"` {
		t.Errorf("the header is %v", represented.header)
	}

	head := f.send("HEAD", "/Groups/{everybody}", "")
	if head.status != 200 || head.header.Get("ETag") != `W/"2"` || len(head.body) > 0 || head.header.Get("Content-Length") != "" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	small := f.send("HEAD", "/Groups/{buyers}", "")
	if whole := f.send("GET", "/Groups/{buyers}", ""); small.header.Get("Content-Length") != fmt.Sprint(len(whole.body)) {
		t.Errorf("HEAD of a small group: %v, want the length %d", small.header, len(whole.body))
	}
	unchanged := f.sendWith("GET", "/Groups/{everybody}", "", http.Header{"Authorization": {"Bearer " + f.token}, "If-None-Match": {`W/"2"`}})
	if f.database.members.Store(0); unchanged.status != http.StatusNotModified || len(unchanged.body) > 0 {
		t.Errorf("If-None-Match: %d", unchanged.status)
	}
	for path, want := range map[string]string{
		"attributes=members.value":                              `{"value":"` + numbered(1) + `"}`,
		"attributes=members&excludedAttributes=members.value":   `{"type":"User","$ref":"` + tenantURL + "/Users/" + numbered(1) + `"}`,
		"excludedAttributes=members.type,members.$ref":          `{"value":"` + numbered(1) + `"}`,
		"attributes=members.type":                               `{"type":"User"}`,
		"attributes=members.$ref,members.display,members.value": `{"value":"` + numbered(1) + `","$ref":"` + tenantURL + "/Users/" + numbered(1) + `"}`,
	} {
		got := f.send("GET", "/Groups/{everybody}?"+path, "")
		list, _ := f.field(got, "members").([]any)
		if len(list) != members {
			t.Fatalf("%s: %d members", path, len(list))
		}
		one, _ := json.Marshal(list[0])
		f.compare(path, one, want)
	}
	if got := f.send("GET", "/Groups/{everybody}?attributes=members.display", ""); f.field(got, "members") != nil || f.field(got, "id") == nil {
		t.Errorf("of members without a display: %.300s", got.body)
	}
}

// TestAnErrorInALargeAnswerCutsTheConnection: half a document must never look whole.
func TestAnErrorInALargeAnswerCutsTheConnection(t *testing.T) {
	f := newFixture(t)
	f.crowd("everybody", 12_345)
	for path, failing := range map[string]int32{"/Groups/{everybody}": 3, "/Groups": 4, "/Groups?attributes=members": 4} {
		// Without room the members are read a thousand at a time.
		f.server.SetAnswers(share.Division{Size: 1})
		f.database.members.Store(0)
		f.database.failing = failing
		path := strings.ReplaceAll(path, "{everybody}", f.ids["everybody"])
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.http.URL+"/scim/v2"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", "identity") // gzip has a test of its own
		request.Header.Set("Authorization", "Bearer "+f.token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || err == nil || json.Valid(data) {
			t.Errorf("%s: %d, %d bytes, %v, want a connection that is cut", path, response.StatusCode, len(data), err)
		}
		f.database.failing = 0
		f.database.members.Store(0)
		f.database.failing = 1 // while nothing has been sent it is an answer like any
		got := f.send("GET", path, "")
		f.wantLater(got, http.StatusServiceUnavailable, 10)
		if got.header.Get("ETag") != "" {
			t.Errorf("an error has the ETag %q", got.header.Get("ETag"))
		}
		f.database.failing = 0
	}
	if logs := f.logs.String(); !strings.Contains(logs, "an answer was cut off") || strings.Contains(logs, "panicked") {
		t.Errorf("the log has\n%s", logs)
	}
}

// slow is a client that reads nothing until it is released.
type slow struct {
	*httptest.ResponseRecorder

	reached, released chan struct{}
	waits             sync.Once
}

func (s *slow) Write(data []byte) (int, error) {
	if s.Code == http.StatusOK {
		s.waits.Do(func() {
			close(s.reached)
			<-s.released
		})
	}
	return s.ResponseRecorder.Write(data)
}

// asks begins a request and returns when its answer begins, or is a refusal. end returns the answer.
func (f *fixture) asks(credential, path string) (refused bool, end func() *httptest.ResponseRecorder) {
	f.t.Helper()
	out := &slow{ResponseRecorder: httptest.NewRecorder(), reached: make(chan struct{}), released: make(chan struct{})}
	request := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, v1alpha1.BasePath+path, nil)
	request.Header.Set("Authorization", "Bearer "+credential)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.http.Config.Handler.ServeHTTP(out, request)
	}()
	select {
	case <-out.reached:
	case <-done:
	}
	return out.Code != http.StatusOK, func() *httptest.ResponseRecorder {
		close(out.released)
		<-done
		return out.ResponseRecorder
	}
}

// TestAnswersThatNobodyReadsTakeABoundedAmountOfMemory: each client has its share of it, and a reserve is left for provisioning.
func TestAnswersThatNobodyReadsTakeABoundedAmountOfMemory(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	payroll, portal, rota := tokenOf(t, "payroll"), tokenOf(t, "portal"), tokenOf(t, "rota")
	for name, secret := range map[string]string{"payroll": payroll, "portal": portal, "rota": rota} {
		f.trust(token.NewReader(secret, name, f.now))
	}
	for i := range 40 {
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d","title":"%s"}`, i, strings.Repeat("x", 20<<10)))
	}
	const page = 40 * 21 << 10
	pool := f.server.SetAnswers(share.Division{
		Size: 6 * page, Provisioners: share.Share{Each: 4 * page, Together: 5 * page}, Readers: share.Share{Each: 2 * page, Together: 3 * page},
	})
	f.server.SetPortion(page)
	for _, path := range []string{"/Users", "/Users?sortBy=userName", "/?filter=id+pr", "/Users?cursor=", "/Users?excludedAttributes=meta"} {
		var ends []func() *httptest.ResponseRecorder
		open := func(credential string) (n int) {
			for ; ; n++ {
				refused, end := f.asks(credential, path)
				if refused {
					got := end()
					f.wantLater(answer{got.Code, got.Header(), got.Body.Bytes()}, http.StatusServiceUnavailable, 1)
					return n
				}
				ends = append(ends, end)
			}
		}
		for _, c := range []struct {
			name, credential string
			want             int
		}{{"one reader", payroll, 2}, {"another", portal, 1}, {"a third, when readers have all that is theirs", rota, 0}, {"the provisioning client", f.token, 3}} {
			if got := open(c.credential); got != c.want {
				t.Errorf("%s: %s has %d answers under way, want %d", path, c.name, got, c.want)
			}
		}
		for _, credential := range []string{payroll, f.token} { // what is small is answered all the same
			if got := f.sendWith("GET", "/Users?count=2", "", bearer(credential)); got.status != 200 {
				t.Errorf("%s: a small page is %d %s", path, got.status, got.body)
			}
		}
		for _, end := range ends {
			if got := end(); got.Code != 200 || !json.Valid(got.Body.Bytes()) {
				t.Errorf("%s: %d, %d bytes", path, got.Code, got.Body.Len())
			}
		}
		if held, clients := pool.Held(); held != 0 || clients != 0 {
			t.Errorf("%s: %d bytes are still held when all is answered", path, held)
		}
	}
	f.wantCounted(`scim_refusals_total{pool="answers",role="provisioner"} 5`, `scim_refusals_total{pool="answers",role="reader"} 15`)
}

// TestALargePageIsTheSameAsManySmallOnes: it is read in portions, of which each goes on behind the one before.
func TestALargePageIsTheSameAsManySmallOnes(t *testing.T) {
	f := newFixture(t)
	f.server.SetPortion(10_000)
	for i := range 30 {
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d","title":"%s","nickName":"n%d"}`, i, strings.Repeat("x", 1500), i*7%10))
		f.create("", "/Groups", fmt.Sprintf(`{"displayName":"group %d","externalId":"%s"}`, i, strings.Repeat("y", 1000)))
	}
	const search = `{"filter":"id pr","count":1000,"attributes":["id"]}`
	for _, path := range []string{
		"/Users?x=y", "/Users?startIndex=4", "/Users?sortBy=nickName&sortOrder=descending", "/Users?filter=title pr", "/Groups?sortBy=displayName",
		"/?filter=id pr", "/?filter=id pr&sortBy=externalId", "/?filter=id pr&startIndex=25", "/Users?attributes=title", "/Users?excludedAttributes=title",
	} {
		ids := func(got answer) (ids []any) {
			for _, one := range f.field(got, "Resources").([]any) {
				ids = append(ids, one.(map[string]any)["id"])
			}
			if n := f.field(got, "itemsPerPage"); n != float64(len(ids)) {
				t.Errorf("%s: itemsPerPage is %v and %d came", path, n, len(ids))
			}
			return ids
		}
		f.database.finds.Store(0)
		all := f.expect("GET", path+"&count=1000", "", 200, "")
		if f.database.finds.Load() < 4 {
			t.Errorf("%s was read by %d statements, want some portions", path, f.database.finds.Load())
		}
		if f.server.SetPortion(1 << 30); true {
			whole := f.expect("GET", path+"&count=1000", "", 200, "")
			if diff := cmp.Diff(f.field(whole), f.field(all)); diff != "" {
				t.Errorf("%s: in portions (+) it is not what it is as a whole (-)\n%s", path, diff)
			}
		}
		f.server.SetPortion(10_000)
		if strings.Contains(path, "startIndex") {
			continue
		}
		var walked []any
		for cursor := ""; ; {
			got := f.expect("GET", path+"&count=7&cursor="+url.QueryEscape(cursor), "", 200, "")
			walked = append(walked, ids(got)...)
			next, more := f.field(got, "nextCursor").(string)
			if cursor = next; !more {
				break
			}
		}
		if diff := cmp.Diff(ids(all), walked); diff != "" {
			t.Errorf("%s: by cursors it is %s", path, diff)
		}
	}
	if got := f.expect("POST", "/.search", search, 200, ""); f.field(got, "itemsPerPage") != 60.0 {
		t.Errorf("a search found %v", f.field(got, "itemsPerPage"))
	}
}

// TestALargePageEndsWhereItWasAskedTo: its last portion is a walk, which knows whether anything is left behind the page.
func TestALargePageEndsWhereItWasAskedTo(t *testing.T) {
	f := newFixture(t)
	for i := range 30 {
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d","title":"%s","nickName":"n%d"}`, i, strings.Repeat("x", 3000), i*7%10))
		f.create("", "/Groups", fmt.Sprintf(`{"displayName":"group %d","externalId":"%s"}`, i, strings.Repeat("y", 2000)))
	}
	for _, page := range []struct {
		path  string
		count int
	}{
		{"/Users?startIndex=1", 25}, {"/Users?startIndex=4", 26}, {"/Users?sortBy=nickName&sortOrder=descending", 25}, {"/Users?filter=title pr", 25},
		{"/Groups?sortBy=displayName", 25}, {"/?filter=id pr", 25}, {"/?filter=id pr", 30}, {"/?filter=id pr&startIndex=2&sortBy=externalId", 50},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			path := fmt.Sprintf("%s&count=%d", page.path, page.count)
			f.server.SetPortion(1 << 30)
			whole := f.expect(method, path, "", 200, "")
			f.server.SetPortion(10_000)
			f.database.finds.Store(0)
			portions := f.expect(method, path, "", 200, "")
			if method == http.MethodHead {
				continue
			}
			if f.database.finds.Load() < 4 {
				t.Errorf("%s was read by %d statements, want some portions", path, f.database.finds.Load())
			}
			if n := f.field(portions, "itemsPerPage"); n != float64(page.count) {
				t.Errorf("%s has %v resources", path, n)
			}
			if diff := cmp.Diff(f.field(whole), f.field(portions)); diff != "" {
				t.Errorf("%s: in portions (+) it is not what it is as a whole (-)\n%s", path, diff)
			}
		}
	}
}

// TestAWriteThatWasCarriedOutIsNoError: whether its answer can show the resource is another matter.
func TestAWriteThatWasCarriedOutIsNoError(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	const group = `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`
	for _, c := range []struct {
		method, path, body string
		status             int
		version            string
	}{
		{"POST", "/Groups", strings.Replace(group, "Buyers", "Sellers", 1), 201, `W/"1"`},
		{"PUT", "/Groups/{buyers}", group, 204, `W/"2"`},
		{"PATCH", "/Groups/{buyers}?attributes=members", patchOf(`{"op":"remove","path":"members"}`), 204, `W/"3"`},
	} {
		f.database.members.Store(0)
		f.database.failing = 1
		got := f.send(c.method, c.path, c.body)
		f.database.failing = 0
		if got.status != c.status || len(got.body) > 0 || got.header.Get("ETag") != c.version || (c.status == 201) != (got.header.Get("Location") != "") {
			t.Errorf("%s: %d %v %s, want %d with version %s and nothing else", c.method, got.status, got.header, got.body, c.status, c.version)
		}
	}
}
