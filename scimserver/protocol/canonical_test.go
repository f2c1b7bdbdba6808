package protocol_test

import (
	"context"
	"maps"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// wantCanonical wants each stored resource to be one that an import would take, and its document to be what Normalize makes of it. It
// is asked when a test has ended, whatever its clients did.
func (f *fixture) wantCanonical(database store.Store) {
	f.t.Helper()
	ctx := context.WithoutCancel(f.t.Context())
	kept, err := database.Meta(ctx, store.MetaSchemas)
	restorer := directory.New(directory.Options{Store: database, Now: f.clock})
	if err == nil {
		err = restorer.Recall(kept)
	}
	if err != nil {
		f.t.Error(err)
	}
	for _, kind := range []store.Kind{store.User, store.Group} {
		page, err := database.Find(ctx, store.Query{Kind: kind, After: store.Start, Limit: 1000})
		if err != nil {
			f.t.Error(err)
		}
		for i := range page.Records {
			rec := &page.Records[i]
			document := string(rec.Document)
			if err := restorer.Restore(rec); err != nil {
				f.t.Errorf("an import would refuse %s %s: %v", kind, document, err)
			} else if string(rec.Document) != document {
				f.t.Errorf("%s is not as a server encodes it, but %s", document, rec.Document)
			}
			if f.planted {
				continue
			}
			values, err := schema.Decode(rec.Document)
			if err != nil {
				f.t.Fatal(err)
			}
			maps.DeleteFunc(values, func(name string, _ any) bool { return name == schema.TenantryUser })
			normal, _, err := restorer.Type(kind).Normalize(values)
			if err != nil || !schema.Equal(normal, values) {
				f.t.Errorf("%s is not what Normalize makes of it: %v, %v", document, normal, err)
			}
		}
	}
}
