package protocol_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// TestAGroupTakesLittleMemoryHoweverManyMembersItHas counts what is in use while the answer is sent.
func TestAGroupTakesLittleMemoryHoweverManyMembersItHas(t *testing.T) {
	f := newFixture(t)
	const members = 150_000
	f.crowd("everybody", members)
	for _, path := range []string{"/Groups/{everybody}", "/Groups", "/Groups?attributes=members.value", "/.search"} {
		method, body := http.MethodGet, ""
		if path == "/.search" {
			method, body = http.MethodPost, `{"filter":"id pr"}`
		}
		if sent, most := f.uses(method, path, body, "identity"); sent < members*40 || most > 10<<20 {
			t.Errorf("%s: %d KiB are in use while %d KiB are sent, want at most 10 MiB", path, most>>10, sent>>10)
		}
	}
}

// uses tells how many bytes are sent as the answer, and the most that were in use meanwhile.
func (f *fixture) uses(method, path, body, codings string) (sent int, most int64) {
	f.t.Helper()
	used := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools keep goes with the second
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	step := 2 << 20
	if codings == "gzip" {
		step >>= 4
	}
	out := &counter{header: http.Header{}, write: func(n int) {
		if sent += n; sent%step < n { // now and then
			most = max(most, used()-before)
		}
	}}
	for name, id := range f.ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	request := httptest.NewRequestWithContext(f.t.Context(), method, v1alpha1.BasePath+path, strings.NewReader(body))
	request.Header.Set("Accept-Encoding", codings)
	request.Header.Set("Authorization", "Bearer "+f.token)
	f.http.Config.Handler.ServeHTTP(out, request)
	if out.status != http.StatusOK {
		f.t.Fatalf("%s: %d", path, out.status)
	}
	return sent, most
}

// TestNobodyWaitsForRoomWithMuchInHand: what is kept while a request waits is counted by nobody.
func TestNobodyWaitsForRoomWithMuchInHand(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	for name, size := range map[string]int{"large": 900, "small": 100} { // KiB
		title := strings.Repeat("x", size<<10)
		f.create(name, "/Users", fmt.Sprintf(`{"userName":%q,"title":%q}`, name, title))
	}
	pool := f.server.SetAnswers(share.Division{
		Size: 4 << 20, Provisioners: share.Share{Each: 1 << 20, Together: 1 << 20}, Readers: share.Share{Each: 2 << 20, Together: 2 << 20},
	})
	f.server.WaitForRoom(time.Minute)
	reader := f.withReader("payroll")
	for path, waits := range map[string]bool{
		"/Users/{large}": false, "/Users?filter=userName eq \"large\"": false, "/Users/{small}": true, "/Users?filter=userName eq \"small\"": true,
	} {
		held, ok := pool.TryTake(share.Client{Class: share.Reader, ID: "another"}, 2<<20)
		if !ok {
			t.Fatal("the room is not free")
		}
		answered := make(chan answer, 1)
		go func() { answered <- f.as(reader, http.MethodGet, path, "") }()
		for len(answered) == 0 && pool.Waiting() == 0 && t.Context().Err() == nil {
			runtime.Gosched()
		}
		waited := pool.Waiting() == 1
		held.Release()
		want := http.StatusServiceUnavailable
		if waits {
			want = http.StatusOK
		}
		if got := <-answered; waited != waits || got.status != want {
			t.Errorf("%s: %d, waited: %t, want %d", path, got.status, waited, want)
		}
	}
}

// counter is a client that keeps nothing.
type counter struct {
	header http.Header
	status int
	write  func(n int)
}

func (c *counter) Header() http.Header    { return c.header }
func (c *counter) WriteHeader(status int) { c.status = status }
func (c *counter) Write(data []byte) (int, error) {
	c.write(len(data))
	return len(data), nil
}

// TestAPageTakesLittleMemoryHoweverLargeItsResourcesAre counts what is in use while the answer is sent.
func TestAPageTakesLittleMemoryHoweverLargeItsResourcesAre(t *testing.T) {
	f := newFixture(t)
	title := strings.Repeat("x", 100<<10)
	err := f.database.Update(t.Context(), func(tx store.Tx) error {
		for i := range 300 {
			id := numbered(i + 1)
			rec := &store.Record{
				Kind: store.User, ID: id, Key: id, Active: true, Version: 1,
				Document: fmt.Appendf(nil, `{"active":true,"title":"%d %s","userName":%q}`, i, title, id),
			}
			if err := tx.Insert(t.Context(), rec); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"count=1000", "count=1000&cursor=", "count=1000&sortBy=userName", "count=1000&filter=title+pr", "count=1000&excludedAttributes=title",
		"count=1000&filter=not+(title+eq+%22x%22)", "count=250&filter=userName+sw+%220%22",
	} {
		if sent, most := f.uses(http.MethodGet, "/Users?"+query, "", "identity"); most > 24<<20 {
			t.Errorf("%s: %d KiB are in use while %d KiB are sent, want at most 24 MiB", query, most>>10, sent>>10)
		}
	}
}
