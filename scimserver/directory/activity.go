package directory

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/store"
)

// activityKey has in the store's metadata what the provisioning client asked, of all replicas together.
const activityKey = "activity"

// KeepActivity adds news to what is kept of the provisioning client for all replicas of the server and its next start, and
// returns the whole. It writes nothing where that stays as it is: a credential may be rejected a thousand times a minute. The error is
// the store's. Where it is that of the write, the whole comes with it: on a full disk nothing is kept, and it is to be told that clients fail.
func (d *Directory) KeepActivity(ctx context.Context, news cycle.State) (kept cycle.State, err error) {
	text, err := d.store.Meta(ctx, activityKey)
	if err != nil {
		return cycle.State{}, fmt.Errorf("read the client's activity: %w", err)
	}
	kept = parseActivity(text)
	whole := kept
	if whole.Add(news); whole == kept {
		return kept, nil
	}
	err = d.store.Update(ctx, func(tx store.Tx) error {
		text, err := tx.Meta(ctx, activityKey)
		if err != nil {
			return err
		}
		kept = parseActivity(text)
		kept.Add(news)
		encoded, err := json.Marshal(kept)
		if err != nil {
			return err
		}
		return tx.SetMeta(ctx, activityKey, string(encoded))
	})
	if err != nil {
		return whole, fmt.Errorf("keep the client's activity: %w", err)
	}
	return kept, nil
}

// parseActivity begins anew where another version has kept what this one cannot read.
func parseActivity(text string) cycle.State {
	var kept cycle.State
	if json.Unmarshal([]byte(text), &kept) != nil {
		return cycle.State{}
	}
	return kept
}
