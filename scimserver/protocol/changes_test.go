package protocol_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// feed is an answer of /Changes.
type feed struct {
	Changes []struct {
		Type, ID, Operation string
		Time                time.Time
		Attributes          []string
		Members             []struct{ ID, Operation string }
	}
	Position string
	More     bool
}

// changes reads the feed with a credential.
func (f *fixture) changes(credential, query string) (answered feed) {
	f.t.Helper()
	got := f.as(credential, http.MethodGet, "/Changes?"+query, "")
	if got.status != http.StatusOK {
		f.t.Fatalf("GET /Changes?%s: %d %s", query, got.status, got.body)
	}
	if err := json.Unmarshal(got.body, &answered); err != nil {
		f.t.Fatalf("GET /Changes?%s: %v\n%s", query, err, got.body)
	}
	return answered
}

// writeFailures puts what failed into the log.
func (f *fixture) writeFailures() {
	f.t.Helper()
	if _, err := f.directory.WriteFailures(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// told is what a feed tells, in short.
func (f *fixture) told(answered feed) string {
	names := map[string]string{}
	for name, id := range f.ids {
		names[id] = name
	}
	var out []string
	for _, c := range answered.Changes {
		text := strings.TrimSpace(c.Operation + " " + names[c.ID] + " " + strings.Join(c.Attributes, ","))
		for _, m := range c.Members {
			text += " " + m.Operation + " " + names[m.ID]
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func TestTheFeedTellsWhatBecameOfUsersAndGroups(t *testing.T) {
	f := newFixture(t)
	reader := f.withReader("payroll")
	start := f.changes(reader, "after=latest")
	if len(start.Changes) != 0 || start.More {
		t.Errorf("the end of an empty log is %+v", start)
	}
	f.create("anna", "/Users", anna)
	f.advance(time.Second)
	f.create("all", "/Groups", `{"displayName":"all"}`)
	f.expect(http.MethodPatch, "/Users/{anna}", operation("replace", "title", `"Chief"`), http.StatusNoContent, "")
	f.expect(http.MethodPatch, "/Users/{anna}", operation("replace", "title", `"Chief"`), http.StatusNoContent, "") // which changes nothing
	f.expect(http.MethodPost, "/Users", anna, http.StatusConflict, "")
	f.writeFailures()
	f.advance(time.Second)
	f.expect(http.MethodDelete, "/Users/{anna}", "", http.StatusNoContent, "")

	got := f.as(reader, http.MethodGet, "/Changes?after="+start.Position, "")
	want := `{"changes":[
{"type":"User","id":"{anna}","operation":"create","time":"2026-11-23T12:00:00Z"},
{"type":"Group","id":"{all}","operation":"create","time":"2026-11-23T12:00:01Z"},
{"type":"User","id":"{anna}","operation":"update","time":"2026-11-23T12:00:01Z","attributes":["title"]},
{"type":"User","id":"{anna}","operation":"delete","time":"2026-11-23T12:00:02Z"}
],"position":"{position}","more":false}
`
	end := f.changes(reader, "after=latest").Position
	want = strings.NewReplacer("{anna}", f.ids["anna"], "{all}", f.ids["all"], "{position}", end).Replace(want)
	if string(got.body) != want {
		t.Errorf("got  %swant %s", got.body, want)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Content-Length": fmt.Sprint(len(want)), "Cache-Control": "no-store"} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if again := f.changes(reader, "after="+end); len(again.Changes) != 0 || again.Position != end {
		t.Errorf("behind its end it has %+v", again)
	}
	if got := f.as(reader, http.MethodHead, "/Changes?wait=30&after="+end, ""); got.status != http.StatusOK || len(got.body) != 0 {
		t.Errorf("HEAD: %d %s", got.status, got.body)
	}
}

func TestTheFeedTellsWhoJoinedAndWhoLeft(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("bob", "/Users", `{"userName":"bob"}`)
	start := f.changes(f.token, "after=latest").Position
	member := func(name string) string { return `[{"value":"{` + name + `}"}]` }
	f.create("all", "/Groups", `{"displayName":"all","members":`+member("anna")+`}`)
	f.create("some", "/Groups", `{"displayName":"some"}`)
	for _, body := range []string{
		operation("add", "members", member("bob")),
		operation("add", "members", member("bob")), // who is one already
		operation("replace", "displayName", `"everybody"`),
		operation("remove", "members", member("anna")),
		operation("add", "members", member("some")),
	} {
		f.expect(http.MethodPatch, "/Groups/{all}", body, http.StatusNoContent, "")
	}
	f.expect(http.MethodPut, "/Groups/{all}", `{"displayName":"all","members":`+member("anna")+`}`, http.StatusOK, "")
	f.expect(http.MethodDelete, "/Users/{anna}", "", http.StatusNoContent, "")
	want := "create all add anna; create some; update all members add bob; update all displayName; update all members remove anna; " +
		"update all members add some; update all displayName,members add anna remove bob remove some; update all members remove anna; delete anna"
	if got := f.told(f.changes(f.token, "after="+start)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheFeedComesInParts(t *testing.T) {
	f := newFixture(t)
	start := f.changes(f.token, "after=latest").Position
	const users = 400
	f.fill(store.User, users, func(i int) string { return fmt.Sprintf(`{"userName":"u%d","active":true}`, i) })
	err := f.database.Update(t.Context(), func(tx store.Tx) error {
		for i := range users {
			e := store.Entry{
				Time: f.clock(), Client: "token", RequestID: fmt.Sprint(i), Kind: store.User, ResourceID: fmt.Sprintf("01926e6f-6f2c-7000-8000-%012d", i),
				Operation: directory.OperationPatch, Outcome: directory.OutcomeSuccess, Attributes: []string{strings.Repeat("x", 200)},
			}
			if i%2 == 1 {
				e.Outcome = "notFound"
			}
			if err := tx.Append(t.Context(), e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]int{
		"":            {100, 100, 0},
		"&count=150":  {150, 50},
		"&count=1000": {198, 2}, // as many as fit into 64 KiB
	} {
		var sizes []int
		seen := map[string]bool{}
		for after, more := start, true; more; {
			part := f.changes(f.token, "after="+after+query)
			after, more = part.Position, part.More
			sizes = append(sizes, len(part.Changes))
			for _, c := range part.Changes {
				seen[c.ID] = true
			}
		}
		if fmt.Sprint(sizes) != fmt.Sprint(want) || len(seen) != users/2 {
			t.Errorf("%q: %d changes in parts of %d, want %d", query, len(seen), sizes, want)
		}
	}
}

func TestTheFeedRefusesWhatItCannotRead(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	at := f.changes(f.token, "after=latest").Position
	for query, detail := range map[string]string{
		"":                                 "after is missing: begin with after=latest",
		"wait=1":                           "after is missing",
		"after":                            "after must be latest, or a position",
		"after=17":                         "after must be latest, or a position",
		"after=LATEST":                     "after must be latest, or a position",
		"after=" + at + "A":                "after must be latest, or a position",
		"after=" + at[1:]:                  "after must be latest, or a position",
		"after=" + at + "&after=" + at:     "after must be given once",
		"anna=1&anna=2&after=" + at:        "there is an unknown parameter: this endpoint has after, wait and count",
		"After=" + at:                      "there is an unknown parameter: this endpoint has after, wait and count",
		"after=" + at + "&limit=2":         "there is an unknown parameter",
		"after=" + at + "&filter=id+pr":    "there is an unknown parameter",
		"after=" + at + "&count=0":         "count must be a number from 1 to 1000",
		"after=" + at + "&count=1001":      "count must be a number from 1 to 1000",
		"after=" + at + "&count=many":      "count must be a number from 1 to 1000",
		"after=" + at + "&wait=-1":         "wait must be a number of seconds from 0 to 30",
		"after=" + at + "&wait=31":         "wait must be a number of seconds from 0 to 30",
		"after=" + at + "&wait=1s":         "wait must be a number of seconds from 0 to 30",
		"after=" + at + ";wait=1":          "the query cannot be read",
		"after=%zz":                        "the query cannot be read",
		"after=latest&wait=1&wait=1&x=%20": "",
	} {
		got := f.send(http.MethodGet, "/Changes?"+query, "")
		f.wantError(got, http.StatusBadRequest, "invalidValue")
		if got := f.field(got, "detail").(string); !strings.HasPrefix(got, detail) {
			t.Errorf("%s: %s, want %s", query, got, detail)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		got := f.send(method, "/Changes?after="+at, "")
		f.wantError(got, http.StatusMethodNotAllowed, "")
		if allow := got.header.Get("Allow"); allow != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: Allow %s", method, allow)
		}
	}
}

func TestTheFeedIsForWhoReadsTheDirectory(t *testing.T) {
	f := newFixtureForUsers(t)
	for name, c := range map[string]struct {
		credential string
		status     int
	}{
		"a provisioning client": {f.token, 200}, "a reader": {f.withReader("payroll"), 200}, "a person": {f.userToken(nil), 403},
		"a stranger": {tokenOf(t, "nobody"), 401},
	} {
		if got := f.as(c.credential, http.MethodGet, "/Changes?after=latest", ""); got.status != c.status {
			t.Errorf("%s: %d, want %d\n%s", name, got.status, c.status, got.body)
		}
	}
}

func TestAPositionThatIsGoneIsToldWhereToBegin(t *testing.T) {
	f := newFixture(t)
	start := f.changes(f.token, "after=latest").Position
	other := newFixture(t)
	other.create("anna", "/Users", anna)
	ahead := other.changes(other.token, "after=latest").Position
	f.wantGone(ahead)
	f.create("anna", "/Users", anna)
	f.create("bob", "/Users", `{"userName":"bob"}`)
	f.wantGone(ahead)
	f.directory.SetLogRetention(time.Hour)
	f.advance(2 * time.Hour)
	if err := f.directory.TrimLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantGone(start)
	if got := f.changes(f.token, "after="+f.expect(http.MethodGet, "/Users", "", 200, "").header.Get("Events-Position")); len(got.Changes) != 0 {
		t.Errorf("from the list on there are %+v", got)
	}
}

// listPosition is the Events-Position of a list.
func (f *fixture) listPosition(method, path, body string) string {
	f.t.Helper()
	got := f.send(method, path, body)
	position := got.header.Get("Events-Position")
	if got.status != http.StatusOK || position == "" {
		f.t.Fatalf("%s %s: %d, Events-Position %q\n%s", method, path, got.status, position, got.body)
	}
	return position
}

func TestAListSaysFromWhereItsChangesAreToBeRead(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("all", "/Groups", `{"displayName":"all"}`)
	f.advance(2 * time.Minute)
	end := f.changes(f.token, "after=latest").Position
	const search = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":1`
	lists := []struct{ method, path, body string }{
		{"GET", "/Users", ""},
		{"HEAD", "/Users", ""},
		{"GET", "/Users?count=0", ""},
		{"GET", "/Groups?excludedAttributes=members", ""},
		{"GET", "/Users?cursor=&count=1", ""},
		{"GET", "/Users?startIndex=2", ""},
		{"GET", "/Users?sortBy=userName", ""},
		{"GET", "/Users?filter=active eq true", ""},
		{"GET", `/Users?filter=userName eq "nobody"`, ""},
		{"GET", "/?filter=id pr", ""},
		{"POST", "/.search", search + `}`},
		{"POST", "/Users/.search", search + `,"filter":"userName sw \"a\""}`},
		{"POST", "/Groups/.search", search + `,"cursor":""}`},
	}
	for _, list := range lists {
		if got := f.listPosition(list.method, list.path, list.body); got != end {
			t.Errorf("%s %s has %s, want %s", list.method, list.path, got, end)
		}
	}
	f.create("bob", "/Users", `{"userName":"bob"}`)
	for _, list := range lists {
		got := f.told(f.changes(f.token, "after="+f.listPosition(list.method, list.path, list.body)))
		if got != "" && got != "create bob" { // an older place is as good
			t.Errorf("from %s %s on there is %s", list.method, list.path, got)
		}
	}
	if got := f.told(f.changes(f.token, "after="+f.listPosition("GET", "/Users", ""))); got != "" {
		t.Errorf("from a list of all users on there is %s, which the list has", got)
	}
	for path, status := range map[string]int{"/Users/{anna}": 200, "/Users?filter=nothing": 400, "/Schemas": 200, "/": 200} {
		got := f.expect("GET", path, "", status, "")
		if position := got.header.Get("Events-Position"); position != "" {
			t.Errorf("GET %s has Events-Position %s", path, position)
		}
	}
}

// wantGone checks that nobody can go on from a position.
func (f *fixture) wantGone(position string) {
	f.t.Helper()
	got := f.send(http.MethodGet, "/Changes?after="+position, "")
	f.wantError(got, http.StatusGone, "")
	const then = ": read all users and groups again, and go on from the Events-Position of the first answer to that"
	if detail := f.field(got, "detail").(string); !strings.Contains(detail, then) {
		f.t.Errorf("the detail is %s", detail)
	}
}

// waiting asks for changes and returns how to wait for the answer, once the request waits.
func (f *fixture) waiting(credential, query string) (answered func() feed) {
	f.t.Helper()
	before := f.server.Waiting()
	ended := make(chan feed, 1)
	go func() { ended <- f.changes(credential, query) }()
	for f.server.Waiting() == before {
		if f.t.Context().Err() != nil {
			f.t.Fatal("it never waited")
		}
		runtime.Gosched()
	}
	return func() feed { return <-ended }
}

func TestARequestThatWaitsIsWokenByTheNextChange(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.server.SetWaits(time.Hour, time.Hour, time.Nanosecond)
	reader := f.withReader("payroll")
	answered := f.waiting(reader, "wait=30&after=latest")
	f.expect(http.MethodDelete, "/Users/01926e6f-6f2c-7000-8000-000000000001", "", http.StatusNotFound, "")
	f.writeFailures() // of which the feed tells nothing
	f.create("anna", "/Users", anna)
	if got := f.told(answered()); got != "create anna" {
		t.Errorf("it is told %s", got)
	}
	if f.server.Waiting() != 0 {
		t.Error("it still waits")
	}
}

func TestARequestThatWaitsSeesWhatAnotherReplicaWrote(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	elsewhere, mine := f.replica(), f.openReplica()
	f.server.SetWaits(time.Hour, time.Millisecond, time.Nanosecond)
	answered := f.waitingAt(elsewhere, "wait=30&after=latest")
	other := directory.New(directory.Options{Store: mine, Now: f.clock})
	if _, err := other.Create(t.Context(), directory.Caller{}, store.User, map[string]any{"userName": "anna"}); err != nil {
		t.Fatal(err)
	}
	if got := f.told(answered()); got != "create" {
		t.Errorf("it is told %s", got)
	}
}

func TestARequestThatWaitsIsToldNothingOnceItsClientHasLostItsAccess(t *testing.T) {
	race.Meets(t)
	for name, c := range map[string]struct {
		lose   func(changed *settings.Snapshot)
		status int
	}{
		"access is suspended":   {func(s *settings.Snapshot) { s.Tenant.Spec.Access.State = v1alpha1.StateSuspended }, http.StatusServiceUnavailable},
		"the reader is no more": {func(s *settings.Snapshot) { s.Verifiers.Verifiers = s.Verifiers.Verifiers[:1] }, http.StatusUnauthorized},
	} {
		f := newFixture(t)
		f.server.SetWaits(time.Hour, time.Hour, time.Nanosecond)
		reader := f.withReader("payroll")
		ended := make(chan answer, 1)
		go func() { ended <- f.as(reader, http.MethodGet, "/Changes?wait=30&after=latest", "") }()
		for f.server.Waiting() == 0 {
			runtime.Gosched()
		}
		changed := *f.snapshot
		changed.Tenant = changed.Tenant.DeepCopy()
		c.lose(&changed)
		f.snapshot = &changed
		f.create("anna", "/Users", anna)
		if got := <-ended; got.status != c.status {
			t.Errorf("%s: %d, want %d\n%s", name, got.status, c.status, got.body)
		}
	}
}

// waitingAt is waiting at the server that was started last.
func (f *fixture) waitingAt(base, query string) (answered func() feed) {
	f.t.Helper()
	ended := make(chan feed, 1)
	go func() {
		var got feed
		if err := json.Unmarshal(f.send(http.MethodGet, base+"/Changes?"+query, "").body, &got); err != nil {
			f.t.Error(err)
		}
		ended <- got
	}()
	for f.server.Waiting() == 0 {
		if f.t.Context().Err() != nil {
			f.t.Fatal("it never waited")
		}
		runtime.Gosched()
	}
	return func() feed { return <-ended }
}

func TestARequestWaitsNoLongerThanItAsksAndNotForAServerThatEnds(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.server.SetWaits(time.Microsecond, time.Hour, time.Hour)
	if got := f.changes(f.token, "wait=30&after=latest"); len(got.Changes) != 0 || got.More {
		t.Errorf("it has %+v", got)
	}
	f.server.SetWaits(time.Hour, time.Hour, time.Hour)
	answered := f.waiting(f.token, "wait=30&after=latest")
	f.server.Drain()
	if got := answered(); len(got.Changes) != 0 {
		t.Errorf("a server that ends answers %+v", got)
	}
	f.server.Drain()
	if got := f.changes(f.token, "wait=30&after=latest"); len(got.Changes) != 0 {
		t.Errorf("a server that ends answers later %+v", got)
	}
}

func TestRequestsThatWaitHaveTheirShares(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.server.SetWaits(time.Hour, time.Hour, time.Nanosecond)
	reader, other := f.withReader("payroll"), f.withReader("wiki")
	var all []func() feed
	for range protocol.Waiting().Readers.Each {
		all = append(all, f.waiting(reader, "wait=30&after=latest"))
	}
	f.wantLater(f.as(reader, http.MethodGet, "/Changes?wait=30&after=latest", ""), http.StatusServiceUnavailable, 1)
	f.wantServed("one that does not wait", reader, "/Changes?after=latest")
	all = append(all, f.waiting(other, "wait=30&after=latest"), f.waiting(f.token, "wait=30&after=latest"))
	f.wantCounted(`scim_refusals_total{pool="waiting",role="reader"} 1`)
	f.create("anna", "/Users", anna)
	for _, answered := range all {
		if got := f.told(answered()); got != "create anna" {
			t.Errorf("one that waited is told %s", got)
		}
	}
}
