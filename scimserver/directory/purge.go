package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// clientRetention is who deletes users that are inactive for too long, for the provisioning log.
	clientRetention = "retention"
	// PurgeBatch is how many users one Purge deletes at most. With the pause between two it bounds what is lost before somebody
	// notices that a clock is wrong.
	PurgeBatch = 500
)

// SetPurgeAfter says after how long an inactive user is deleted; 0 is never.
func (d *Directory) SetPurgeAfter(age time.Duration) { d.purgeAfter.Store(int64(age)) }

// Purge deletes users that are inactive for longer than SetPurgeAfter says, as Delete does, and returns how many it deleted: at
// most PurgeBatch, the longest inactive first. Each is deleted in a transaction of its own that looks again whether it is to be,
// so several replicas may purge at once. It is to be called again and again with a pause.
func (d *Directory) Purge(ctx context.Context) (deleted int, err error) {
	age := d.purgeAfter.Load()
	if age == 0 {
		return 0, nil
	}
	before := d.now().Add(-time.Duration(age))
	ids, err := d.store.Deactivated(ctx, before, PurgeBatch)
	for _, id := range ids {
		if d.purgeAfter.Load() != age { // whoever takes the setting back means it
			break
		}
		gone := false
		if gone, err = d.purge(ctx, id, before); err != nil {
			break
		}
		if gone {
			deleted++
		}
	}
	if err != nil {
		return deleted, fmt.Errorf("delete users that are inactive for too long: %w", err)
	}
	return deleted, nil
}

// purge deletes a user unless it is gone, or was active since.
func (d *Directory) purge(ctx context.Context, id string, before time.Time) (deleted bool, err error) {
	err = d.remove(ctx, deletion{Kind: store.User, ID: id, Client: clientRetention}, func(user *store.Record) (bool, error) {
		deleted = !user.Active && user.Deactivated.Before(before)
		return deleted, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return deleted && err == nil, err
}
