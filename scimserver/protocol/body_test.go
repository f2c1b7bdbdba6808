package protocol_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// bodies are requests with a body, one for each endpoint that reads one.
var bodies = []struct{ method, path, body string }{
	{"POST", "/Users", `{"userName":"bob"}`}, {"POST", "/Groups", `{"displayName":"Sellers"}`},
	{"PUT", "/Users/{anna}", `{"userName":"anna","title":"CFO"}`}, {"PUT", "/Groups/{buyers}", `{"displayName":"Sellers"}`},
	{"PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`)},
	{"PATCH", "/Groups/{buyers}", patchOf(`{"op":"replace","path":"displayName","value":"Sellers"}`)},
	{"POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"carl"}`))},
	{"POST", "/.search", "{}"}, {"POST", "/Users/.search", "{}"}, {"POST", "/Groups/.search", "{}"},
}

func withAnnaAndBuyers(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	return f
}

// everything is all that a client can read of users and groups.
func (f *fixture) everything() string {
	f.t.Helper()
	return string(f.expect(http.MethodPost, "/.search", "{}", http.StatusOK, "").body)
}

func TestABodyWithAContentCodingIsRefused(t *testing.T) {
	f := withAnnaAndBuyers(t)
	secret := f.withClient()
	form := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	before := f.everything()
	for _, codings := range [][]string{
		{"gzip"}, {"GZIP"}, {"x-gzip"}, {"deflate"}, {"br"}, {"zstd"}, {"aws-chunked"}, {"identity, gzip"}, {"identity", "br"}, {"gzip", "gzip"}, {"gzip;q=1"}, {"identities"},
	} {
		header := func(authorization, media string) http.Header {
			return http.Header{"Authorization": {authorization}, "Content-Type": {media}, "Content-Encoding": codings}
		}
		for _, c := range bodies {
			got := f.sendWith(c.method, c.path, c.body, header("Bearer "+f.token, "application/scim+json"))
			f.wantError(got, http.StatusUnsupportedMediaType, "")
			if accepted := got.header.Values("Accept-Encoding"); len(accepted) != 1 || accepted[0] != "identity" {
				t.Errorf("%s %s with %q: Accept-Encoding = %q, want identity (RFC 9110 section 12.5.3)", c.method, c.path, codings, accepted)
			}
		}
		got := f.ask("POST", form, header("", "application/x-www-form-urlencoded"))
		f.wantOAuthError(got, http.StatusUnsupportedMediaType, "invalid_request")
		if got.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("the token endpoint with %q: %v", codings, got.header)
		}
	}
	if after := f.everything(); after != before {
		t.Errorf("a request that was refused made\n%s\nof\n%s", after, before)
	}
	f.wantError(f.sendWith("POST", "/Users", "{}", http.Header{"Authorization": {"Bearer " + f.token}, "Content-Type": {"text/plain"}}), http.StatusUnsupportedMediaType, "")
	for i, codings := range [][]string{{"identity"}, {"Identity"}, {""}, {" , identity,"}, {"identity", "identity"}} {
		got := f.sendWith("POST", "/Users", fmt.Sprintf(`{"userName":"user%d"}`, i), http.Header{"Authorization": {"Bearer " + f.token}, "Content-Encoding": codings})
		if got.status != http.StatusCreated {
			t.Errorf("%q: %d %s", codings, got.status, got.body)
		}
		f.issued(f.ask("POST", form, http.Header{"Content-Encoding": codings}))
	}
}

// announced sends the header of a request with a Content-Length, and of the body nothing. It returns the first line of what comes back,
// and the answer where that line is not a 100.
func (f *fixture) announced(method, target, header string, length int) (string, answer) {
	f.t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(f.t.Context(), "tcp", f.http.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer connection.Close()
	for name, id := range f.ids {
		target = strings.ReplaceAll(target, "{"+name+"}", id)
	}
	if _, err := fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", method, target, header, length); err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(header, "Expect") { // so that a server that wants the body does not wait for it
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			f.t.Fatal(err)
		}
	}
	reader := bufio.NewReader(connection)
	line, err := reader.Peek(len("HTTP/1.1 100"))
	if err != nil {
		f.t.Fatal(err)
	}
	first := string(line)
	if strings.HasSuffix(first, "100") {
		return first, answer{}
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return first, answer{status: response.StatusCode, header: response.Header, body: data}
}

func TestABodyThatIsTooLargeIsRefusedBeforeItIsRead(t *testing.T) {
	f := withAnnaAndBuyers(t)
	f.withClient()
	const expect = "Expect: 100-continue\r\n"
	scim := "Authorization: Bearer " + f.token + "\r\nContent-Type: application/scim+json\r\n"
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	for _, header := range []string{"", expect} {
		for _, c := range bodies {
			for _, length := range []int{protocol.MaxBody + 1, 30 << 20, 1 << 40} {
				_, got := f.announced(c.method, v1alpha1.BasePath+c.path, scim+header, length)
				f.wantError(got, http.StatusRequestEntityTooLarge, "")
				if detail := f.field(got, "detail").(string); !strings.Contains(detail, "4194304 bytes") {
					t.Errorf("the detail does not say how much is allowed: %s", detail)
				}
			}
		}
		_, got := f.announced("POST", v1alpha1.TokenPath, form+header, 64<<10+1)
		f.wantOAuthError(got, http.StatusRequestEntityTooLarge, "invalid_request")
		// Other refusals that need no body ask for none either.
		_, got = f.announced("POST", v1alpha1.BasePath+"/Users?attributes=%zz", scim+header, 100)
		f.wantError(got, http.StatusBadRequest, "invalidValue")
		_, got = f.announced("POST", v1alpha1.BasePath+"/Users", scim+"Content-Encoding: gzip\r\n"+header, 100)
		f.wantError(got, http.StatusUnsupportedMediaType, "")
		_, got = f.announced("POST", v1alpha1.BasePath+"/Users", header, 100)
		f.wantError(got, http.StatusUnauthorized, "")
	}
	for target, c := range map[string]struct {
		header string
		length int
	}{v1alpha1.BasePath + "/Users": {scim, protocol.MaxBody}, v1alpha1.TokenPath: {form, 64 << 10}} {
		if first, got := f.announced("POST", target, c.header+expect, c.length); first != "HTTP/1.1 100" {
			t.Errorf("POST %s of the greatest size: %s %s", target, first, got.body)
		}
	}
}

// A body in chunks says nothing of its size beforehand.
func TestABodyInChunksIsReadUpToTheLimit(t *testing.T) {
	f := withAnnaAndBuyers(t)
	secret := f.withClient()
	chunked := func(method, target, body string, header http.Header) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, f.http.URL+target, io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		return f.do(request)
	}
	scim := func() http.Header { return bearer(f.token) }
	large := strings.Repeat(" ", protocol.MaxBody)
	f.wantError(chunked("POST", v1alpha1.BasePath+"/Users", large+`{"userName":"bob"}`, scim()), http.StatusRequestEntityTooLarge, "")
	f.wantError(chunked("POST", v1alpha1.BasePath+"/Bulk", large+`{"Operations":[]}`, scim()), http.StatusRequestEntityTooLarge, "")
	if got := chunked("POST", v1alpha1.BasePath+"/Users", large[:protocol.MaxBody-18]+`{"userName":"bob"}`, scim()); got.status != http.StatusCreated {
		t.Errorf("the greatest size: %d %s", got.status, got.body)
	}
	form := func() http.Header { return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}} }
	good := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	f.wantOAuthError(chunked("POST", v1alpha1.TokenPath, good+"&x="+large[:64<<10], form()), http.StatusRequestEntityTooLarge, "invalid_request")
	f.issued(chunked("POST", v1alpha1.TokenPath, good, form()))
}

func TestATokenRequestThatEndsTooSoonIsTheClientsMistake(t *testing.T) {
	f := newFixture(t)
	f.withClient()
	_, got := f.announced("POST", v1alpha1.TokenPath, "Content-Type: application/x-www-form-urlencoded\r\n", 100)
	f.wantOAuthError(got, http.StatusBadRequest, "invalid_request")
}
