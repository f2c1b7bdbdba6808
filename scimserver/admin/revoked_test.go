package admin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/test/race"
)

// running is a clock on which a few seconds go by whenever somebody looks.
type running struct {
	clock.RealClock

	ahead *atomic.Int64
}

func (r running) Now() time.Time { return time.Now().Add(time.Duration(r.ahead.Add(6)) * time.Second) }

func TestAnAnswerThatTakesLongEndsWithItsCredential(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	for n := range 300 {
		f.user(fmt.Sprint("somebody-with-a-long-name-", n))
	}
	good := f.snapshot.Load()
	revoked := *good
	revoked.Verifiers = token.Set{}
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
		s.Provisioning.State, s.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	})
	suspended := f.snapshot.Load()
	for _, path := range []string{"/export", "/log", "/log?follow=true&limit=300"} {
		for name, c := range map[string]struct {
			credential string
			then       *settings.Snapshot
			want       bool
		}{
			"good": {f.provisioner, good, true}, "revoked": {f.provisioner, &revoked, false},
			"an administrator's while all is suspended": {f.provisioner, suspended, true}, "a reader's while access is suspended": {f.reader, suspended, false},
		} {
			var asked atomic.Int64
			server := httptest.NewServer(admin.New(admin.Options{
				Settings: func() *settings.Snapshot {
					if asked.Add(1) > 1 {
						return c.then
					}
					return good
				},
				Directory: f.directory, Store: f.store, Auth: auth.New(auth.Options{Now: f.clock.Now}),
				Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Clock: running{ahead: &atomic.Int64{}},
			}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+c.credential)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
			if whole := err == nil && response.StatusCode == http.StatusOK; whole != c.want {
				t.Errorf("%s with a credential that is %s after the beginning: %d, %v", path, name, response.StatusCode, err)
			}
			server.Close()
		}
	}
}
