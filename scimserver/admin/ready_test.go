//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

// unreadyStore is a storage that names what keeps it from its work.
type unreadyStore struct {
	store.Store
	away *atomic.Bool
}

func (u unreadyStore) Check(context.Context) error {
	if u.away.Load() {
		return fmt.Errorf("read: %w: the certificate is for another name", store.ErrUnavailable)
	}
	return nil
}

func TestReadinessNamesWhatKeepsTheStorageFromItsWorkFirst(t *testing.T) {
	f := newFixture(t)
	var away atomic.Bool
	away.Store(true)
	current := f.snapshot.Swap(nil) // a server that has just started
	logged := f.logsOn(f.directory, unreadyStore{f.store, &away})
	ready := func(status int, want string) {
		t.Helper()
		got := f.get("/readyz", "")
		body, err := io.ReadAll(got.Body)
		if err != nil || got.StatusCode != status || !strings.Contains(string(body), want) {
			t.Errorf("%d %s %v, want %d %s", got.StatusCode, body, err, status, want)
		}
	}
	for range 5 {
		ready(503, "the certificate is for another name")
	}
	away.Store(false)
	ready(503, "no settings yet")
	f.snapshot.Store(current)
	f.clock.Step(time.Minute)
	ready(200, "")
	if lines := logged(); len(lines) != 2 || !strings.Contains(lines[0], "another name") || !strings.Contains(lines[1], "again") {
		t.Errorf("logged are %q, want the beginning and the end", lines)
	}
}

// waitingStore is a storage that is not asked before it is known whose directory it has to have.
type waitingStore struct{ store.Store }

func (waitingStore) Check(context.Context) error { return fmt.Errorf("read: %w", owner.ErrNoSettings) }

func TestAServerThatHasNoSettingsYetHasNoTroubleWithItsStorage(t *testing.T) {
	f := newFixture(t)
	f.snapshot.Store(nil)
	logged := f.logsOn(f.directory, waitingStore{f.store})
	got := f.get("/readyz", "")
	if body, err := io.ReadAll(got.Body); err != nil || got.StatusCode != 503 || string(body) != "the server has no settings yet\n" {
		t.Errorf("%d %q %v", got.StatusCode, body, err)
	}
	if lines := logged(); len(lines) > 0 {
		t.Errorf("logged are %q", lines)
	}
}

// answers is a storage whose checks have one answer.
type answers struct {
	store.Store
	err error
}

func (a answers) Check(context.Context) error { return a.err }

// Each answer has the reason that people look up, and no words but the store's own.
func TestReadinessHasTheReasonOfTheConditionAndWhatIsWrongWithNewerSettings(t *testing.T) {
	f := newFixture(t)
	served := f.snapshot.Load()
	for _, c := range []struct {
		err      error
		database bool
		settings *settings.Snapshot
		problem  string
		status   int
		want     string
	}{
		{store.WithCause("DirectoryMissing", fmt.Errorf("%w: none", store.ErrUnavailable)), true, served, "", 503,
			"DirectoryMissing: the directory's storage is unavailable: none\n"},
		{fmt.Errorf("read: %w", store.ErrUnavailable), true, served, "", 503, "DatabaseFailed: read: the directory's storage is unavailable\n"},
		{store.Unwritable(store.WithCause("VolumeFull", fmt.Errorf("write: %w: full", store.ErrUnavailable))), false, served, "", 200,
			"VolumeFull: write: the directory's storage is unavailable: full\n"},
		{errors.New("s3cret"), true, served, "", 503, "DatabaseFailed: the server's log tells why\n"},
		{errors.New("s3cret"), false, served, "", 503, "VolumeFailed: the server's log tells why\n"},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), true, served, "", 503,
			"DatabaseUnreachable: the directory's storage is unavailable: it does not answer in time\n"},
		{nil, true, nil, "", 503, "nobody is served\n"},
		{nil, true, served, "", 200, ""},
		{nil, true, served, "the changed manifests are not good", 200, "the changed manifests are not good\n"},
	} {
		handler := admin.New(admin.Options{
			Settings: func() *settings.Snapshot { return c.settings }, Unserved: func() string { return "nobody is served" },
			Problem: func() string { return c.problem }, Store: answers{f.store, c.err}, Database: c.database,
			Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Clock: f.clock,
		})
		out := httptest.NewRecorder()
		handler.ServeHTTP(out, httptest.NewRequestWithContext(t.Context(), http.MethodGet, v1alpha1.ReadyPath, nil))
		if out.Code != c.status || out.Body.String() != c.want {
			t.Errorf("%v: %d %q, want %d %q", c.err, out.Code, out.Body, c.status, c.want)
		}
	}
}

// Kubernetes takes a server that is not ready out of service, and what it still could answer with it.
func TestAStorageThatTakesNoChangesIsToldOnceAndKeepsTheServerReady(t *testing.T) {
	f := newFixture(t)
	full := answers{f.store, store.Unwritable(store.WithCause("VolumeFull", fmt.Errorf("write: %w: full", store.ErrUnavailable)))}
	var now atomic.Pointer[store.Store]
	is := func(s store.Store) { now.Store(&s) }
	logged := f.logsOn(f.directory, switched{f.store, &now})
	for range 2 {
		is(full)
		for range 5 {
			if got := f.get("/readyz", ""); got.StatusCode != 200 {
				t.Errorf("a full volume: %d", got.StatusCode)
			}
		}
		is(f.store)
		f.clock.Step(time.Minute)
		for range 5 {
			f.get("/readyz", "")
		}
	}
	want := []string{"no changes; reads go on", "takes changes again", "no changes; reads go on", "takes changes again"}
	lines := logged()
	for i := range want {
		if len(lines) != len(want) || !strings.Contains(lines[i], want[i]) {
			t.Fatalf("logged are %q, want %q", lines, want)
		}
	}
}

// A pod that begins while the last one ends is not ready for seconds, and nobody need be told.
func TestADirectoryThatIsHandedOverIsNotReadyAndNotLogged(t *testing.T) {
	f := newFixture(t)
	held := store.WithCause("DirectoryInUse", store.ErrHeld)
	var now atomic.Pointer[store.Store]
	is := func(err error) {
		s := store.Store(answers{f.store, err})
		now.Store(&s)
	}
	logged := f.logsOn(f.directory, switched{f.store, &now})
	for _, c := range []struct {
		err    error
		status int
		lines  int
	}{{store.Handover(held), 503, 0}, {nil, 200, 0}, {held, 503, 1}} {
		is(c.err)
		if got := f.get("/readyz", ""); got.StatusCode != c.status || len(logged()) != c.lines {
			t.Errorf("%v: %d, logged are %q", c.err, got.StatusCode, logged())
		}
	}
}

// switched is a storage whose checks are another's.
type switched struct {
	store.Store
	now *atomic.Pointer[store.Store]
}

func (s switched) Check(ctx context.Context) error { return (*s.now.Load()).Check(ctx) }
