package directory

import (
	"context"
	"errors"

	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// maxLook is how many entries of the provisioning log Changes looks at, at most: of failures there may be many in a row.
	maxLook = 10 * logBatch
	// changesBatch is how many it reads at once. Each may name a thousand members.
	changesBatch = 100
	// changeSize and memberSize are how many bytes a change, and each member that it names, take as JSON, about.
	changeSize, memberSize = 150, 65
)

// Changes are what became of users and groups, in the order in which it did.
type Changes struct {
	// Entries are those of the provisioning log that are about a resource that was changed.
	Entries []store.Entry
	// End is the place behind the last entry that was looked at.
	End Position
	// More says that there may be others behind End.
	More bool
}

// Changes reads changes behind a position: at most limit of them, and no more than about so many bytes of them. The error is the
// store's, or a *GoneError.
func (d *Directory) Changes(ctx context.Context, after Position, limit, bytes int) (Changes, error) {
	changes := Changes{End: after}
	for looked, size := 0, 0; ; {
		entries, more, err := d.entriesAfter(ctx, changes.End, min(limit-len(changes.Entries), changesBatch))
		if err != nil {
			if _, gone := errors.AsType[*GoneError](err); gone {
				d.recent.known.Store(nil) // it may be gone as well, and is what the next list says
			}
			return Changes{}, err
		}
		for i := range entries {
			if entries[i].Outcome == OutcomeSuccess && entries[i].ResourceID != "" {
				changes.Entries = append(changes.Entries, entries[i])
				size += changeSize + memberSize*len(entries[i].Members)
			}
		}
		if len(entries) > 0 {
			changes.End = PositionOf(&entries[len(entries)-1])
		}
		looked += len(entries)
		if changes.More = more; !more || len(changes.Entries) == limit || looked >= maxLook || size >= bytes {
			return changes, nil
		}
	}
}

// Committed returns a channel that is closed when this process commits the next change.
func (d *Directory) Committed() <-chan struct{} { return d.committed.next() }
