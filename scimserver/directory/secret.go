package directory

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Secret returns the random bytes that are kept under a name for all replicas of the server and its next start. They are
// made when they are first asked for; fresh are those to keep if there are none yet.
func (d *Directory) Secret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	kept, err := d.store.Meta(ctx, name)
	if err == nil && kept == "" {
		err = d.store.Update(ctx, func(tx store.Tx) (err error) {
			if kept, err = tx.Meta(ctx, name); err != nil || kept != "" {
				return err
			}
			kept = base64.StdEncoding.EncodeToString(fresh)
			return tx.SetMeta(ctx, name, kept)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	secret, err := base64.StdEncoding.DecodeString(kept)
	if err != nil {
		return nil, fmt.Errorf("secret %s as it is stored: %w", name, err)
	}
	return secret, nil
}
