package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantry/tenantry/scimserver/store"
)

// The order in which transactions take numbers from a sequence is not the order in which they commit, so a reader that goes
// on from the last number it saw would pass over an entry that commits late. Therefore an entry is written without one, and
// whoever reads the log first numbers those that have been committed, in the order of their ids, which is by time. Only one
// at a time does so: it holds the row with the last number until its own commit. So what is numbered later has a greater
// number, writers share no row, and a reader that sees a number sees every smaller one.
const (
	anyUnnumbered = "SELECT 1 FROM main.log WHERE sequence IS NULL LIMIT 1"
	lockLogEnd    = "SELECT last FROM main.log_end FOR UPDATE"
	numberSome    = "UPDATE main.log SET sequence = (SELECT last FROM main.log_end) + late.n" +
		" FROM (SELECT l.id, row_number() OVER (ORDER BY l.id) AS n" +
		" FROM (SELECT id FROM main.log WHERE sequence IS NULL ORDER BY id LIMIT $1) l) late WHERE log.id = late.id"
	moveLogEnd = "UPDATE main.log_end SET last = greatest(last, (SELECT max(sequence) FROM main.log))"
)

// numberBatch is how many entries get their number in one transaction.
const numberBatch = 1000

// numberAll numbers the entries that have been committed.
func (s *Store) numberAll(ctx context.Context) error {
	for {
		if more, err := s.numberBatch(ctx); err != nil || !more {
			return err
		}
	}
}

// numberBatch numbers some, and tells whether there may be more.
func (s *Store) numberBatch(ctx context.Context) (more bool, err error) {
	if there, err := s.reader.unnumbered(ctx); err != nil || !there {
		return false, err
	}
	var n int64
	err = s.attempt(ctx, func(t *transaction) (err error) {
		s.owned.prove(t.conn.PgConn(), t.batch)
		t.queue(lockLogEnd)
		n, err = t.write(ctx, numberSome, int64(numberBatch))
		t.queue(moveLogEnd)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("number the provisioning log: %w", err)
	}
	return n == numberBatch, nil
}

// Log implements store.Store.
func (s *Store) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	return reading(ctx, s, func() ([]store.Entry, error) {
		for {
			more, err := s.numberBatch(ctx)
			if err != nil {
				return nil, err
			}
			if entries, err := s.reader.numbered(ctx, after, limit); err != nil || len(entries) == limit || !more {
				return entries, err
			}
		}
	})
}

// Log of an update numbers its own entries too. Until it ends, nobody else can number any.
func (t *transaction) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	if err := t.number(ctx); err != nil {
		return nil, err
	}
	return t.numbered(ctx, after, limit)
}

// LogBack implements store.Store. All entries are numbered before the newest is known; those that come meanwhile have no number to be told by.
func (s *Store) LogBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	return reading(ctx, s, func() ([]store.Entry, error) {
		if err := s.numberAll(ctx); err != nil {
			return nil, err
		}
		return s.reader.numberedBack(ctx, before, limit)
	})
}

// LogBack of an update numbers its own entries too, as Log does.
func (t *transaction) LogBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	if err := t.number(ctx); err != nil {
		return nil, err
	}
	return t.numberedBack(ctx, before, limit)
}

func (t *transaction) number(ctx context.Context) error {
	for {
		if there, err := t.unnumbered(ctx); err != nil || !there {
			return err
		}
		t.queue(lockLogEnd)
		t.queue(numberSome, int64(numberBatch))
		t.queue(moveLogEnd)
	}
}

func (r *reader) unnumbered(ctx context.Context) (there bool, err error) {
	var one int64
	err = r.each(ctx, []any{&one}, func() (bool, error) { there = true; return false, nil }, anyUnnumbered)
	return there, err
}

const entryColumns = "time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome, count, members"

// Log reads the entries that have a number, and behind them those that have none yet, as if they were numbered now. Who can
// number them has done so before.
func (r *reader) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	const query = "(SELECT sequence, " + entryColumns + " FROM main.log WHERE sequence > $1 ORDER BY sequence LIMIT $2)" +
		" UNION ALL SELECT sequence, " + entryColumns + " FROM " + unnumbered + " WHERE sequence > $1" +
		" ORDER BY sequence LIMIT $2"
	return r.entries(ctx, query, after, int64(limit))
}

// unnumbered are the entries without a number, as if they were numbered now.
const unnumbered = "(SELECT (SELECT last FROM main.log_end) + row_number() OVER (ORDER BY id)" +
	" AS sequence, " + entryColumns + " FROM main.log WHERE sequence IS NULL) late"

// LogBack reads them the other way round.
func (r *reader) LogBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	const query = "(SELECT sequence, " + entryColumns + " FROM main.log WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2)" +
		" UNION ALL SELECT sequence, " + entryColumns + " FROM " + unnumbered + " WHERE sequence < $1" +
		" ORDER BY sequence DESC LIMIT $2"
	return r.entries(ctx, query, before, int64(limit))
}

// numbered reads the entries that have a number alone.
func (r *reader) numbered(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	const query = "SELECT sequence, " + entryColumns + " FROM main.log WHERE sequence > $1 ORDER BY sequence LIMIT $2"
	return r.entries(ctx, query, after, int64(limit))
}

// numberedBack reads them the other way round.
func (r *reader) numberedBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	const query = "SELECT sequence, " + entryColumns + " FROM main.log WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2"
	return r.entries(ctx, query, before, int64(limit))
}

// Newest implements store.Store.
func (s *Store) Newest(ctx context.Context) (store.Entry, error) {
	return reading(ctx, s, func() (store.Entry, error) { return s.reader.Newest(ctx) })
}

// Newest of an update knows its own entries too.
func (t *transaction) Newest(ctx context.Context) (store.Entry, error) {
	if err := t.number(ctx); err != nil {
		return store.Entry{}, err
	}
	return t.reader.Newest(ctx)
}

// Newest reads the entry with the greatest number that was given.
func (r *reader) Newest(ctx context.Context) (newest store.Entry, err error) {
	entries, err := r.numberedBack(ctx, math.MaxInt64, 1)
	if len(entries) > 0 {
		newest = entries[0]
	}
	return newest, err
}

func (r *reader) entries(ctx context.Context, query string, args ...any) ([]store.Entry, error) {
	var entries []store.Entry
	var e store.Entry
	var at, kind int64
	var attributes string
	var members pgtype.DriverBytes
	targets := []any{
		&e.Sequence, &at, &e.Client, &e.RequestID, &kind, &e.ResourceID, &e.Operation, &attributes, &e.Defaults, &e.Outcome, &e.Count, &members,
	}
	err := r.each(ctx, targets, func() (more bool, err error) {
		e.Time, e.Kind, e.Attributes = fromMicros(at), store.Kind(kind), nil
		if attributes != "" {
			e.Attributes = strings.Split(attributes, "\n")
		}
		if e.Members, err = store.DecodeMemberChanges(members); err != nil {
			return false, fmt.Errorf("entry %d: %w", e.Sequence, err)
		}
		entries = append(entries, e)
		return true, nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the provisioning log: %w", err)
	}
	return entries, nil
}

const appendEntry = "INSERT INTO main.log (id, sequence, " + entryColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"

func (t *transaction) Append(_ context.Context, e store.Entry) error {
	if err := t.usable(); err != nil {
		return err
	}
	id, err := t.newEntry(e.Time.UnixMicro())
	if err != nil {
		return err
	}
	var sequence *int64
	if e.Sequence != 0 {
		sequence = &e.Sequence
		t.queue("UPDATE main.log_end SET last = greatest(last, $1)", e.Sequence)
	}
	t.queue(appendEntry, entryRow(id, sequence, e)...)
	return nil
}

// entryRow is the arguments of appendEntry.
func entryRow(id []byte, sequence *int64, e store.Entry) []any {
	return []any{
		id, sequence, e.Time.UnixMicro(), text(e.Client), text(e.RequestID), int64(e.Kind), text(e.ResourceID), text(e.Operation),
		text(strings.Join(e.Attributes, "\n")), text(e.Defaults), text(e.Outcome), max(e.Count, 1), store.EncodeMemberChanges(e.Members),
	}
}

// newEntry returns the id of a new entry, which begins with its time, in milliseconds as in a UUID of version 7 and with the microseconds behind
// them: the times of a resource's versions grow, whatever the clocks of those who write them say. Entries of one transaction are told as they were
// written. By the first id, outcome finds out what became of the transaction.
func (t *transaction) newEntry(micros int64) ([]byte, error) {
	unique, err := t.newID()
	if err != nil {
		return nil, fmt.Errorf("make an id for the provisioning log: %w", err)
	}
	t.written = max(t.written, micros)
	id := binary.BigEndian.AppendUint64(nil, uint64(t.written/1000<<16|t.written%1000))
	id = append(id, unique[:]...)
	if t.entry == nil {
		t.entry = id
	}
	return id, nil
}

func (t *transaction) TrimLog(ctx context.Context, kept store.Retention, limit int) (removed int, err error) {
	if err := t.number(ctx); err != nil {
		return 0, err
	}
	t.queue(lockLogEnd)
	n, err := t.write(ctx, "DELETE FROM main.log WHERE sequence IN"+
		" (SELECT l.sequence FROM main.log l WHERE l.sequence IS NOT NULL ORDER BY l.sequence LIMIT $1)"+
		" AND sequence < (SELECT last FROM main.log_end)"+
		" AND ((SELECT n.time FROM main.log n WHERE n.sequence > log.sequence ORDER BY n.sequence LIMIT 1) < $2"+
		" OR sequence <= (SELECT last FROM main.log_end) - $3"+
		" OR sequence <= (SELECT l.sequence FROM main.log l WHERE octet_length(l.members) > 1700 AND l.sequence IS NOT NULL"+
		" ORDER BY l.sequence DESC LIMIT 1 OFFSET $4))",
		int64(limit), kept.Since.UnixMicro(), int64(kept.Entries), int64(kept.Long))
	if err != nil {
		return 0, fmt.Errorf("trim the provisioning log: %w", err)
	}
	return int(n), nil
}
