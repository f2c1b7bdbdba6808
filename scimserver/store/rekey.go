package store

import "context"

// RekeyStep is the limit of a step of Rekey that suits every engine.
const RekeyStep = 1000

// Rekey walks with Tx.Rekey over the whole directory, each step in an update of its own. It writes
// only keys that are not up to date, so it may run again at any time. It must run again after an earlier version wrote.
func Rekey(ctx context.Context, update func(ctx context.Context, change func(Tx) error) error) error {
	for _, kind := range []Kind{User, Group} {
		for after := Start; after != ""; {
			var next string
			err := update(ctx, func(tx Tx) (err error) {
				next, err = tx.Rekey(ctx, kind, after, RekeyStep)
				return err
			})
			if err != nil {
				return err
			}
			after = next
		}
	}
	return nil
}
