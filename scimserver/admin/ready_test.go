//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
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
	var mu sync.Mutex
	var lines []string
	var away atomic.Bool
	away.Store(true)
	settings := f.snapshot.Swap(nil) // a server that has just started
	handler := admin.New(admin.Options{
		Settings: f.snapshot.Load, Directory: directory.New(directory.Options{Store: f.store, Now: f.clock.Now}), Store: unreadyStore{f.store, &away},
		Auth: auth.New(auth.Options{Now: f.clock.Now}), Metrics: prometheus.NewRegistry(), Clock: f.clock,
		Log: funcr.New(func(_, line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		}, funcr.Options{}),
	})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	f.url = server.URL
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
	mu.Lock()
	defer mu.Unlock()
	if len(lines) != 2 || !strings.Contains(lines[0], "another name") || !strings.Contains(lines[1], "again") {
		t.Errorf("logged are %q, want the beginning and the end", lines)
	}
}
