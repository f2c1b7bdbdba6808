package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// A full disk still takes what fits into the pages that are there. It counts as full until a new one does: triggers give the database's answer here
// to each new user, and to a setting that is stored in more than a few pages.
func TestADatabaseCountsAsFullUntilThereIsRoom(t *testing.T) {
	ctx := context.Background()
	address := testenv.Schema(t)
	s := open(t, address)
	group := newGroup(t, s)
	in := strings.NewReplacer("{schema}", must(url.Parse(address))(t).Query().Get("search_path"))
	testenv.Execute(t, in.Replace(`
		CREATE FUNCTION {schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF TG_TABLE_NAME = 'resources' OR (SELECT pg_column_size(value) > 100000 FROM {schema}.meta WHERE key = 'check') THEN
				RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
			END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER a AFTER INSERT ON {schema}.resources FOR EACH ROW EXECUTE FUNCTION {schema}.full();
		CREATE TRIGGER a AFTER INSERT OR UPDATE ON {schema}.meta FOR EACH ROW EXECUTE FUNCTION {schema}.full()`))
	for range 2 {
		if err := arrive(s, group, 1); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a user: %v", err)
		}
		for range 2 {
			err := s.Check(ctx)
			if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnavailable) || reason != "DatabaseFull" {
				t.Errorf("check: %s: %v", reason, err)
			}
		}
	}
	testenv.Execute(t, in.Replace("DROP TRIGGER a ON {schema}.resources; DROP TRIGGER a ON {schema}.meta"))
	must(0, s.Check(ctx))(t)
	must(0, arrive(s, group, 1))(t)
	if size := testenv.Ask(t, in.Replace("SELECT pg_column_size(value) < 100 FROM {schema}.meta WHERE key = 'check'")); size != "true" {
		t.Error("what was written to find out is still there")
	}
}
