package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// ErrUniqueness says that another resource has the userName or displayName (RFC 7644 section 3.12, scimType uniqueness).
var ErrUniqueness = errors.New("already taken")

// Create adds a resource, of which arrived has what the client sent, as schema.ResourceType.Normalize returns it; arrived is
// not to be used afterwards. The error is a *schema.Error for what the client sent, ErrUniqueness, or the store's.
func (d *Directory) Create(ctx context.Context, caller Caller, kind store.Kind, arrived schema.Object) (Resource, error) {
	rt := d.Type(kind)
	id, err := d.newID()
	if err != nil {
		return Resource{}, fmt.Errorf("make an id: %w", err)
	}
	members := takeMembers(kind, arrived)
	now := d.now()

	var rec store.Record
	var names []string
	compose := func(current *rules) error {
		document := under(schema.Object{}, arrived)
		rec = store.Record{Kind: kind, ID: id.String(), Version: 1, Created: now, Modified: now}
		seen, err := d.fill(&rec, document, current, true)
		names = changedNames(rt, nil, seen)
		if len(members) > 0 {
			names = append(names, "members")
		}
		return err
	}
	composed := d.rules.Load()
	if err := compose(composed); err != nil {
		return Resource{}, err
	}
	err = d.store.Update(ctx, func(tx store.Tx) error {
		// What is written under outdated rules has to be looked at again.
		if current := d.rules.Load(); current != composed {
			composed = current
			if err := compose(current); err != nil {
				return err
			}
		}
		if err := tx.Insert(ctx, &rec); err != nil {
			return err
		}
		if _, err := addMembers(ctx, tx, rec.ID, members); err != nil {
			return err
		}
		if err := d.written(ctx, tx, kind, composed); err != nil {
			return err
		}
		return d.log(ctx, tx, caller, OperationCreate, &rec, names)
	})
	if err != nil {
		return Resource{}, d.sorted(kind, err)
	}
	return d.resource(&rec)
}

// Replace puts a whole resource in the place of what the client sent before (RFC 7644 section 3.5.1). A value that a
// UserDefaults gave and the client has never spoken of stays; spoken has the attributes that it speaks of now, as
// schema.ResourceType.Named returns them. Errors are those of Create, store.ErrNotFound and *PreconditionError.
func (d *Directory) Replace(
	ctx context.Context, caller Caller, target Target, arrived schema.Object, spoken schema.Names,
) (Resource, error) {
	rt := d.Type(target.Kind)
	members := takeMembers(target.Kind, arrived)
	return d.change(ctx, caller, target, change{
		operation: OperationReplace,
		document: func(current schema.Object, _ *patch.Budget) (schema.Object, error) {
			next := under(schema.Object{}, arrived)
			if target.Kind == store.User {
				complete(next)
			}
			next = heard(rt, current, next, spoken)
			rt.Carry(current, next)
			// RFC 7644 section 3.5.1: what was given once must be sent as it is.
			return next, rt.CheckImmutable(current, next)
		},
		members: []patch.MemberOp{{Op: patch.Replace, IDs: members}},
	})
}

// Patch applies a PATCH request (RFC 7644 section 3.5.2), all of it or nothing. A request without effect leaves version
// and modification time alone. Errors are those of Replace.
func (d *Directory) Patch(ctx context.Context, caller Caller, target Target, request patch.Request) (Resource, error) {
	c := change{operation: OperationPatch}
	rest := request.Operations
	if target.Kind == store.Group {
		c.members, rest = request.SplitMembers()
	}
	var quirks []string
	if len(rest) > 0 {
		spoken := patch.Named(rest)
		c.document = func(current schema.Object, budget *patch.Budget) (next schema.Object, err error) {
			rt := d.Type(target.Kind)
			if next, quirks, err = budget.Apply(rt, current, rest); err != nil {
				return nil, err
			}
			return heard(rt, current, next, spoken), nil
		}
	}
	patched, err := d.change(ctx, caller, target, c)
	patched.Quirks = quirks
	return patched, err
}

// Delete removes a resource, its memberships, and the references of users who had it as their manager. The error is
// store.ErrNotFound, a *PreconditionError or the store's.
func (d *Directory) Delete(ctx context.Context, caller Caller, target Target) error {
	now := d.now()
	return d.store.Update(ctx, func(tx store.Tx) error {
		// Read to be changed before its groups are, so that on an engine with several writers nobody adds it to another.
		current, err := tx.Get(ctx, target.Kind, target.ID)
		if err != nil {
			return err
		}
		if err := target.If.check(current.Version); err != nil {
			return err
		}
		return d.remove(ctx, tx, caller, &current, now)
	})
}

// remove deletes a resource that was read in this transaction, with what refers to it.
func (d *Directory) remove(ctx context.Context, tx store.Tx, caller Caller, rec *store.Record, now time.Time) error {
	if err := d.leaveGroups(ctx, tx, caller, rec.ID, now); err != nil {
		return err
	}
	if err := tx.Delete(ctx, rec.Kind, rec.ID); err != nil {
		return err
	}
	if rec.Kind == store.User {
		if err := d.releaseReports(ctx, tx, caller, rec.ID, now); err != nil {
			return err
		}
	}
	return tx.Append(ctx, store.Entry{
		Time: now, Client: caller.Client, RequestID: caller.RequestID, Kind: rec.Kind, ResourceID: rec.ID,
		Operation: OperationDelete, Outcome: OutcomeSuccess,
	})
}

// change is a modification of one resource.
type change struct {
	operation string
	// document returns what the client's values become, without modifying current; nil leaves them.
	document func(current schema.Object, budget *patch.Budget) (schema.Object, error)
	// members are the changes of a group's members, in order.
	members []patch.MemberOp
}

func (d *Directory) change(ctx context.Context, caller Caller, target Target, c change) (Resource, error) {
	var rec store.Record
	kind, id, now := target.Kind, target.ID, d.now()
	var budget *patch.Budget
	err := d.store.Update(ctx, func(tx store.Tx) error {
		budget = target.Budget.Part()
		old, err := tx.Get(ctx, kind, id)
		if err != nil {
			return err
		}
		if err := target.If.check(old.Version); err != nil {
			return err
		}
		rec = old
		rewritten, current := false, d.rules.Load()
		var names []string
		if c.document != nil {
			if err := budget.Spend(len(old.Document)); err != nil {
				return err
			}
			become := func(before schema.Object) (schema.Object, error) { return c.document(before, budget) }
			if rewritten, names, err = d.rewrite(&rec, current, become); err != nil {
				return err
			}
		}
		moved := false
		if kind == store.Group {
			if moved, err = d.changeMembers(ctx, tx, id, c.members, budget); err != nil {
				return err
			}
		}
		if !rewritten && !moved {
			rec = old
			return nil
		}
		rec.Version++
		rec.Modified = now
		if rewritten {
			if err = tx.Replace(ctx, &rec); err == nil {
				err = d.written(ctx, tx, kind, current)
			}
		} else {
			// A group's members are rows: however many there are, the document is not written again for one.
			err = tx.Touch(ctx, kind, id, rec.Version, now)
		}
		if err != nil {
			return err
		}
		if moved {
			names = append(names, "members")
		}
		return d.log(ctx, tx, caller, c.operation, &rec, names)
	})
	target.Budget.Keep(budget)
	if err != nil {
		return Resource{}, d.sorted(kind, err)
	}
	return d.resource(&rec)
}

// rewrite gives rec the values that become returns, and what the rules lay under them. It tells whether that changed
// anything, and the names of what a client sees changed.
func (d *Directory) rewrite(
	rec *store.Record, current *rules, become func(schema.Object) (schema.Object, error),
) (changed bool, names []string, err error) {
	old, err := schema.Decode(rec.Document)
	if err != nil {
		return false, nil, fmt.Errorf("stored %s %s: %w", rec.Kind, rec.ID, err)
	}
	next, err := become(old)
	if err != nil {
		return false, nil, err
	}
	if patch.Equal(old, next) {
		return false, nil, nil
	}
	before, err := overlaid(rec, old)
	if err != nil {
		return false, nil, err
	}
	after, err := d.fill(rec, under(schema.Object{}, next), current, false)
	if err != nil {
		return false, nil, err
	}
	return true, changedNames(d.Type(rec.Kind), before, after), nil
}

// memberWork is what it counts in a budget that a member of a group is read.
const memberWork = 10

// changeMembers carries out the changes of a group's members and tells whether any had an effect.
func (d *Directory) changeMembers(
	ctx context.Context, tx store.Tx, group string, ops []patch.MemberOp, budget *patch.Budget,
) (changed bool, err error) {
	for _, op := range ops {
		n := 0
		switch {
		case op.Op == patch.Add:
			n, err = addMembers(ctx, tx, group, op.IDs)
		case op.Op == patch.Replace:
			n, err = replaceMembers(ctx, tx, group, op.IDs, budget)
		case op.All:
			n, err = tx.ClearMembers(ctx, group)
		case op.Filter != nil:
			n, err = removeMatching(ctx, tx, group, op, budget)
		default:
			n, err = tx.RemoveMembers(ctx, group, op.IDs)
		}
		if err != nil {
			return false, err
		}
		if op.MustMatch && n == 0 {
			return false, schema.Errorf(schema.NoTarget, "no value of members matches the filter of the path")
		}
		changed = changed || n > 0
	}
	return changed, nil
}

// addMembers adds the resources that exist. An id that names none is passed over: Entra's own test suites send such ids
// and expect success, and a membership of nobody would grant nobody anything.
func addMembers(ctx context.Context, tx store.Tx, group string, ids []string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	kinds, err := tx.Kinds(ctx, ids)
	if err != nil {
		return 0, err
	}
	members := make([]store.Member, 0, len(ids))
	for _, id := range ids {
		kind, exists := kinds[id]
		if exists && id != group {
			members = append(members, store.Member{ID: id, Kind: kind})
		}
	}
	return tx.AddMembers(ctx, group, members)
}

// allMembers reads the members of a group.
func allMembers(ctx context.Context, tx store.Tx, group string, budget *patch.Budget) ([]store.Member, error) {
	members, err := tx.Members(ctx, group)
	if err == nil {
		err = budget.Spend(memberWork * len(members))
	}
	return members, err
}

// replaceMembers leaves exactly these members, writing only the difference.
func replaceMembers(ctx context.Context, tx store.Tx, group string, ids []string, budget *patch.Budget) (int, error) {
	current, err := allMembers(ctx, tx, group, budget)
	if err != nil {
		return 0, err
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var gone []string
	for _, m := range current {
		if !wanted[m.ID] {
			gone = append(gone, m.ID)
		}
	}
	removed, err := tx.RemoveMembers(ctx, group, gone)
	if err != nil {
		return 0, err
	}
	added, err := addMembers(ctx, tx, group, ids)
	return removed + added, err
}

// removeMatching removes the members that a filter selects by more than their ids.
func removeMatching(ctx context.Context, tx store.Tx, group string, op patch.MemberOp, budget *patch.Budget) (int, error) {
	current, err := allMembers(ctx, tx, group, budget)
	if err != nil {
		return 0, err
	}
	var gone []string
	for _, m := range current {
		if filter.MatchElement(op.Filter, schema.Object{"value": m.ID, "type": m.Kind.String()}) {
			gone = append(gone, m.ID)
		}
	}
	return tx.RemoveMembers(ctx, group, gone)
}

// takeMembers removes the members from a group that arrived and returns their ids: they are kept as rows.
func takeMembers(kind store.Kind, arrived schema.Object) []string {
	if kind != store.Group {
		return nil
	}
	list, _ := arrived["members"].([]any)
	delete(arrived, "members")
	var ids []string
	seen := make(map[string]bool, len(list))
	for _, element := range list {
		if member, ok := element.(schema.Object); ok {
			if id, _ := member["value"].(string); id != "" && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// sorted turns the store's conflict into the words of SCIM.
func (d *Directory) sorted(kind store.Kind, err error) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%s is %w by another %s; it is compared without regard to case",
			uniqueAttribute(kind), ErrUniqueness, kind)
	}
	return err
}
