package sqlite

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
)

// View implements store.Store. There is one at a time: while it lasts, the write-ahead log keeps everything that is written.
func (s *Store) View(ctx context.Context, read func(r store.Reader) error) error {
	select {
	case s.viewing <- struct{}{}:
		defer func() { <-s.viewing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return errClosed
	}
	conn, err := s.views.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin a view: %w", translate(err))
	}
	defer func() { _ = conn.Close() }() // which ends the transaction, as the pool keeps no connection
	on := newStatements(conn)
	defer on.close()
	if _, err := on.exec(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin a view: %w", translate(err))
	}
	return read(&reader{statements: on, few: few})
}
