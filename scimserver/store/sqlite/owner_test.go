package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// isOwners wants all files of a folder to be their owner's alone, and so many at least.
func isOwners(t *testing.T, folder string, least int) {
	t.Helper()
	files := must(os.ReadDir(folder))(t)
	if len(files) < least {
		t.Errorf("%d files in the folder, want %d at least", len(files), least)
	}
	for _, file := range files {
		if info := must(file.Info())(t); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", file.Name(), info.Mode())
		}
	}
}

func TestTheFilesOfADirectoryAreTheirOwners(t *testing.T) {
	folder := t.TempDir()
	insert := func(s *sqlite.Store, n int) {
		must(0, s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), storetest.BenchUser(n)) }))(t)
	}
	s := must(sqlite.Open(context.Background(), folder))(t)
	insert(s, 1)
	isOwners(t, folder, 3) // with the lock and the write-ahead log

	// A server that was killed leaves its write-ahead log, and earlier ones let everybody read.
	copied := t.TempDir()
	for _, file := range must(os.ReadDir(folder))(t) {
		data := must(os.ReadFile(filepath.Join(folder, file.Name())))(t)
		name := filepath.Join(copied, file.Name())
		must(0, os.WriteFile(name, data, 0o600))(t)
		must(0, os.Chmod(name, 0o664))(t)
	}
	must(0, s.Close())(t)
	s = open(t, copied)
	insert(s, 2)
	isOwners(t, copied, 3)
	if page := must(s.Find(context.Background(), store.Query{Kind: store.User}))(t); page.Total != 2 {
		t.Errorf("%d users, want 2", page.Total)
	}
}
