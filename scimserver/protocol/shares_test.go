package protocol_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/test/race"
)

// withReader gives the tenant one more reader and returns its token.
func (f *fixture) withReader(name string) string {
	f.t.Helper()
	secret := tokenOf(f.t, name)
	f.trust(token.NewReader(secret, name, f.now))
	return secret
}

// as sends a request with another credential.
func (f *fixture) as(credential, method, path, body string) answer {
	f.t.Helper()
	return f.sendWith(method, path, body, bearer(credential))
}

// wantServed checks that a credential is answered.
func (f *fixture) wantServed(whose, credential, path string) {
	f.t.Helper()
	if got := f.as(credential, http.MethodGet, path, ""); got.status != http.StatusOK {
		f.t.Errorf("GET %s of %s: %d %s", path, whose, got.status, got.body)
	}
}

// ended closes connections and waits until the server holds nothing for them: it learns of that later than the client.
func (f *fixture) ended(all []*begun) {
	f.t.Helper()
	for _, b := range all {
		b.Close()
	}
	f.wantHeld(0, 0)
}

// wantHeld waits until so many places, and so many bytes of large bodies, are taken.
func (f *fixture) wantHeld(places, bytes int64) {
	f.t.Helper()
	for {
		if p, b := f.server.Held(); p == places && b == bytes {
			return
		}
		if f.t.Context().Err() != nil {
			f.t.Fatalf("there never were %d places and %d bytes taken", places, bytes)
		}
		runtime.Gosched()
	}
}

// wantCounted checks how many requests are counted as refused, in the order of pool and role.
func (f *fixture) wantCounted(lines ...string) {
	f.t.Helper()
	want := "# HELP scim_refusals_total Requests refused because their client, or all of its role, had their share of a pool.\n" +
		"# TYPE scim_refusals_total counter\n" + strings.Join(lines, "\n") + "\n"
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(want), "scim_refusals_total"); err != nil {
		f.t.Error(err)
	}
}

func TestBodiesThatTrickleTakeNobodyElsesPlace(t *testing.T) {
	race.Meets(t)
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna","externalId":"`+annasOID+`"}`)
	person := f.userToken(nil)
	reader, another := f.withReader("payroll"), f.withReader("wiki")
	for _, path := range []string{"/Users/.search", "/Groups/.search", "/.search"} {
		for _, length := range []int{50, -1} {
			held := f.most(reader, path, "{", length)
			if len(held) != 32 {
				t.Errorf("%s: one reader has %d places, want 32", path, len(held))
			}
			f.wantLater(f.as(reader, "GET", "/Users", ""), http.StatusServiceUnavailable, 1)
			f.wantServed("another reader", another, "/Users")
			f.wantServed("the provisioning client", f.token, "/Users")
			f.wantServed("a person", person, "/Me")
			f.wantError(f.sendWith("POST", path, "{}", http.Header{}), http.StatusUnauthorized, "") // takes no place
			f.ended(held)
		}
	}
}

func TestAllOthersTogetherLeaveTheProvisioningClientItsReserve(t *testing.T) {
	race.Meets(t)
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna","externalId":"`+annasOID+`"}`)
	person := f.userToken(nil)
	readers := map[string]int{}
	all := 0
	for i := range 8 {
		reader := f.withReader("reader" + strconv.Itoa(i))
		readers[reader] = len(f.most(reader, "/Users/.search", "{", 50))
		all += readers[reader]
	}
	if all != 96 {
		t.Errorf("all readers together have %d places, want 96", all)
	}
	f.wantServed("a person", person, "/Me")
	if got := len(f.most(f.token, "/Users", "{", 50)); got != 128 {
		t.Errorf("the provisioning client has %d places beside them, want 128", got)
	}
	f.wantServed("a person", person, "/Me")
	f.wantCounted(`scim_refusals_total{pool="requests",role="provisioner"} 1`, `scim_refusals_total{pool="requests",role="reader"} 8`)
}

func TestLargeBodiesOfReadersLeaveThoseOfTheProvisioningClientTheirRoom(t *testing.T) {
	race.Meets(t)
	const mib = 1 << 20
	for _, c := range []struct{ length, reader, provisioner int }{{4 * mib, 1, 2}, {mib, 4, 8}, {70_000, 59, 119}} {
		f := newFixture(t)
		reader, another := f.withReader("payroll"), f.withReader("wiki")
		if got := len(f.most(reader, "/Users/.search", "{", c.length)); got != min(c.reader, 32) {
			t.Errorf("one reader has %d bodies of %d bytes, want %d", got, c.length, min(c.reader, 32))
		}
		f.most(another, "/Users/.search", "{", c.length)
		f.wantServed("a reader without a body", f.withReader("third"), "/Users")
		if got := len(f.most(f.token, "/Users", "{", c.length)); got != c.provisioner {
			t.Errorf("the provisioning client has %d bodies of %d bytes beside them, want %d", got, c.length, c.provisioner)
		}
	}
}

// A body of unknown length takes room as it comes, 256 KiB at a time.
func TestALargeBodyOfUnknownLengthTakesRoomAsItComes(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	reader := f.withReader("payroll")
	var held []*begun
	for range 16 {
		b := f.begin(reader, "/Users/.search", `{"filter":"`+strings.Repeat("x", 100<<10), -1)
		held = append(held, b)
		f.wantHeld(int64(len(held)), int64(len(held))*256<<10)
	}
	f.wantLater(f.begin(reader, "/Users/.search", strings.Repeat("x", 100<<10), -1).answer(), http.StatusServiceUnavailable, 1)
	f.expect("POST", "/Users", `{"userName":"`+strings.Repeat("x", 100<<10)+`"}`, 400, "") // whose room they have not
	f.ended(held)
}

// A body is bounded by what it takes in memory: one of many short values takes fifty times its size.
func TestABodyOfManyShortValuesTakesRoomForWhatItBecomes(t *testing.T) {
	race.Meets(t)
	const mib = 1 << 20
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("sales", "/Groups", `{"displayName":"sales"}`)
	reader := f.withReader("payroll")
	many := func(size int) string { return `{"x":[` + strings.Repeat(`{"":1},`, size/7) + `{}]}` }
	whole := many(4*mib - 100)
	for _, path := range []string{"/Users/.search", "/Groups/.search", "/.search"} {
		f.wantError(f.as(reader, "POST", path, whole), http.StatusRequestEntityTooLarge, "")
	}
	for _, to := range []string{"POST /Users", "PUT /Users/{anna}", "PATCH /Users/{anna}", "POST /Groups", "PUT /Groups/{sales}", "PATCH /Groups/{sales}", "POST /Bulk"} {
		method, path, _ := strings.Cut(to, " ")
		f.wantError(f.send(method, path, whole), http.StatusRequestEntityTooLarge, "")
	}
	held := f.begin(reader, "/Users/.search", "{", 4*mib-100<<10)
	f.wantHeld(1, 4*mib-100<<10)
	plain := `{"x":"` + strings.Repeat("x", 60<<10) + `"}`
	if got := f.as(reader, "POST", "/Users/.search", plain); got.status != http.StatusOK {
		t.Errorf("a text of 60 KiB: %d %s", got.status, got.body)
	}
	f.wantLater(f.as(reader, "POST", "/Users/.search", many(60<<10)), http.StatusServiceUnavailable, 1)
	f.wantLater(f.as(reader, "POST", "/Users/.search", many(90<<10)), http.StatusServiceUnavailable, 1)
	f.ended([]*begun{held})
	for _, size := range []int{60 << 10, 90 << 10} {
		if got := f.as(reader, "POST", "/Users/.search", many(size)); got.status != http.StatusOK {
			t.Errorf("%d bytes of short values where there is room: %d %s", size, got.status, got.body)
		}
	}
	f.wantHeld(0, 0)
}

func TestABodyThatDoesNotComeInTimeIsGivenUp(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.withClient()
	patient := f.http
	f.hurry()
	large := `{"userName":"` + strings.Repeat("x", 400<<10)
	for _, path := range []string{"/Users", "/Groups", "/Bulk", "/.search", "/Users/.search"} {
		for _, c := range []struct {
			body   string
			length int
		}{{"", 50}, {"{", 50}, {"{", -1}, {large, 1 << 20}, {large, -1}} {
			f.wantError(f.begin(f.token, path, c.body, c.length).answer(), http.StatusRequestTimeout, "")
		}
	}
	for _, length := range []int{50, -1} {
		f.wantOAuthError(f.begin("", v1alpha1.TokenPath, "grant_type", length).answer(), http.StatusRequestTimeout, "invalid_request")
	}
	if places, bytes := f.server.Held(); bytes != 0 {
		t.Errorf("%d places and %d bytes are still held", places, bytes)
	}
	f.http = patient
	f.expect("POST", "/Users", `{"userName":"anna"}`, 201, "")
}

// hurry has bodies given up that are not there when they are read.
func (f *fixture) hurry() {
	f.server.SetPace(time.Millisecond, time.Millisecond, time.Hour)
	f.http = httptest.NewUnstartedServer(f.server.Handler())
	f.http.Config.ReadHeaderTimeout, f.http.Config.ReadTimeout = time.Minute, time.Millisecond
	f.http.Start()
	f.t.Cleanup(f.http.Close)
}

// Anybody can send token requests. Above 8 KiB, which none has in earnest, their bodies take room that strangers have together.
func TestLargeTokenRequestsOfStrangersTakeABoundedAmountOfMemory(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	form := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", f.withClient())
	for _, length := range []int{64 << 10, -1} {
		var held []*begun
		for len(held) < 16 {
			held = append(held, f.begin("", v1alpha1.TokenPath, strings.Repeat("x", 9<<10), length))
			f.wantHeld(0, int64(len(held))*64<<10)
		}
		got := f.begin("", v1alpha1.TokenPath, strings.Repeat("x", 9<<10), length).answer()
		f.wantOAuthError(got, http.StatusServiceUnavailable, "temporarily_unavailable")
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After = %q, want 1", got.header.Get("Retry-After"))
		}
		f.issued(f.ask("POST", form, nil))
		f.expect("POST", "/Users", `{"userName":"`+strings.Repeat("x", 100<<10)+`"}`, 400, "") // whose room they have not
		f.ended(held)
	}
}

func TestStrangersWaitForTheLoginAuthorityInTheirOwnShare(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
	})
	form := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	release := f.server.TakeStrangers()
	got := f.ask("POST", f.assertionForm(nil), nil)
	f.wantOAuthError(got, http.StatusServiceUnavailable, "temporarily_unavailable")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q, want 1", got.header.Get("Retry-After"))
	}
	f.issued(f.ask("POST", form, nil)) // a secret is compared and waits for nobody
	f.wantServed("the provisioning client", f.token, "/Users")
	release()
	f.issued(f.ask("POST", f.assertionForm(nil), nil))
	f.wantHeld(0, 0)
}

// A client that does not ask before it sends is answered in the same time: net/http reads what is missing of such a body before it answers.
func TestALateBodyOfAClientThatDoesNotAskIsAnsweredAtOnce(t *testing.T) {
	f := newFixture(t)
	f.hurry()
	for _, length := range []int{50, 1 << 20} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil { // of a server that never answers
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(connection, "POST %s/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/scim+json\r\n"+
			"Content-Length: %d\r\n\r\n{", v1alpha1.BasePath, f.token, length); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatalf("a body of %d bytes: %v", length, err)
		}
		_ = response.Body.Close()

		if response.StatusCode != http.StatusRequestTimeout {
			t.Errorf("a body of %d bytes is %d, want 408", length, response.StatusCode)
		}
	}
}

func TestABodyHasTimeByItsSize(t *testing.T) {
	for bytes, want := range map[int]time.Duration{
		0: 10 * time.Second, 1: 10 * time.Second, protocol.SmallBody: 10 * time.Second, protocol.SmallBody + 1: 11 * time.Second,
		1 << 20: 14 * time.Second, protocol.MaxBody: 26 * time.Second, 100 * protocol.MaxBody: 30 * time.Second,
	} {
		if got := protocol.Due(bytes); got != want {
			t.Errorf("%d bytes: %v, want %v", bytes, got, want)
		}
	}
}
