package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// schemaOf is the schema that a URL names.
func schemaOf(t *testing.T, address string) string {
	t.Helper()
	return must(url.Parse(address))(t).Query().Get("search_path")
}

// openSchema opens a store on a schema, by a URL that need not name it.
func openSchema(t *testing.T, address, schema string) *postgres.Store {
	t.Helper()
	s := must(postgres.Open(t.Context(), postgres.Options{Schema: schema, URL: func() (string, error) { return address, nil }}))(t)
	t.Cleanup(func() { must(0, s.Close())(t) })
	return s
}

// users are the keys of all users.
func users(t *testing.T, s store.Reader) (keys []string) {
	t.Helper()
	page := must(s.Find(context.Background(), store.Query{Kind: store.User, Limit: 100}))(t)
	for i := range page.Records {
		keys = append(keys, page.Records[i].Key)
	}
	return keys
}

// A pooler loses a startup parameter, and a role has a search path of its own. Two tenants whose servers have the same URL each have their own
// directory all the same, and so has a third whose schema the role's search path leads to.
func TestNoSettingOfAConnectionDecidesWhoseDataIsRead(t *testing.T) {
	address := testenv.Schema(t)
	other := schemaOf(t, address)
	name, as := role(t, address, "")
	open(t, as)
	testenv.Execute(t, "ALTER ROLE "+name+" SET search_path = "+other+", public")
	for _, way := range []string{"directly", "where startup parameters are lost"} {
		t.Run(way, func(t *testing.T) {
			through := as
			if way != "directly" {
				through = newLossyProxy(t, testenv.Direct(t, as))
			}
			for _, schema := range []string{schemaOf(t, testenv.Schema(t)), schemaOf(t, testenv.Schema(t))} {
				s := openSchema(t, through, schema)
				if found := users(t, s); len(found) > 0 {
					t.Fatalf("a new directory has the users %v", found)
				}
				for n := range 3 {
					must(0, arrive(s, storetest.BenchID(1<<40), n+1))(t)
				}
				if n := testenv.Ask(t, "SELECT count(*) FROM "+schema+".resources"); n != "3" {
					t.Errorf("the schema has %s users", n)
				}
			}
			if found := users(t, open(t, as)); len(found) > 0 {
				t.Errorf("the schema of the role's search path has the users %v", found)
			}
		})
	}
}

// A name of a schema is taken as it is, and what was migrated before is found again.
func TestAnyNameOfASchemaIsTaken(t *testing.T) {
	for _, suffix := range []string{"-dash", ".dot", " space", `"quote`, "'apostrophe", "UPPER", "$1", "?", " main.resources", "ü", "--", "%s"} {
		t.Run(suffix, func(t *testing.T) {
			address := testenv.HastySchema(t)
			schema := schemaOf(t, address) + suffix
			t.Cleanup(func() {
				testenv.Execute(t, `DROP SCHEMA "`+strings.ReplaceAll(schema, `"`, `""`)+`" CASCADE`)
			})
			for n := range 2 {
				s := openSchema(t, address, schema)
				must(0, arrive(s, storetest.BenchID(1<<40), n+1))(t)
				if found := users(t, s); len(found) != n+1 {
					t.Errorf("%d users, want %d", len(found), n+1)
				}
			}
		})
	}
}

// A directory stays where it was when the server started, whatever schema the URL names later.
func TestAnotherSchemaInTheURLIsNotFollowed(t *testing.T) {
	address, second := testenv.Schema(t), testenv.Schema(t)
	open(t, second)
	current := address
	s := must(postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return current, nil }}))(t)
	defer s.Close()
	must(0, arrive(s, storetest.BenchID(1<<40), 1))(t)
	current = second
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "names another schema") {
		t.Errorf("%v", err)
	}
	current = address
	must(0, s.Check(t.Context()))(t)
	if found := users(t, s); len(found) != 1 {
		t.Errorf("%v", found)
	}
}

func TestAStatementIsPutIntoItsSchemaOnce(t *testing.T) {
	in := postgres.Qualified(`a "b" main.`)
	const schema = `"a ""b"" main."`
	for text, want := range map[string]string{
		"SELECT id FROM main.resources r JOIN main.documents d": "SELECT id FROM " + schema + ".resources r JOIN " + schema + ".documents d",
		"COMMIT":          "COMMIT",
		"SELECT domain.a": "SELECT domain.a",
	} {
		for range 2 {
			if got := in(text); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		}
		if n := testing.AllocsPerRun(10, func() { in(text) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
	for n := range 2000 { // texts of filters, which can be any
		text := strings.Repeat("x", n*10) + " FROM main.meta"
		if got := in(text); got != strings.Repeat("x", n*10)+" FROM "+schema+".meta" {
			t.Fatalf("%s", got)
		}
	}
}

// The schema is said by name, as the operator does, so a search path in the URL decides nothing. That is said once.
func TestASearchPathThatDecidesNothingIsSaid(t *testing.T) {
	address := testenv.Schema(t)
	own := schemaOf(t, address)
	for _, c := range []struct {
		name, schema string
		want         int
	}{
		{"another", own, 1},
		{"the same", own, 0},
		{"the URL decides", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := address
			if c.want > 0 {
				url = strings.Replace(address, "search_path="+own, "search_path=elsewhere", 1)
			}
			said := 0
			log := funcr.New(func(_, line string) {
				if strings.Contains(line, "search_path") && strings.Contains(line, own) {
					said++
				}
			}, funcr.Options{})
			s := must(postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return url, nil }, Schema: c.schema, Log: log}))(t)
			defer s.Close()
			must(0, s.Check(t.Context()))(t)
			if said != c.want {
				t.Errorf("said %d times, want %d", said, c.want)
			}
		})
	}
}
