package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

func (f *fixture) status(method, path string, credentials ...string) (status int, header http.Header) {
	f.Helper()
	request, err := http.NewRequestWithContext(f.Context(), method, f.url+path, http.NoBody)
	if err != nil {
		f.Fatal(err)
	}
	for _, credential := range credentials {
		request.Header.Add("Authorization", credential)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header
}

func TestStrangersShareAnAllowanceAtTheAdminPort(t *testing.T) {
	for name, c := range map[string]struct {
		limits   v1alpha1.RateLimit
		let, per int
	}{
		"without limits":        {v1alpha1.RateLimit{}, 50, 10},
		"with the usual limits": {v1alpha1.RateLimit{RequestsPerSecond: new(int32(200)), Burst: new(int32(400))}, 50, 10},
		"with strict limits":    {v1alpha1.RateLimit{RequestsPerSecond: new(int32(1)), Burst: new(int32(3))}, 3, 1},
	} {
		f := newFixture(t)
		next := *f.snapshot.Load()
		next.Tenant = next.Tenant.DeepCopy()
		next.Tenant.Spec.RateLimit = c.limits
		f.snapshot.Store(&next)
		ask := func() (let int) {
			for i := range 100 {
				path := []string{"GET /log", "GET /export", "POST /import", "GET /log?follow=true"}[i%4]
				method, path, _ := strings.Cut(path, " ")
				var credentials []string
				if i%3 > 0 {
					credentials = []string{"Bearer wrong"}
				}
				switch status, header := f.status(method, path, credentials...); {
				case status == http.StatusUnauthorized:
					let++
				case status != http.StatusTooManyRequests || header.Get("Retry-After") == "":
					t.Errorf("%s: %s %s: %d %v", name, method, path, status, header)
				}
			}
			return let
		}
		if got := ask(); got != c.let {
			t.Errorf("%s: %d of 100 were looked at, want %d", name, got, c.let)
		}
		f.want("/log", f.reader, 200) // nobody is locked out
		f.want("/healthz", "", 200)
		f.want("/readyz", "", 200)
		f.clock.Step(time.Second)
		if got := ask(); got != c.per {
			t.Errorf("%s: a second later %d of 100 were looked at, want %d", name, got, c.per)
		}
	}
}

func TestAnAdministratorWithTwoCredentialsIsRefused(t *testing.T) {
	f := newFixture(t)
	good := "Bearer " + f.provisioner
	for _, credentials := range [][]string{{good, "Bearer x"}, {"Bearer x", good}, {good, good}, {good, ""}} {
		for _, path := range []string{"GET /log", "GET /export", "POST /import"} {
			method, path, _ := strings.Cut(path, " ")
			if status, _ := f.status(method, path, credentials...); status != http.StatusBadRequest {
				t.Errorf("%s %s with %d lines: %d", method, path, len(credentials), status)
			}
		}
	}
}

// awayStore is a storage that is away.
type awayStore struct {
	store.Store
	away *atomic.Bool
}

func (a awayStore) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	if a.away.Load() {
		return nil, fmt.Errorf("%w: the disk is gone", store.ErrUnavailable)
	}
	return a.Store.Log(ctx, after, limit)
}

// logsOn has a server of a directory and its store answer from now on, and returns what that has logged.
func (f *fixture) logsOn(users *directory.Directory, database store.Store) (logged func() []string) {
	var mu sync.Mutex
	var lines []string
	server := httptest.NewServer(admin.New(admin.Options{
		Settings: f.snapshot.Load, Directory: users, Store: database,
		Auth: auth.New(auth.Options{Now: f.clock.Now}), Metrics: prometheus.NewRegistry(), Clock: f.clock,
		Log: funcr.New(func(_, line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		}, funcr.Options{}),
	}))
	f.Cleanup(server.Close)
	f.url = server.URL
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}

func TestAnOutageOfTheStorageIsToldAdministratorsLogOnce(t *testing.T) {
	f := newFixture(t)
	var away atomic.Bool
	away.Store(true)
	database := awayStore{f.store, &away}
	logged := f.logsOn(directory.New(directory.Options{Store: database, Now: f.clock.Now}), database)
	for range 30 {
		f.want("/log", f.reader, 503)
	}
	away.Store(false)
	f.want("/log", f.reader, 200)
	f.want("/log", f.reader, 200)
	if got := logged(); len(got) != 2 || !strings.Contains(got[0], "the storage is unavailable") || !strings.Contains(got[1], "succeed again") {
		t.Errorf("30 requests of an outage are logged as %q, want its beginning and its end", got)
	}
}
