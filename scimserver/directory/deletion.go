package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
)

// DeletionsKey has in the store's metadata the deleted resources to which there may still be references. A directory that moves takes
// them along: its reports may still have the manager.
const DeletionsKey = "deletions"

// deletion is a resource that is gone, and who deleted it.
type deletion struct {
	Kind      store.Kind `json:"kind"`
	ID        string     `json:"id"`
	Client    string     `json:"client,omitempty"`
	RequestID string     `json:"requestId,omitempty"`
}

func (g deletion) caller() Caller { return Caller{Client: g.Client, RequestID: g.RequestID} }

// Delete removes a resource, its memberships, and the references of users who had it as their manager. Where these are so many that
// others would wait for their transaction, the resource goes first and they follow, some at a time; where that is interrupted,
// FinishDeletions goes on. The error is store.ErrNotFound, a *PreconditionError or the store's; with none the resource is gone.
func (d *Directory) Delete(ctx context.Context, caller Caller, target Target) error {
	gone := deletion{Kind: target.Kind, ID: target.ID, Client: caller.Client, RequestID: caller.RequestID}
	return d.remove(ctx, gone, func(current *store.Record) (bool, error) { return true, target.If.Check(current.Version) })
}

// remove deletes a resource if wanted says so of it.
func (d *Directory) remove(ctx context.Context, gone deletion, wanted func(*store.Record) (bool, error)) error {
	var rest unassigning
	err := d.store.Update(ctx, func(tx store.Tx) (err error) {
		rest = unassigning{ended: true}
		// Read to be changed before its groups are, so that they are locked in the order in which a change of their members does it.
		current, err := tx.Get(ctx, gone.Kind, gone.ID)
		if err != nil {
			return err
		}
		if is, err := wanted(&current); err != nil || !is {
			return err
		}
		if _, err := d.leaveGroups(ctx, tx, gone); err != nil {
			return err
		}
		if err := tx.Delete(ctx, gone.Kind, gone.ID); err != nil {
			return err
		}
		// Only now nobody adds it to another group.
		if rest, err = unassign(gone).step(ctx, d, tx); err != nil {
			return err
		}
		if !rest.ended {
			if err := changeDeletions(ctx, tx, func(all []deletion) []deletion { return append(all, gone) }); err != nil {
				return err
			}
		}
		return tx.Append(ctx, store.Entry{
			Time: store.Later(current.Modified, d.now()), Client: gone.Client, RequestID: gone.RequestID, Kind: gone.Kind, ResourceID: gone.ID,
			Operation: OperationDelete, Outcome: OutcomeSuccess,
		})
	})
	if err == nil && !rest.ended {
		_ = d.finish(ctx, rest) // it is deleted, and FinishDeletions will tell what stands in the way
	}
	return err
}

// finish takes away the references that are left, some in a transaction.
func (d *Directory) finish(ctx context.Context, rest unassigning) error {
	for !rest.ended {
		var next unassigning
		err := d.store.Update(ctx, func(tx store.Tx) (err error) {
			if next, err = rest.step(ctx, d, tx); err != nil || !next.ended {
				return err
			}
			return changeDeletions(ctx, tx, func(all []deletion) []deletion {
				return slices.DeleteFunc(all, func(g deletion) bool { return g.ID == rest.ID })
			})
		})
		if err != nil {
			return fmt.Errorf("take away the references to what was deleted: %w", err)
		}
		rest = next
	}
	return nil
}

// FinishDeletions takes away the references to deleted resources that are left because a server ended, or a client hung up, before
// all were gone. Several replicas may do so at once. It is to be called at the start and again and again. Before SetDefaults it does
// nothing: a report that is written then would lose what defaults gave it, and its place among the values of declared schemas.
func (d *Directory) FinishDeletions(ctx context.Context) error {
	if !d.rules.Load().known() {
		return nil
	}
	return d.finishDeletions(ctx)
}

// finishDeletions goes on with the others where one cannot be finished.
func (d *Directory) finishDeletions(ctx context.Context) error {
	kept, err := d.store.Meta(ctx, DeletionsKey)
	if err != nil {
		return fmt.Errorf("read which deletions are to be finished: %w", err)
	}
	all, err := parseDeletions(kept)
	if err != nil {
		return err
	}
	var failed []error
	for _, gone := range all {
		failed = append(failed, d.finish(ctx, unassign(gone)))
	}
	return errors.Join(failed...)
}

// changeDeletions is the last thing that a transaction does to rows which others wait for, so none holds another up.
func changeDeletions(ctx context.Context, tx store.Tx, change func([]deletion) []deletion) error {
	kept, err := tx.Meta(ctx, DeletionsKey)
	if err != nil {
		return err
	}
	all, err := parseDeletions(kept)
	if err != nil {
		return err
	}
	next := ""
	if all = change(all); len(all) > 0 {
		encoded, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("encode which deletions are to be finished: %w", err)
		}
		next = string(encoded)
	}
	return tx.SetMeta(ctx, DeletionsKey, next)
}

func parseDeletions(kept string) (all []deletion, err error) {
	if kept == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(kept), &all); err != nil {
		return nil, fmt.Errorf("read which deletions are to be finished: %w", err)
	}
	return all, nil
}
