// Package scan bounds the reads that can look at a whole directory: how many there are at once, how many of one client, and how
// long each takes. The engines have all others end after a few pages, so that a look-up never waits for what somebody else searches.
package scan

import (
	"context"
	"errors"
	"time"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// Limit is how long a scan may take: to look at 50,000 users one by one took 0.3 to 0.7 s (decision 0020).
	Limit = 20 * time.Second
	// Patience is how long a scan waits for those of others. With Limit it is less than the minute in which the server sends an answer.
	Patience = 30 * time.Second

	// Page is how many rows a read that is no scan looks at, at most: enough for the deepest page that people turn to.
	Page = 10_000
)

// place is what one scan holds of the pool. That one more remains of the pool's size is the reserve that share asks for where there is
// only one place: provisioning clients are served first, but cannot have half a place.
const place = 2

// queued divides the scans that wait. Each holds a request's place meanwhile, so one client has few.
func queued() share.Division {
	return share.Division{
		Size:         64,
		Provisioners: share.Share{Each: 16, Together: 32},
		Readers:      share.Share{Each: 4, Together: 32},
	}
}

// Gate admits scans.
type Gate struct {
	places, queue   *share.Pool
	limit, patience time.Duration
}

// NewGate returns a gate for so many scans at once. One client has all but one of them, and readers together leave one for
// the client that provisions; where there is one place only, that client is the next to have it.
func NewGate(places int) *Gate {
	others := place * int64(max(1, places-1))
	return &Gate{
		places: share.NewPool(share.Division{
			Size:         place*int64(places) + 1,
			Provisioners: share.Share{Each: others, Together: place * int64(places)},
			Readers:      share.Share{Each: min(place, others), Together: others},
		}),
		queue: share.NewPool(queued()),
		limit: Limit, patience: Patience,
	}
}

// Bound replaces Limit and Patience, before the gate is used.
func (g *Gate) Bound(limit, patience time.Duration) { g.limit, g.patience = limit, patience }

// Enter waits for a place. The error is store.ErrBusy or ctx's. A nil gate lets everybody in: inside of a transaction or a view.
func (g *Gate) Enter(ctx context.Context, client share.Client) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	client = class(client)
	if held, ok := g.places.TryTake(client, place); ok {
		return held.Release, nil
	}
	waiting, ok := g.queue.TryTake(client, 1)
	if !ok {
		return nil, store.ErrBusy
	}
	defer waiting.Release()
	patient, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	held, err := g.places.Take(patient, client, place)
	switch {
	case err == nil:
		return held.Release, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, store.ErrBusy
	}
}

// Do runs a scan when there is a place for it. The scan's context ends after Limit, and the error is then store.ErrTooWide; else it is
// that of Enter or the scan's.
func (g *Gate) Do(ctx context.Context, client share.Client, read func(context.Context) error) error {
	if g == nil {
		return read(ctx)
	}
	leave, err := g.Enter(ctx, client)
	if err != nil {
		return err
	}
	defer leave()
	limited, cancel := context.WithTimeoutCause(context.WithValue(ctx, scanning{}, true), g.limit, store.ErrTooWide)
	defer cancel()
	if err := read(limited); err == nil || !errors.Is(context.Cause(limited), store.ErrTooWide) {
		return err
	}
	return store.ErrTooWide
}

// Find is Do for a query's page, which is marked as that of a scan where it began.
func (g *Gate) Find(ctx context.Context, client share.Client, read func(context.Context) (store.Page, error)) (page store.Page, err error) {
	begun := false
	err = g.Do(ctx, client, func(ctx context.Context) (err error) {
		begun = true
		page, err = read(ctx)
		return err
	})
	page.Wide = begun
	return page, err
}

// class puts people among the readers, each for themselves: few searches of theirs are scans. The server's own work has no client, and
// is as urgent as a provisioning client's.
func class(client share.Client) share.Client {
	switch {
	case client == share.Client{}:
		client.Class = share.Provisioner
	case client.Class != share.Provisioner:
		client.Class = share.Reader
	}
	return client
}
