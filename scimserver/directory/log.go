package directory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// DefaultLogRetention is how long entries of the provisioning log are kept where nobody says otherwise.
	DefaultLogRetention = 720 * time.Hour
	// MaxLogEntries is how many entries are kept, however young they are: in the order of 200 MB.
	MaxLogEntries = 1_000_000
	// maxLongEntries is how many of them may name more than store.LongMembers members: 340 MB at the most. A client that replaces the
	// members of many groups again and again would fill the volume with its entries.
	maxLongEntries = 20_000

	// logBatch is how many entries are read, or removed, at once: few enough that a client that waits behind it notices
	// nothing.
	logBatch = 500
)

// log appends the row that a change owes to the provisioning log. members are those of a group that it changed.
func (d *Directory) log(
	ctx context.Context, tx store.Tx, caller Caller, operation string, next *store.Record, names []string, members []store.MemberChange,
) error {
	return tx.Append(ctx, store.Entry{
		Time: next.Modified, Client: caller.Client, RequestID: caller.RequestID,
		Kind: next.Kind, ResourceID: next.ID, Operation: operation,
		Attributes: names, Members: members, Defaults: next.Defaults, Outcome: OutcomeSuccess,
	})
}

// membersAttribute is the name in Entry.Attributes that says that the members of a group changed.
const membersAttribute = "members"

// changedNames lists the attributes that differ, sorted. before is nil for a new resource.
func changedNames(rt *schema.ResourceType, before, after schema.Object) []string {
	var names []string
	add := func(prefix string, a, b schema.Object) {
		for name := range union(a, b) {
			if !reflect.DeepEqual(a[name], b[name]) {
				names = append(names, prefix+name)
			}
		}
	}
	add("", before, after)
	names = slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(rt.Extensions, func(s *schema.Schema) bool { return s.ID == name })
	})
	for _, extension := range rt.Extensions {
		a, _ := before[extension.ID].(schema.Object)
		b, _ := after[extension.ID].(schema.Object)
		add(extension.ID+":", a, b)
	}
	slices.Sort(names)
	return names
}

func union(a, b schema.Object) map[string]struct{} {
	names := make(map[string]struct{}, len(a)+len(b))
	for name := range a {
		names[name] = struct{}{}
	}
	for name := range b {
		names[name] = struct{}{}
	}
	return names
}

// LogQuery asks for entries of the provisioning log. A field that is empty matches every entry.
type LogQuery struct {
	// After finds the place to begin at; nil for the oldest entry that is kept, whatever is missing behind that, or the newest of all where
	// the query is Descending.
	After func(context.Context) (Position, error)
	// Descending makes the query go on to older entries. Such a query does not follow.
	Descending bool
	// Since and Until bound the time of an entry; Until itself is out.
	Since, Until time.Time

	Kind       store.Kind
	ResourceID string
	Client     string
	RequestID  string
	Operation  string
	Outcome    string // one of Outcomes, or OutcomeFailure

	// Look is how many entries a query that does not follow looks at, at most, whether they match or not; 0 for all.
	Look int
	// Turn is called before some entries are read, and what it returns after that; its error ends the query. Nil for nothing.
	Turn func(context.Context) (done func(), err error)

	// Follow makes the query go on with entries as they are written, until ctx ends.
	Follow bool
	// Poll makes a query that follows look again at what another process may have written.
	Poll <-chan time.Time
	// Idle is called before a query that follows waits; its error ends it.
	Idle func() error
}

func (q *LogQuery) matches(e *store.Entry) bool {
	return (q.Since.IsZero() || !e.Time.Before(q.Since)) &&
		(q.Until.IsZero() || e.Time.Before(q.Until)) &&
		(q.Kind == 0 || q.Kind == e.Kind) &&
		(q.ResourceID == "" || q.ResourceID == e.ResourceID) &&
		(q.Client == "" || q.Client == e.Client) &&
		(q.RequestID == "" || q.RequestID == e.RequestID) &&
		(q.Operation == "" || q.Operation == e.Operation) &&
		(q.Outcome == "" || q.Outcome == e.Outcome || q.Outcome == OutcomeFailure && e.Outcome != OutcomeSuccess)
}

// UnreadError says that a query has looked at as many entries as it may. A query that begins after After goes on.
type UnreadError struct{ After Position }

func (e *UnreadError) Error() string {
	return fmt.Sprintf("the provisioning log has entries after %s that were not looked at", e.After)
}

// Log returns the entries of the provisioning log that match, oldest first, or newest first. The last pair may be an error: the store's, that of
// Turn or Idle, an *UnreadError, or a *GoneError where entries are missing behind After, or while the query follows.
func (d *Directory) Log(ctx context.Context, q LogQuery) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		var at Position
		exact := q.After != nil
		if exact {
			var err error
			if at, err = q.After(ctx); err != nil {
				yield(store.Entry{}, err)
				return
			}
		}
		for looked := 0; ; {
			committed := d.committed.next() // taken before reading, so that nothing falls in between
			entries, more, err := d.logSome(ctx, &q, at, exact)
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			for i := range entries {
				if q.matches(&entries[i]) && !yield(entries[i], nil) {
					return
				}
			}
			if len(entries) > 0 {
				at = PositionOf(&entries[len(entries)-1])
			}
			if looked += len(entries); more {
				if q.Look > 0 && looked >= q.Look && !q.Follow {
					yield(store.Entry{}, &UnreadError{at})
					return
				}
				continue
			}
			if !q.Follow {
				return
			}
			exact = true
			if err := q.Idle(); err != nil {
				yield(store.Entry{}, err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-committed:
			case <-q.Poll:
			}
		}
	}
}

// logSome reads the next entries in turn.
func (d *Directory) logSome(ctx context.Context, q *LogQuery, at Position, exact bool) (entries []store.Entry, more bool, err error) {
	if q.Turn != nil {
		done, err := q.Turn(ctx)
		if err != nil {
			return nil, false, err
		}
		defer done()
	}
	switch {
	case q.Descending && exact:
		return d.entriesBefore(ctx, at, logBatch)
	case exact:
		return d.entriesAfter(ctx, at, logBatch)
	case q.Descending:
		entries, err = d.store.LogBack(ctx, cmp.Or(at.sequence, math.MaxInt64), logBatch)
	default:
		entries, err = d.store.Log(ctx, at.sequence, logBatch)
	}
	return entries, len(entries) == logBatch, err
}

// SetLogRetention says how long entries of the provisioning log are kept; 0 stands for DefaultLogRetention.
func (d *Directory) SetLogRetention(age time.Duration) {
	d.logRetention.Store(int64(cmp.Or(age, DefaultLogRetention)))
}

// TrimLog removes the entries of the provisioning log that have been kept for long enough, or are too many, a few at a
// time, so that clients need not wait for it. Before SetLogRetention it removes none: a server that starts does not know yet for how
// long they are kept.
func (d *Directory) TrimLog(ctx context.Context) error {
	age := time.Duration(d.logRetention.Load())
	if age == 0 {
		return nil
	}
	kept := store.Retention{Since: d.now().Add(-age), Entries: MaxLogEntries, Long: maxLongEntries}
	for {
		var removed int
		err := d.store.Update(ctx, func(tx store.Tx) (err error) {
			removed, err = tx.TrimLog(ctx, kept, logBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("trim the provisioning log: %w", err)
		}
		if removed < logBatch {
			return nil
		}
	}
}

// announcing is a store that tells who follows the provisioning log of each change.
type announcing struct {
	store.Store
	committed *broadcast
}

func (a announcing) Update(ctx context.Context, change func(tx store.Tx) error) error {
	err := a.Store.Update(ctx, change)
	if err == nil {
		a.committed.tell()
	}
	return err
}

// broadcast wakes everyone who waits. The zero value is ready for use.
type broadcast struct {
	mu     sync.Mutex
	waited chan struct{} // nil while nobody waits
}

// next returns a channel that is closed when tell is called the next time.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waited == nil {
		b.waited = make(chan struct{})
	}
	return b.waited
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waited != nil {
		close(b.waited)
		b.waited = nil
	}
}
