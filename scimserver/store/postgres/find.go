package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

const (
	// A conjunction can be answered from the source of any of its terms. So many are asked how much they find, unless one
	// finds at most enough.
	tries  = 4
	enough = 8

	// all is more than there are.
	all = 1 << 40
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
		return store.Page{Wide: page.Wide}, fmt.Errorf("find %ss: %w", strings.ToLower(q.Kind.String()), err)
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
	// telling says that each record tells whether it is Ungrouped.
	telling bool
}

// list pages through all resources of a kind over the index of ids; the documents are read for the page alone.
func (f *finder) list(ctx context.Context) (page store.Page, err error) {
	ids := sqlfilter.Fragment{SQL: "SELECT r.id FROM main.resources r WHERE r.kind = ?", Args: []any{int64(f.Kind)}}
	if !f.walk {
		if page, err = f.counted(ctx, ids); err != nil || f.Offset >= page.Total {
			return page, err
		}
	}
	if f.Limit == 0 {
		return page, nil
	}
	if f.offset() <= f.page-f.Limit {
		err = f.some(ctx, &page, ids)
		return page, err
	}
	total := page.Total
	page, err = f.scan(ctx, func(ctx context.Context) (page store.Page, err error) {
		err = f.some(ctx, &page, ids)
		return page, err
	})
	page.Total = total
	return page, err
}

// counted is a page without records: the total of what a query finds. Up to a few pages of them are counted outside of a scan.
func (f *finder) counted(ctx context.Context, ids sqlfilter.Fragment) (page store.Page, err error) {
	if !f.scanning && f.gate != nil {
		if page.Total, err = f.upTo(ctx, f.page+1, ids); err != nil || page.Total <= f.page {
			return page, err
		}
	}
	return f.scan(ctx, func(ctx context.Context) (page store.Page, err error) {
		page.Total, err = f.count(ctx, ids)
		return page, err
	})
}

// offset is how many are passed over; a walk passes over none.
func (f *finder) offset() int {
	if f.walk {
		return 0
	}
	return f.Offset
}

func (f *finder) count(ctx context.Context, ids sqlfilter.Fragment) (n int, err error) {
	err = f.one(ctx, []any{&n}, placed("SELECT count(*) FROM ("+ids.SQL+") i"), ids.Args...)
	return n, err
}

// fromIDs is a statement for the records of a part of these ids, in their order. Those of a page are looked up one by one: PostgreSQL would
// walk through a table of a few thousand resources for a hundred of them.
func (f *finder) fromIDs(ids sqlfilter.Fragment, floor []byte, limit, offset int) (sql string, args []any) {
	resources := " JOIN main.resources r ON r.kind = (SELECT ?::smallint) AND r.id = s.id JOIN main.documents d ON d.kind = r.kind AND d.id = r.id"
	if limit <= scan.Page {
		resources = oneByOne("(SELECT ?::smallint)", "s.id")
	}
	sql = "SELECT " + f.columns() + " FROM (SELECT i.id FROM (" + ids.SQL + ") i WHERE i.id >= ? ORDER BY i.id LIMIT ? OFFSET ?) s" +
		resources + " ORDER BY s.id" + f.lock
	return placed(sql), slices.Concat(f.memberships.Args, ids.Args, []any{floor, int64(limit), int64(offset), int64(f.Kind)})
}

// oneByOne joins the resource of a kind and an id, as r, and its document, as d, by a look-up for each. While PostgreSQL knows nothing of a
// table, it may choose another index for several at once, and walk through it.
func oneByOne(kind, id string) string {
	return " CROSS JOIN LATERAL (SELECT * FROM main.resources o WHERE o.kind = " + kind + " AND o.id = " + id + " OFFSET 0) r" +
		" CROSS JOIN LATERAL (SELECT * FROM main.documents o WHERE o.kind = r.kind AND o.id = r.id OFFSET 0) d"
}

// some reads the records of a page, which is a part of these ids.
func (f *finder) some(ctx context.Context, page *store.Page, ids sqlfilter.Fragment) error {
	portion := store.NewPortion(f.Query)
	sql, args := f.fromIDs(ids, f.floor, f.Limit, f.offset())
	err := f.eachFound(ctx, func(record *store.Record) (bool, error) { return portion.Add(record), nil }, sql, args...)
	page.Records, page.More = portion.Page.Records, portion.Page.More
	return err
}

// filtered answers where it can without looking at more than a few pages, else in a scan.
func (f *finder) filtered(ctx context.Context) (store.Page, error) {
	plan := sqlfilter.Compile(sqlfilter.PostgreSQL, f.Query)
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
		n, err := f.upTo(ctx, f.few+1, sources[i].Fragment)
		if err != nil {
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
	query := "SELECT " + f.columns() + " FROM (SELECT DISTINCT i.id FROM (" + source.SQL + ") i LIMIT " + strconv.Itoa(f.few+1) + ") s" +
		" JOIN main.resources r ON r.kind = (SELECT ?::smallint) AND r.id = s.id JOIN main.documents d ON d.kind = r.kind AND d.id = r.id" +
		" ORDER BY s.id" + f.lock
	args := slices.Concat(f.memberships.Args, source.Args, []any{int64(f.Kind)})
	size := 0
	all = true
	err = f.eachFound(ctx, func(record *store.Record) (bool, error) {
		records = append(records, *record)
		size += record.Size()
		all = len(records) <= f.few && (f.Bytes == 0 || size < candidateBytes*f.Bytes)
		return all, nil
	}, placed(query), args...)
	return records, all, err
}

// columns are those of a record, and what it tells of its memberships, or Match is told of them.
func (f *finder) columns() string {
	switch {
	case f.telling:
		return columns + ", " + ungrouped
	case f.memberships.SQL != "":
		return columns + ", " + f.memberships.SQL
	}
	return columns
}

// eachFound is eachRecord for a query of f.columns.
func (f *finder) eachFound(ctx context.Context, do func(*store.Record) (bool, error), sql string, args ...any) error {
	var scanned row
	targets := scanned.targets()
	switch {
	case f.telling:
		targets = append(targets, &scanned.record.Ungrouped)
	case f.memberships.SQL != "":
		targets = append(targets, &scanned.record.Memberships)
	}
	return f.each(ctx, targets, func() (bool, error) {
		record := scanned.read(f.Kind)
		return do(&record)
	}, sql, args...)
}

// ids is the query for the ids of the resources that meet the plan's condition.
func (f *finder) ids(plan sqlfilter.Plan) sqlfilter.Fragment {
	if len(plan.Sources) == 0 {
		return sqlfilter.Fragment{
			SQL:  "SELECT r.id FROM main.resources r WHERE r.kind = ? AND " + plan.Where.SQL,
			Args: append([]any{int64(f.Kind)}, plan.Where.Args...),
		}
	}
	source := plan.Sources[0]
	distinct := ""
	if source.Repeats {
		distinct = "DISTINCT "
	}
	if source.Complete() {
		return sqlfilter.Fragment{SQL: "SELECT " + distinct + "q.id FROM (" + source.SQL + ") q", Args: source.Args}
	}
	return sqlfilter.Fragment{
		SQL: "SELECT " + distinct + "q.id FROM (" + source.SQL + ") q" +
			" JOIN main.resources r ON r.kind = ? AND r.id = q.id WHERE " + source.Rest.SQL,
		Args: slices.Concat(source.Args, []any{int64(f.Kind)}, source.Rest.Args),
	}
}

// apartFromPage has what a source finds looked up before a page of it is made. Else PostgreSQL, while it knows nothing of the table, may walk
// along the ids, which a page has to be in the order of, and look at each resource on the way; and a connection keeps such a plan.
const apartFromPage = " OFFSET 0"

// decided answers what SQL decides by itself. Where the first page is all there is, it need not be counted.
func (f *finder) decided(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	f.memberships = sqlfilter.Fragment{} // nobody asks Match
	ids := f.ids(plan)
	if len(plan.Sources) > 0 && plan.Sources[0].Few() {
		ids.SQL += apartFromPage
		f.telling = true
	}
	if f.Limit > 0 {
		if err = f.some(ctx, &page, ids); err != nil {
			return store.Page{}, err
		}
	}
	switch {
	case f.walk:
	case f.Offset == 0 && len(page.Records) < f.Limit && !page.More:
		page.Total = len(page.Records)
	default:
		counted, err := f.counted(ctx, ids)
		page.Total, page.Wide = counted.Total, counted.Wide
		return page, err
	}
	return page, nil
}

// narrow tells whether one look-up in an index decides the filter.
func narrow(plan sqlfilter.Plan) bool {
	return plan.Exact && len(plan.Sources) == 1 && plan.Sources[0].Complete() && plan.Sources[0].Narrow()
}

// stream checks one candidate after the other and keeps those of the page. A walk, which needs no total, asks for some
// candidates at a time, and for more with each step: whoever ends a statement early waits for all it had to say.
func (f *finder) stream(ctx context.Context, plan sqlfilter.Plan) (store.Page, error) {
	ids := f.ids(plan)
	collect := store.NewCollector(f.Query)
	from, limit := f.floor, all
	if f.walk {
		limit = max(f.few, 2*f.Limit)
	}
	for more := true; more; limit *= 4 {
		seen, wanted, last := 0, true, ""
		sql, args := f.fromIDs(ids, from, limit, 0)
		err := f.eachFound(ctx, func(record *store.Record) (bool, error) {
			seen++
			last = record.ID
			matches, err := f.Match(record)
			wanted = err == nil && (!matches || collect.Add(record))
			return wanted, err
		}, sql, args...)
		if err != nil {
			return store.Page{}, err
		}
		if more = wanted && seen == limit; more {
			if from, err = floor(last); err != nil {
				return store.Page{}, err
			}
		}
	}
	return collect.Page(), nil
}
