package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// again is a store that begins every transaction a second time, as PostgreSQL does after a conflict.
type again struct{ store.Store }

func (a again) Update(ctx context.Context, change func(store.Tx) error) error {
	thrown := errors.New("begin again")
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return thrown
	})
	if !errors.Is(err, thrown) {
		return err
	}
	return a.Store.Update(ctx, change)
}

// changed is a store whose documents are not those that were written.
type changed struct{ store.Store }

func (c changed) Update(ctx context.Context, change func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error { return change(changedTx{tx}) })
}

type changedTx struct{ store.Tx }

func (c changedTx) InsertAll(ctx context.Context, records []*store.Record) (int, error) {
	others := make([]*store.Record, len(records))
	for i, r := range records {
		other := *r
		other.Document = bytes.Replace(other.Document, []byte("e7\""), []byte("e6\""), 1)
		others[i] = &other
	}
	return c.Tx.InsertAll(ctx, others)
}

func TestADirectoryIsMovedWithItsLogAndItsSecretsAndTheSourceStays(t *testing.T) {
	for name, to := range map[string]func(*testing.T) store.Store{
		"to PostgreSQL":                           openPostgres,
		"to a database that begins again":         func(t *testing.T) store.Store { return again{openPostgres(t)} },
		"to another folder, for good measure":     func(t *testing.T) store.Store { return open(t, t.TempDir()) },
		"to another folder, where it begins anew": func(t *testing.T) store.Store { return again{open(t, t.TempDir())} },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := open(t, t.TempDir()), to(t)
			fill(t, from, 7)
			before := exported(t, from, transfer.Options{Log: true})
			// The second time it is there already, as when the process was killed before it could tell.
			for range 2 {
				counts, err := transfer.Move(t.Context(), from, to, of(to), "signing-key", "not-there")
				if err != nil {
					t.Fatal(err)
				}
				if counts.Users != population || counts.Groups != 20 || counts.Memberships == 0 || counts.Entries == 0 {
					t.Errorf("it counts %+v", counts)
				}
			}
			if after := exported(t, to, transfer.Options{Log: true}); !bytes.Equal(before, after) {
				t.Error("the copy is exported as something else")
			}
			if source := exported(t, from, transfer.Options{Log: true}); !bytes.Equal(before, source) {
				t.Error("the source was changed")
			}
			for key, want := range map[string]string{"signing-key": "s3cr3t", "not-there": ""} {
				if got, err := to.Meta(t.Context(), key); err != nil || got != want {
					t.Errorf("%s: got %q, %v", key, got, err)
				}
			}
			sameAnswers(t, from, to)
		})
	}
}

// confirming is a store that does not know what became of its first update, and keeps whether the last one used any row.
type confirming struct {
	store.Store
	updates int
	used    bool
}

func (c *confirming) Update(ctx context.Context, change func(tx store.Tx) error) error {
	c.updates++
	c.used = false
	err := c.Store.Update(ctx, func(tx store.Tx) error { return change(using{tx, c}) })
	if err == nil && c.updates == 1 {
		return store.ErrUncertain
	}
	return err
}

type using struct {
	store.Tx
	of *confirming
}

func (u using) Meta(ctx context.Context, key string) (string, error) {
	u.of.used = true
	return u.Tx.Meta(ctx, key)
}

func (u using) SetMeta(ctx context.Context, key, value string) error {
	u.of.used = true
	return u.Tx.SetMeta(ctx, key, value)
}

// A move that may have happened is not told as one that did. The second time the directory is there, perhaps on one machine only, and the
// last update, which holds rows of its own, is final where what came before it is.
func TestAMoveThatMayHaveHappenedIsConfirmedByTheNext(t *testing.T) {
	from, to := open(t, t.TempDir()), &confirming{Store: open(t, t.TempDir())}
	if _, err := transfer.Move(t.Context(), from, to, of(to), "signing-key"); !errors.Is(err, store.ErrUncertain) || strings.Contains(err.Error(), "nothing") {
		t.Errorf("the first time: %v", err)
	}
	if _, err := transfer.Move(t.Context(), from, to, of(to), "signing-key"); err != nil || !to.used {
		t.Errorf("the second time: %v, confirmed: %t", err, to.used)
	}
}

func TestAnEmptyDirectoryCanBeMoved(t *testing.T) {
	race.Meets(t) // one reads while the other writes
	from, to := open(t, t.TempDir()), openPostgres(t)
	for range 2 {
		if counts, err := transfer.Move(t.Context(), from, to, of(to)); err != nil || counts != (transfer.Counts{}) {
			t.Errorf("got %+v, %v", counts, err)
		}
	}
}

func TestNothingIsMovedOverAnotherDirectory(t *testing.T) {
	for name, occupy := range map[string]func(t *testing.T, d *directory.Directory){
		"a user of somebody else": func(t *testing.T, d *directory.Directory) {
			if _, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": "anna"}); err != nil {
				t.Fatal(err)
			}
		},
		"a log of somebody else": func(t *testing.T, d *directory.Directory) {
			created, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": "anna"})
			if err == nil {
				err = d.Delete(t.Context(), directory.Caller{}, directory.Target{Kind: store.User, ID: created.ID})
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := open(t, t.TempDir()), openPostgres(t)
			fill(t, from, 7)
			occupy(t, of(to))
			before := exported(t, to, transfer.Options{Log: true})
			if _, err := transfer.Move(t.Context(), from, to, of(to), "signing-key"); !errors.Is(err, transfer.ErrOccupied) {
				t.Errorf("got %v", err)
			}
			if after := exported(t, to, transfer.Options{Log: true}); !bytes.Equal(before, after) {
				t.Error("what was there was changed")
			}
			if secret, err := to.Meta(t.Context(), "signing-key"); err != nil || secret != "" {
				t.Errorf("a secret was written over another directory: %q, %v", secret, err)
			}
		})
	}
}

func TestACopyThatDiffersIsNoticed(t *testing.T) {
	race.Meets(t) // one reads while the other writes
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 7)
	_, err := transfer.Move(t.Context(), from, changed{to}, of(to))
	if !errors.Is(err, transfer.ErrDiffers) || errors.Is(err, transfer.ErrOccupied) {
		t.Errorf("got %v", err)
	}
}

func TestAMoveThatIsGivenUpLeavesNothing(t *testing.T) {
	race.Meets(t) // the reader ends before the writer
	from, to := open(t, t.TempDir()), openPostgres(t)
	fill(t, from, 7)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transfer.Move(ctx, from, to, of(to)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if stats, err := to.Stats(t.Context()); err != nil || stats.Users != 0 {
		t.Errorf("%d users, %v", stats.Users, err)
	}
}
