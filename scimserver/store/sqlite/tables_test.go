package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// newestTables is the version of the tables that this server makes.
const newestTables = 4

// tables describes what is in the directory of a folder that is closed.
func tables(t *testing.T, folder string) map[string]string {
	t.Helper()
	db := must(sql.Open("sqlite", filepath.Join(folder, "directory.db")))(t)
	defer db.Close()
	described := map[string]string{}
	for kind, question := range map[string]string{
		"tables": "SELECT group_concat(concat_ws(' ', name, ncol, wr, strict), char(10) ORDER BY name) FROM pragma_table_list WHERE schema = 'main'",
		"columns": `SELECT group_concat(concat_ws(' ', m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk), char(10) ORDER BY m.name, c.name)` +
			" FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'",
		"indexes":    "SELECT group_concat(concat_ws(' ', name, tbl_name, sql), char(10) ORDER BY name) FROM sqlite_schema WHERE type <> 'table'",
		"meta":       "SELECT coalesce(group_concat(key), '') FROM meta",
		"migrations": "SELECT group_concat(concat_ws(' ', version_id, is_applied) ORDER BY id) FROM goose_db_version",
	} {
		var text string
		if err := db.QueryRowContext(t.Context(), question).Scan(&text); err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		described[kind] = text
	}
	return described
}

// A new directory has its tables made at once. They are those that the migrations make one after the other, and so is what tells a server of
// any version which migrations were made. A directory that has some of them, or whose first start was cut off, gets the others.
func TestTablesAreTheSameHoweverADirectoryCameToThem(t *testing.T) {
	stepped := func(t *testing.T, version int64) (folder string) {
		t.Helper()
		folder = t.TempDir()
		must(0, sqlite.OpenOlder(t.Context(), folder, version, func(func(string, ...any) error) error { return nil }))(t)
		return folder
	}
	want := tables(t, stepped(t, newestTables))
	if want["migrations"] != "0 1,1 1,2 1,3 1,4 1" {
		t.Fatalf("migrations %s", want["migrations"])
	}
	is := func(t *testing.T, folder string) {
		t.Helper()
		must(0, open(t, folder).Close())(t)
		if diff := cmp.Diff(want, tables(t, folder)); diff != "" {
			t.Errorf("tables differ from those of all migrations (+):\n%s", diff)
		}
	}
	t.Run("at once", func(t *testing.T) { is(t, t.TempDir()) })
	for version := range int64(newestTables + 1) {
		t.Run(fmt.Sprintf("from version %d", version), func(t *testing.T) { is(t, stepped(t, version)) })
	}
}
