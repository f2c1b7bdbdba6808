package protocol_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/test/race"
)

// person is the token of somebody who signed in.
func (f *fixture) person(n int) string {
	return f.userToken(authtest.Claims{"oid": "0c7d2b9f-3f1e-4a55-8f0b-" + strconv.Itoa(100_000_000_000+n)})
}

// let counts how many of a credential's requests are let in, whatever the answer to them is.
func (f *fixture) let(credential, path string, n int) (in int) {
	f.t.Helper()
	for range n {
		if f.as(credential, http.MethodGet, path, "").status != http.StatusTooManyRequests {
			in++
		}
	}
	return in
}

func TestOnePersonUsesUpNobodyElsesAllowance(t *testing.T) {
	f := newFixtureForUsers(t)
	reader := f.withReader("payroll")
	f.limit(1, 3)
	if got := f.let(f.person(1), "/Me", 20); got != 3 {
		t.Errorf("%d requests of a person are let in, want 3", got)
	}
	f.wantLater(f.as(f.person(1), "GET", "/Me", ""), http.StatusTooManyRequests, 1)
	f.wantLater(f.as(f.person(1), "GET", "/Users", ""), http.StatusTooManyRequests, 1)
	if got := f.let(f.person(2), "/Me", 20); got != 3 {
		t.Errorf("%d requests of another person are let in, want 3", got)
	}
	in := 0
	for n := range 50 {
		in += f.let(f.person(3+n), "/Me", 2)
	}
	if in != 6 {
		t.Errorf("%d requests of all other people are let in, want 6 of the 12 that people have together", in)
	}
	if got := f.let(reader, "/Users", 20); got != 3 {
		t.Errorf("%d requests of a reader are let in, want 3", got)
	}
	if got := f.let(f.token, "/Users", 20); got != 3 {
		t.Errorf("%d requests of the provisioning client are let in, want 3", got)
	}
	f.advance(time.Second)
	if got := f.let(f.person(99), "/Me", 20); got != 3 {
		t.Errorf("a second later %d requests of one more person are let in, want 3", got)
	}
	f.wantCounted(`scim_refusals_total{pool="rate",role="provisioner"} 17`, `scim_refusals_total{pool="rate",role="reader"} 17`,
		`scim_refusals_total{pool="rate",role="user"} `+strconv.Itoa(17+2+17+94+17))
}

// Twelve loops of one person, whatever they ask, are refused for that person alone, also while they are under way at the same time.
func TestLoopsOfOnePersonRefuseNobodyElse(t *testing.T) {
	race.Meets(t)
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna.k@contoso.test"}`)
	f.create("bo", "/Users", `{"userName":"bo","externalId":"`+bosOID+`"}`)
	reader := f.withReader("payroll")
	f.limit(10, 10)
	const loops, each = 12, 40
	paths := []string{"/Me", "/Me?attributes=id", "/Users", "/Schemas"}
	var in atomic.Int32 // whatever the answer: beyond a person's four places it is 503, which counts as a request as well
	var working sync.WaitGroup
	for n := range loops {
		credential := f.userToken(nil)
		working.Go(func() {
			for i := range each {
				if got := f.as(credential, http.MethodGet, paths[(n+i)%len(paths)], ""); got.status != http.StatusTooManyRequests {
					in.Add(1)
				}
			}
		})
	}
	bo := f.userToken(authtest.Claims{"oid": bosOID, "preferred_username": "bo@contoso.test", "sub": "BBBBsubject"})
	for range each {
		f.wantServed("another person", bo, "/Me")
		f.wantServed("a reader", reader, "/Users")
		f.wantServed("the provisioning client", f.token, "/Users")
		f.advance(100 * time.Millisecond)
	}
	working.Wait()
	if got := in.Load(); got == 0 || got > 10+10*each/10 {
		t.Errorf("%d requests of the loops are let in, want some, and no more than 10 at once and 10 a second after them", got)
	}
}

func TestManyReadersTogetherLeaveTheProvisioningClientItsAllowance(t *testing.T) {
	f := newFixture(t)
	f.limit(1, 3)
	in := 0
	for n := range 8 {
		in += f.let(f.withReader("reader"+strconv.Itoa(n)), "/Users", 5)
	}
	if in != 12 {
		t.Errorf("%d requests of 8 readers are let in, want 12: four times what one may ask", in)
	}
	if got := f.let(f.token, "/Users", 5); got != 3 {
		t.Errorf("%d requests of the provisioning client are let in, want 3", got)
	}
}

func TestEachOperationOfABulkRequestIsPaid(t *testing.T) {
	f := newFixture(t)
	reader := f.withReader("payroll")
	f.limit(5, 10)
	operations := make([]string, 1000)
	for i := range operations {
		operations[i] = `{"method":"DELETE","path":"/Users/no-such-user"}`
	}
	f.expect("POST", "/Bulk", bulkOf(strings.Join(operations, ",")), 200, "")
	f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 199) // 1,000 and the next, less a burst, and three for an answer of 200 KiB
	f.wantServed("a reader", reader, "/Users")
	f.advance(198 * time.Second)
	f.wantLater(f.send("GET", "/Users", ""), http.StatusTooManyRequests, 1)
	f.advance(time.Second)
	f.expect("GET", "/Users", "", 200, "")
}

func TestALargeRequestIsPaidByItsSize(t *testing.T) {
	const filler = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["id"],"filter":"userName eq \"nobody\""`
	for name, c := range map[string]struct {
		method, path, body string
		seconds            int // what the next request waits for at one a second and with a burst of one
	}{
		"a search":            {"POST", "/Users/.search", filler + "}", 1},
		"one with a body":     {"POST", "/Users/.search", filler + strings.Repeat(" ", 64<<10) + "}", 2},
		"one with a large":    {"POST", "/Users/.search", filler + strings.Repeat(" ", 640<<10) + "}", 11},
		"a page":              {"GET", "/Users?count=1", "", 2},
		"a large page":        {"GET", "/Users?count=10", "", 16},
		"a part of one":       {"GET", "/Users?count=10&attributes=name.givenName", "", 16},
		"nothing of one":      {"GET", "/Users?count=10&attributes=id", "", 16},
		"its headers":         {"HEAD", "/Users?count=10", "", 33},      // for two portions, which it had room for
		"headers of a group":  {"HEAD", "/Groups/{everybody}", "", 111}, // for 110,000 members, which it had room for
		"one that is refused": {"POST", "/Users/.search", `{"filter":"` + strings.Repeat("x", 640<<10) + `"}`, 11},
	} {
		f := newFixture(t)
		reader := f.withReader("payroll")
		for n := range 10 {
			f.expect("POST", "/Users", `{"userName":"user`+strconv.Itoa(n)+`","title":"`+strings.Repeat("x", 100<<10)+`"}`, 201, "")
		}
		f.crowd("everybody", 20_000)
		f.limit(1, 1)
		f.as(reader, c.method, c.path, c.body)
		f.wantLater(f.as(reader, "GET", "/Users?count=0", ""), http.StatusTooManyRequests, c.seconds)
		if f.t.Failed() {
			t.Fatal(name)
		}
		f.wantServed("the provisioning client", f.token, "/Users?count=0")
	}
}
