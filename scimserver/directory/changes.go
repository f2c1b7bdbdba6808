package directory

import (
	"context"

	"github.com/tenantry/tenantry/scimserver/store"
)

// maxLook is how many entries of the provisioning log Changes looks at, at most: of failures there may be many in a row.
const maxLook = 10 * logBatch

// Changes are what became of users and groups, in the order in which it did.
type Changes struct {
	// Entries are those of the provisioning log that are about a resource that was changed.
	Entries []store.Entry
	// End is the place behind the last entry that was looked at.
	End Position
	// More says that there may be others behind End.
	More bool
}

// Changes reads at most limit changes behind a position. The error is the store's, or a *GoneError.
func (d *Directory) Changes(ctx context.Context, after Position, limit int) (Changes, error) {
	changes := Changes{End: after}
	for looked := 0; ; {
		batch := min(limit-len(changes.Entries), logBatch)
		entries, more, err := d.entriesAfter(ctx, changes.End, batch)
		if err != nil {
			return Changes{}, err
		}
		for i := range entries {
			if entries[i].Outcome == OutcomeSuccess && entries[i].ResourceID != "" {
				changes.Entries = append(changes.Entries, entries[i])
			}
		}
		if len(entries) > 0 {
			changes.End = PositionOf(&entries[len(entries)-1])
		}
		looked += len(entries)
		if changes.More = more; !more || len(changes.Entries) == limit || looked >= maxLook {
			return changes, nil
		}
	}
}

// Committed returns a channel that is closed when this process commits the next change.
func (d *Directory) Committed() <-chan struct{} { return d.committed.next() }
