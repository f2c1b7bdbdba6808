package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

func TestADirectoryThatTakesNoChangesCanBeRead(t *testing.T) {
	ctx := context.Background()
	s := must(sqlite.Open(ctx, t.TempDir()))(t)
	t.Cleanup(func() { _ = s.Close() })
	set := func(value string) error {
		return s.Update(ctx, func(tx store.Tx) error { return tx.SetMeta(ctx, "key", value) })
	}
	must(0, set("before"))(t)
	s.RefuseWrites(t, true)
	for what, err := range map[string]error{"a change": set("after"), "the check": s.Check(ctx)} {
		if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnwritable) || !errors.Is(err, store.ErrUnavailable) || reason != "VolumeReadOnly" {
			t.Errorf("%s: %s %v", what, reason, err)
		}
	}
	if got := must(s.Meta(ctx, "key"))(t); got != "before" {
		t.Errorf("what was stored is read as %q", got)
	}
	s.RefuseWrites(t, false)
	must(0, s.Check(ctx))(t)
	must(0, set("after"))(t)
}

// SQLite calls what the system says to a write an I/O error. Of a disk that fails, or a file that is damaged, no answer is certain.
func TestWhyAChangeIsRefusedDecidesWhetherReadsGoOn(t *testing.T) {
	folder := t.TempDir()
	for name, c := range map[string]struct {
		folder string
		err    error
		reason string
		reads  bool
	}{
		"no room":             {folder, syscall.ENOSPC, "VolumeFull", true},
		"a quota":             {folder, syscall.EDQUOT, "VolumeFull", true},
		"read-only":           {folder, syscall.EROFS, "VolumeReadOnly", true},
		"a disk that fails":   {folder, syscall.EIO, "VolumeFailed", false},
		"a folder that fails": {filepath.Join(folder, "none"), syscall.EIO, "VolumeFailed", false},
	} {
		err := sqlite.Refused(c.folder, fmt.Errorf("COMMIT: %w", c.err))
		if reason, _ := store.CauseOf(err); reason != c.reason || errors.Is(err, store.ErrUnwritable) != c.reads || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %s %v", name, reason, err)
		}
	}
	if left := must(os.ReadDir(folder))(t); len(left) > 0 {
		t.Errorf("what was tried with is left: %v", left)
	}
	if err := sqlite.Refused(folder, store.ErrConflict); !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an answer of ours: %v", err)
	}
}
