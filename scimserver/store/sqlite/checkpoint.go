package sqlite

import (
	"context"
	"database/sql"
)

// checkpointPages is after how many pages in the write-ahead log they are copied to the database: 4 MiB.
const checkpointPages = 1024

// checkpointer copies the write-ahead log into the database beside the writer, so that no commit waits for it.
type checkpointer struct {
	db      *sql.DB
	wake    chan struct{}
	stopped chan struct{}
	pages   int // since it was last woken; the writer's
}

func startCheckpointer(db *sql.DB) *checkpointer {
	c := &checkpointer{db: db, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go c.run()
	return c
}

// written is told by the writer, after a commit, how many pages were added to the log.
func (c *checkpointer) written(pages int) {
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
		// Where it fails the log keeps everything, and the next one tries again.
		_, _ = c.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
	}
}

func (c *checkpointer) stop() {
	close(c.wake)
	<-c.stopped
}
