package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Kept returns the texts that are kept under names for all replicas of the server and its next start, in their order: "" for
// none. The error is the store's.
func (d *Directory) Kept(ctx context.Context, names ...string) ([]string, error) {
	return keptIn(ctx, d.store, names)
}

// ChangeKept lets change give other values to what is kept under names, and keeps them. Of several replicas that do so at once, each
// sees what those before it have kept. Change may run more than once and must have no other effect; where it changes
// nothing, nothing is written. The error is that of change or the store's.
func (d *Directory) ChangeKept(ctx context.Context, names []string, change func(values []string) error) error {
	changed := func(from store.Reader) (before, after []string, err error) {
		if before, err = keptIn(ctx, from, names); err != nil {
			return nil, nil, err
		}
		after = slices.Clone(before)
		return before, after, change(after)
	}
	before, after, err := changed(d.store)
	if err != nil || slices.Equal(before, after) {
		return err
	}
	return d.store.Update(ctx, func(tx store.Tx) error {
		before, after, err := changed(tx)
		for i, name := range names {
			if err == nil && before[i] != after[i] {
				err = tx.SetMeta(ctx, name, after[i])
			}
		}
		return err
	})
}

func keptIn(ctx context.Context, from store.Reader, names []string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		var err error
		if values[i], err = from.Meta(ctx, name); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return values, nil
}
