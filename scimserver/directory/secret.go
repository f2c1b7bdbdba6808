package directory

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Secret returns the random bytes that are kept under a name for all replicas of the server and its next start. Where there are
// none, fresh are kept; of several replicas that try at once one wins, and the others take its bytes. With fresh nil it only
// looks, and returns nil for none.
func (d *Directory) Secret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	kept, err := d.store.Meta(ctx, name)
	if err == nil && kept == "" && fresh != nil {
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
	if kept == "" {
		return nil, nil
	}
	// Some were stored without padding once.
	secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(kept, "="))
	if err != nil {
		return nil, fmt.Errorf("secret %s is damaged: delete it from the store's metadata and a new one is made", name)
	}
	return secret, nil
}
