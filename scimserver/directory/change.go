package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// ErrUniqueness says that another resource has the userName or displayName, and must not have it too (RFC 7644 section 3.12, scimType uniqueness).
var ErrUniqueness = errors.New("already taken")

// ErrSchemasChanged says that the schemas which a resource has values of are just being changed, or were changed by another replica.
// Nothing was written; the same request later finds those in force.
var ErrSchemasChanged = errors.New("the schemas of this tenant have just been changed")

// Create adds a resource, of which arrived has what the client sent, as schema.ResourceType.Normalize returns it; arrived is
// not to be used afterwards. The error is a *schema.Error for what the client sent, ErrUniqueness, or the store's.
func (d *Directory) Create(ctx context.Context, caller Caller, kind store.Kind, arrived schema.Object) (Resource, error) {
	types, rt := d.types.Load(), d.Type(kind)
	id, err := d.newID()
	if err != nil {
		return Resource{}, fmt.Errorf("make an id: %w", err)
	}
	members := takeMembers(kind, arrived)

	var rec store.Record
	var names []string
	compose := func(current *rules) error {
		document := under(schema.Object{}, arrived)
		rec = store.Record{Kind: kind, ID: id.String(), Version: 1}
		seen, err := d.fill(&rec, document, current, true)
		names = changedNames(rt, nil, seen)
		return err
	}
	composed := d.rules.Load()
	if err := compose(composed); err != nil {
		return Resource{}, err
	}
	unknown := 0
	err = d.store.Update(ctx, func(tx store.Tx) error {
		// A resource that was composed under outdated rules is composed again.
		if current := d.rules.Load(); current != composed {
			composed = current
			if err := compose(current); err != nil {
				return err
			}
		}
		if err := types.current(ctx, tx, names); err != nil {
			return err
		}
		rec.Created = d.now() // and not before: others may have written while this waited for its turn
		rec.Modified = rec.Created
		if err := tx.Insert(ctx, &rec); err != nil {
			return err
		}
		named, err := lookUp(ctx, tx, rec.ID, members)
		if err != nil {
			return err
		}
		unknown = named.unknown
		var members store.MemberChanges
		if _, err := tx.AddMembers(ctx, rec.ID, named.existing, &members); err != nil {
			return err
		}
		if err := d.written(ctx, tx, kind, composed); err != nil {
			return err
		}
		changed := names
		joined, some := members.Net()
		if some {
			changed = append(slices.Clip(names), membersAttribute)
		}
		return d.log(ctx, tx, caller, OperationCreate, &rec, changed, joined)
	})
	if err != nil {
		return Resource{}, d.sorted(ctx, kind, err)
	}
	created, err := d.resource(&rec)
	created.UnknownMembers = unknown
	return created, err
}

// Replace puts a whole resource in the place of what the client sent before (RFC 7644 section 3.5.1). A value that a
// UserDefaults gave and the client has never spoken of stays, and so does one that it has patched; spoken has the attributes that it speaks of now, as
// schema.ResourceType.Named returns them. Errors are those of Create, store.ErrNotFound and *PreconditionError.
func (d *Directory) Replace(
	ctx context.Context, caller Caller, target Target, arrived schema.Object, spoken schema.Names,
) (Resource, error) {
	rt := d.Type(target.Kind)
	members := takeMembers(target.Kind, arrived)
	var quirks []string
	replaced, err := d.change(ctx, caller, target, change{
		operation: OperationReplace,
		document: func(current stored, _ *patch.Budget) (schema.Object, error) {
			next := under(schema.Object{}, arrived)
			if target.Kind == store.User {
				quirks = keepInactive(current.document, next)
				complete(next)
				next = current.heard(rt, next, spoken, nil)
			}
			rt.Carry(current.document, next)
			// RFC 7644 section 3.5.1: what was given once must be sent as it is.
			return next, rt.CheckImmutable(current.document, next)
		},
		members: []patch.MemberOp{{Op: patch.Replace, IDs: members, Replaces: true}},
	})
	if err == nil {
		replaced.Quirks = quirks
	}
	return replaced, err
}

// keepInactive leaves a user inactive whom a PUT does not say to be active: RFC 7644 section 3.5.1 lets a server keep its
// value, and who may sign in is said by true or false, and by nothing else.
func keepInactive(current, next schema.Object) (quirks []string) {
	if _, given := next["active"].(bool); given || current["active"] != false {
		return nil
	}
	next["active"] = false
	return []string{patch.QuirkActiveCleared}
}

// Patch applies a PATCH request (RFC 7644 section 3.5.2), all of it or nothing, to what a client sees: values that follow a
// UserDefaults are the client's once it speaks of them. A request without effect leaves version and modification time alone.
// Errors are those of Replace.
func (d *Directory) Patch(ctx context.Context, caller Caller, target Target, request patch.Request) (Resource, error) {
	c := change{operation: OperationPatch}
	rest := request.Operations
	if target.Kind == store.Group {
		c.members, rest = request.SplitMembers()
	}
	var quirks []string
	if len(rest) > 0 {
		c.document = func(current stored, budget *patch.Budget) (schema.Object, error) {
			rt := d.Type(target.Kind)
			apply := func(document schema.Object) (next schema.Object, err error) {
				next, quirks, err = budget.Apply(rt, document, rest)
				return next, err
			}
			if target.Kind == store.Group {
				return apply(current.document)
			}
			return current.afterPatch(rt, rest, apply)
		}
	}
	patched, err := d.change(ctx, caller, target, c)
	patched.Quirks = quirks
	return patched, err
}

// MaxDocument is how many bytes a resource's values may have after a change, as JSON, unless they had more before. Any number of PATCHes
// could let them grow until to read the resource takes more memory than there is.
const MaxDocument = 4 << 20

func tooLarge(now, before int) error {
	if now <= max(MaxDocument, before) {
		return nil
	}
	return schema.Errorf(schema.InvalidValue,
		"with this change the resource would have %d bytes, and at most %d are kept: remove values from it first", now, MaxDocument)
}

// renew makes rec a new version of itself.
func (d *Directory) renew(rec *store.Record) {
	rec.Version++
	rec.Modified = store.Later(rec.Modified, d.now())
}

// change is a modification of one resource.
type change struct {
	operation string
	// document returns what the client's values become, without modifying current; nil leaves them.
	document func(current stored, budget *patch.Budget) (schema.Object, error)
	// members are the changes of a group's members, in order.
	members []patch.MemberOp
}

func (d *Directory) change(ctx context.Context, caller Caller, target Target, c change) (Resource, error) {
	var rec store.Record
	kind, id, types := target.Kind, target.ID, d.types.Load()
	var budget *patch.Budget
	unknown := 0
	err := d.store.Update(ctx, func(tx store.Tx) error {
		budget = target.Budget.Part()
		// Members are looked for before the group is locked, because others wait for that lock. A deletion locks in the same order: the user,
		// then the user's groups.
		kinds, err := kindsOf(ctx, tx, c.members)
		if err != nil {
			return err
		}
		old, err := tx.Get(ctx, kind, id)
		if err != nil {
			return err
		}
		if err := target.If.Check(old.Version); err != nil {
			return err
		}
		rec = old
		rewritten, current := false, d.rules.Load()
		var names []string
		if c.document != nil {
			if err := budget.Spend(len(old.Document)); err != nil {
				return err
			}
			become := func(before stored) (schema.Object, error) { return c.document(before, budget) }
			if rewritten, names, err = d.rewrite(&rec, current, become); err == nil {
				err = tooLarge(len(rec.Document), len(old.Document))
			}
			if err != nil {
				return err
			}
		}
		var members store.MemberChanges
		if kind == store.Group {
			if unknown, err = changeMembers(ctx, tx, id, c.members, kinds, budget, &members); err != nil {
				return err
			}
		}
		moves, moved := members.Net()
		if !rewritten && !moved {
			rec = old
			return nil
		}
		d.renew(&rec)
		if rewritten {
			if err = types.current(ctx, tx, names); err == nil {
				err = tx.Replace(ctx, &rec)
			}
			if err == nil {
				err = d.written(ctx, tx, kind, current)
			}
		} else {
			// A group's members are rows: however many there are, the document is not written again for one.
			err = tx.Touch(ctx, kind, id, rec.Version, rec.Modified)
		}
		if err != nil {
			return err
		}
		if moved {
			names = append(names, membersAttribute)
		}
		return d.log(ctx, tx, caller, c.operation, &rec, names, moves)
	})
	target.Budget.Keep(budget)
	if err != nil {
		return Resource{}, d.sorted(ctx, kind, err)
	}
	changed, err := d.resource(&rec)
	changed.UnknownMembers = unknown
	return changed, err
}

// rewrite gives rec the values that become returns, and what the rules lay under them. It tells whether that changed
// anything, and the names of what a client sees changed.
func (d *Directory) rewrite(
	rec *store.Record, current *rules, become func(stored) (schema.Object, error),
) (changed bool, names []string, err error) {
	old, err := schema.Decode(rec.Document)
	if err != nil {
		return false, nil, fmt.Errorf("stored %s %s: %w", rec.Kind, rec.ID, err)
	}
	overlay, err := overlayOf(rec)
	if err != nil {
		return false, nil, err
	}
	next, err := become(stored{document: old, overlay: overlay, matched: rec.Matched, rules: current})
	if err != nil {
		return false, nil, err
	}
	if patch.Equal(old, next) {
		return false, nil, nil
	}
	before := laid(overlay, old)
	after, err := d.fill(rec, under(schema.Object{}, next), current, false)
	if err != nil {
		return false, nil, err
	}
	return true, changedNames(d.Type(rec.Kind), before, after), nil
}

// sorted turns the store's conflict into the words of SCIM.
func (d *Directory) sorted(ctx context.Context, kind store.Kind, err error) error {
	switch {
	case errors.Is(err, store.ErrOutdated):
		d.adopt(ctx)
		return ErrSchemasChanged
	case !errors.Is(err, store.ErrConflict):
		return err
	case kind == store.Group:
		return fmt.Errorf("displayName is %w by another Group; groups can share one only where each has an externalId of its own."+
			" It is compared without regard to case, width and normalization form", ErrUniqueness)
	default:
		return fmt.Errorf("userName is %w by another User; it is compared without regard to case, width and normalization form", ErrUniqueness)
	}
}
