package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

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
		if sorted, key, ok := sqlfilter.Sorted(sqlfilter.PostgreSQL, f.Query, where); ok {
			return f.inOrder(ctx, plan, sorted, key)
		}
	}
	ranking := store.NewRanking(f.Query)
	sql, args := f.fromIDs(f.ids(plan), f.floor, all, 0)
	err = f.eachFound(ctx, func(record *store.Record) (bool, error) {
		if !plan.Exact {
			if matches, err := f.Match(record); err != nil || !matches {
				return err == nil, err
			}
		}
		return true, ranking.Add(record)
	}, sql, args...)
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
		if page.Total, err = f.count(ctx, f.ids(plan)); err != nil || f.Offset >= page.Total {
			return page, err
		}
	}
	if f.Limit == 0 {
		return page, nil
	}
	var found []store.Found
	var id pgtype.DriverBytes
	var k any
	err = f.each(ctx, []any{&id, &k}, func() (bool, error) {
		found = append(found, store.Found{ID: formatID(id), Key: key(k)})
		return true, nil
	}, placed(sorted.SQL+" LIMIT ? OFFSET ?"), append(slices.Clone(sorted.Args), int64(f.Limit), int64(f.offset()))...)
	if err != nil {
		return store.Page{}, err
	}
	total := page.Total
	page, err = f.inTurn(ctx, found)
	page.Total = total
	return page, err
}

// inTurn loads the records that were found, in just this order.
func (f *finder) inTurn(ctx context.Context, found []store.Found) (store.Page, error) {
	portion := store.NewPortion(f.Query)
	err := portion.InTurn(found, func(ids []string) ([]store.Record, error) { return f.byID(ctx, f.Kind, ids) })
	return portion.Page, err
}
