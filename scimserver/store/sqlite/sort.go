package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// sorted answers with the records that the plan finds, in the order of f.Sort: as SQL sorts them where it decides the
// filter and has the keys, else after all have been looked at.
func (f *finder) sorted(ctx context.Context, plan sqlfilter.Plan) (page store.Page, err error) {
	if plan.Exact {
		where := plan.Where
		if len(plan.Sources) > 0 {
			ids := f.ids(plan)
			where = sqlfilter.Fragment{SQL: "r.id IN (" + ids.SQL + ")", Args: ids.Args}
		}
		if sorted, ok := sqlfilter.Sorted(sqlfilter.SQLite, f.Query, where); ok {
			return f.inOrder(ctx, plan, sorted)
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
	ids, total, err := ranking.Page()
	if err != nil {
		return store.Page{}, err
	}
	page, err = f.inTurn(ctx, ids)
	page.Total = total
	return page, err
}

// inOrder answers with a part of what a query finds in the right order.
func (f *finder) inOrder(ctx context.Context, plan sqlfilter.Plan, sorted sqlfilter.Fragment) (page store.Page, err error) {
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
		query = "WITH s AS MATERIALIZED (" + query + ") SELECT id FROM s"
	}
	ids, err := f.identifiers(ctx, query, append(slices.Clone(sorted.Args), int64(f.Limit), int64(f.offset()))...)
	if err != nil {
		return store.Page{}, err
	}
	total := page.Total
	page, err = f.inTurn(ctx, ids)
	page.Total = total
	return page, err
}

func (f *finder) identifiers(ctx context.Context, query string, args ...any) (ids []string, err error) {
	rows, err := f.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.done()
	var id sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, formatID(id))
	}
	return ids, rows.Err()
}

// inTurn loads the records with these ids in just this order.
func (f *finder) inTurn(ctx context.Context, ids []string) (store.Page, error) {
	portion := store.NewPortion(f.Query)
	err := portion.InTurn(ids, func(ids []string) ([]store.Record, error) { return f.byID(ctx, f.Kind, ids) })
	return portion.Page, err
}
