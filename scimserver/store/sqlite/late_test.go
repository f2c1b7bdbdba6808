package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

const (
	many = 300 // users, whose entries of the index are more than PutOff keeps in memory
	few  = 10
)

// openLate opens a store that puts entries off after a few inserts.
func openLate(t *testing.T, folder string) *sqlite.Store {
	s := open(t, folder)
	s.PutOff(few, folder)
	return s
}

func insert(t *testing.T, s *sqlite.Store, from, to int) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) error {
		for n := from; n < to; n++ {
			if err := tx.Insert(t.Context(), storetest.BenchUser(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAnIndexIsTheSameHoweverManyUsersATransactionInserts(t *testing.T) {
	atOnce, inSteps := openLate(t, t.TempDir()), open(t, t.TempDir())
	if err := insert(t, atOnce, 0, many); err != nil {
		t.Fatal(err)
	}
	for from := 0; from < many; from += few {
		if err := insert(t, inSteps, from, from+few); err != nil {
			t.Fatal(err)
		}
	}
	got, want := entries(t, atOnce), entries(t, inSteps)
	if len(want) < 10*many {
		t.Fatalf("%d entries prove little", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// nickname asks for a user by an attribute that is found in the index.
func nickname(t *testing.T, n int) store.Query {
	t.Helper()
	f, err := filter.Parse(schema.User(), fmt.Sprintf(`nickName eq "nick%d"`, n))
	if err != nil {
		t.Fatal(err)
	}
	return store.Query{Kind: store.User, Filter: f, Limit: 10}
}

func entries(t *testing.T, s *sqlite.Store) []sqlite.Entry {
	t.Helper()
	found, err := s.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestATransactionWithManyInsertsSeesAndChangesWhatItInserted(t *testing.T) {
	s := openLate(t, t.TempDir())
	ctx := t.Context()
	changed, gone := storetest.BenchUser(many-1), storetest.BenchUser(many-2)
	err := s.Update(ctx, func(tx store.Tx) error {
		for n := range many {
			if err := tx.Insert(ctx, storetest.BenchUser(n)); err != nil {
				return err
			}
		}
		page, err := tx.Find(ctx, nickname(t, many-1))
		if err != nil {
			return err
		}
		if page.Total != 1 || page.Records[0].ID != changed.ID {
			t.Errorf("found %d users", page.Total)
		}
		changed.Index = changed.Index[:1]
		return errors.Join(tx.Replace(ctx, changed), tx.Delete(ctx, store.User, gone.ID))
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{many - 1: 0, many - 2: 0, many - 3: 1} {
		page, err := s.Find(ctx, nickname(t, n))
		if err != nil || page.Total != want {
			t.Errorf("user %d is found %d times, want %d; %v", n, page.Total, want, err)
		}
	}
}

// Goroutines that stayed behind would be found by TestMain.
func TestATransactionWithManyInsertsThatFailsLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	s := openLate(t, folder)
	wrong := errors.New("wrong")
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for n := range many {
			if err := tx.Insert(t.Context(), storetest.BenchUser(n)); err != nil {
				return err
			}
		}
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Fatalf("got %v, want the update's own error", err)
	}
	if left := entries(t, s); len(left) != 0 {
		t.Errorf("%d entries of the index are left", len(left))
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		switch file.Name() {
		case "directory.db", "directory.db-wal", "lock":
		default:
			t.Errorf("%s is left", file.Name())
		}
	}
}

func TestAFolderThatTakesNoFileMakesManyInsertsUnavailable(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	s.PutOff(few, folder+"/lock") // a file where a folder should be, as root may write anywhere
	if err := insert(t, s, 0, many); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want that the store is unavailable", err)
	}
	stats, err := s.Stats(context.WithoutCancel(t.Context()))
	if err != nil || stats.Users != 0 {
		t.Errorf("%d users, %v; want none", stats.Users, err)
	}
	s.PutOff(few, folder)
	if err := insert(t, s, 0, many); err != nil {
		t.Errorf("the store does not recover: %v", err)
	}
}
