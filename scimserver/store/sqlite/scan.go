package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

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

// upTo counts what a query finds, up to a limit.
func (f *finder) upTo(ctx context.Context, limit int, ids sqlfilter.Fragment) (n int, err error) {
	err = f.row(ctx, []any{&n}, "SELECT count(*) FROM (SELECT 1 FROM ("+ids.SQL+") LIMIT ?)", append(slices.Clone(ids.Args), int64(limit))...)
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
		switch err := f.row(ctx, []any{&one}, cut.SQL+" LIMIT 1", cut.Args...); {
		case err == nil:
			return sqlfilter.CompileCut(sqlfilter.SQLite, f.Query), nil
		case !errors.Is(err, sql.ErrNoRows):
			return sqlfilter.Plan{}, err
		}
	}
	return plan, nil
}

// checked answers with what Match says yes to of what the narrowest source finds. ok is false where each source finds too much.
func (f *finder) checked(ctx context.Context, sources []sqlfilter.Source) (page store.Page, ok bool, err error) {
	f.memberships = sqlfilter.Memberships(sqlfilter.SQLite, f.Query)
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

// How many candidates a scan finds at first; a walk ends early as a rule.
const (
	firstCandidates  = 4096
	firstOfWalk      = 256
	growthCandidates = 8
)

// eachCandidate calls do with the resources that the plan finds, in the order of ids, until it returns false. A scan finds some of
// them at a time, and more with each step.
func (f *finder) eachCandidate(ctx context.Context, plan sqlfilter.Plan, do func(*store.Record) (bool, error)) (err error) {
	limit := -1 // none
	switch {
	case f.scanning && f.walk:
		limit = max(firstOfWalk, 2*f.Limit)
	case f.scanning:
		limit = firstCandidates
	}
	for from, more := f.floor, true; more; limit *= growthCandidates {
		seen, wanted, last := 0, true, ""
		query, args := f.some(plan, from, limit, 0)
		err := f.eachFound(ctx, func(record *store.Record) (_ bool, err error) {
			seen++
			last = record.ID
			wanted, err = do(record)
			return wanted, err
		}, query, args...)
		if err != nil {
			return err
		}
		if more = wanted && seen == limit; more {
			if from, err = floor(last); err != nil {
				return err
			}
		}
	}
	return nil
}
