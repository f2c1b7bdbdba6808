package postgres_test

import (
	"context"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

func TestReadersLeaveConnectionsToWhoProvisions(t *testing.T) {
	for connections, most := range map[string]int{"10": 3, "4": 1} {
		s := open(t, testenv.HastySchema(t)+"&pool_max_conns="+connections)
		storetest.ReadersLeaveConnections(t, s, most, s.Waiting, func(ctx context.Context, f func() error) error {
			return s.Each(ctx, func(*store.Record) (bool, error) { return true, f() })
		})
	}
}
