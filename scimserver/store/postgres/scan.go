package postgres

import (
	"context"
	"errors"
	"strconv"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlfilter"
)

// scan runs a read that may look at many resources when there is a place for it.
func (f *finder) scan(ctx context.Context, read func(context.Context) (store.Page, error)) (store.Page, error) {
	if f.scanning || f.gate == nil {
		return read(ctx)
	}
	f.scanning = true
	defer func() { f.scanning = false }()
	return f.gate.Find(ctx, f.Client, read)
}

// near tells whether a page of what a narrow source finds is read without looking at many of them.
func (f *finder) near(ctx context.Context, source sqlfilter.Source) (bool, error) {
	switch {
	case f.gate == nil, source.Listed():
		return true, nil
	case source.Ordered:
		return f.offset() <= f.page-f.Limit, nil
	}
	n, err := f.upTo(ctx, f.page+1, source.Fragment)
	return n <= f.page, err
}

// upTo counts what a query finds, up to a limit. The limit is one of a few, and part of the statement: PostgreSQL expects of a limit that it does
// not know that it ends a walk through the table early.
func (f *finder) upTo(ctx context.Context, limit int, ids sqlfilter.Fragment) (n int, err error) {
	err = f.one(ctx, []any{&n}, placed("SELECT count(*) FROM (SELECT 1 FROM ("+ids.SQL+") i LIMIT "+strconv.Itoa(limit)+") c"), ids.Args...)
	return n, err
}

func (f *finder) searched(ctx context.Context, plan sqlfilter.Plan, tried int) (store.Page, error) {
	plan, err := f.trusted(ctx, plan)
	switch {
	case err != nil:
		return store.Page{}, err
	case !plan.Exact && f.Match == nil:
		return store.Page{}, errUndecided
	case f.Sort == nil && narrow(plan):
		return f.decided(ctx, plan)
	}
	if f.Match != nil {
		page, ok, err := f.checked(ctx, plan.Sources[tried:])
		if ok || err != nil {
			return page, err
		}
	}
	switch {
	case f.Sort != nil:
		return f.sorted(ctx, plan)
	case plan.Exact:
		return f.decided(ctx, plan)
	default:
		return f.stream(ctx, plan)
	}
}

// trusted is the plan for the keys that are there: another one where some of them were cut.
func (f *finder) trusted(ctx context.Context, plan sqlfilter.Plan) (sqlfilter.Plan, error) {
	for _, cut := range plan.Cut {
		var one int
		switch err := f.one(ctx, []any{&one}, placed(cut.SQL+" LIMIT 1"), cut.Args...); {
		case err == nil:
			return sqlfilter.CompileCut(sqlfilter.PostgreSQL, f.Query), nil
		case !errors.Is(err, store.ErrNotFound):
			return sqlfilter.Plan{}, err
		}
	}
	return plan, nil
}

// checked answers with what Match says yes to of what the narrowest source finds. ok is false where each source finds too much.
func (f *finder) checked(ctx context.Context, sources []sqlfilter.Source) (page store.Page, ok bool, err error) {
	f.memberships = sqlfilter.Memberships(sqlfilter.PostgreSQL, f.Query)
	source, err := f.narrowest(ctx, sources)
	if err != nil || source == nil {
		return store.Page{}, false, err
	}
	candidates, all, err := f.candidates(ctx, source)
	if err != nil || !all {
		return store.Page{}, false, err
	}
	page, err = store.Check(f.Query, candidates)
	return page, true, err
}
