package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenantry/tenantry/scimserver/store"
)

// A client whose every request fails must not push out of the provisioning log what others did. So many rows are
// written for failures at once, and so often one more; what is beyond that is counted in rows that name no resource.
const (
	failureBurst    = 100
	failureInterval = 6 * time.Second
)

// Failure is a request to change something that changed nothing.
type Failure struct {
	Caller Caller
	Kind   store.Kind
	// ID of the resource as the client named it. It reaches the log only where it can be an id, because clients have
	// been seen to send a name in its place.
	ID        string
	Operation string
	// Outcome says why: a scimType of RFC 7644 table 9 or a word for the status.
	Outcome string
}

// alike is what failures that share a row have in common.
type alike struct {
	client, resourceID, operation, outcome string
	kind                                   store.Kind
}

// failures waits to be written, each row for any number of requests. Its size is bounded by failureBurst rows that name a
// resource and one for each way to fail otherwise.
type failures struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting map[alike]waiting
	arrived int // how many rows were begun
	budget  *rate.Limiter
}

// waiting is a row, and which one of all it was: a clock can tell the same time twice, and a map keeps no order.
type waiting struct {
	store.Entry
	order int
}

func newFailures() *failures {
	return &failures{
		wake:    make(chan struct{}, 1),
		waiting: map[alike]waiting{},
		budget:  rate.NewLimiter(rate.Every(failureInterval), failureBurst),
	}
}

// Failed remembers a failure for LogFailures. It neither waits nor fails, because the client's answer does not depend on it.
func (d *Directory) Failed(f Failure) {
	if _, ok := store.ParseID(f.ID); !ok {
		f.ID = ""
	}
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	d.failures.add(store.Entry{
		Time: d.now(), Client: f.Caller.Client, RequestID: f.Caller.RequestID, Kind: f.Kind, ResourceID: f.ID,
		Operation: f.Operation, Outcome: f.Outcome, Count: 1,
	})
}

// add puts an entry with those it is like; the caller holds the lock.
func (f *failures) add(e store.Entry) {
	key := alike{e.Client, e.ResourceID, e.Operation, e.Outcome, e.Kind}
	if _, known := f.waiting[key]; !known && len(f.waiting) >= failureBurst {
		key.client, key.resourceID = "", ""
		e.Client, e.ResourceID, e.RequestID = "", "", ""
	}
	row, known := f.waiting[key]
	if known {
		row.Count += e.Count
	} else {
		f.arrived++
		row = waiting{e, f.arrived}
	}
	f.waiting[key] = row
	select {
	case f.wake <- struct{}{}:
	default: // whoever writes them has a wake-up waiting already
	}
}

// take removes the oldest of what waits, as much as the budget allows. The budget is charged when they are written.
func (f *failures) take(now time.Time) []store.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := slices.SortedFunc(maps.Values(f.waiting), func(a, b waiting) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.order, b.order))
	})
	all := make([]store.Entry, len(rows))
	for i, row := range rows {
		all[i] = row.Entry
	}
	n := min(len(all), int(f.budget.TokensAt(now)))
	f.putBack(all[n:])
	return all[:n]
}

// putBack makes entries all that waits; the caller holds the lock.
func (f *failures) putBack(entries []store.Entry) {
	clear(f.waiting)
	for _, e := range entries {
		f.add(e)
	}
}

// LogFailures waits until a request has failed, or ctx ends, and writes that to the provisioning log, as WriteFailures does.
// It is to be called again and again with a pause, in which failures that are alike come together in one row.
func (d *Directory) LogFailures(ctx context.Context) (requests int64, err error) {
	select {
	case <-ctx.Done():
		return 0, nil
	case <-d.failures.wake:
		return d.WriteFailures(ctx)
	}
}

// WriteFailures writes the failures that wait, as many as there may be rows for, and returns how many requests failed so. With
// the error, which is the store's, it is how many could not be written; they wait on.
func (d *Directory) WriteFailures(ctx context.Context) (requests int64, err error) {
	now := d.now()
	entries := d.failures.take(now)
	if len(entries) == 0 {
		return 0, nil
	}
	for _, e := range entries {
		requests += e.Count
	}
	err = d.store.Update(ctx, func(tx store.Tx) error {
		for _, e := range entries {
			if err := tx.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.failures.budget.AllowN(now, len(entries))
		return requests, nil
	}
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	for _, e := range entries {
		d.failures.add(e)
	}
	return requests, fmt.Errorf("write failed requests to the provisioning log: %w", err)
}
