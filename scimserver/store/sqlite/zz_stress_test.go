package sqlite_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

func TestZZReadYourWrites(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var stale, n atomic.Int64
	stop := time.Now().Add(15 * time.Second)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := 0; time.Now().Before(stop); i++ {
				ctx, cancel := context.WithCancel(context.Background())
				id, _ := uuid.NewV7()
				rec := store.Record{Kind: store.Group, ID: id.String(), Version: 1, Key: fmt.Sprintf("%d-%d", w, i), Created: time.Now(), Modified: time.Now(), Document: []byte(`{"displayName":"x"}`)}
				if err := s.Update(ctx, func(tx store.Tx) error { return tx.Insert(ctx, &rec) }); err != nil {
					t.Error(err)
				}
				n.Add(1)
				if _, err := s.Get(ctx, store.Group, rec.ID); err != nil {
					stale.Add(1)
					for k := 0; k < 5; k++ {
						_, err2 := s.Get(ctx, store.Group, rec.ID)
						t.Log(w, i, err, "again:", err2)
						time.Sleep(time.Millisecond)
					}
				}
				cancel()
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(stop) {
			_ = s.Check(context.Background())
			_, _ = s.Stats(context.Background())
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	t.Logf("%d writes, %d stale", n.Load(), stale.Load())
	if stale.Load() > 0 {
		t.Fail()
	}
}
