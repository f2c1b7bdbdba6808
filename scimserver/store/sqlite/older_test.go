package sqlite_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// A server of the version before may come back for a while, and writes users without knowing of their time of deactivation.
func TestWhatAnOlderServerWritesMakesNobodyInactiveForLonger(t *testing.T) {
	s := open(t, t.TempDir())
	storetest.OlderServerWrites(t, s, func(statement string) {
		if err := s.Exec(statement); err != nil {
			t.Fatal(err)
		}
	})
}

// writeOlder fills the tables of version 3, which an older server wrote.
func writeOlder(t *testing.T, folder string) {
	t.Helper()
	err := sqlite.OpenOlder(t.Context(), folder, 3, func(execute func(string, ...any) error) error {
		if err := execute("BEGIN"); err != nil {
			return err
		}
		for n, r := range storetest.Older() {
			uuid, _ := store.ParseID(r.ID)
			var external any
			if r.ExternalID != "" {
				external = []byte(r.ExternalID)
			}
			err := errors.Join(
				execute("INSERT INTO resources (row, kind, id, key, external_id, active, version, created, modified, defaults, matched)"+
					" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')",
					n+1, int64(r.Kind), uuid[:], []byte(r.Key), external, r.Active, r.Version, r.Created.UnixMicro(), r.Modified.UnixMicro()),
				execute("INSERT INTO documents (row, document, keys) VALUES (?, ?, x'')", n+1, r.Document),
			)
			if err != nil {
				return err
			}
		}
		return errors.Join(execute("INSERT INTO log (time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome)"+
			storetest.OlderEntry), execute("COMMIT"))
	})
	must(0, err)(t)
}

func TestAFolderOfAnOlderServerIsBroughtUpToDate(t *testing.T) {
	folder := t.TempDir()
	writeOlder(t, folder)
	must(0, open(t, folder).Close())(t)
	storetest.OlderIsUpToDate(t, open(t, folder)) // and once more finds nothing to do
}

// An administrator goes back to the version before for a while. It writes keys as it always did, and nothing as apart.
func TestWhatAnOlderServerWritesMeanwhileIsBroughtUpToDate(t *testing.T) {
	folder := t.TempDir()
	writeOlder(t, folder)
	s := open(t, folder)
	must(0, s.Exec("BEGIN"))(t)
	for _, r := range storetest.Older() {
		uuid, _ := store.ParseID(r.ID)
		must(0, s.Exec(fmt.Sprintf("UPDATE resources SET key = x'%x' WHERE kind = %d AND id = x'%x'", r.Key, r.Kind, uuid)))(t)
	}
	must(0, s.Exec("COMMIT"))(t)
	must(0, s.Close())(t)
	storetest.OlderIsUpToDate(t, open(t, folder))
}
