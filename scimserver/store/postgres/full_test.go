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
		if err := arrive(s, group, 1); !errors.Is(err, store.ErrUnwritable) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a user: %v", err)
		}
		for range 2 {
			err := s.Check(ctx)
			if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrUnwritable) || reason != "DatabaseFull" {
				t.Errorf("check: %s: %v", reason, err)
			}
			if _, err := s.Get(ctx, store.Group, group); err != nil {
				t.Errorf("reads do not go on: %v", err)
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

// All that the role may no longer change can be read. Where it cannot connect, nothing can.
func TestADatabaseThatRefusesChangesAloneCanBeRead(t *testing.T) {
	ctx := context.Background()
	address := testenv.Schema(t)
	s := open(t, address)
	group := newGroup(t, s)
	schema := must(url.Parse(address))(t).Query().Get("search_path")
	role := schema + "_reader"
	testenv.Execute(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA "+schema+" TO "+role+
		"; GRANT SELECT ON ALL TABLES IN SCHEMA "+schema+" TO "+role)
	t.Cleanup(func() { testenv.Execute(t, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role) })
	as := must(url.Parse(address))(t)
	as.User = url.UserPassword(role, "x")
	reader := open(t, as.String())
	if err := arrive(reader, group, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a user: %v", err)
	}
	err := reader.Check(ctx)
	if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnwritable) || reason != "DatabaseRefused" {
		t.Errorf("check: %s: %v", reason, err)
	}
	must(reader.Get(ctx, store.Group, group))(t)

	testenv.Execute(t, "ALTER ROLE "+role+" NOLOGIN")
	elsewhere := open(t, as.String())
	if err := elsewhere.Check(ctx); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnwritable) {
		t.Errorf("check without a connection: %v", err)
	}
}
