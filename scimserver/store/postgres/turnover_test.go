package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// Three tenants have all twenty connections, and their clients leave none of them unused. Two that start then get theirs, and work.
func TestATenantThatStartsWhileOthersHoldAllConnectionsGetsItsOwn(t *testing.T) {
	first := testenv.Schema(t)
	name, _ := role(t, first, "")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	looked := func(s *postgres.Store) { // as the kubelet does, and faster
		s.SetTurnover(200 * time.Millisecond)
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			_ = s.Check(ctx)
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	}
	var addresses []string
	var busy []*postgres.Store
	for i := range 5 {
		address := first
		if i > 0 {
			address = testenv.Schema(t)
		}
		addresses = append(addresses, asRole(t, address, name))
		if s := open(t, addresses[i]); i < 3 {
			busy = append(busy, s)
		} else {
			must(0, s.Close())(t)
		}
	}
	testenv.Execute(t, "ALTER ROLE "+name+" CONNECTION LIMIT 20")
	for _, s := range busy {
		wg.Go(func() { looked(s) })
		for range 16 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_ = s.Use(ctx)
				}
			})
		}
	}
	for held := ""; held != "20"; {
		held = testenv.Ask(t, "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+name+"'")
	}
	late := time.After(time.Minute)
	for i, address := range addresses[3:] {
		s := must(postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return address, nil }}))(t)
		t.Cleanup(func() { must(0, s.Close())(t) })
		wg.Go(func() { looked(s) })
		works := make(chan struct{})
		wg.Go(func() {
			for ctx.Err() == nil {
				if s.Update(ctx, func(tx store.Tx) error { return tx.SetMeta(ctx, "a", "b") }) == nil {
					close(works)
					return
				}
			}
		})
		select {
		case <-works:
		case <-late:
			t.Fatalf("tenant %d waits for a connection", i)
		}
	}
}
