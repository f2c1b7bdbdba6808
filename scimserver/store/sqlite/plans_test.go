package sqlite_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/signin"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// A look-up that walks through a table is slow only once a customer has many users, so SQLite is asked how it would go about it.
func TestLookUpsNeverScanATable(t *testing.T) {
	s := open(t, t.TempDir())
	storetest.Fill(t, s, 20)
	for _, few := range []int{256, 0} { // both when a look-up finds few, and when it finds many
		s.SetFew(few)
		lookUp(t, s)
	}
	plans := must(s.Plans(context.Background()))(t)
	for text, plan := range plans {
		for _, step := range plan {
			scans := strings.HasPrefix(step, "SCAN ") && !strings.HasPrefix(step, "SCAN j ") && !strings.HasPrefix(step, "SCAN (") &&
				step != "SCAN s" && step != "SCAN i" && step != "SCAN p" && step != "SCAN CONSTANT ROW"
			// All of a kind and all of an attribute are as many as a whole table. A list alone walks along the ids.
			walks := strings.HasSuffix(step, "(kind=? AND id>?)") && !strings.Contains(text, "(SELECT row FROM resources")
			// The index of those that may share a name has those alone.
			whole := strings.HasSuffix(step, "(kind=?)") && !strings.Contains(step, "resources_apart") || strings.HasSuffix(step, "(path=?)")
			if scans || walks || whole || strings.Contains(step, "AUTOMATIC") {
				t.Errorf("%s\n  %s", text, strings.Join(plan, "\n  "))
				break
			}
		}
	}
}

// lookUp asks for everything that a client looks up all day.
func lookUp(t *testing.T, s *sqlite.Store) {
	t.Helper()
	ctx := context.Background()
	one := storetest.BenchID(1)
	signsIn := &signin.Person{ObjectID: "0c7d2b9f-3f1e-4a55-8f0b-2a1c6d5e4f30", Subject: "AAAAsubject", UserName: "user1@contoso.com"}
	for kind, texts := range map[store.Kind][]string{
		store.User: {
			`id eq "` + one + `"`, `id eq "` + one + `" or id eq "` + storetest.BenchID(2) + `"`, `userName eq "user1@contoso.com"`, `externalId eq "e"`, `emails eq "a"`, `emails[type eq "work"].value eq "a"`,
			`emails[type eq "work" and value eq "a"]`, `id eq "` + one + `" and manager eq "` + one + `"`, `userName sw "user1"`,
			schema.MediusUser + `:nameIdentifier eq "n" and ` + schema.MediusUser + `:identityProvider eq "entra"`,
			`userName eq "a" or externalId eq "b"`, `title eq "x" and not (active eq true)`, `meta.lastModified gt "2030-01-01T00:00:00Z"`,
			signsIn.Filter(), `groups eq "` + one + `"`, `groups.display eq "g"`, `groups[display eq "g" and type eq "direct"]`,
		},
		store.Group: {
			`displayName eq "g"`, `externalId eq "e"`, `members eq "` + one + `"`, `id eq "` + one + `" and members[value eq "` + one + `"]`,
			`members[type eq "User" and value eq "` + one + `"]`, `externalId eq "e" and members[type eq "Group"]`,
		},
	} {
		for _, text := range texts {
			f := must(filter.Parse(resourceType(kind), text))(t)
			if _, err := s.Find(ctx, store.Query{Kind: kind, Filter: f, Limit: 10, Match: func(*store.Record) (bool, error) { return true, nil }}); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := s.Get(ctx, store.User, one)
	must(0, err)(t)
	must(s.Find(ctx, store.Query{Kind: store.User, Limit: 10}))(t)
	must(s.Kinds(ctx, []string{one}))(t)
	must(s.Ambiguous(ctx, store.User, 10))(t)
	must(s.Members(ctx, one))(t)
	for _, ids := range [][]string{{one}, {one, one}} {
		must(s.MembersOf(ctx, ids, one, 10))(t)
		must(s.GroupsOf(ctx, ids, one, 10))(t)
		must(s.Records(ctx, store.Group, ids))(t)
	}
	must(s.Log(ctx, 0, 10))(t)
	must(s.LogBack(ctx, math.MaxInt64, 10))(t)
}

func resourceType(kind store.Kind) *schema.ResourceType {
	if kind == store.Group {
		return schema.Group()
	}
	return schema.User()
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
