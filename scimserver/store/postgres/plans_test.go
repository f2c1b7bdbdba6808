package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/signin"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// The size of the directory: so many that to walk through a table would be the dearest way.
const (
	planUsers   = 3000
	planGroups  = 600
	planMembers = 15 // of each group
)

// A look-up or a page that walks through a table is slow only once a customer has many users, so PostgreSQL is asked how it would go
// about it. Nothing is switched off: it would choose otherwise if it knew better.
func TestLookUpsAndPagesUseTheirIndexes(t *testing.T) {
	s := open(t, testenv.Schema(t))
	seed(t, s, planUsers)
	must(0, s.Analyze(context.Background()))(t)
	holdPlans(t, s, false, map[string]*postgres.Store{"counted": s})
}

// Statistics come late in the initial cycle of a tenant, and never where autovacuum is off. Until then PostgreSQL takes what it assumes of a
// table that it knows nothing of, or what it once counted. A connection also keeps the plan that it made when the tables were empty, until
// statistics come. No look-up may become one that walks because of that.
func TestLookUpsUseTheirIndexesWhateverIsKnownOfTheTables(t *testing.T) {
	ctx := context.Background()
	full := open(t, testenv.HastySchema(t))
	must(0, full.NeverCount(ctx))(t)
	seed(t, full, 12_000)
	stale := open(t, testenv.HastySchema(t))
	must(0, stale.NeverCount(ctx))(t)
	must(0, stale.Update(ctx, func(tx store.Tx) error {
		for n := range 10 {
			if err := tx.Insert(ctx, storetest.BenchUser(2_000_000+n)); err != nil {
				return err
			}
		}
		_, err := tx.AddMembers(ctx, storetest.BenchID(3_000_000), []store.Member{{ID: storetest.BenchID(2_000_000), Kind: store.User}}, nil)
		return err
	}))(t)
	must(0, stale.Analyze(ctx))(t)
	seed(t, stale, 12_000)
	empty := open(t, testenv.HastySchema(t))
	must(0, empty.NeverCount(ctx))(t)
	tables := map[string]*postgres.Store{
		"12,000 users that were never counted": full, "12,000 users, counted when there were ten": stale, "fresh tables": empty,
	}
	holdPlans(t, full, true, tables)
	for name, write := range postgres.Writes() {
		for of, s := range tables {
			t.Run(name+", "+of, func(t *testing.T) {
				used := holdPlan(t, s, write, true)
				if name == postgres.LookForKeys && !slices.Contains(used, "resources_key_not_ascii") {
					t.Errorf("used are %v", used)
				}
			})
		}
	}
}

// holdPlans records what reads send to one store and looks how others would go about it, for these values, and look-ups for any as well.
func holdPlans(t *testing.T, s *postgres.Store, onlyLookUps bool, tables map[string]*postgres.Store) {
	t.Helper()
	for _, c := range reads(t, s, onlyLookUps) {
		for _, few := range []int{256, 0} { // both when a look-up finds few, and when it finds many
			t.Run(fmt.Sprintf("%s, few=%d", c.name, few), func(t *testing.T) {
				s.SetFew(few)
				statements, err := s.Statements(c.read)
				if err != nil {
					t.Fatal(err)
				}
				generics := 1
				if onlyLookUps {
					generics = 2
				}
				for name, tables := range tables {
					for _, generic := range []bool{false, true}[:generics] {
						t.Run(fmt.Sprintf("%s, generic=%t", name, generic), func(t *testing.T) {
							var used []string
							for _, statement := range statements {
								used = append(used, holdPlan(t, tables, statement, generic)...)
							}
							if !slices.Contains(used, c.index) {
								t.Errorf("used are %v, not %s", used, c.index)
							}
						})
					}
				}
			})
		}
	}
}

// planned is a read and the index that it must use.
type planned struct {
	name, index string
	read        func() error
}

// reads are look-ups, which ask for one thing or for what belongs to it, and, unless those alone are wanted, pages and ranges.
func reads(t *testing.T, s *postgres.Store, onlyLookUps bool) []planned {
	t.Helper()
	ctx := context.Background()
	one, last := storetest.BenchID(1), storetest.BenchID(planUsers)
	group := storetest.BenchID(1_000_001)
	found := func(kind store.Kind, text string) func() error {
		return func() error {
			f, err := filter.Parse(resourceType(kind), text)
			if err != nil {
				return err
			}
			q := store.Query{Kind: kind, Filter: f, Limit: 10, Match: func(r *store.Record) (bool, error) { return true, nil }}
			_, err = s.Find(ctx, q)
			return err
		}
	}
	page := func(q store.Query) func() error {
		return func() error {
			q.Limit = 10
			_, err := s.Find(ctx, q)
			return err
		}
	}
	sorted := func(kind store.Kind, name string, descending bool) *store.Sort {
		path, err := resourceType(kind).Path(name)
		if err != nil {
			t.Fatal(err)
		}
		return &store.Sort{Path: path, Descending: descending, Key: func(*store.Record) (string, bool, error) { return "", false, nil }}
	}
	signsIn := &signin.Person{ObjectID: "0c7d2b9f-3f1e-4a55-8f0b-2a1c6d5e4f30", Subject: "AAAAsubject", UserName: "user1@contoso.com"}
	lookUps := []planned{
		{"a user by id", "resources_pkey", func() error { _, err := s.Get(ctx, store.User, one); return err }},
		{"a group by id", "resources_pkey", func() error { _, err := s.Get(ctx, store.Group, group); return err }},
		{"a user by id in a filter", "resources_pkey", found(store.User, `id eq "`+one+`"`)},
		{"users by their ids in a filter", "resources_pkey", found(store.User, `id eq "`+one+`" or id eq "`+last+`"`)},
		{"userName", "resources_key_apart", found(store.User, `userName eq "user1@contoso.com"`)},
		{"externalId", "resources_external_id", found(store.User, `externalId eq "3f1e6a2b-00000001"`)},
		{"an e-mail address", "attributes_pkey", found(store.User, `emails eq "mail1@contoso.com"`)},
		{"a work e-mail address", "attributes_pkey", found(store.User, `emails[type eq "work"].value eq "mail1@contoso.com"`)},
		{"an e-mail address with its type", "attributes_pkey", found(store.User, `emails[type eq "work" and value eq "mail1@contoso.com"]`)},
		{"an attribute of an extension", "attributes_pkey", found(store.User, schema.MediusUser+`:nameIdentifier eq "n1"`)},
		{"a manager's reports", "attributes_pkey", found(store.User, schema.EnterpriseUser+`:manager eq "`+one+`"`)},
		{"a reference check", "resources_pkey", found(store.User, `id eq "`+last+`" and manager eq "`+one+`"`)},
		{"users of a group", "members_pkey", found(store.User, `groups eq "`+group+`"`)},
		{"users of a group by its name", "resources_key_apart", found(store.User, `groups.display eq "group 1"`)},
		{"displayName of a group", "resources_key_apart", found(store.Group, `displayName eq "group 1"`)},
		{"who signs in, by what identifies them", "attributes_pkey", found(store.User, signsIn.Filter())},
		{"who signs in, by their name", "resources_key_apart", found(store.User, signsIn.Filter())},
		{"groups of a user", "members_member", found(store.Group, `members eq "`+one+`"`)},
		{"a membership check", "resources_pkey", found(store.Group, `id eq "`+group+`" and members[value eq "`+one+`"]`)},
		{"members that exist", "resources_pkey", func() error { _, err := s.Kinds(ctx, []string{one, last}); return err }},
		{"members of a group", "members_pkey", func() error { _, err := s.Members(ctx, group); return err }},
		{"a portion of a group's members", "members_pkey", func() error { _, err := s.MembersOf(ctx, []string{group}, one, 1000); return err }},
		{"members of a page of groups", "members_pkey", func() error { _, err := s.MembersOf(ctx, []string{group, last}, "", 1000); return err }},
		{"a portion of a user's groups", "members_member", func() error { _, err := s.GroupsOf(ctx, []string{one}, group, 1000); return err }},
		{"groups of several users", "members_member", func() error { _, err := s.GroupsOf(ctx, []string{one, last}, "", 1000); return err }},
		{"several groups by their ids", "resources_pkey", func() error { _, err := s.Records(ctx, store.Group, []string{group, last}); return err }},
		{"a step of a walk over memberships", "members_pkey", func() error {
			_, err := s.Memberships(ctx, store.Membership{Group: group, Member: store.Member{ID: one}}, 100)
			return err
		}},
		{"names that several users have", "resources_apart", func() error { _, err := s.Ambiguous(ctx, store.User, 10); return err }},
		{"entries of the provisioning log", "log_sequence", func() error { _, err := s.Log(ctx, 10, 10); return err }},
		{"the newest entries of the provisioning log", "log_sequence", func() error { _, err := s.LogBack(ctx, math.MaxInt64, 10); return err }},
	}
	if onlyLookUps {
		return lookUps
	}
	return append(lookUps, []planned{
		{"the beginning of userName", "resources_key_apart", found(store.User, `userName sw "user123"`)},
		{"one that all have and one that few have", "attributes_pkey", found(store.User,
			schema.MediusUser+`:identityProvider eq "entra" and `+schema.MediusUser+`:nameIdentifier eq "n1"`)},
		{"one attribute or another", "resources_key_apart", found(store.User, `userName eq "a" or externalId eq "3f1e6a2b-00000001"`)},
		{"what few of those lack that have a value", "attributes_pkey", found(store.User, `nickName eq "nick1" and not (active eq true)`)},
		{"users that changed since", "resources_modified", found(store.User, `meta.lastModified gt "2030-01-01T00:00:00Z"`)},
		{"the first page", "resources_pkey", page(store.Query{Kind: store.User})},
		{"a later page", "resources_pkey", page(store.Query{Kind: store.User, Offset: 100})},
		{"a step of a walk", "resources_pkey", page(store.Query{Kind: store.User, After: storetest.BenchID(500)})},
		{"a page by userName", "resources_key_apart", page(store.Query{Kind: store.User, Sort: sorted(store.User, "userName", false)})},
		{"a later page by userName, from the end", "resources_key_apart", page(store.Query{Kind: store.User, Offset: 100, Sort: sorted(store.User, "userName", true)})},
		{"a page by the time of change", "resources_modified", page(store.Query{Kind: store.User, Sort: sorted(store.User, "meta.lastModified", true)})},
		{"a page of groups by name", "resources_key_apart", page(store.Query{Kind: store.Group, Sort: sorted(store.Group, "displayName", false)})},
	}...)
}

// seed fills a directory.
func seed(t *testing.T, s *postgres.Store, users int) {
	t.Helper()
	ctx := context.Background()
	for from := 1; from <= users; from += 3000 {
		var some []*store.Record
		for n := from; n < from+3000 && n <= users; n++ {
			some = append(some, storetest.BenchUser(n))
		}
		must(0, s.Update(ctx, func(tx store.Tx) error { _, err := tx.InsertAll(ctx, some); return err }))(t)
	}
	err := s.Update(ctx, func(tx store.Tx) error {
		for n := 1; n <= planGroups; n++ {
			g := storetest.BenchUser(1_000_000 + n)
			g.Kind, g.Key, g.ExternalID, g.Index = store.Group, fmt.Sprintf("group %d", n), "", nil
			if err := tx.Insert(ctx, g); err != nil {
				return err
			}
			members := make([]store.Member, planMembers)
			for m := range members {
				members[m] = store.Member{ID: storetest.BenchID(n + 100*m), Kind: store.User}
			}
			if _, err := tx.AddMembers(ctx, g.ID, members, nil); err != nil {
				return err
			}
			if err := tx.Append(ctx, storetest.BenchEntry(g)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		_, err = s.Log(ctx, 0, 1) // which numbers the entries
	}
	if err != nil {
		t.Fatal(err)
	}
}

// planNode is a part of what EXPLAIN answers.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Cond     string     `json:"Index Cond"`
	Each     string     `json:"Join Filter"` // compares each row of one side with each of the other
	Plans    []planNode `json:"Plans"`
}

// holdPlan complains of a statement that walks through a table or a whole index, or for a removal compares each row with each of others, and returns the indexes that it uses. To count all
// resources of a kind is to walk in any way.
func holdPlan(t *testing.T, s *postgres.Store, statement postgres.Statement, generic bool) (used []string) {
	t.Helper()
	explained, err := s.Explain(context.Background(), statement, generic)
	if err != nil {
		t.Fatalf("%s\n%v", statement.SQL, err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(explained, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v", explained, err)
	}
	const all = "(SELECT r.id FROM main.resources r WHERE r.kind = $1"
	counts := slices.Contains([]string{
		"SELECT count(*) FROM " + all + ") i", "SELECT count(*) FROM " + all + " AND TRUE) i",
	}, statement.SQL) || strings.HasPrefix(statement.SQL, "SELECT count(*) FROM (SELECT 1 FROM "+all+") i LIMIT ")
	lists := strings.Contains(statement.SQL, "ORDER BY")
	var hold func(planNode)
	hold = func(node planNode) {
		used = append(used, node.Index)
		big := slices.Contains([]string{"resources", "documents", "members", "attributes", "log"}, node.Relation)
		// The index of entries without a number has those alone. All of a kind and all of an attribute are as many as a whole table. A list alone walks along them, as far as its page goes.
		whole := node.Index != "" && node.Index != "log_unnumbered" && (node.Cond == "" || onlyOf(node.Cond, "kind") && !lists || onlyOf(node.Cond, "path"))
		each := node.Each != "" && strings.HasPrefix(statement.SQL, "DELETE") // as many as a group has
		if each || !counts && (big && strings.Contains(node.Type, "Seq Scan") || whole) {
			t.Errorf("%s %s %s %s%s\n%s\n%s", node.Type, node.Relation, node.Index, node.Cond, node.Each, statement.SQL, explained)
		}
		for _, below := range node.Plans {
			hold(below)
		}
	}
	hold(plans[0].Plan)
	return used
}

// onlyOf tells whether a condition is about one column alone.
func onlyOf(cond, column string) bool {
	return strings.Contains(cond, column+" =") && !strings.Contains(cond, " AND ")
}

func resourceType(kind store.Kind) *schema.ResourceType {
	if kind == store.Group {
		return schema.Group()
	}
	return schema.User()
}
