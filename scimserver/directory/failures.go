package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenantry/tenantry/scimserver/store"
)

// budget is how many rows there may be for failures: so many at once, and one more after each interval. Failures beyond that are counted in
// rows that name neither resource nor attribute.
type budget struct {
	burst    int
	interval time.Duration
}

func (b budget) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(b.interval), b.burst) }

// Clients whose every request fails must not push out of the provisioning log what others did, nor hide that others fail. So each client has
// a budget of its own, and all of them have one together.
const (
	maxFailing = 64 // clients that are told apart; a tenant has up to 32 readers, and a dozen credentials that provision
	kinds      = 2  // of failures: changes, and refused ones
)

// budgets are those of changes that failed, and of requests that their client was never allowed. The latter name no change that could have
// been, so they have few rows.
func budgets() (each, together [kinds]budget) {
	return [kinds]budget{{100, 6 * time.Second}, {10, time.Minute}}, [kinds]budget{{400, 1500 * time.Millisecond}, {100, 6 * time.Second}}
}

// Failure is a request to change something that changed nothing.
type Failure struct {
	Caller Caller
	Kind   store.Kind
	// ID of the resource as the client named it. It reaches the log only where it can be an id, because clients have
	// been seen to send a name in its place.
	ID        string
	Operation string
	// Outcome says why: one of Outcomes.
	Outcome string
	// Attribute is what was wrong, as Wrong tells, "" for none.
	Attribute string
}

// alike is what failures that share a row have in common.
type alike struct {
	client, resourceID, operation, outcome, attribute string
	kind                                              store.Kind
}

// failures waits to be written, each row for any number of requests. Its size is bounded by the burst of each client's budget, and one row for
// each way to fail besides.
type failures struct {
	wake chan struct{}

	mu       sync.Mutex
	waiting  map[alike]waiting
	arrived  int // how many rows were begun
	failing  map[failing]*rows
	together [kinds]*rate.Limiter
}

// waiting is a row, and which one of all it was: a clock can tell the same time twice, and a map keeps no order.
type waiting struct {
	store.Entry
	order int
}

// failing is a client in one of the kinds of failures.
type failing struct {
	client string
	kind   int
}

func failingOf(e *store.Entry) failing {
	if e.Outcome == OutcomeForbidden {
		return failing{e.Client, 1}
	}
	return failing{e.Client, 0}
}

// rows are those of a client.
type rows struct {
	waiting int
	budget  *rate.Limiter
}

func newFailures() *failures {
	f := &failures{wake: make(chan struct{}, 1), waiting: map[alike]waiting{}, failing: map[failing]*rows{}}
	_, together := budgets()
	for kind, budget := range together {
		f.together[kind] = budget.limiter()
	}
	return f
}

// Failed remembers a failure for LogFailures. It neither waits nor fails, because the client's answer does not depend on it.
func (d *Directory) Failed(f Failure) {
	if _, ok := store.ParseID(f.ID); !ok {
		f.ID = ""
	}
	var attributes []string
	if f.Attribute != "" {
		attributes = []string{f.Attribute}
	}
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	d.failures.add(store.Entry{
		Time: d.now(), Client: f.Caller.Client, RequestID: f.Caller.RequestID, Kind: f.Kind, ResourceID: f.ID,
		Operation: f.Operation, Attributes: attributes, Outcome: f.Outcome, Count: 1,
	})
}

// add puts an entry with those it is like; the caller holds the lock.
func (f *failures) add(e store.Entry) {
	client := f.client(&e)
	key := alike{e.Client, e.ResourceID, e.Operation, e.Outcome, strings.Join(e.Attributes, ""), e.Kind}
	row, known := f.waiting[key]
	if !known && client.waiting >= client.budget.Burst() {
		key.resourceID, key.attribute = "", ""
		e.ResourceID, e.RequestID, e.Attributes = "", "", nil
		row, known = f.waiting[key]
	}
	if known {
		row.Count += e.Count
	} else {
		f.arrived++
		client.waiting++
		row = waiting{e, f.arrived}
	}
	f.waiting[key] = row
	f.awake()
}

// awake has LogFailures look what waits.
func (f *failures) awake() {
	select {
	case f.wake <- struct{}{}:
	default: // it has a wake-up waiting already
	}
}

// client returns the rows of an entry's client. Where too many fail at once, the others are one client, which has no name; the caller holds
// the lock.
func (f *failures) client(e *store.Entry) *rows {
	found, known := f.failing[failingOf(e)]
	if !known && len(f.failing) >= maxFailing {
		maps.DeleteFunc(f.failing, func(_ failing, r *rows) bool {
			return r.waiting == 0 && r.budget.TokensAt(e.Time) >= float64(r.budget.Burst())
		})
	}
	if !known && len(f.failing) >= maxFailing {
		e.Client, e.RequestID = "", ""
		found, known = f.failing[failingOf(e)]
	}
	if !known {
		each, _ := budgets()
		found = &rows{budget: each[failingOf(e).kind].limiter()}
		f.failing[failingOf(e)] = found
	}
	return found
}

// take removes the oldest of what waits, of each client as much as its budget and that of all allow. The budgets are charged when they are
// written.
func (f *failures) take(now time.Time) []store.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := slices.SortedFunc(maps.Keys(f.waiting), func(a, b alike) int {
		return cmp.Or(f.waiting[a].Time.Compare(f.waiting[b].Time), cmp.Compare(f.waiting[a].order, f.waiting[b].order))
	})
	var taken []store.Entry
	var all [kinds]int
	of := map[failing]int{}
	for _, key := range oldest {
		row := f.waiting[key]
		client := failingOf(&row.Entry)
		found := f.failing[client]
		if float64(of[client]+1) > found.budget.TokensAt(now) || float64(all[client.kind]+1) > f.together[client.kind].TokensAt(now) {
			continue
		}
		of[client]++
		all[client.kind]++
		found.waiting--
		delete(f.waiting, key)
		taken = append(taken, row.Entry)
	}
	if len(f.waiting) > 0 { // beyond the budgets
		f.awake()
	}
	return taken
}

// written charges the budgets.
func (f *failures) written(entries []store.Entry, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range entries {
		client := failingOf(&entries[i])
		f.client(&entries[i]).budget.AllowN(now, 1)
		f.together[client.kind].AllowN(now, 1)
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
		d.failures.written(entries, now)
		return requests, nil
	}
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	for _, e := range entries {
		d.failures.add(e)
	}
	return requests, fmt.Errorf("write failed requests to the provisioning log: %w", err)
}
