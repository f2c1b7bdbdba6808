package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/test/race"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		if err := runChild(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, folder string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func TestStoreTogether(t *testing.T) {
	race.Meets(t)
	storetest.RunTogether(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func TestFiltersFindTheSameInEveryWay(t *testing.T) {
	for _, bound := range []struct{ few, page int }{{0, scan.Page}, {12, 3}} {
		s := open(t, t.TempDir())
		s.SetFew(bound.few)
		s.SetPage(bound.page)
		for seed := range uint64(2) {
			storetest.FindEqualsMatch(t, s, 100+seed, 150)
		}
	}
}

func FuzzFilters(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		s := open(t, t.TempDir())
		s.SetFew(int(seed % 9))
		storetest.FindEqualsMatch(t, s, seed, 50)
	})
}

func TestASecondProcessIsKeptOut(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	if _, err := sqlite.Open(context.Background(), folder); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, folder)
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), file); err == nil {
		t.Error("a file was taken for a folder")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "directory.db"), []byte("this is no database, but long enough to look like one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), folder); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opened a damaged database: %v", err)
	}
}

func TestAFolderWithOddCharactersWorksAndKeepsEverything(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a b?c#d%20é")
	s := open(t, folder)
	storetest.Fill(t, s, 3000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, folder)
	page, err := s.Find(context.Background(), store.Query{Kind: store.User, Offset: 2990, Limit: 20})
	if err != nil || page.Total != 3000 || len(page.Records) != 10 || page.Records[0].ID != storetest.BenchID(2991) {
		t.Errorf("%d of %d, %v", len(page.Records), page.Total, err)
	}
}
