package protocol_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// limit gives the tenant other limits, as a change of the resource does.
func (f *fixture) limit(perSecond, burst int32) {
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	changed.Tenant.Spec.RateLimit = v1alpha1.RateLimit{RequestsPerSecond: new(perSecond), Burst: new(burst)}
	f.snapshot = &changed
}

// wantLater checks that an answer says when to try again, in seconds.
func (f *fixture) wantLater(a answer, status int, seconds int) {
	f.t.Helper()
	f.wantError(a, status, "")
	if got := a.header.Get("Retry-After"); got != strconv.Itoa(seconds) {
		f.t.Errorf("Retry-After = %q, want %d", got, seconds)
	}
}

func TestACredentialThatSendsTooMuchIsToldWhenToTryAgain(t *testing.T) {
	f := newFixture(t)
	f.limit(1, 3)
	for range 3 {
		f.expect("GET", "/Users", "", 200, "")
	}
	f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 1)
	f.wantLater(f.send("POST", "/Users", `{"userName":"anna"}`), http.StatusTooManyRequests, 1)
	f.advance(time.Second)
	if got := f.field(f.expect("GET", "/Users", "", 200, ""), "totalResults"); got != 0.0 {
		t.Errorf("a request that was refused made %v users", got)
	}
	f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 1)

	f.limit(1000, 1000) // without a restart, from the next request on
	f.send("GET", "/Users", "")
	f.advance(time.Second)
	for range 100 {
		f.expect("GET", "/Users?count=0", "", 200, "")
	}
}

func TestFailedAuthenticationIsLimitedAndLocksNobodyOut(t *testing.T) {
	f := newFixture(t)
	f.limit(1, 5)
	wrong := http.Header{"Authorization": {"Bearer " + f.token + "x"}}
	for range 5 {
		f.wantError(f.sendWith("GET", "/Users", "", wrong), http.StatusUnauthorized, "")
	}
	f.wantLater(f.sendWith("GET", "/Users", "", wrong), http.StatusTooManyRequests, 1)
	f.wantLater(f.sendWith("GET", "/Users", "", http.Header{}), http.StatusTooManyRequests, 1)
	for range 5 { // as many as if nobody had tried
		f.expect("GET", "/Users", "", 200, "")
	}
	f.advance(time.Second)
	f.wantError(f.sendWith("GET", "/Users", "", wrong), http.StatusUnauthorized, "")
}

func TestEachCredentialHasALimitOfItsOwn(t *testing.T) {
	f := newFixture(t)
	second, err := token.New(strings.NewReader(strings.Repeat("contoso's second", 2)))
	if err != nil {
		t.Fatal(err)
	}
	changed := *f.snapshot
	changed.Verifiers.Verifiers = append(changed.Verifiers.Verifiers, token.NewVerifier(second, token.RoleProvisioner, f.now))
	f.snapshot = &changed
	f.limit(1, 2)
	for range 2 {
		f.expect("GET", "/Users", "", 200, "")
	}
	f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 1)
	f.token = second
	f.expect("GET", "/Users", "", 200, "")
}

// begun is a request whose body has not come whole, on a connection of its own.
type begun struct {
	*testing.T
	net.Conn
	reader *bufio.Reader
	// let tells whether the server asked for the body (RFC 9110 section 10.1.1): from then on the request has its place.
	let bool
}

// begin sends the header of a POST, and the beginning of its body where the server asks for it. A length of -1 is unknown.
func (f *fixture) begin(credential, path, body string, length int) *begun {
	f.t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(f.t.Context(), "tcp", f.http.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { connection.Close() })
	of, framed := "Content-Length: "+strconv.Itoa(length), body
	if length < 0 {
		of, framed = "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	}
	media := "application/scim+json"
	if path == v1alpha1.TokenPath {
		media = "application/x-www-form-urlencoded"
	} else {
		path = v1alpha1.BasePath + path
	}
	if _, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nExpect: 100-continue\r\n%s\r\n\r\n",
		path, credential, media, of); err != nil {
		f.t.Fatal(err)
	}
	b := &begun{f.t, connection, bufio.NewReader(connection), false}
	start, err := b.reader.Peek(len("HTTP/1.1 100"))
	if err != nil {
		f.t.Fatal(err)
	}
	if b.let = string(start) == "HTTP/1.1 100"; !b.let {
		return b
	}
	for range 2 {
		if _, err := b.reader.ReadString('\n'); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := io.WriteString(connection, framed); err != nil {
		f.t.Fatal(err)
	}
	return b
}

// answer waits for the answer.
func (b *begun) answer() answer {
	b.Helper()
	response, err := http.ReadResponse(b.reader, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, data}
}

// most begins such requests until one is refused, and returns those that were let in.
func (f *fixture) most(credential, path, body string, length int) (all []*begun) {
	f.t.Helper()
	for {
		next := f.begin(credential, path, body, length)
		if !next.let {
			f.wantLater(next.answer(), http.StatusServiceUnavailable, 1)
			return all
		}
		all = append(all, next)
	}
}

func TestABodyThatEndsTooSoonIsTheClientsMistake(t *testing.T) {
	f := newFixture(t)
	request := f.begin(f.token, "/Users", `{"userName":"anna"`, 100)
	if err := request.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	f.wantError(request.answer(), 400, "invalidSyntax")
}

func TestOptionsAndHeadSayWhatAnEndpointTakes(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	for path, want := range map[string]string{
		"/Users": "GET, HEAD, POST, OPTIONS", "/Users/{anna}": "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", "/Schemas": "GET, HEAD, OPTIONS",
	} {
		if got := f.expect("OPTIONS", path, "", 204, ""); got.header.Get("Allow") != want {
			t.Errorf("OPTIONS %s: Allow = %q, want %q", path, got.header.Get("Allow"), want)
		}
		refused := f.send("TRACE", path, "")
		f.wantError(refused, 405, "")
		if refused.header.Get("Allow") != want {
			t.Errorf("TRACE %s: Allow = %q, want %q", path, refused.header.Get("Allow"), want)
		}
		got, head := f.send("GET", path, ""), f.send("HEAD", path, "")
		if head.status != 200 || len(head.body) > 0 || head.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
			t.Errorf("HEAD %s = %d, %d bytes, Content-Length %q, want the header of GET alone", path, head.status, len(head.body), head.header.Get("Content-Length"))
		}
	}
	f.wantError(f.send("OPTIONS", "/Devices", ""), 404, "")
}
