package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// statsCounter tells how often everything in a store was counted.
type statsCounter struct {
	store.Store

	times int
}

// Stats implements store.Reader.
func (c *statsCounter) Stats(ctx context.Context) (store.Stats, error) {
	c.times++
	return c.Store.Stats(ctx)
}

// Each start looks for names that several have, before its first request, and so does each minute.
func TestToLookForNamesThatSeveralHaveCountsNothingWhereNoneIs(t *testing.T) {
	counted := &statsCounter{Store: newWorld(t).store}
	users := directory.New(directory.Options{Store: counted, Now: time.Now})
	if n, _, err := users.Ambiguous(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("in an empty directory %d users or groups share a name, %v", n, err)
	}
	if counted.times > 0 {
		t.Errorf("everything was counted %d times", counted.times)
	}
}
