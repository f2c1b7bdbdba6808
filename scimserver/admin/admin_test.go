//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is the admin port of a tenant's server over real HTTP, with a provisioner's token and a reader's.
type fixture struct {
	*testing.T
	url                 string
	store               store.Store
	directory           *directory.Directory
	clock               *clocktesting.FakeClock
	snapshot            atomic.Pointer[settings.Snapshot]
	provisioner, reader string
	stop                context.CancelFunc
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureOn(t, openSQLite(t))
}

func openSQLite(t *testing.T) store.Store {
	t.Helper()
	database, err := sqlite.Open(t.Context(), t.TempDir())
	return opened(t, database, err)
}

// opened is a store that is closed when the test has ended.
func opened(t *testing.T, database store.Store, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	return database
}

func newFixtureOn(t *testing.T, database store.Store) *fixture {
	t.Helper()
	// Deadlines of connections are by the machine's clock.
	f := &fixture{T: t, store: database, clock: clocktesting.NewFakeClock(time.Now().UTC().Truncate(time.Second))}
	f.directory = directory.New(directory.Options{Store: database, Now: f.clock.Now})
	f.provisioner, _ = token.New(strings.NewReader(strings.Repeat("contoso's token ", 2)))
	f.reader, _ = token.New(strings.NewReader(strings.Repeat("payroll's token ", 2)))
	f.snapshot.Store(&settings.Snapshot{
		Tenant: &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: "contoso"}},
		Verifiers: token.Set{Verifiers: []token.Verifier{
			token.NewVerifier(f.provisioner, token.RoleProvisioner, f.clock.Now()),
			token.NewVerifier(f.reader, token.RoleReader, f.clock.Now()),
		}},
	})
	server := httptest.NewUnstartedServer(admin.New(admin.Options{
		Settings: f.snapshot.Load, Directory: f.directory, Store: database, Auth: auth.New(auth.Options{Now: f.clock.Now}),
		Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Clock: f.clock,
	}))
	base, stop := context.WithCancel(context.Background())
	f.stop = stop
	server.Config.BaseContext = func(net.Listener) context.Context { return base }
	server.Start()
	f.url = server.URL
	t.Cleanup(func() {
		stop()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return f
}

// suspend sets spec.provisioning.state of the settings in force.
func (f *fixture) suspend() {
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.State = v1alpha1.StateSuspended })
}

// resume takes back what suspend did.
func (f *fixture) resume() {
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.State = v1alpha1.StateActive })
}

// spec changes the settings in force.
func (f *fixture) spec(change func(*v1alpha1.ProvisioningTenantSpec)) {
	next := *f.snapshot.Load()
	next.Tenant = next.Tenant.DeepCopy()
	change(&next.Tenant.Spec)
	f.snapshot.Store(&next)
}

func (f *fixture) user(name string) string {
	f.Helper()
	created, err := f.directory.Create(f.Context(), directory.Caller{Client: "token-1", RequestID: "r-" + name}, store.User, schema.Object{"userName": name})
	if err != nil {
		f.Fatal(err)
	}
	return created.ID
}

func (f *fixture) get(path, token string) *http.Response {
	f.Helper()
	request, err := http.NewRequestWithContext(f.Context(), http.MethodGet, f.url+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (f *fixture) want(path, token string, status int) string {
	f.Helper()
	response := f.get(path, token)
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatalf("%s: %v", path, err)
	}
	if response.StatusCode != status {
		f.Fatalf("%s = %d, want %d\n%s", path, response.StatusCode, status, body)
	}
	return string(body)
}

func TestTheLogAndTheDirectoryAreShownToWhoHasACredentialForThem(t *testing.T) {
	f := newFixture(t)
	foreign, _ := token.New(strings.NewReader(strings.Repeat("fabrikam's token", 2)))
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/healthz", "", 200}, {"/readyz", "", 200}, {"/metrics", "", 200},
		{"/log", "", 401}, {"/log", foreign, 401}, {"/log", f.reader, 200}, {"/log", f.provisioner, 200},
		{"/log?follow=true", "", 401}, {"/log?follow=true", foreign, 401},
		{"/export", "", 401}, {"/export", foreign, 401}, {"/export", f.reader, 403}, {"/export", f.provisioner, 200},
		{"/other", f.provisioner, 404},
	} {
		body := f.want(c.path, c.token, c.status)
		if c.token != "" && strings.Contains(body, c.token) {
			t.Errorf("%s repeats the token", c.path)
		}
	}
	// The pod stays, and the administrator may look and export. A reader is held back here as at the Tenant URL.
	for _, c := range []struct {
		provisioning, access v1alpha1.State
		reader               int
	}{
		{v1alpha1.StateSuspended, v1alpha1.StateActive, 200}, {v1alpha1.StateActive, v1alpha1.StateSuspended, 503}, {v1alpha1.StateSuspended, v1alpha1.StateSuspended, 503},
	} {
		f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Provisioning.State, s.Access.State = c.provisioning, c.access
		})
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			f.want(path, "", 200)
		}
		f.want("/log", f.provisioner, 200)
		f.want("/export", f.provisioner, 200)
		f.want("/export", f.reader, 403)
		f.want("/log", foreign, 401)
		got := f.want("/log", f.reader, c.reader)
		if c.reader == 503 && got != "access to this tenant is suspended (spec.access.state); try again later\n" {
			t.Errorf("a reader is told %q", got)
		}
	}
	f.snapshot.Store(nil)
	for _, path := range []string{"/readyz", "/log", "/export"} {
		f.want(path, f.provisioner, 503)
	}
	f.want("/healthz", "", 200)
}

func TestTheLogIsFilteredByEachParameter(t *testing.T) {
	f := newFixture(t)
	anna := f.user("anna")
	f.clock.Step(time.Hour)
	bob := f.user("bob")
	f.clock.Step(time.Hour)
	group, err := f.directory.Create(t.Context(), directory.Caller{Client: "token-2", RequestID: "r-all"}, store.Group, schema.Object{"displayName": "all"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.directory.Delete(t.Context(), directory.Caller{Client: "token-1", RequestID: "r-x"}, directory.Target{Kind: store.User, ID: bob}); err != nil {
		t.Fatal(err)
	}
	f.directory.Failed(directory.Failure{Caller: directory.Caller{Client: "token-1", RequestID: "r-y"}, Kind: store.User, ID: bob, Operation: "patch", Outcome: "notFound"})
	if _, err := f.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(n int) string { return f.clock.Now().Add(time.Duration(n) * time.Hour).Format(time.RFC3339) }
	for query, want := range map[string]string{
		"":                                    "1 2 3 4 5",
		"limit=2":                             "1 2",
		"after=3":                             "4 5",
		"after=3&limit=1":                     "4",
		"after=5":                             "",
		"after=latest":                        "",
		"after=" + f.position(3):              "4 5",
		"after=" + f.position(3) + "&limit=1": "4",
		"since=" + at(-1):                     "2 3 4 5",
		"until=" + at(-1):                     "1",
		"since=" + at(-1) + "&until=" + at(0): "2",
		"resourceType=Group":                  "3",
		"resourceId=" + anna:                  "1",
		"resourceId=" + bob:                   "2 4 5",
		"client=token-2":                      "3",
		"requestId=r-x":                       "4",
		"operation=create":                    "1 2 3",
		"outcome=notFound":                    "5",
		"outcome=success&operation=delete&resourceType=User": "4",
		"outcome=failure":                                    "5",
		"outcome=failure&operation=create":                   "",
		"order=ascending&limit=1":                            "1",
		"order=descending":                                   "5 4 3 2 1",
		"order=descending&limit=2":                           "5 4",
		"order=descending&after=4":                           "3 2 1",
		"order=descending&after=" + f.position(3):            "2 1",
		"order=descending&after=1":                           "",
		"order=descending&after=0":                           "",
		"order=descending&outcome=success&resourceId=" + bob: "4 2",
		"order=descending&outcome=failure":                   "5",
		"follow=false&outcome=tooLarge":                      "",
	} {
		var got []string
		for line := range strings.Lines(f.want("/log?"+query, f.reader, 200)) {
			var entry struct{ Sequence int }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("%s: %v\n%s", query, err, line)
			}
			got = append(got, fmt.Sprint(entry.Sequence))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: entries %s, want %s", query, got, want)
		}
	}
	want := `{"sequence":3,"time":"` + f.clock.Now().Format(time.RFC3339) + `","client":"token-2","requestId":"r-all","resourceType":"Group","resourceId":"` +
		group.ID + `","operation":"create","attributes":["displayName"],"outcome":"success","count":1,"position":"` + f.position(3) + `"}` + "\n"
	if got := f.want("/log?after=2&limit=1", f.reader, 200); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got := f.get("/log", f.reader).Header.Get("Content-Type"); got != "application/jsonl" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestAPositionWithTheGreatestNumberIsGone(t *testing.T) {
	f := newFixture(t)
	made := base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64([]byte{1}, math.MaxInt64), "whatever"...))
	for _, query := range []string{"after=" + made, "order=descending&after=" + made} {
		f.want("/log?"+query, f.reader, http.StatusGone)
	}
}

func TestAQueryThatMakesNoSenseIsRefusedAndToldWhatWould(t *testing.T) {
	f := newFixture(t)
	const afterMust = "after must be latest, the position of an entry, or its sequence number"
	const unreadable = "the query cannot be read: a percent sign is written %25, a semicolon %3B"
	const outcomes = "badRequest, canceled, conflict, failure, forbidden, internalError, invalidFilter, invalidPath, invalidSyntax, invalidValue, " +
		"mutability, noTarget, notFound, preconditionFailed, success, timeout, tooLarge, tooMany, tooManyRequests, unavailable, uniqueness, unsupportedMediaType"
	for query, want := range map[string]string{
		"resource=x":                           "an unknown parameter: there are after, client, follow, limit, operation, order, outcome, requestId, resourceId, resourceType, since, until",
		"after=x":                              afterMust,
		"after=-1":                             afterMust,
		"after=9223372036854775808":            afterMust,
		"limit=0":                              "limit must be a positive number",
		"limit=many":                           "limit must be a positive number",
		"limit=1&limit=2":                      "limit must be given once",
		"since=yesterday":                      "since must be a time such as 2026-11-25T06:00:00Z",
		"until=2026-11-25":                     "until must be a time such as 2026-11-25T06:00:00Z",
		"resourceType=Device":                  "resourceType must be User or Group",
		"client=a&client=b":                    "client must be given once",
		"resourceType=User&resourceType=Group": "resourceType must be given once",
		"resourceId=":                          "resourceId must be the id of a user or a group",
		"resourceId=anna":                      "resourceId must be the id of a user or a group",
		"client=":                              "client must have a value; leave it out to see every entry",
		"operation=update":                     "operation must be one of create, defaults, delete, import, patch, replace, unassign",
		"order=newest":                         "order must be one of ascending, descending",
		"order=descending&follow=true":         "follow goes on with what is newer: leave out order=descending",
		"order=descending&after=latest":        "order=descending begins at the end: leave out after=latest",
		"outcome":                              "outcome must be one of " + outcomes,
		"outcome=nope":                         "outcome must be one of " + outcomes,
		"outcome=!success":                     "outcome must be one of " + outcomes,
		"follow=perhaps":                       "follow must be true or false",
		"client=%zz":                           unreadable,
		"limit=1;client=a":                     unreadable,
		"%zz":                                  unreadable,
	} {
		if got := f.want("/log?"+query, f.reader, 400); got != want+"\n" {
			t.Errorf("%s: %swant %s", query, got, want)
		}
	}
	f.want("/export?logs=true", f.provisioner, 400)
	f.want("/export?log=perhaps", f.provisioner, 400)
	f.want("/export?log=%zz", f.provisioner, 400)
	f.want("/export?log=true;", f.provisioner, 400)
}

// position is where a request goes on behind the entry with a sequence number.
func (f *fixture) position(sequence int64) string {
	f.Helper()
	at, err := f.directory.PositionAt(f.Context(), sequence)
	if err != nil {
		f.Fatal(err)
	}
	return at.String()
}

// follow reads the lines of a follower as they come.
func (f *fixture) follow(path string) (next func() (string, error), response *http.Response) {
	f.Helper()
	response = f.get(path, f.reader)
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		f.Fatalf("%s = %d\n%s", path, response.StatusCode, body)
	}
	lines := bufio.NewReader(response.Body)
	return func() (string, error) {
		line, err := lines.ReadString('\n')
		if err != nil {
			return line, err
		}
		var entry struct{ RequestID, Operation string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			f.Fatalf("%v\n%s", err, line)
		}
		return entry.RequestID, nil
	}, response
}

func (f *fixture) wantNext(next func() (string, error), want string) {
	f.Helper()
	if got, err := next(); got != want || err != nil {
		f.Fatalf("next entry %q, %v, want %q", got, err, want)
	}
}

func TestAFollowerSeesWhatIsThereAndThenEachCommit(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.user("anna")
	next, _ := f.follow("/log?follow=true&operation=create")
	f.wantNext(next, "r-anna")
	for n := range 20 {
		id := f.user(fmt.Sprint(n))
		if err := f.directory.Delete(t.Context(), directory.Caller{}, directory.Target{Kind: store.User, ID: id}); err != nil {
			t.Fatal(err)
		}
		f.wantNext(next, fmt.Sprint("r-", n))
	}
}

func TestAFollowerSeesWhatAnotherReplicaWroteAtTheNextLook(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	next, _ := f.follow("/log?follow=true")
	// Past the directory, so that nobody is told.
	err := f.store.Update(t.Context(), func(tx store.Tx) error {
		return tx.Append(t.Context(), store.Entry{Time: f.clock.Now(), RequestID: "elsewhere"})
	})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Step(5 * time.Second)
	f.wantNext(next, "elsewhere")
}

func TestAFollowerWithALimitEndsByItself(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	next, _ := f.follow("/log?follow=true&limit=2")
	f.user("anna")
	f.user("bob")
	f.wantNext(next, "r-anna")
	f.wantNext(next, "r-bob")
	if _, err := next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want a clean end", err)
	}
}

func TestAFollowerIsCutOffWhenItsCredentialIsRevoked(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	next, _ := f.follow("/log?follow=true")
	changed := *f.snapshot.Load()
	changed.Verifiers = token.Set{}
	f.snapshot.Store(&changed)
	f.clock.Step(5 * time.Second)
	if line, err := next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%q, %v, want the connection cut", line, err)
	}
}

func TestFollowersEndWhenTheServerIsToldTo(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	next, _ := f.follow("/log?follow=true")
	f.stop()
	if _, err := next(); err == nil {
		t.Error("the follower goes on")
	}
}

func TestTheExportIsWhatImportTakes(t *testing.T) {
	f := newFixture(t)
	f.user("anna")
	for _, query := range []string{"", "?log=true"} {
		file := f.want("/export"+query, f.provisioner, 200)
		to, err := sqlite.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		d := directory.New(directory.Options{Store: to, Now: f.clock.Now})
		counts, err := transfer.Import(t.Context(), to, d, bytes.NewReader([]byte(file)))
		if err != nil || counts.Users != 1 || (counts.Entries == 1) != (query != "") {
			t.Errorf("%s: %+v, %v", query, counts, err)
		}
		if err := to.Close(); err != nil {
			t.Error(err)
		}
	}
}
