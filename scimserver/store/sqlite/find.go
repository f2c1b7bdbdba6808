package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

const (
	few = 256 // see reader.few

	// A conjunction can be answered from the source of any of its terms. So many are asked how much they find, unless one
	// finds at most enough.
	tries  = 4
	enough = 8
)

var errUndecided = errors.New("this filter needs Query.Match")

func (r *reader) Find(ctx context.Context, q store.Query) (store.Page, error) {
	first, err := floor(q.After)
	if err != nil {
		return store.Page{}, err
	}
	if q.Sort != nil {
		first, _ = floor("") // a sorted walk does not go along the ids
	}
	f := finder{reader: r, Query: q, floor: first, walk: q.After != ""}
	var page store.Page
	switch {
	case q.Filter != nil:
		page, err = f.filtered(ctx)
	case q.Sort != nil:
		page, err = f.scan(ctx, func(ctx context.Context) (store.Page, error) { return f.sorted(ctx, sqlfilter.All()) })
	default:
		page, err = f.list(ctx)
	}
	if err != nil {
		return store.Page{Wide: page.Wide}, fmt.Errorf("find %ss: %w", strings.ToLower(q.Kind.String()), r.translate(err))
	}
	return page, nil
}

// floor is the smallest id that a query with this After can find.
func floor(after string) ([]byte, error) {
	id, ok := store.ParseID(after)
	if !ok {
		if after != "" && after != store.Start {
			return nil, errors.New("find: After is not an id")
		}
		return id[:], nil
	}
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id[:], nil
}

// candidateBytes is how many times Query.Bytes the candidates of a filter may have.
const candidateBytes = 4

// finder is one Find on its way.
type finder struct {
	*reader
	store.Query
	floor []byte
	walk  bool
	// scanning says that the query has a place among those that may look at many resources.
	scanning bool
	// memberships is what Match is told of a candidate's memberships; empty where the filter does not ask for any.
	memberships sqlfilter.Fragment
}

// list pages through all resources of a kind over the index of ids; the documents are read for the page alone.
func (f *finder) list(ctx context.Context) (store.Page, error) {
	var page store.Page
	from, skip := f.floor, 0
	if !f.walk {
		skip = f.Offset
		if f.outline != nil {
			page.Total, from, skip = f.outline.seek(f.Kind, f.Offset)
		} else if err := f.row(ctx, []any{&page.Total}, "SELECT count(*) FROM resources WHERE kind = ?", int64(f.Kind)); err != nil {
			return store.Page{}, err
		}
		if f.Offset >= page.Total {
			return page, nil
		}
	}
	if f.Limit == 0 {
		return page, nil
	}
	const query = "SELECT " + columns + " FROM (SELECT row FROM resources WHERE kind = ? AND id >= ? ORDER BY id LIMIT ? OFFSET ?) p" +
		" CROSS JOIN resources r ON r.row = p.row CROSS JOIN documents d ON d.row = p.row"
	err := f.portion(ctx, &page, query, int64(f.Kind), from, int64(f.Limit), int64(skip))
	return page, err
}

// filtered answers where it can without looking at more than a few pages, else in a scan.
func (f *finder) filtered(ctx context.Context) (store.Page, error) {
	plan := sqlfilter.Compile(sqlfilter.SQLite, f.Query)
	tried := 0
	switch {
	case f.Sort == nil && narrow(plan):
		if near, err := f.near(ctx, plan.Sources[0]); near || err != nil {
			if err != nil {
				return store.Page{}, err
			}
			return f.decided(ctx, plan)
		}
	case f.Match != nil && !plan.Walks:
		for tried < len(plan.Sources) && plan.Sources[tried].Bounded() {
			tried++
		}
		page, ok, err := f.checked(ctx, plan.Sources[:tried])
		if ok || err != nil {
			return page, err
		}
	}
	return f.search(ctx, plan, tried)
}

// search answers in a scan. So many of the plan's sources have been tried before.
func (f *finder) search(ctx context.Context, plan sqlfilter.Plan, tried int) (store.Page, error) {
	return f.scan(ctx, func(ctx context.Context) (store.Page, error) { return f.searched(ctx, plan, tried) })
}

// narrowest returns the source that finds least, nil if each finds more than few. The only one is not counted where it is as dear to
// count as to read.
func (f *finder) narrowest(ctx context.Context, sources []sqlfilter.Source) (*sqlfilter.Source, error) {
	if len(sources) == 1 && (sources[0].Narrow() || !sources[0].Bounded()) {
		return &sources[0], nil
	}
	var best *sqlfilter.Source
	least := f.few + 1
	for i := range sources[:min(len(sources), tries)] {
		var n int
		query := "SELECT count(*) FROM (SELECT 1 FROM (" + sources[i].SQL + ") LIMIT ?)"
		if err := f.row(ctx, []any{&n}, query, append(slices.Clone(sources[i].Args), int64(least))...); err != nil {
			return nil, err
		}
		if n < least {
			best, least = &sources[i], n
		}
		if least <= enough {
			break
		}
	}
	return best, nil
}

// candidates loads what a source finds. It stops at one more than few, or where they have many bytes: then they are not all.
func (f *finder) candidates(ctx context.Context, source *sqlfilter.Source) (records []store.Record, all bool, err error) {
	query, args := f.load(sqlfilter.Fragment{
		SQL:  "SELECT DISTINCT id FROM (" + source.SQL + ") LIMIT ?",
		Args: append(slices.Clone(source.Args), int64(f.few+1)),
	})
	size := 0
	all = true
	err = f.eachFound(ctx, func(record *store.Record) (bool, error) {
		records = append(records, *record)
		size += record.Size()
		all = len(records) <= f.few && (f.Bytes == 0 || size < candidateBytes*f.Bytes)
		return all, nil
	}, query, args...)
	return records, all, err
}

// load is the statement for the records that have the ids which a query finds, in its order. The driver interrupts a statement up to
// its first row only, so a scan finds all ids before that, and what Match is told of their memberships.
func (f *finder) load(ids sqlfilter.Fragment) (query string, args []any) {
	const (
		resource = " CROSS JOIN resources r ON r.kind = ? AND r.id = "
		document = " CROSS JOIN documents d ON d.row = r.row"
	)
	kind := []any{int64(f.Kind)}
	switch {
	case !f.scanning:
		query = "SELECT " + f.columns(f.memberships.SQL) + " FROM (" + ids.SQL + ") s" + resource + "s.id" + document
		return query, slices.Concat(f.memberships.Args, ids.Args, kind)
	case f.memberships.SQL == "":
		query = "WITH s AS MATERIALIZED (" + ids.SQL + ") SELECT " + columns + " FROM s" + resource + "s.id" + document
		return query, slices.Concat(ids.Args, kind)
	default:
		query = "WITH s AS MATERIALIZED (SELECT i.id AS id, " + f.memberships.SQL + " AS memberships FROM (" + ids.SQL + ") i" + resource + "i.id)" +
			" SELECT " + f.columns("s.memberships") + " FROM s" + resource + "s.id" + document
		return query, slices.Concat(f.memberships.Args, ids.Args, kind, kind)
	}
}

// columns are those of a record, and what Match is told of its memberships where the filter asks for any.
func (f *finder) columns(memberships string) string {
	if memberships == "" {
		return columns
	}
	return columns + ", " + memberships
}

// eachFound is each for a query of f.columns.
func (f *finder) eachFound(ctx context.Context, do func(*store.Record) (bool, error), query string, args ...any) error {
	if f.memberships.SQL == "" {
		return f.each(ctx, f.Kind, do, query, args...)
	}
	var memberships string
	return f.eachAnd(ctx, f.Kind, func(record *store.Record) (bool, error) {
		record.Memberships = memberships
		return do(record)
	}, []any{&memberships}, query, args...)
}

// ids is the query for the ids of the resources that meet the plan's condition.
func (f *finder) ids(plan sqlfilter.Plan) sqlfilter.Fragment {
	if len(plan.Sources) == 0 {
		return sqlfilter.Fragment{
			SQL:  "SELECT r.id FROM resources r WHERE r.kind = ? AND " + plan.Where.SQL,
			Args: append([]any{int64(f.Kind)}, plan.Where.Args...),
		}
	}
	source := plan.Sources[0]
	distinct, from := "", source.SQL
	if source.Repeats {
		distinct = "DISTINCT "
	}
	if !source.Ordered {
		from += " LIMIT -1" // or SQLite might prefer to walk through all ids in their order, to be spared sorting a few
	}
	if source.Complete() {
		return sqlfilter.Fragment{SQL: "SELECT " + distinct + "id FROM (" + from + ")", Args: source.Args}
	}
	return sqlfilter.Fragment{
		SQL: "SELECT " + distinct + "s.id FROM (" + from + ") s" +
			" CROSS JOIN resources r ON r.kind = ? AND r.id = s.id WHERE " + source.Rest.SQL,
		Args: slices.Concat(source.Args, []any{int64(f.Kind)}, source.Rest.Args),
	}
}

// some is the statement for the records of a part of these resources, in the order of ids. The inner LIMIT also keeps SQLite from
// sorting whole records.
func (f *finder) some(plan sqlfilter.Plan, from []byte, limit, offset int) (query string, args []any) {
	ids := f.ids(plan)
	return f.load(sqlfilter.Fragment{
		SQL:  "SELECT id FROM (" + ids.SQL + ") WHERE id >= ? ORDER BY id LIMIT ? OFFSET ?",
		Args: slices.Concat(ids.Args, []any{from, int64(limit), int64(offset)}),
	})
}

// offset is how many are passed over; a walk passes over none.
func (f *finder) offset() int {
	if f.walk {
		return 0
	}
	return f.Offset
}

// narrow tells whether one look-up in an index decides the filter.
func narrow(plan sqlfilter.Plan) bool {
	return plan.Exact && len(plan.Sources) == 1 && plan.Sources[0].Complete() && plan.Sources[0].Narrow()
}

// decided answers what SQL decides by itself. Where the first page is all there is, it need not be counted.
func (f *finder) decided(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	f.memberships = sqlfilter.Fragment{} // nobody asks Match
	if !f.scanning && f.Limit > 0 && narrow(plan) && plan.Sources[0].Few() {
		if page, alone, err := f.alone(brief(ctx), plan); alone || err != nil {
			return page, err
		}
	}
	if f.Limit > 0 {
		query, args := f.some(plan, f.floor, f.Limit, f.offset())
		reading := ctx
		if !f.scanning && narrow(plan) {
			reading = brief(ctx) // one page is; counting them all need not be
		}
		if err = f.portion(reading, &page, query, args...); err != nil {
			return store.Page{}, err
		}
	}
	switch {
	case f.walk:
	case f.Offset == 0 && len(page.Records) < f.Limit && !page.More:
		page.Total = len(page.Records)
	default:
		counted, err := f.counted(ctx, plan)
		page.Total, page.Wide = counted.Total, counted.Wide
		return page, err
	}
	return page, nil
}

// alone answers a look-up that finds one resource at most, as nearly every look-up by a name does. Several may have a name, and to put
// them in order SQLite makes a sorter before it has seen any, which would take a tenth of the time of a look-up.
func (f *finder) alone(ctx context.Context, plan sqlfilter.Plan) (page store.Page, alone bool, err error) {
	ids := f.ids(plan)
	query := "SELECT " + columns + ", " + ungrouped + " FROM (SELECT id FROM (" + ids.SQL + ") WHERE id >= ? LIMIT 2) s" +
		" CROSS JOIN resources r ON r.kind = ? AND r.id = s.id CROSS JOIN documents d ON d.row = r.row"
	var free bool
	err = f.eachAnd(ctx, f.Kind, func(record *store.Record) (bool, error) {
		record.Ungrouped = free
		page.Records = append(page.Records, *record)
		return true, nil
	}, []any{&free}, query, slices.Concat(ids.Args, []any{f.floor, int64(f.Kind)})...)
	if err != nil || len(page.Records) > 1 {
		return store.Page{}, false, err
	}
	if !f.walk {
		page.Total = len(page.Records)
	}
	if f.offset() > 0 {
		page.Records = nil
	}
	return page, true, nil
}

// counted is a page without records: the total of what the plan finds. Up to a few pages of them are counted outside of a scan.
func (f *finder) counted(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	if !f.scanning && f.gate != nil {
		if page.Total, err = f.upTo(ctx, f.page+1, f.ids(plan)); err != nil || page.Total <= f.page {
			return page, err
		}
	}
	return f.scan(ctx, func(ctx context.Context) (page store.Page, err error) {
		page.Total, err = f.count(ctx, plan)
		return page, err
	})
}

// portion reads the records of a page, which are what a query finds.
func (f *finder) portion(ctx context.Context, page *store.Page, query string, args ...any) error {
	portion := store.NewPortion(f.Query)
	err := f.each(ctx, f.Kind, func(record *store.Record) (bool, error) { return portion.Add(record), nil }, query, args...)
	page.Records, page.More = portion.Page.Records, portion.Page.More
	return err
}

// count tells how many resources meet the plan's condition.
func (f *finder) count(ctx context.Context, plan sqlfilter.Plan) (n int, err error) {
	if f.Filter == nil && f.outline != nil {
		n, _, _ = f.outline.seek(f.Kind, 0)
		return n, nil
	}
	ids := f.ids(plan)
	return n, f.row(ctx, []any{&n}, "SELECT count(*) FROM ("+ids.SQL+")", ids.Args...)
}

// stream checks one candidate after the other and keeps those of the page.
func (f *finder) stream(ctx context.Context, plan sqlfilter.Plan) (store.Page, error) {
	collect := store.NewCollector(f.Query)
	err := f.eachCandidate(ctx, plan, func(record *store.Record) (bool, error) {
		matches, err := f.Match(record)
		return err == nil && (!matches || collect.Add(record)), err
	})
	return collect.Page(), err
}
