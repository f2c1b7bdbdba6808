package sqlite

import (
	"context"
	"database/sql"
	"sync/atomic"
)

const (
	// checkpointPages is after how many pages in the write-ahead log they are copied to the database: 4 MiB.
	checkpointPages = 1024
	// longLog is from how many pages on the log should begin anew: 16 MiB. A longer one takes longer to recover.
	longLog = 4 * checkpointPages
)

// checkpointer copies the write-ahead log into the database beside the writer, so that commits need not wait for it. While the
// writer goes on writing the log is never copied whole, which it has to be before SQLite begins it anew. So when it is
// long, the writer is asked to copy the last few pages itself, between two transactions.
type checkpointer struct {
	db      *sql.DB
	wake    chan struct{}
	stopped chan struct{}
	finish  atomic.Bool

	pages int // since it was last woken; the writer's
}

func startCheckpointer(db *sql.DB) *checkpointer {
	c := &checkpointer{db: db, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go c.run()
	return c
}

// written is told by the writer, after a commit, how many pages were added to the log.
func (c *checkpointer) written(pages int) {
	if c.finish.Swap(false) {
		c.checkpoint()
	}
	if c.pages += pages; c.pages < checkpointPages {
		return
	}
	c.pages = 0
	select {
	case c.wake <- struct{}{}:
	default: // it is at work, and will do these as well
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	for range c.wake {
		if c.checkpoint() > longLog {
			c.finish.Store(true)
		}
	}
}

// checkpoint copies what no reader still needs from the log, and returns how many pages the log has. Where it fails the
// log keeps everything, and the next one tries again.
func (c *checkpointer) checkpoint() (pages int) {
	var busy, copied int
	_ = c.db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &copied)
	return pages
}

func (c *checkpointer) stop() {
	close(c.wake)
	<-c.stopped
}
