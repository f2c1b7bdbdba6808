package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// connection is what statements are sent to: the pool, or a transaction.
type connection interface {
	// query sends a statement. done must be called when the rows have been read.
	query(ctx context.Context, sql string, args []any) (rows pgx.Rows, done func(), err error)
	// failed makes store's errors of the driver's.
	failed(ctx context.Context, err error) error
}

// pooled sends each statement to any connection.
type pooled struct {
	pool  *pool
	turns *scan.Turns
	owned *ownership
}

func (p pooled) query(ctx context.Context, sql string, args []any) (pgx.Rows, func(), error) {
	turn, err := p.turns.Take(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	conn, err := p.pool.acquire(ctx)
	if err != nil {
		cancel()
		turn.Release()
		return nil, nil, err
	}
	rows, err := p.owned.ask(ctx, conn.Conn.Conn(), p.pool.schema.statement(sql), args)
	if err != nil {
		conn.Release()
		cancel()
		turn.Release()
		return nil, nil, err
	}
	return rows, func() { rows.Close(); conn.Release(); turn.Release(); cancel() }, nil
}

func (p pooled) failed(ctx context.Context, err error) error { return translate(ctx, err) }

// reader is store.Reader over a connection.
type reader struct {
	on connection

	// lock and share are added to statements inside an update, so that what it has read stays as it is until it ends: lock
	// keeps others from changing a resource, share only from deleting it.
	lock, share string
	// few is up to how many candidates of a filter are simply loaded and checked.
	few int
	// gate admits reads of more than so many rows, so that connections are left for those who ask for little; nil inside a transaction
	// and a view, which have a connection of their own.
	gate *scan.Gate
	page int
}

const columns = "r.id, r.key, r.external_id, r.active, r.version, r.created, r.modified, " + deactivated +
	", r.defaults, r.matched, d.document, d.overlay"

// deactivated is since when a resource is inactive; the migration of these columns says why.
const deactivated = "CASE WHEN r.active THEN NULL WHEN r.deactivated_version = r.version THEN r.deactivated ELSE r.modified END"

// ungrouped tells whether no group has a resource. The order is the index's, or PostgreSQL would look for one through a table of which it knows
// nothing, and EXISTS might be answered from all memberships at once.
const ungrouped = "(SELECT 1 FROM main.members m WHERE m.member_id = r.id ORDER BY m.group_id LIMIT 1) IS NULL"

// aKind is a kind that PostgreSQL does not know when it plans: see sqlfilter's kind.
const aKind = "(SELECT $1::smallint)"

// row receives columns.
type row struct {
	record            store.Record
	id, key, external pgtype.DriverBytes // valid until the next row
	created, modified int64
	deactivated       *int64
}

func (r *row) targets() []any {
	return []any{
		&r.id, &r.key, &r.external, &r.record.Active, &r.record.Version, &r.created, &r.modified, &r.deactivated,
		&r.record.Defaults, &r.record.Matched, &r.record.Document, &r.record.Overlay,
	}
}

func (r *row) read(kind store.Kind) store.Record {
	record := r.record
	record.Kind, record.ID, record.Key, record.ExternalID = kind, formatID(r.id), string(r.key), string(r.external)
	record.Created, record.Modified = fromMicros(r.created), fromMicros(r.modified)
	if r.deactivated != nil {
		record.Deactivated = fromMicros(*r.deactivated)
	}
	return record
}

// each scans one row after the other and calls f until it returns false.
func (r *reader) each(ctx context.Context, targets []any, f func() (more bool, err error), sql string, args ...any) error {
	rows, done, err := r.on.query(ctx, sql, args)
	if err != nil {
		return r.on.failed(ctx, err)
	}
	defer done()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return r.on.failed(ctx, err)
		}
		if more, err := f(); err != nil || !more {
			return err
		}
	}
	return r.on.failed(ctx, rows.Err())
}

// one scans the first row, or returns store.ErrNotFound. Targets of type pgtype.DriverBytes would not outlive it.
func (r *reader) one(ctx context.Context, targets []any, sql string, args ...any) error {
	found := false
	err := r.each(ctx, targets, func() (bool, error) { found = true; return false, nil }, sql, args...)
	if err == nil && !found {
		return store.ErrNotFound
	}
	return err
}

func (r *reader) eachRecord(ctx context.Context, kind store.Kind, f func(*store.Record) (bool, error), sql string, args ...any) error {
	var scanned row
	return r.each(ctx, scanned.targets(), func() (bool, error) {
		record := scanned.read(kind)
		return f(&record)
	}, sql, args...)
}

func (r *reader) records(ctx context.Context, kind store.Kind, sql string, args ...any) ([]store.Record, error) {
	var records []store.Record
	err := r.eachRecord(ctx, kind, func(record *store.Record) (bool, error) {
		records = append(records, *record)
		return true, nil
	}, sql, args...)
	return records, err
}

func (r *reader) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	uuid, ok := store.ParseID(id)
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	const query = "SELECT " + columns + ", " + ungrouped + " FROM main.resources r JOIN main.documents d ON d.kind = r.kind AND d.id = r.id" +
		" WHERE r.kind = " + aKind + " AND r.id = $2"
	var scanned row
	var found store.Record
	err := r.each(ctx, append(scanned.targets(), &scanned.record.Ungrouped), func() (bool, error) {
		found = scanned.read(kind)
		return false, nil
	}, query, int64(kind), uuid[:])
	if err != nil {
		return store.Record{}, fmt.Errorf("get %s %s: %w", kind, id, err)
	}
	if found.ID == "" {
		return store.Record{}, store.ErrNotFound
	}
	return found, nil
}

// byID loads those of these resources that exist.
func (r *reader) byID(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query := "SELECT " + columns + " FROM unnest($2::bytea[]) AS i (id)" + oneByOne(aKind, "i.id") + " ORDER BY r.id" + r.lock
	return r.records(ctx, kind, query, int64(kind), idList(ids))
}

// Kinds looks each id up by itself, among users first, which most are: the limit ends a look-up that has found one.
func (r *reader) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	kinds := make(map[string]store.Kind, len(ids))
	var users, groups []byte // in one value each, because a thousand rows cost both sides as much again as the look-up
	err := r.one(ctx, []any{&users, &groups}, "SELECT string_agg(id, ''::bytea) FILTER (WHERE kind = 1), string_agg(id, ''::bytea) FILTER (WHERE kind = 2)"+
		" FROM (SELECT r.id, r.kind FROM unnest($1::bytea[]) AS i (id) CROSS JOIN LATERAL"+
		" (SELECT o.id, o.kind FROM main.resources o WHERE o.kind IN (1, 2) AND o.id = i.id LIMIT 1) r ORDER BY r.id"+r.share+") f", idList(ids))
	if err != nil {
		return nil, fmt.Errorf("look ids up: %w", err)
	}
	for kind, found := range map[store.Kind][]byte{store.User: users, store.Group: groups} {
		for id := range slices.Chunk(found, 16) {
			kinds[formatID(id)] = kind
		}
	}
	return kinds, nil
}

func (r *reader) Members(ctx context.Context, group string) ([]store.Member, error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return nil, nil
	}
	var members []store.Member
	var id pgtype.DriverBytes
	var kind int64
	err := r.each(ctx, []any{&id, &kind}, func() (bool, error) {
		members = append(members, store.Member{ID: formatID(id), Kind: store.Kind(kind)})
		return true, nil
	}, "SELECT member_id, kind FROM main.members WHERE group_id = $1 ORDER BY member_id", uuid[:])
	if err != nil {
		return nil, fmt.Errorf("members of group %s: %w", group, err)
	}
	return members, nil
}

// bothThere leaves out what is left of deleted resources. Each is looked up by itself, so that a walk is along the index whatever is known of
// the tables.
const bothThere = " AND (SELECT TRUE FROM main.resources r WHERE r.kind = (SELECT 2::smallint) AND r.id = m.group_id)" +
	" AND (SELECT TRUE FROM main.resources r WHERE r.kind = m.kind AND r.id = m.member_id)"

func (r *reader) Memberships(ctx context.Context, after store.Membership, limit int) ([]store.Membership, error) {
	group, _ := store.ParseID(after.Group) // what is no id is the zero one, before all
	member, _ := store.ParseID(after.ID)
	memberships, err := r.memberships(ctx, "SELECT group_id, member_id, kind FROM main.members m WHERE (group_id, member_id) > ($1, $2)"+bothThere+
		" ORDER BY group_id, member_id LIMIT $3", group[:], member[:], int64(limit))
	if err != nil {
		return nil, fmt.Errorf("walk over the memberships: %w", err)
	}
	return memberships, nil
}

func (r *reader) memberships(ctx context.Context, sql string, args ...any) ([]store.Membership, error) {
	var memberships []store.Membership
	var group, member pgtype.DriverBytes
	var kind int64
	err := r.each(ctx, []any{&group, &member, &kind}, func() (bool, error) {
		memberships = append(memberships, store.Membership{
			Group: formatID(group), Member: store.Member{ID: formatID(member), Kind: store.Kind(kind)},
		})
		return true, nil
	}, sql, args...)
	return memberships, err
}

func (r *reader) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	const query = "SELECT i.id FROM (SELECT r.id, " + deactivated + " AS since FROM main.resources r WHERE r.kind = $1 AND NOT r.active) i" +
		" WHERE i.since < $2 ORDER BY i.since, i.id LIMIT $3"
	var ids []string
	var id pgtype.DriverBytes
	err := r.each(ctx, []any{&id}, func() (bool, error) {
		ids = append(ids, formatID(id))
		return true, nil
	}, query, int64(store.User), before.UnixMicro(), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("find inactive users: %w", err)
	}
	return ids, nil
}

func (r *reader) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := r.one(ctx, []any{&value}, "SELECT value FROM main.meta WHERE key = $1", key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return value, err
}

// idList is those ids that can exist, in order: neighbours in the index are looked up together, and locked in one order by all.
func idList(ids []string) [][]byte {
	possible := make([][]byte, 0, len(ids))
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	for _, id := range slices.Compact(sorted) {
		if uuid, ok := store.ParseID(id); ok {
			possible = append(possible, uuid[:])
		}
	}
	return possible
}

// placed replaces each "?" of a statement that was put together by the number of its parameter.
func placed(sql string) string {
	var out strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(sql, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		fmt.Fprintf(&out, "$%d", n)
		sql = after
	}
}

func formatID(b []byte) string { return store.FormatID([16]byte(b)) }

func fromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
