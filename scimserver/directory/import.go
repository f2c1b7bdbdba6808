package directory

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
)

// importKey has in the store's metadata which import filled the directory last.
const importKey = "import"

// Importing returns the store to import into, empty so far. Each of its updates ends with what an import owes: an entry of the
// provisioning log for the users and one for the groups, with how many came; that every user is held against the defaults again,
// for they come with those of another place; and a mark by which all replicas learn of it (see Imported). Imports of several
// replicas wait for each other.
func (d *Directory) Importing(caller Caller) store.Store { return importing{d.store, d, caller} }

type importing struct {
	store.Store

	directory *Directory
	caller    Caller
}

func (i importing) Update(ctx context.Context, change func(tx store.Tx) error) error {
	made, err := i.directory.newID()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	if err := i.finishDeletions(ctx); err != nil {
		return err
	}
	return i.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Meta(ctx, importKey); err != nil { // which is what the next import waits at
			return err
		}
		restored := &restored{Tx: tx}
		if err := change(restored); err != nil {
			return err
		}
		if err := i.log(ctx, tx, restored.log); err != nil {
			return err
		}
		if err := tx.SetMeta(ctx, astrayKey, "yes"); err != nil {
			return err
		}
		return tx.SetMeta(ctx, importKey, made.String())
	})
}

// finishDeletions has nothing left of former resources, or it would be taken away from imported ones of the same ids. Where there are users,
// nothing will be imported, and they may be reports, which a server without settings must not write.
func (i importing) finishDeletions(ctx context.Context) error {
	stats, err := i.Stats(ctx)
	if err != nil || stats.Users > 0 {
		return err
	}
	return i.directory.finishDeletions(ctx)
}

// restored notices whether an import brought the provisioning log.
type restored struct {
	store.Tx

	log bool
}

// Append implements store.Tx.
func (r *restored) Append(ctx context.Context, e store.Entry) error {
	r.log = true
	return r.Tx.Append(ctx, e)
}

// log writes the entries that an import owes. Where it did not bring the log, none says how the resources came about: then one number is left
// out, at which whoever follows the log stops.
func (i importing) log(ctx context.Context, tx store.Tx, whole bool) error {
	stats, err := tx.Stats(ctx)
	if err != nil {
		return err
	}
	var sequence int64 // of the next entry, 0 for the next there is
	if !whole {
		newest, err := tx.Newest(ctx)
		if err != nil {
			return err
		}
		sequence = newest.Sequence + 2
	}
	for _, came := range []struct {
		kind store.Kind
		n    int64
	}{{store.User, stats.Users}, {store.Group, stats.Groups}} {
		if came.n == 0 {
			continue
		}
		err := tx.Append(ctx, store.Entry{
			Sequence: sequence, Time: i.directory.now(), Client: i.caller.Client, RequestID: i.caller.RequestID,
			Kind: came.kind, Operation: OperationImport, Outcome: OutcomeSuccess, Count: came.n,
		})
		if err != nil {
			return err
		}
		sequence = 0
	}
	return nil
}

// Imported tells which import filled the directory last, "" for none. Where that is another than before, SetSchemas is to be called
// again: the import brought the schemas that its values are of.
func (d *Directory) Imported(ctx context.Context) (id string, err error) {
	if id, err = d.store.Meta(ctx, importKey); err != nil {
		return "", fmt.Errorf("read which import came last: %w", err)
	}
	return id, nil
}
