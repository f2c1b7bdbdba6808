package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// fillNames makes what an earlier version could hold and what groups may share: two users of one name in two normalization forms, one
// whose name is ASCII and one who has it in wide letters, and two groups of one name with externalIds of their own.
func fillNames(t *testing.T, s store.Store) {
	t.Helper()
	d := of(s)
	caller := directory.Caller{Client: "token-1", RequestID: "r"}
	create := func(kind store.Kind, obj schema.Object, former string) {
		t.Helper()
		created, err := d.Create(t.Context(), caller, kind, obj)
		if err != nil || former == "" {
			must(t, err)
			return
		}
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			r, err := tx.Get(t.Context(), kind, created.ID)
			if err != nil {
				return err
			}
			r.Key, r.Document = schema.Fold(former), []byte(`{"active":true,"userName":"`+former+`"}`)
			return tx.Replace(t.Context(), &r)
		}))
	}
	create(store.User, schema.Object{"userName": "zoë"}, "")
	create(store.User, schema.Object{"userName": "x"}, "zoe\u0308")
	create(store.User, schema.Object{"userName": "y"}, "ＡＮＮＡ")
	create(store.User, schema.Object{"userName": "anna"}, "")
	create(store.Group, schema.Object{"displayName": "Buyers", "externalId": "a"}, "")
	create(store.Group, schema.Object{"displayName": "buyers", "externalId": "b"}, "")
	must(t, store.Rekey(t.Context(), s.Update))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamesThatSeveralHaveAreMovedAndImported(t *testing.T) {
	from := open(t, t.TempDir())
	fillNames(t, from)
	for name, into := range map[string]func() (store.Store, error){
		"a move to PostgreSQL": func() (store.Store, error) {
			to := openPostgres(t)
			_, err := transfer.Move(t.Context(), from, to, of(to))
			return to, err
		},
		"an import": func() (store.Store, error) {
			to := open(t, t.TempDir())
			_, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(exported(t, from, transfer.Options{})))
			return to, err
		},
	} {
		to, err := into()
		must(t, err)
		for _, c := range []struct {
			kind  store.Kind
			text  string
			total int
		}{
			{store.User, `userName eq "Zoë"`, 2}, {store.User, `userName eq "zoe\u0308"`, 2}, {store.User, `userName eq "Anna"`, 2}, {store.Group, `displayName eq "BUYERS"`, 2},
		} {
			f, err := filter.Parse(of(to).Type(c.kind), c.text)
			must(t, err)
			page, err := to.Find(t.Context(), store.Query{Kind: c.kind, Filter: f, Limit: 9})
			if err != nil || page.Total != c.total {
				t.Errorf("%s: %s finds %d, want %d (%v)", name, c.text, page.Total, c.total, err)
			}
		}
		if stats, err := to.Stats(t.Context()); err != nil || stats.Ambiguous != 4 {
			t.Errorf("%s: %d ambiguous names, want 4 (%v)", name, stats.Ambiguous, err)
		}
		for kind, obj := range map[store.Kind]schema.Object{store.User: {"userName": "ZOË"}, store.Group: {"displayName": "buyers", "externalId": "b"}} {
			if _, err := of(to).Create(t.Context(), directory.Caller{}, kind, obj); !errors.Is(err, directory.ErrUniqueness) {
				t.Errorf("%s: one more %s: %v", name, kind, err)
			}
		}
	}
}

// An earlier version took a name of blanks, and kept a manager's id as it was spelled. Its export is the backup of those who have one.
func TestWhatAnEarlierVersionTookIsMovedAndImportedAsItIsStored(t *testing.T) {
	from := open(t, t.TempDir())
	_, err := of(from).Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": "\u200b"})
	must(t, err)
	_, err = of(from).Create(t.Context(), directory.Caller{}, store.Group, schema.Object{"displayName": "\u3000"})
	must(t, err)
	for _, manager := range []string{"0192F0C1-0A00-7000-8000-00000000000F", "https://h/scim/v2/Users/0192f0c1-0a00-7000-8000-00000000000f"} {
		_, err = of(from).Create(t.Context(), directory.Caller{}, store.User, schema.Object{
			"userName": manager, schema.EnterpriseUser: schema.Object{"manager": schema.Object{"value": manager}},
		})
		must(t, err)
	}
	whole := exported(t, from, transfer.Options{})
	imported, moved := open(t, t.TempDir()), openPostgres(t)
	_, err = transfer.Import(t.Context(), imported, of(imported), bytes.NewReader(whole))
	must(t, err)
	_, err = transfer.Move(t.Context(), from, moved, of(moved))
	must(t, err)
	for name, to := range map[string]store.Store{"an import": imported, "a move": moved} {
		if again := exported(t, to, transfer.Options{}); !bytes.Equal(whole, again) {
			t.Errorf("%s: the export is another:\n%s\nwant\n%s", name, again, whole)
		}
	}
}

// renaming is a store whose second user comes with the name of the first.
type renaming struct{ store.Store }

func (r renaming) Update(ctx context.Context, change func(store.Tx) error) error {
	return r.Store.Update(ctx, func(tx store.Tx) error { return change(renamingTx{tx}) })
}

type renamingTx struct{ store.Tx }

func (r renamingTx) InsertAll(ctx context.Context, records []*store.Record) (int, error) {
	if len(records) > 1 {
		records[1].Key = records[0].Key
	}
	return r.Tx.InsertAll(ctx, records)
}

func TestOneNameTwiceInAFileIsRefused(t *testing.T) {
	from := open(t, t.TempDir())
	fillNames(t, from)
	to := open(t, t.TempDir())
	_, err := transfer.Import(t.Context(), renaming{to}, of(to), bytes.NewReader(exported(t, from, transfer.Options{})))
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("imported: %v", err)
	}
}
