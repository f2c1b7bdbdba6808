package sqlite_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, folder string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), folder)
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
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func TestFiltersFindTheSameInEveryWay(t *testing.T) {
	for _, few := range []int{0, 2, 20} {
		s := open(t, t.TempDir())
		s.SetFew(few)
		for seed := range uint64(3) {
			storetest.FindEqualsMatch(t, s, 100+seed, 300)
		}
	}
}

func FuzzFilters(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		s := open(t, t.TempDir())
		s.SetFew(int(seed % 9))
		storetest.FindEqualsMatch(t, s, seed, 50)
	})
}
