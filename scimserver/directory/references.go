package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// OperationUnassign is in the provisioning log where users or groups lost a reference because what it named was deleted.
const OperationUnassign = "unassign"

// releaseReports takes the manager from everybody who had the user that was just deleted. Entra does not send that a
// manager has become empty, so nobody else would. What names nobody from the start is left as it was sent: Entra's own
// validator sends such managers and wants them back.
func (d *Directory) releaseReports(ctx context.Context, tx store.Tx, caller Caller, manager string, now time.Time) error {
	path, err := d.Type(store.User).Path(schema.EnterpriseUser + ":manager.value")
	if err != nil {
		return err
	}
	reports := filter.Compare{Path: path, Op: filter.Eq, Value: filter.Value{Kind: filter.String, Text: manager}}
	query := store.Query{
		Kind: store.User, Filter: reports, After: store.Start, Limit: followBatch,
		Match: func(rec *store.Record) (bool, error) {
			attributes, err := effective(rec)
			return err == nil && filter.Match(reports, attributes), err
		},
	}
	for {
		page, err := tx.Find(ctx, query)
		if err != nil {
			return fmt.Errorf("find the reports of a deleted manager: %w", err)
		}
		for i := range page.Records {
			if err := d.release(ctx, tx, caller, &page.Records[i], now); err != nil {
				return err
			}
			query.After = page.Records[i].ID
		}
		if len(page.Records) < query.Limit {
			return nil
		}
	}
}

// release takes the manager from one user, as a new version.
func (d *Directory) release(ctx context.Context, tx store.Tx, caller Caller, report *store.Record, now time.Time) error {
	current := d.rules.Load()
	become := func(before stored) (schema.Object, error) {
		// The client has not cleared the manager, so one that the defaults give shows.
		spoken := schema.Names{schema.EnterpriseUser + ":manager": true}
		return heard(d.Type(store.User), before.document, withoutManager(before.document), spoken), nil
	}
	changed, names, err := d.rewrite(report, current, become)
	if err != nil || !changed {
		return err
	}
	report.Version++
	report.Modified = now
	if err := tx.Replace(ctx, report); err != nil {
		return err
	}
	if err := d.written(ctx, tx, report.Kind, current); err != nil {
		return err
	}
	return d.log(ctx, tx, caller, OperationUnassign, report, names)
}

// leaveGroups makes a new version of each group that a user or group is a direct member of, because that is about to be
// deleted: who asks by its version whether a group is still the same must not be told that it is.
func (d *Directory) leaveGroups(ctx context.Context, tx store.Tx, caller Caller, member string, now time.Time) error {
	groups, err := tx.Groups(ctx, []string{member})
	if err != nil {
		return fmt.Errorf("find the groups of a deleted member: %w", err)
	}
	for _, found := range groups[member] {
		group, err := tx.Get(ctx, found.Kind, found.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		group.Version++
		group.Modified = now
		if err := tx.Touch(ctx, group.Kind, group.ID, group.Version, now); err != nil {
			return err
		}
		if err := d.log(ctx, tx, caller, OperationUnassign, &group, []string{"members"}); err != nil {
			return err
		}
	}
	return nil
}

func withoutManager(current schema.Object) schema.Object {
	next := maps.Clone(current)
	values, _ := current[schema.EnterpriseUser].(schema.Object)
	values = maps.Clone(values)
	if delete(values, "manager"); len(values) == 0 {
		delete(next, schema.EnterpriseUser)
	} else {
		next[schema.EnterpriseUser] = values
	}
	return next
}
