package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync/atomic"

	driver "modernc.org/sqlite"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/store"
)

// maxGroup is how many updates share one transaction, and so one wait for the disk.
const maxGroup = 256

// maxRows is after how many rows a transaction takes no further update in, so that those who wait do not wait for all of them. A user that is
// created with every attribute has about twenty.
const maxRows = 10_000

// writer is the one goroutine that changes the database. It takes whatever waits in the queue into one transaction, each
// update in a savepoint of its own, and answers all of them when that is on the disk.
type writer struct {
	putting putting
	conn    *sql.Conn
	reader  reader
	queue   chan *update
	stopped chan struct{}

	outline *outline
	paths   paths

	// commits counts the transactions that changed something.
	commits atomic.Int64
	// failure is why the last of them failed, nil if it did not.
	failure atomic.Pointer[error]
	// written says that the write-ahead log has grown.
	written func(pages int)
	// missed is how many pages were not in the page cache since rebalance.
	missed int
}

// update is one call of Update.
type update struct {
	change func(store.Tx) error
	state  atomic.Int32
	err    error
	done   chan struct{} // closed when err is final
}

// An update is started or abandoned, whichever is first.
const (
	waiting int32 = iota
	started
	abandoned
)

func (u *update) start() bool { return u.state.CompareAndSwap(waiting, started) }

func (u *update) abandon() bool { return u.state.CompareAndSwap(waiting, abandoned) }

func (u *update) answer(err error) {
	u.err = err
	close(u.done)
}

// run ends when the queue is closed and empty.
func (w *writer) run() {
	defer close(w.stopped)
	for u := range w.queue {
		if !u.start() {
			continue
		}
		group, err := w.transact(u, maxGroup)
		if err == nil || len(group) == 1 {
			w.answer(group, err)
			continue
		}
		// It cannot be told which of them failed, so each gets a transaction and an answer of its own.
		for _, u := range group {
			alone, err := w.transact(u, 1)
			w.answer(alone, err)
		}
	}
}

func (w *writer) answer(group []*update, err error) {
	for _, u := range group {
		if err != nil {
			u.answer(w.refused(err))
		} else {
			u.answer(u.err)
		}
	}
}

// transact runs the first update and those that wait by then, at most limit, in one transaction. The error is the
// engine's, and means that none of them happened.
func (w *writer) transact(first *update, limit int) (group []*update, err error) {
	group = append(group, first)
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		w.noteFailure(err)
		return group, err
	}
	var changed changes
	if err := w.apply(first, &changed); err != nil {
		return group, w.fail(err)
	}
	if first.err != nil {
		// It had the transaction to itself so far, which spares the usual case a savepoint and a large one its journal.
		if err := w.exec("ROLLBACK"); err != nil {
			return group, w.fail(err)
		}
		return group, nil
	}
	for next := w.next(limit > 1 && changed.rows < maxRows); next != nil; next = w.next(len(group) < limit && changed.rows < maxRows) {
		group = append(group, next)
		if err := w.applyInside(next, &changed); err != nil {
			return group, w.fail(err)
		}
	}
	if err := w.exec("COMMIT"); err != nil {
		return group, w.fail(err)
	}
	if changed.any {
		w.note(&changed)
	}
	return group, nil
}

// next takes one more update if one is waiting.
func (w *writer) next(wanted bool) *update {
	for wanted {
		select {
		case u, open := <-w.queue:
			if !open {
				return nil
			}
			if u.start() {
				return u
			}
		default:
			return nil
		}
	}
	return nil
}

// apply runs one update. Its own error stays with it; what is returned ends the whole transaction.
func (w *writer) apply(u *update, all *changes) error {
	tx := &transaction{reader: w.reader, putting: w.putting, paths: &w.paths}
	tx.reader.broken = &tx.broken
	u.err = call(u.change, tx)
	if u.err == nil && tx.broken == nil {
		u.err = tx.settle(context.Background())
	}
	tx.discard()
	tx.ended = true
	switch {
	case tx.broken != nil:
		return tx.broken
	case u.err == nil:
		all.append(&tx.changes)
	case tx.numbered:
		w.paths.forget()
	}
	return nil
}

// applyInside runs one update in a savepoint, so that its error does not take along those before it.
func (w *writer) applyInside(u *update, all *changes) error {
	if err := w.exec("SAVEPOINT change"); err != nil {
		return err
	}
	if err := w.apply(u, all); err != nil {
		return err
	}
	if u.err != nil {
		if err := w.exec("ROLLBACK TO change"); err != nil {
			return err
		}
	}
	return w.exec("RELEASE change")
}

// call keeps a panic from the other updates.
func call(change func(store.Tx) error, tx store.Tx) (err error) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			err = panicked.With(v)
		} else if !returned {
			panic("an update function called runtime.Goexit, which would end the writer; so does t.FailNow")
		}
	}()
	err = change(tx)
	returned = true
	return err
}

func (w *writer) fail(err error) error {
	w.noteFailure(err)
	w.paths.forget()
	// SQLite may have rolled back by itself; then there is nothing to roll back, and that is the error here.
	_ = w.exec("ROLLBACK")
	w.written(checkpointPages) // on a full disk, a log that is copied makes room for the next
	return err
}

func (w *writer) noteFailure(err error) { w.failure.Store(&err) }

// note brings what is known about the database up to date with what was committed.
func (w *writer) note(changed *changes) {
	w.commits.Add(1)
	w.succeeded()
	for _, r := range changed.added {
		w.outline.add(r.kind, r.id)
	}
	for _, r := range changed.removed {
		w.outline.remove(r.kind, r.id)
	}
	w.refine()
	written, missed := w.pages()
	w.written(written)
	if w.missed += missed; w.missed >= rebalanceAfter {
		w.rebalance()
	}
}

// rebalanceAfter is how many pages the writer may miss until rebalance: twice what its cache has. It is a millisecond of reading.
const rebalanceAfter = 2 * writerCache / 4

// rebalance lets the writer have its part of the page cache again. The driver's SQLite has one cache for all connections of a process
// (SQLITE_ENABLE_MEMORY_MANAGEMENT): readers that are at their own limit take the oldest pages, whose ever they are. When the writer
// then takes new ones the cache is above its limit, and as long as it is, a connection keeps no page that it has used: each update
// reads all its pages again. To set a limit trims the cache to it, the oldest pages first: a small one makes room, and then there is the former one again.
func (w *writer) rebalance() {
	w.missed = 0
	for _, size := range []int{1, writerCache} {
		_ = w.exec("PRAGMA cache_size(-" + strconv.Itoa(size) + ")") // should it fail, updates are slower, and nothing else
	}
}

// refine keeps the outline fine enough. Should it fail, far pages are slower until it succeeds, and nothing else.
func (w *writer) refine() {
	for _, kind := range []store.Kind{store.User, store.Group} {
		_ = w.outline.refine(kind, w.idAfter(kind))
	}
}

// idAfter returns the function by which the outline reads ids.
func (w *writer) idAfter(kind store.Kind) func(from []byte, skip int) ([]byte, error) {
	return func(from []byte, skip int) (id []byte, err error) {
		const query = "SELECT id FROM resources WHERE kind = ? AND id >= ? ORDER BY id LIMIT 1 OFFSET ?"
		err = w.reader.row(context.Background(), []any{&id}, query, int64(kind), from, int64(skip))
		return id, err
	}
}

// pages tells how many pages the last transactions added to the write-ahead log, and how many they did not find in the page cache.
func (w *writer) pages() (written, missed int) {
	_ = w.conn.Raw(func(c any) (err error) {
		if status, ok := c.(driver.DBStatus); ok {
			written, _, err = status.Status(driver.DBStatusCacheWrite, true)
			if err == nil {
				missed, _, err = status.Status(driver.DBStatusCacheMiss, true)
			}
		}
		return err
	})
	return written, missed
}

func (w *writer) exec(query string) error {
	_, err := w.reader.exec(context.Background(), query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}
