package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

// recount is after how long the directory is counted again although nothing seems to have changed: another replica may have
// changed what the provisioning log does not say.
const recount = time.Minute

// counted is what was counted at a time, and what was known to have happened before.
type counted struct {
	mu      sync.Mutex
	at      time.Time // by the database's clock
	commits int64     // of this replica
	logged  int64     // by all
	stats   store.Stats
}

// current returns the count if nothing has changed since.
func (c *counted) current(at time.Time, commits, logged int64) (store.Stats, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || c.commits != commits || c.logged != logged || at.Sub(c.at) > recount {
		return store.Stats{}, false
	}
	return c.stats.Clone(), true
}

func (c *counted) keep(at time.Time, commits, logged int64, stats store.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.commits, c.logged, c.stats = at, commits, logged, stats
}

// Stats implements store.Store. It counts again only when something has changed.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	return reading(ctx, s, func() (store.Stats, error) {
		commits := s.commits.Load()
		if err := s.numberAll(ctx); err != nil {
			return store.Stats{}, fmt.Errorf("count resources: %w", err)
		}
		var logged int64
		var at time.Time
		if err := s.reader.one(ctx, []any{&logged, &at}, "SELECT last, now() FROM main.log_end"); err != nil {
			return store.Stats{}, fmt.Errorf("count resources: %w", err)
		}
		if stats, ok := s.counted.current(at, commits, logged); ok {
			return stats, nil
		}
		stats, err := s.reader.Stats(ctx)
		if err == nil {
			s.counted.keep(at, commits, logged, stats)
		}
		return stats.Clone(), err
	})
}

func (r *reader) Stats(ctx context.Context) (store.Stats, error) {
	stats := store.Stats{Defaults: map[string]int64{}, Matched: map[string]int64{}}
	const query = "SELECT kind, active, defaults, matched, count(*) FROM main.resources GROUP BY kind, active, defaults, matched" +
		" UNION ALL SELECT 0, false, '', '', count(*) FROM main.members" +
		" UNION ALL SELECT -1, false, '', '', (" + countAmbiguous + ")"
	var kind, n int64
	var active bool
	var defaults, matched string
	err := r.each(ctx, []any{&kind, &active, &defaults, &matched, &n}, func() (bool, error) {
		switch kind {
		case int64(store.User):
			stats.Users += n
			if active {
				stats.ActiveUsers += n
			}
			if defaults != "" {
				stats.Defaults[defaults] += n
			}
			if matched != "" {
				stats.Matched[matched] += n
			}
		case int64(store.Group):
			stats.Groups += n
		case 0:
			stats.Memberships = n
		default:
			stats.Ambiguous = n
		}
		return true, nil
	}, query)
	if err != nil {
		return store.Stats{}, fmt.Errorf("count resources: %w", err)
	}
	return stats, nil
}
