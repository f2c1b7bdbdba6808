package directory

import (
	"context"
)

// Related says which attributes a reader wants that are not the resource's own but rows of memberships.
type Related struct {
	// Members of a group.
	Members bool
	// Groups of a user or group.
	Groups bool
}

// Get returns one resource. The error is store.ErrNotFound, a *PreconditionError, or the store's.
func (d *Directory) Get(ctx context.Context, target Target) (Resource, error) {
	rec, err := d.store.Get(ctx, target.Kind, target.ID)
	if err != nil {
		return Resource{}, err
	}
	if err := target.If.Check(rec.Version); err != nil {
		return Resource{}, err
	}
	return d.resource(&rec)
}
