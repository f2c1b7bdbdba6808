package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/scan"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// open opens a store on a schema of a connection URL.
func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), postgres.Options{URL: func() (string, error) { return url, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	var schemas testenv.Reused
	t.Cleanup(func() {
		if err := schemas.Drop(); err != nil {
			t.Error(err)
		}
	})
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, schemas.Schema(t)) })
}

func TestStoreTogether(t *testing.T) {
	storetest.RunTogether(t, func(t *testing.T) store.Store { return open(t, testenv.Schema(t)) })
}

func TestAnUpdateIsTriedThirteenTimesInAboutTwoSeconds(t *testing.T) {
	t.Parallel()
	backoff, tries, waited := postgres.Again(), 1, time.Duration(0)
	backoff.Jitter = 0
	for ; backoff.Steps > 1; tries++ {
		waited += backoff.Step()
	}
	if tries != 13 || waited < 900*time.Millisecond || 2*waited > 2*time.Second {
		t.Errorf("tried %d times in %s to %s", tries, waited, 2*waited)
	}
}

func TestFiltersFindTheSameInEveryWay(t *testing.T) {
	for _, bound := range []struct{ few, page int }{{0, scan.Page}, {12, 3}} {
		s := open(t, testenv.HastySchema(t))
		s.SetFew(bound.few)
		s.SetPage(bound.page)
		for seed := range uint64(2) {
			storetest.FindEqualsMatch(t, s, 100+seed, 150)
		}
	}
}

func FuzzFilters(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	s := open(f, testenv.Schema(f))
	f.Fuzz(func(t *testing.T, seed uint64) {
		s.SetFew(int(seed % 9))
		storetest.FindEqualsMatch(t, s, seed, 50)
	})
}
