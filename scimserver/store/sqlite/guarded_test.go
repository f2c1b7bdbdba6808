package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

func place(folder string) storetest.Place {
	return storetest.Place{
		Guarded: func(guard *owner.Guard) (owner.Store, error) {
			return sqlite.OpenGuarded(context.Background(), folder, guard)
		},
		Open: func() (store.Store, error) { return sqlite.Open(context.Background(), folder) },
		Drop: func() error { return os.RemoveAll(folder) },
	}
}

func TestOwners(t *testing.T) {
	storetest.Owners(t, func(t *testing.T) storetest.Place { return place(filepath.Join(t.TempDir(), "data")) })
}

// A volume that was emptied stays so, and is nobody's until the directory is restored.
func TestNothingIsMadeWhereADirectoryIsMissing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	s := place(folder).Serve(t, owner.Claim{Identity: storetest.Contoso(), Known: "11111111-1111-4111-8111-111111111111"})
	s.Refuses(v1alpha1.ReasonDirectoryMissing)
	if sqlite.Exists(folder) {
		t.Error("a directory was made")
	}
	restored := open(t, folder) // the folder is not locked
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	_ = s.Review(t.Context())
	s.Refuses(v1alpha1.ReasonForeignDirectory) // without a mark
}

func TestAFolderThatCannotBeOpenedIsAnErrorAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	guard := owner.NewGuard(func() (owner.Claim, bool) { return owner.Claim{Identity: storetest.Contoso()}, true }, logr.Discard())
	if s, err := sqlite.OpenGuarded(t.Context(), file, guard); err == nil {
		t.Error("no error")
		_ = s.Close()
	}
}

// A store that is closed answers no Review and no Check, as no other call.
func TestAClosedStoreStaysClosed(t *testing.T) {
	s := place(t.TempDir()).Serve(t, owner.Claim{Identity: storetest.Contoso()})
	s.End()
	if err := s.Review(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("review: %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("check: %v", err)
	}
}

// People read the error of Check behind a sentence of its own.
func TestACheckThatFailsSaysNothingBeforeTheCause(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil || strings.HasPrefix(err.Error(), "read: ") {
		t.Errorf("got %v", err)
	}
}
