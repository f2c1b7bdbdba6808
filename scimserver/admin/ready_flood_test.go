package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// checkedStore is a storage that answers one check at a time, as the one connection for them does, and takes as long as answer.
type checkedStore struct {
	store.Store

	mu     sync.Mutex
	checks int
	answer chan error
}

func (s *checkedStore) Check(ctx context.Context) error {
	s.mu.Lock()
	s.checks++
	s.mu.Unlock()
	select {
	case err := <-s.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: no answer", store.ErrUnavailable)
	}
}

// Any pod of the cluster may ask. If each had a check of its own, the kubelet would wait behind all of them and take the pod out of its Service.
func TestThoseWhoAskForReadinessAtOnceShareACheck(t *testing.T) {
	race.Meets(t)
	synctest.Test(t, func(t *testing.T) {
		storage := &checkedStore{answer: make(chan error)}
		handler := admin.New(admin.Options{
			Settings: func() *settings.Snapshot { return &settings.Snapshot{Tenant: &v1alpha1.ProvisioningTenant{}} }, Store: storage,
			Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Clock: clocktesting.NewFakeClock(time.Now()),
		})
		ask := func(ctx context.Context) *httptest.ResponseRecorder {
			out := httptest.NewRecorder()
			go handler.ServeHTTP(out, httptest.NewRequestWithContext(ctx, http.MethodGet, v1alpha1.ReadyPath, nil))
			synctest.Wait()
			return out
		}
		first, hangUp := context.WithCancel(t.Context())
		ask(first)
		var all []*httptest.ResponseRecorder
		for range 100 {
			all = append(all, ask(t.Context()))
		}
		if storage.checks != 1 {
			t.Errorf("101 who ask make %d checks", storage.checks)
		}
		hangUp() // whose check it was
		storage.answer <- nil
		synctest.Wait()
		for _, one := range all {
			if one.Code != http.StatusOK {
				t.Fatalf("%d %s", one.Code, one.Body)
			}
		}
		// A storage that does not answer holds up nobody who asks later.
		late := ask(t.Context())
		<-time.NewTimer(time.Minute).C
		synctest.Wait()
		if late.Code != http.StatusServiceUnavailable || storage.checks != 2 {
			t.Errorf("%d after %d checks", late.Code, storage.checks)
		}
		last := ask(t.Context())
		storage.answer <- nil
		synctest.Wait()
		if last.Code != http.StatusOK || storage.checks != 3 {
			t.Errorf("%d after %d checks", last.Code, storage.checks)
		}
	})
}
