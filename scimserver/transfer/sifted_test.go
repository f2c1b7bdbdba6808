package transfer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// sifted is a store that wants the document of each resource that comes to be what Normalize makes of it, and of a size that each
// engine keeps.
type sifted struct {
	store.Store

	t *testing.T
	d *directory.Directory
}

func (s sifted) Update(ctx context.Context, change func(tx store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return change(siftedTx{tx, s}) })
}

type siftedTx struct {
	store.Tx

	sifted sifted
}

func (tx siftedTx) InsertAll(ctx context.Context, records []*store.Record) (int, error) {
	for _, r := range records {
		values, err := schema.Decode(r.Document)
		if err != nil {
			tx.sifted.t.Fatal(err)
		}
		if r.Kind == store.User {
			delete(values, schema.TenantryUser)
		}
		if own, ok := values[schema.EnterpriseUser].(schema.Object); ok && own["manager"] != nil {
			own["manager"] = schema.Object{"value": "m"} // an earlier version kept the id in any spelling
		}
		var invalid *schema.Error
		normal, _, err := tx.sifted.d.Type(r.Kind).Normalize(values)
		invisible := errors.As(err, &invalid) && strings.HasSuffix(invalid.Detail, " needs a visible character")
		kept, _ := tx.Meta(ctx, store.MetaSchemas) // of former ones there may be values, which nobody can send
		if !invisible && !schema.Equal(normal, values) && !strings.Contains(kept, "former") {
			tx.sifted.t.Errorf("%s was imported, of which Normalize makes %v, %v", r.Document, normal, err)
		}
		if len(r.Key) > store.MaxKey || len(r.ExternalID) > store.MaxKey {
			tx.sifted.t.Errorf("a key of %d bytes and an externalId of %d were imported", len(r.Key), len(r.ExternalID))
		}
	}
	return tx.Tx.InsertAll(ctx, records)
}
