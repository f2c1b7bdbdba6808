package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/lanrat/extsort"

	"github.com/tenantry/tenantry/scimserver/store"
)

// putting says when and where a transaction puts entries of the index off.
type putting struct {
	// after so many inserted resources
	after int
	// chunk is how many entries are kept in memory at once, a few times over; the rest waits in a file.
	chunk int
	// folder of that file, which vanishes with the process.
	folder string
}

// late are index entries that a transaction with many inserts puts off until somebody asks for them or it ends. Inserted in
// their order they cost a fraction: each page of the index is filled once, instead of being read and written for every entry.
type late struct {
	in     chan entry
	sorted <-chan entry
	failed <-chan error
	ended  chan struct{} // closed when nothing is read from in any more
	cancel context.CancelFunc
}

// entry is a row of attributes.
type entry struct {
	key

	resource [16]byte
}

func (e entry) compare(other entry) int {
	if c := e.key.compare(other.key); c != 0 {
		return c
	}
	return bytes.Compare(e.resource[:], other.resource[:])
}

// marshal writes the resource, the path's number and the key.
func (e entry) marshal() ([]byte, error) {
	out := make([]byte, 0, len(e.resource)+binary.MaxVarintLen64+len(e.key.key))
	out = append(out, e.resource[:]...)
	out = binary.AppendUvarint(out, uint64(e.path))
	return append(out, e.key.key...), nil
}

func unmarshalEntry(b []byte) (e entry, err error) {
	if len(b) < len(e.resource) {
		return entry{}, errKeys
	}
	b = b[copy(e.resource[:], b):]
	path, n := binary.Uvarint(b)
	if n <= 0 {
		return entry{}, errKeys
	}
	e.key = key{int64(path), string(b[n:])}
	return e, nil
}

// putOff begins to gather entries.
func putOff(p putting) *late {
	ctx, cancel := context.WithCancel(context.Background())
	l := &late{in: make(chan entry, 1024), ended: make(chan struct{}), cancel: cancel}
	var sorter *extsort.GenericSorter[entry]
	sorter, l.sorted, l.failed = extsort.Generic(l.in, unmarshalEntry, entry.marshal, entry.compare,
		&extsort.Config{ChunkSize: p.chunk, NumWorkers: 1, SortedChanBuffSize: 1024, TempFilesDir: p.folder})
	go func() {
		defer close(l.ended)
		sorter.Sort(ctx)
	}()
	return l
}

func (l *late) add(e entry) error {
	select {
	case l.in <- e:
		return nil
	case <-l.ended:
		return <-l.failed
	}
}

// all calls f with the entries in order, some at a time.
func (l *late) all(f func(some []entry) error) error {
	close(l.in)
	var err error
	some := make([]entry, 0, maxEntries)
	for e := range l.sorted {
		if err != nil {
			continue // to its end, so that no goroutine stays behind
		}
		if some = append(some, e); len(some) < maxEntries {
			continue
		}
		if err = f(some); err != nil {
			l.cancel()
		}
		some = some[:0]
	}
	<-l.ended
	l.cancel()
	if err == nil {
		err = <-l.failed
	}
	if err == nil && len(some) > 0 {
		err = f(some)
	}
	return err
}

// drop forgets the entries.
func (l *late) drop() {
	l.cancel()
	_ = l.all(func([]entry) error { return nil }) // which fails, as it was cancelled
}

// index adds the entries of a new resource, now or late.
func (t *transaction) index(ctx context.Context, resource [16]byte, keys keys) error {
	if len(t.added) < t.putting.after {
		return t.addKeys(ctx, resource[:], keys)
	}
	if t.late == nil {
		t.late = putOff(t.putting)
	}
	for _, k := range keys {
		if err := t.late.add(entry{k, resource}); err != nil {
			return t.lateError(err)
		}
	}
	return nil
}

// settle inserts what was put off.
func (t *transaction) settle(ctx context.Context) error {
	if t.late == nil {
		return nil
	}
	l := t.late
	t.late = nil
	err := l.all(func(some []entry) error {
		args := make([]any, 0, 3*len(some))
		for _, e := range some {
			args = append(args, e.path, []byte(e.key.key), e.resource[:])
		}
		_, err := t.write(ctx, "INSERT INTO attributes (path, key, resource) VALUES "+
			strings.Repeat("(?, ?, ?), ", len(some)-1)+"(?, ?, ?)", args...)
		return err
	})
	return t.lateError(err)
}

// lateError makes the folder's failures the engine's: a disk that is full is no fault of the update.
func (t *transaction) lateError(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return t.translate(store.WithCause(reason(err), fmt.Errorf("%w: sort the entries of the index: %w", store.ErrUnavailable, err)))
}

// discard forgets what was put off.
func (t *transaction) discard() {
	if t.late != nil {
		t.late.drop()
		t.late = nil
	}
}

// Find sees what was put off.
func (t *transaction) Find(ctx context.Context, q store.Query) (store.Page, error) {
	if err := t.settle(ctx); err != nil {
		return store.Page{}, fmt.Errorf("find %ss: %w", strings.ToLower(q.Kind.String()), err)
	}
	return t.reader.Find(ctx, q)
}
