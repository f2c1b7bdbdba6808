package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// sorted answers with the records that the plan finds, in the order of f.Sort. A page of which all were deleted while it was read is read
// again, because the list may go on behind it.
func (f *finder) sorted(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	for again := true; again && err == nil; again = page.More && len(page.Records) == 0 {
		page, err = f.sortedOnce(ctx, plan)
	}
	return page, err
}

// sortedOnce has SQL sort where it decides the filter and has the keys, and else looks at all records.
func (f *finder) sortedOnce(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	if plan.Exact {
		where := plan.Where
		if len(plan.Sources) > 0 {
			ids := f.ids(plan)
			where = sqlfilter.Fragment{SQL: "r.id IN (" + ids.SQL + ")", Args: ids.Args}
		}
		if sorted, key, ok := sqlfilter.Sorted(sqlfilter.SQLite, f.Query, where); ok {
			return f.inOrder(ctx, plan, sorted, key)
		}
	}
	ranking := store.NewRanking(f.Query)
	err = f.eachCandidate(ctx, plan, func(record *store.Record) (bool, error) {
		if !plan.Exact {
			if matches, err := f.Match(record); err != nil || !matches {
				return err == nil, err
			}
		}
		return true, ranking.Add(record)
	})
	if err != nil {
		return store.Page{}, err
	}
	found, total, err := ranking.Page()
	if err != nil {
		return store.Page{}, err
	}
	page, err = f.inTurn(ctx, found)
	page.Total = total
	return page, err
}

// inOrder answers with a part of what a query finds in the right order, with keys that key reads.
func (f *finder) inOrder(
	ctx context.Context, plan sqlfilter.Plan, sorted sqlfilter.Fragment, key func(found any) *string,
) (page store.Page, err error) {
	if !f.walk {
		if page.Total, err = f.count(ctx, plan); err != nil || f.Offset >= page.Total {
			return page, err
		}
	}
	if f.Limit == 0 {
		return page, nil
	}
	query := sorted.SQL + " LIMIT ? OFFSET ?"
	if f.scanning { // see load
		query = "WITH s AS MATERIALIZED (" + query + ") SELECT id, k FROM s"
	}
	found, err := f.found(ctx, key, query, append(slices.Clone(sorted.Args), int64(f.Limit), int64(f.offset()))...)
	if err != nil {
		return store.Page{}, err
	}
	total := page.Total
	page, err = f.inTurn(ctx, found)
	page.Total = total
	return page, err
}

func (f *finder) found(ctx context.Context, key func(any) *string, query string, args ...any) (found []store.Found, err error) {
	rows, err := f.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.done()
	var id sql.RawBytes
	var k any
	for rows.Next() {
		if err := rows.Scan(&id, &k); err != nil {
			return nil, err
		}
		found = append(found, store.Found{ID: formatID(id), Key: key(k)})
	}
	return found, rows.Err()
}

// inTurn loads the records that were found, in just this order.
func (f *finder) inTurn(ctx context.Context, found []store.Found) (store.Page, error) {
	portion := store.NewPortion(f.Query)
	err := portion.InTurn(found, func(ids []string) ([]store.Record, error) { return f.byID(ctx, f.Kind, ids) })
	return portion.Page, err
}
