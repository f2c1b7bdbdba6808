package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// reader is store.Reader over one connection or a pool of them.
type reader struct {
	*statements

	// outline knows counts and positions without reading; nil inside a transaction, whose changes it does not have.
	outline *outline
	// few is up to how many candidates of a filter are simply loaded and checked.
	few int
	// gate admits reads of more than so many rows, so that connections are left for those who ask for little; nil inside a transaction
	// and a view, which have a connection of their own.
	gate *scan.Gate
	page int
	// broken is where a failure of the engine is remembered; nil outside a transaction.
	broken *error
}

func (r *reader) translate(err error) error {
	err = translate(err)
	if r.broken != nil && *r.broken == nil && errors.Is(err, store.ErrUnavailable) {
		*r.broken = err
	}
	return err
}

const columns = "r.id, r.key, r.external_id, r.active, r.version, r.created, r.modified, " + deactivated +
	", r.defaults, r.matched, d.document, d.overlay"

// deactivated is since when a resource is inactive; the migration of these columns says why.
const deactivated = "CASE WHEN r.active THEN NULL WHEN r.deactivated_version = r.version THEN r.deactivated ELSE r.modified END"

// ungrouped tells whether no group has a resource. It takes a tenth of the time of a statement that finds none.
const ungrouped = "NOT EXISTS (SELECT 1 FROM members m WHERE m.member_id = r.id)"

// scanRecord reads columns, and those behind them into more.
func scanRecord(rows *sql.Rows, kind store.Kind, more ...any) (store.Record, error) {
	var id, key, external sql.RawBytes
	var created, modified int64
	var since sql.NullInt64
	r := store.Record{Kind: kind}
	targets := append([]any{
		&id, &key, &external, &r.Active, &r.Version, &created, &modified, &since, &r.Defaults, &r.Matched, &r.Document, &r.Overlay,
	}, more...)
	if err := rows.Scan(targets...); err != nil {
		return store.Record{}, err
	}
	r.ID, r.Key, r.ExternalID = formatID(id), string(key), string(external)
	r.Created, r.Modified = fromMicros(created), fromMicros(modified)
	if since.Valid {
		r.Deactivated = fromMicros(since.Int64)
	}
	return r, nil
}

func (r *reader) records(ctx context.Context, kind store.Kind, query string, args ...any) ([]store.Record, error) {
	var records []store.Record
	err := r.each(ctx, kind, func(record *store.Record) (bool, error) {
		records = append(records, *record)
		return true, nil
	}, query, args...)
	return records, err
}

// each calls f with one record after the other until it returns false.
func (r *reader) each(ctx context.Context, kind store.Kind, f func(*store.Record) (bool, error), query string, args ...any) error {
	return r.eachAnd(ctx, kind, f, nil, query, args...)
}

// eachAnd is each for a query with more columns, which are scanned before f is called.
func (r *reader) eachAnd(
	ctx context.Context, kind store.Kind, f func(*store.Record) (bool, error), more []any, query string, args ...any,
) error {
	rows, err := r.query(ctx, query, args...)
	if err != nil {
		return r.translate(err)
	}
	defer rows.done()
	for rows.Next() {
		record, err := scanRecord(rows.Rows, kind, more...)
		if err != nil {
			return r.translate(err)
		}
		if goOn, err := f(&record); err != nil || !goOn {
			return err
		}
	}
	return r.translate(rows.Err())
}

const (
	getFrom   = " FROM resources r CROSS JOIN documents d ON d.row = r.row WHERE r.kind = ? AND r.id = ?"
	getRecord = "SELECT " + columns + ", " + ungrouped + getFrom
)

func (r *reader) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	return r.get(ctx, kind, id, getRecord)
}

// get reads a resource by getRecord, or by a query with more columns behind, which it reads into more.
func (r *reader) get(ctx context.Context, kind store.Kind, id, query string, more ...any) (found store.Record, err error) {
	uuid, ok := store.ParseID(id)
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	err = store.ErrNotFound
	var free bool
	failure := r.eachAnd(brief(ctx), kind, func(record *store.Record) (bool, error) {
		found, err = *record, nil
		found.Ungrouped = free
		return false, nil
	}, append([]any{&free}, more...), query, int64(kind), uuid[:])
	if failure != nil {
		return store.Record{}, fmt.Errorf("get %s %s: %w", kind, id, failure)
	}
	return found, err
}

// byID loads those of these resources that exist, in the order of their ids.
func (r *reader) byID(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	const query = "SELECT " + columns + " FROM json_each(?) j CROSS JOIN resources r ON r.kind = ? AND r.id = unhex(j.value, '-')" +
		" CROSS JOIN documents d ON d.row = r.row"
	return r.records(ctx, kind, query, idList(ids), int64(kind))
}

func (r *reader) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	kinds := make(map[string]store.Kind, len(ids))
	const query = "SELECT r.id, r.kind FROM json_each(?) j CROSS JOIN resources r" +
		" ON r.kind IN (1, 2) AND r.id = unhex(j.value, '-')"
	rows, err := r.query(ctx, query, idList(ids))
	if err != nil {
		return nil, fmt.Errorf("look ids up: %w", r.translate(err))
	}
	defer rows.done()
	var id sql.RawBytes
	var kind int64
	for rows.Next() {
		if err := rows.Scan(&id, &kind); err != nil {
			return nil, r.translate(err)
		}
		kinds[formatID(id)] = store.Kind(kind)
	}
	return kinds, r.translate(rows.Err())
}

func (r *reader) Members(ctx context.Context, group string) ([]store.Member, error) {
	uuid, ok := store.ParseID(group)
	if !ok {
		return nil, nil
	}
	rows, err := r.query(ctx, "SELECT member_id, kind FROM members WHERE group_id = ? ORDER BY member_id", uuid[:])
	if err != nil {
		return nil, fmt.Errorf("members of group %s: %w", group, r.translate(err))
	}
	defer rows.done()
	var members []store.Member
	var id sql.RawBytes
	var kind int64
	for rows.Next() {
		if err := rows.Scan(&id, &kind); err != nil {
			return nil, r.translate(err)
		}
		members = append(members, store.Member{ID: formatID(id), Kind: store.Kind(kind)})
	}
	return members, r.translate(rows.Err())
}

// bothThere leaves out what is left of deleted resources.
const bothThere = " AND EXISTS (SELECT 1 FROM resources r WHERE r.kind = 2 AND r.id = m.group_id)" +
	" AND EXISTS (SELECT 1 FROM resources r WHERE r.kind = m.kind AND r.id = m.member_id)"

func (r *reader) Memberships(ctx context.Context, after store.Membership, limit int) ([]store.Membership, error) {
	group, _ := store.ParseID(after.Group) // what is no id is the zero one, before all
	member, _ := store.ParseID(after.ID)
	rows, err := r.query(ctx, "SELECT group_id, member_id, kind FROM members m WHERE (group_id, member_id) > (?, ?)"+bothThere+
		" ORDER BY group_id, member_id LIMIT ?", group[:], member[:], int64(limit))
	if err != nil {
		return nil, fmt.Errorf("walk over the memberships: %w", r.translate(err))
	}
	defer rows.done()
	var memberships []store.Membership
	var groupID, memberID sql.RawBytes
	var kind int64
	for rows.Next() {
		if err := rows.Scan(&groupID, &memberID, &kind); err != nil {
			return nil, r.translate(err)
		}
		memberships = append(memberships, store.Membership{
			Group: formatID(groupID), Member: store.Member{ID: formatID(memberID), Kind: store.Kind(kind)},
		})
	}
	return memberships, r.translate(rows.Err())
}

func (r *reader) Stats(ctx context.Context) (store.Stats, error) {
	stats := store.Stats{Defaults: map[string]int64{}, Matched: map[string]int64{}}
	const query = "SELECT kind, active, defaults, matched, count(*) FROM resources NOT INDEXED GROUP BY kind, active, defaults, matched" +
		" UNION ALL SELECT 0, 0, '', '', count(*) FROM members" +
		" UNION ALL SELECT -1, 0, '', '', (" + countAmbiguous + ")"
	rows, err := r.query(ctx, query)
	if err != nil {
		return store.Stats{}, fmt.Errorf("count resources: %w", r.translate(err))
	}
	defer rows.done()
	for rows.Next() {
		var kind, n int64
		var active bool
		var defaults, matched string
		if err := rows.Scan(&kind, &active, &defaults, &matched, &n); err != nil {
			return store.Stats{}, r.translate(err)
		}
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
	}
	return stats, r.translate(rows.Err())
}

func (r *reader) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	const query = "SELECT id FROM (SELECT r.id, " + deactivated + " AS since FROM resources r WHERE r.kind = ? AND NOT r.active)" +
		" WHERE since < ? ORDER BY since, id LIMIT ?"
	return r.ids(ctx, "find inactive users", query, int64(store.User), before.UnixMicro(), int64(limit))
}

// ids returns the ids that a query finds. what says in an error what they were looked for.
func (r *reader) ids(ctx context.Context, what, query string, args ...any) ([]string, error) {
	rows, err := r.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, r.translate(err))
	}
	defer rows.done()
	var ids []string
	var id sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return nil, r.translate(err)
		}
		ids = append(ids, formatID(id))
	}
	return ids, r.translate(rows.Err())
}

const entryColumns = "time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome, count, members"

func (r *reader) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	return r.entries(ctx, "SELECT sequence, "+entryColumns+" FROM log WHERE sequence > ? ORDER BY sequence LIMIT ?", after, int64(limit))
}

func (r *reader) LogBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	return r.entries(ctx, "SELECT sequence, "+entryColumns+" FROM log WHERE sequence < ? ORDER BY sequence DESC LIMIT ?", before, int64(limit))
}

func (r *reader) Newest(ctx context.Context) (newest store.Entry, err error) {
	entries, err := r.entries(brief(ctx), "SELECT sequence, "+entryColumns+" FROM log ORDER BY sequence DESC LIMIT 1")
	if len(entries) > 0 {
		newest = entries[0]
	}
	return newest, err
}

func (r *reader) entries(ctx context.Context, query string, args ...any) ([]store.Entry, error) {
	rows, err := r.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the provisioning log: %w", r.translate(err))
	}
	defer rows.done()
	var entries []store.Entry
	for rows.Next() {
		var e store.Entry
		var at, kind int64
		var attributes string
		var members sql.RawBytes
		err := rows.Scan(&e.Sequence, &at, &e.Client, &e.RequestID, &kind, &e.ResourceID, &e.Operation, &attributes,
			&e.Defaults, &e.Outcome, &e.Count, &members)
		if err != nil {
			return nil, r.translate(err)
		}
		if e.Members, err = store.DecodeMemberChanges(members); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Sequence, err)
		}
		e.Time, e.Kind = fromMicros(at), store.Kind(kind)
		if attributes != "" {
			e.Attributes = strings.Split(attributes, "\n")
		}
		entries = append(entries, e)
	}
	return entries, r.translate(rows.Err())
}

func (r *reader) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := r.row(brief(ctx), []any{&value}, "SELECT value FROM meta WHERE key = ?", key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, r.translate(err)
}

// idList is the JSON array of those ids that can exist.
func idList(ids []string) string { return jsonList(possible(ids)) }

// possible are those ids that can exist, each once and in order: neighbours in the index are looked up together.
func possible(ids []string) []string {
	some := make([]string, 0, len(ids))
	for _, id := range ids {
		if _, ok := store.ParseID(id); ok {
			some = append(some, id)
		}
	}
	slices.Sort(some)
	return slices.Compact(some)
}

// jsonList is the JSON array of texts that need no escapes.
func jsonList(texts []string) string {
	if len(texts) == 0 {
		return "[]"
	}
	return `["` + strings.Join(texts, `","`) + `"]`
}

func formatID(b []byte) string { return store.FormatID([16]byte(b)) }

func fromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
