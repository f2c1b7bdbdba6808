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
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// limit gives the tenant other limits, as a change of the resource does.
func (f *fixture) limit(perSecond, burst int32) {
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	changed.Tenant.Spec.Limits = v1alpha1.Limits{RequestsPerSecond: new(perSecond), Burst: new(burst)}
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

// open begins a request whose body never ends, on a connection of its own.
func (f *fixture) open(body string, length int) (*bufio.Reader, net.Conn) {
	f.t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(f.t.Context(), "tcp", f.http.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { connection.Close() })
	if _, err := fmt.Fprintf(connection, "POST %s/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/scim+json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		v1alpha1.BasePath, f.token, length); err != nil {
		f.t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	// The server asks for the body when it begins to read it: from then on the request has its place.
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		f.t.Fatalf("the server answered %q %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(connection, body); err != nil {
		f.t.Fatal(err)
	}
	return reader, connection
}

func TestMoreThanTheServerCanWorkOnIsToBeTriedAgain(t *testing.T) {
	f := newFixture(t)
	connections := make([]net.Conn, protocol.MaxInFlight)
	for i := range connections {
		_, connections[i] = f.open("{", 100)
	}
	f.wantLater(f.send("GET", "/Users", ""), http.StatusServiceUnavailable, 1)
	f.wantError(f.sendWith("GET", "/Users", "", http.Header{}), http.StatusUnauthorized, "") // takes no place
	for _, c := range connections {
		c.Close()
	}
	for f.send("GET", "/Users", "").status != 200 { // the places are free again, sooner or later
		if t.Context().Err() != nil {
			t.Fatal("the places were never free again")
		}
	}
}

func TestOnlySoManyLargeBodiesAreReadAtOnce(t *testing.T) {
	f := newFixture(t)
	large := `{"userName":"anna","title":"` + strings.Repeat("x", 100<<10)
	var connections []net.Conn
	for range 16 { // eight get a place, also where the requests below take one meanwhile
		_, c := f.open(large, 1<<20)
		connections = append(connections, c)
	}
	body := large + `"}`
	for f.send("POST", "/Users", body).status != http.StatusServiceUnavailable { // once all of them were read so far
		if t.Context().Err() != nil {
			t.Fatal("a ninth large body was read all the time")
		}
		f.expect("PUT", "/Users/x", `{"userName":"x"}`, 404, "") // a small one never waits
		for _, resource := range f.field(f.expect("GET", "/Users?attributes=id", "", 200, ""), "Resources").([]any) {
			f.expect("DELETE", "/Users/"+resource.(map[string]any)["id"].(string), "", 204, "")
		}
	}
	f.wantLater(f.send("POST", "/Users", body), http.StatusServiceUnavailable, 1)
	for _, c := range connections {
		c.Close()
	}
	for f.send("POST", "/Users", body).status != 201 {
		if t.Context().Err() != nil {
			t.Fatal("the places were never free again")
		}
	}
}

func TestABodyThatEndsTooSoonIsTheClientsMistake(t *testing.T) {
	f := newFixture(t)
	reader, connection := f.open(`{"userName":"anna"`, 100)
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	f.wantError(answer{response.StatusCode, response.Header, data}, 400, "invalidSyntax")
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
