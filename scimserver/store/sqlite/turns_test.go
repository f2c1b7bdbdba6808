package sqlite_test

import (
	"context"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/test/race"
)

func TestReadersLeaveConnectionsToWhoProvisions(t *testing.T) {
	race.Meets(t)
	s := open(t, t.TempDir())
	storetest.ReadersLeaveConnections(t, s, 2, s.Waiting, func(ctx context.Context, f func() error) error {
		return s.Each(ctx, func(*store.Record) (bool, error) { return true, f() })
	})
}
