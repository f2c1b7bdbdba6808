//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/owner"
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
	settings := f.snapshot.Swap(nil) // a server that has just started
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
	f.snapshot.Store(settings)
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
	if body, err := io.ReadAll(got.Body); err != nil || got.StatusCode != 503 || string(body) != "no settings yet\n" {
		t.Errorf("%d %q %v", got.StatusCode, body, err)
	}
	if lines := logged(); len(lines) > 0 {
		t.Errorf("logged are %q", lines)
	}
}
