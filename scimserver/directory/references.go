package directory

import (
	"context"
	"fmt"
	"maps"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// How many references to a deleted resource one transaction takes away. Each report is written whole; groups and memberships are rows,
// which a few statements change however many they are.
const (
	unassignGroups  = 1_000
	unassignMembers = 10_000
	unassignReports = 100
)

// unassigning is how far the references to a resource that is gone have been taken away.
type unassigning struct {
	deletion

	report string // the last that was looked at
	ended  bool
}

func unassign(gone deletion) unassigning { return unassigning{deletion: gone, report: store.Start} }

// step takes away some of the references: the place of the resource in groups, the members of a group, and the manager of those who had
// the user.
func (u unassigning) step(ctx context.Context, d *Directory, tx store.Tx) (unassigning, error) {
	left, err := d.leaveGroups(ctx, tx, u.deletion)
	if err != nil {
		return u, err
	}
	u.ended = left < unassignGroups
	if u.Kind == store.Group {
		cleared, err := tx.ClearMembers(ctx, u.ID, unassignMembers, nil)
		u.ended = u.ended && cleared < unassignMembers
		return u, err
	}
	found := 0
	if found, u.report, err = d.releaseReports(ctx, tx, u.deletion, u.report); err != nil {
		return u, err
	}
	u.ended = u.ended && found < unassignReports
	return u, nil
}

// releaseReports takes the manager from some who had the user that is gone, behind the given one. It returns how many it found, and the
// last. Entra does not send that a manager has become empty, so nobody else would. A manager that is nobody from the start is left as it was
// sent: Entra's own validator sends such managers and wants them back.
func (d *Directory) releaseReports(ctx context.Context, tx store.Tx, gone deletion, after string) (found int, last string, err error) {
	path, err := d.Type(store.User).Path(schema.EnterpriseUser + ":manager.value")
	if err != nil {
		return 0, "", err
	}
	reports := filter.Compare{Path: path, Op: filter.Eq, Value: filter.Value{Kind: filter.String, Text: gone.ID}}
	page, err := tx.Find(ctx, store.Query{
		Kind: store.User, Filter: reports, After: after, Limit: unassignReports,
		Match: func(rec *store.Record) (bool, error) {
			attributes, err := effective(rec)
			return err == nil && filter.Match(reports, attributes), err
		},
	})
	if err != nil {
		return 0, "", fmt.Errorf("find the reports of a deleted manager: %w", err)
	}
	for i := range page.Records {
		if err := d.release(ctx, tx, gone.caller(), &page.Records[i]); err != nil {
			return 0, "", err
		}
		after = page.Records[i].ID
	}
	return len(page.Records), after, nil
}

// release takes the manager from one user, as a new version.
func (d *Directory) release(ctx context.Context, tx store.Tx, caller Caller, report *store.Record) error {
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
	d.renew(report)
	if err := tx.Replace(ctx, report); err != nil {
		return err
	}
	if err := d.written(ctx, tx, report.Kind, current); err != nil {
		return err
	}
	return d.log(ctx, tx, caller, OperationUnassign, report, names, nil)
}

// leaveGroups takes what is gone out of some of the groups that it was a direct member of. Each is a new version: who asks by its version
// whether a group is still the same must not be told that it is.
func (d *Directory) leaveGroups(ctx context.Context, tx store.Tx, gone deletion) (left int, err error) {
	left, err = tx.LeaveGroups(ctx, gone.ID, unassignGroups, store.Entry{
		Time: d.now(), Client: gone.Client, RequestID: gone.RequestID, Kind: store.Group, Operation: OperationUnassign,
		Attributes: []string{membersAttribute}, Outcome: OutcomeSuccess,
	})
	if err != nil {
		return 0, fmt.Errorf("take what was deleted out of its groups: %w", err)
	}
	return left, nil
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
