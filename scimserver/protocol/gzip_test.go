package protocol_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/share"
)

// coded sends a request that accepts codings, and returns the answer as it came.
func (f *fixture) coded(method, path, body, codings string, header http.Header) answer {
	f.t.Helper()
	header = header.Clone()
	header.Set("Accept-Encoding", codings) // net/http reads gzip that it asked for itself, and hides it
	return f.sendWith(method, path, body, header)
}

// plain is the body of an answer in gzip.
func (f *fixture) plain(a answer) []byte {
	f.t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		f.t.Fatalf("%d %v is not in gzip: %v\n%.300s", a.status, a.header, err, a.body)
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// withMany is a directory of which a page has about 40 KiB, and a group 300.
func withMany(t *testing.T) *fixture {
	f := newFixture(t)
	for i := range 40 {
		f.create(fmt.Sprint("u", i), "/Users", fmt.Sprintf(`{"userName":"user%d","title":%q,"displayName":"User %d"}`, i, strings.Repeat("x", i*20), i))
	}
	f.crowd("everybody", 2500)
	return f
}

func TestALargeAnswerIsInGzipForWhoeverAsksForIt(t *testing.T) {
	f := withMany(t)
	search, bulk := `{"filter":"id pr"}`, bulkOf(strings.TrimSuffix(strings.Repeat(`{"method":"DELETE","path":"/Users/nobody"},`, 60), ","))
	representation := http.Header{"Authorization": {"Bearer " + f.token}, "Prefer": {"return=representation"}}
	for _, c := range []struct {
		method, path, body string
		header             http.Header
	}{
		{"GET", "/Users", "", bearer(f.token)}, {"GET", "/Users?cursor=", "", bearer(f.token)}, {"GET", "/Groups", "", bearer(f.token)},
		{"GET", "/Groups/{everybody}", "", bearer(f.token)}, {"GET", "/Schemas", "", bearer(f.token)},
		{"POST", "/.search", search, bearer(f.token)}, {"POST", "/Users/.search", search, bearer(f.token)},
		{"POST", "/Bulk", bulk, bearer(f.token)}, {"PATCH", "/Groups/{everybody}", patchOf(`{"op":"add","path":"externalId","value":"e"}`), representation},
	} {
		as, in := f.coded(c.method, c.path, c.body, "identity", c.header), f.coded(c.method, c.path, c.body, "gzip, deflate, br", c.header)
		if as.status != 200 || in.status != 200 || as.header.Get("Content-Encoding") != "" || in.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s %s: %d %v and %d %v", c.method, c.path, as.status, as.header, in.status, in.header)
			continue
		}
		if c.path != "/Bulk" { // whose errors have the ids of their requests
			f.compare(c.path, f.plain(in), string(as.body))
		}
		if got := in.header.Get("Content-Length"); got != "" && got != fmt.Sprint(len(in.body)) || len(in.body) > len(as.body)/3 {
			t.Errorf("%s %s: %d bytes of %d, Content-Length %q", c.method, c.path, len(in.body), len(as.body), got)
		}
		if in.header.Get("ETag") != as.header.Get("ETag") || in.header.Get("Content-Type") != as.header.Get("Content-Type") {
			t.Errorf("%s %s: %v, want the header of the answer as it is %v", c.method, c.path, in.header, as.header)
		}
		for _, got := range []answer{as, in} {
			if vary := got.header.Values("Vary"); len(vary) != 1 || vary[0] != "Accept-Encoding" {
				t.Errorf("%s %s: Vary = %q", c.method, c.path, vary)
			}
		}
		if c.method != http.MethodGet {
			continue
		}
		head := f.coded(http.MethodHead, c.path, "", "gzip", c.header)
		if head.status != 200 || head.header.Get("Content-Encoding") != "gzip" || head.header.Get("Vary") != "Accept-Encoding" ||
			head.header.Get("Content-Length") != "" || head.header.Get("ETag") != in.header.Get("ETag") || len(head.body) > 0 {
			t.Errorf("HEAD %s: %d %v, want the header of GET", c.path, head.status, head.header)
		}
	}
}

func TestWhatIsSmallOrForOthersIsSentAsItIs(t *testing.T) {
	f := withMany(t)
	secret := f.withClient()
	version := f.field(f.send("GET", "/Groups/{everybody}", ""), "meta", "version").(string)
	unchanged := http.Header{"Authorization": {"Bearer " + f.token}, "If-None-Match": {version}}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	token := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	for _, c := range []struct {
		codings, method, path, body string
		header                      http.Header
		status                      int
		varies                      bool
	}{
		{"gzip", "GET", "/Users/{u3}", "", bearer(f.token), 200, true},
		{"gzip", "GET", "/Users?filter=userName eq \"user3\"", "", bearer(f.token), 200, true},
		{"gzip", "POST", "/Users", `{"userName":"new"}`, bearer(f.token), 201, true},
		{"gzip", "PATCH", "/Users/{u3}", patchOf(`{"op":"add","path":"title","value":"CFO"}`), bearer(f.token), 204, true},
		{"gzip, *;q=0", "DELETE", "/Users/{u4}", "", bearer(f.token), 204, true},
		{"gzip, *;q=0", "GET", "/Groups/{everybody}", "", unchanged, 304, true},
		{"gzip", "GET", "/Users/nobody", "", bearer(f.token), 404, true},
		{"gzip", "GET", "/Users", "", http.Header{}, 401, true},
		{"identity", "GET", "/Users", "", bearer(f.token), 200, true},
		{"br, gzip;q=0", "GET", "/Groups/{everybody}", "", bearer(f.token), 200, true},
		{"identity, gzip;q=0.9", "GET", "/Groups/{everybody}", "", bearer(f.token), 200, true},
		// An answer with a token is never compressed, so that no length tells of it.
		{"gzip, *;q=0", "POST", f.http.URL + v1alpha1.TokenPath, token, form, 200, false},
		{"gzip, *;q=0", "GET", f.http.URL + v1alpha1.OAuthMetadataPath, "", http.Header{}, 200, false},
	} {
		got := f.coded(c.method, c.path, c.body, c.codings, c.header)
		if got.status != c.status || got.header.Get("Content-Encoding") != "" || (got.header.Get("Vary") == "Accept-Encoding") != c.varies {
			t.Errorf("%s %s for %q: %d %v", c.method, c.path, c.codings, got.status, got.header)
		}
		if small := len(got.body) > 0 && len(got.body) < 64<<10; small && got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
			t.Errorf("%s %s for %q: Content-Length = %q of %d", c.method, c.path, c.codings, got.header.Get("Content-Length"), len(got.body))
		}
	}
	small := f.coded("GET", "/Users/{u5}", "", "gzip, identity;q=0", bearer(f.token))
	if small.header.Get("Content-Encoding") != "gzip" || !strings.Contains(string(f.plain(small)), `"user5"`) {
		t.Errorf("for a client that takes nothing but gzip: %v", small.header)
	}
	refused := f.coded("GET", "/Users/nobody", "", "gzip, *;q=0", bearer(f.token))
	if refused.status != 404 || refused.header.Get("Content-Encoding") != "gzip" || !strings.Contains(string(f.plain(refused)), `"404"`) {
		t.Errorf("an error for a client that takes nothing but gzip: %d %v", refused.status, refused.header)
	}
}

// TestAnAnswerInGzipThatIsCutOffNeverLooksWhole: it has no checksum at its end.
func TestAnAnswerInGzipThatIsCutOffNeverLooksWhole(t *testing.T) {
	f := newFixture(t)
	f.crowd("everybody", 12_345)
	f.server.SetAnswers(share.Division{Size: 1}) // so that members are read a thousand at a time
	f.database.failing = 4
	out := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, v1alpha1.BasePath+"/Groups/"+f.ids["everybody"], nil)
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Accept-Encoding", "gzip")
	func() {
		defer func() {
			if cut := recover(); cut != http.ErrAbortHandler { //nolint:errorlint // the value itself is what net/http looks for
				t.Errorf("the handler ended with %v, want the connection cut", cut)
			}
		}()
		f.http.Config.Handler.ServeHTTP(out, request)
	}()
	reader, err := gzip.NewReader(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(got, []byte(`{"schemas":`)) {
		t.Errorf("%d bytes (%v), want the beginning of the group and an unexpected end", len(got), err)
	}
}

// TestAnAnswerInGzipIsPaidAsItIs: compressing does not make it cheaper to make.
func TestAnAnswerInGzipIsPaidAsItIs(t *testing.T) {
	waits := func(codings string) string {
		f := newFixture(t)
		f.crowd("everybody", 2500) // about 300 KiB
		f.limit(1, 1)
		if got := f.coded("GET", "/Groups/{everybody}", "", codings, bearer(f.token)); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		got := f.send("GET", "/Users", "")
		if got.status != http.StatusTooManyRequests {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return got.header.Get("Retry-After")
	}
	if as, in := waits("identity"), waits("gzip"); as != in || as < "3" {
		t.Errorf("after an answer in gzip the next waits %s s, and %s s after one as it is", in, as)
	}
}

// TestAGroupInGzipTakesLittleMemory counts what is in use while the answer is sent.
func TestAGroupInGzipTakesLittleMemory(t *testing.T) {
	f := newFixture(t)
	const members = 150_000
	f.crowd("everybody", members)
	if sent, most := f.uses(http.MethodGet, "/Groups", "", "gzip"); sent < members*5 || sent > members*40 || most > 10<<20 {
		t.Errorf("%d KiB are in use while %d KiB are sent, want at most 10 MiB", most>>10, sent>>10)
	}
}
