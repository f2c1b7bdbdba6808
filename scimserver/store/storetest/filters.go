package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const custom = schema.MediusUser + ":customFieldText1"

var filterTests = []testCase{
	{"the look-ups of Entra are decided without Match", func(t *testing.T, s store.Store) {
		for n := 1; n <= 20; n++ {
			insert(t, s, record(store.User, n, schema.Object{
				"userName": fmt.Sprintf("User%d@contoso.com", n), "externalId": fmt.Sprintf("Ext-%d", n),
				"emails": []any{schema.Object{"type": "work", "value": fmt.Sprintf("Mail%d@contoso.com", n)}},
				schema.MediusUser: schema.Object{
					"customFieldText1": fmt.Sprintf("C%d", n), "nameIdentifier": fmt.Sprintf("N%d", n), "identityProvider": "entra",
				},
				schema.EnterpriseUser: schema.Object{"manager": schema.Object{"value": id(max(n-1, 1))}},
			}))
		}
		insert(t, s, record(store.Group, 30, schema.Object{"displayName": "Finance", "externalId": "Ext-30"}))
		for _, c := range []struct {
			kind store.Kind
			text string
			want []int
		}{
			{store.User, `userName eq "USER3@contoso.com"`, []int{3}},
			{store.User, `externalId eq "Ext-4"`, []int{4}},
			{store.User, `externalId eq "ext-4"`, []int{}},
			{store.User, `id eq "` + id(5) + `"`, []int{5}},
			{store.User, `id eq "` + id(7) + `" or id eq "` + id(2) + `" or id eq "` + id(7) + `" or id eq "` + id(30) + `" or id eq "nobody"`, []int{2, 7}},
			{store.User, `id eq "` + id(7) + `" or userName eq "user9@contoso.com" or id eq "` + id(2) + `"`, []int{2, 7, 9}},
			{store.User, `(id eq "` + id(7) + `" or id eq "` + id(2) + `") and externalId eq "Ext-2"`, []int{2}},
			{store.User, `(id eq "` + id(7) + `" or id eq "` + id(2) + `") and not (id eq "` + id(2) + `" or id eq "` + id(3) + `")`, []int{7}},
			{store.User, `id eq "nobody" or id eq "` + id(30) + `"`, []int{}},
			{store.User, `id eq "` + id(5) + `" and manager eq "` + id(4) + `"`, []int{5}},
			{store.User, `id eq "` + id(5) + `" and manager eq "` + id(6) + `"`, []int{}},
			{store.User, `emails eq "mail6@CONTOSO.com"`, []int{6}},
			{store.User, custom + ` eq "c7"`, []int{7}},
			{store.User, schema.MediusUser + `:identityProvider eq "entra" and ` + schema.MediusUser + `:nameIdentifier eq "n8"`, []int{8}},
			{store.User, `userName eq "user9@contoso.com" or externalId eq "Ext-2"`, []int{2, 9}},
			{store.Group, `displayName eq "FINANCE"`, []int{30}},
			{store.Group, `externalId eq "Ext-30"`, []int{30}},
		} {
			page := find(t, s, store.Query{Kind: c.kind, Filter: parse(t, c.kind, c.text), Limit: 10})
			equal(t, c.text, c.want, numbers(t, page.Records))
			equal(t, "total of "+c.text, len(c.want), page.Total)
		}
	}},
	{"a value path is decided by Match, on candidates only", func(t *testing.T, s store.Store) {
		for n := 1; n <= 50; n++ {
			insert(t, s, record(store.User, n, schema.Object{"emails": []any{
				schema.Object{"type": "work", "value": fmt.Sprintf("a%d@contoso.com", n)},
				schema.Object{"type": "home", "value": fmt.Sprintf("a%d@contoso.com", n+1)},
			}}))
		}
		f := parse(t, store.User, `emails[type eq "work" and value eq "A7@contoso.com"]`)
		asked := 0
		q := store.Query{Kind: store.User, Filter: f, Limit: 10, Match: func(r *store.Record) (bool, error) {
			asked++
			return match(f)(r)
		}}
		page := find(t, s, q)
		equal(t, "found", []int{7}, numbers(t, page.Records))
		equal(t, "total", 1, page.Total)
		if asked > 2 {
			t.Errorf("%d candidates were asked for, but two users have the address", asked)
		}
	}},
	{"what the engine cannot decide needs Match", func(t *testing.T, s store.Store) {
		_, err := s.Find(context.Background(), store.Query{Kind: store.User, Filter: parse(t, store.User, `x509Certificates.value pr`)})
		if err == nil {
			t.Error("no error")
		}
	}},
	{"an error of Match ends the query", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}))
		_, err := s.Find(context.Background(), store.Query{
			Kind: store.User, Filter: parse(t, store.User, `x509Certificates.value pr`),
			Match: func(*store.Record) (bool, error) { return false, errExpected },
		})
		isError(t, "find", err, errExpected)
	}},
	{"values longer than an index key are told apart", func(t *testing.T, s store.Store) {
		long := strings.Repeat("å", schema.MaxKey)
		for n, value := range []string{long + "x", long + "y", long[:schema.MaxKey], "short", long[:schema.MaxKey-1] + "z"} {
			insert(t, s, record(store.User, n+1, schema.Object{"title": value}))
		}
		for text, want := range map[string]int{
			`title eq "` + long + `x"`: 1, `title sw "` + long + `"`: 2, `title ew "Y"`: 1, `title co "x"`: 1, `title co "å"`: 4,
			`title sw "` + long[:schema.MaxKey] + `"`: 3, `title eq "` + long[:schema.MaxKey] + `"`: 1, `title gt "` + long + `x"`: 1,
			`not (title co "y")`: 4, `title ne "` + long + `x"`: 4,
		} {
			f := parse(t, store.User, text)
			equal(t, text[:min(len(text), 20)], want, find(t, s, store.Query{Kind: store.User, Filter: f, Match: match(f)}).Total)
		}
	}},
	{"filters that most resources meet are paged like lists", func(t *testing.T, s store.Store) {
		const many = 1200
		var records []*store.Record
		for n := many; n >= 1; n-- {
			records = append(records, record(store.User, n, schema.Object{
				"title": fmt.Sprintf("Clerk %d", n%3), "active": n%2 == 0,
				"x509Certificates": []any{schema.Object{"value": "AQI="}}, // which no index has
				"emails":           []any{schema.Object{"value": fmt.Sprintf("a%d@contoso.com", n)}, schema.Object{"value": fmt.Sprintf("b%d@contoso.com", n)}},
			}))
		}
		insert(t, s, records...)
		every := func(step, from int) (out []int) {
			for n := from; n <= many; n += step {
				out = append(out, n)
			}
			return out
		}
		for text, want := range map[string][]int{
			`title eq "clerk 1"`:                                             every(3, 1),
			`title sw "clerk"`:                                               every(1, 1),
			`active eq true`:                                                 every(2, 2),
			`active eq false and title sw "clerk"`:                           every(2, 1),
			`emails co "contoso"`:                                            every(1, 1),
			`emails ew "@contoso.com"`:                                       every(1, 1),
			`x509Certificates.value pr`:                                      every(1, 1),
			`active eq true and x509Certificates pr`:                         every(2, 2),
			`not (title eq "clerk 1") and title sw "c"`:                      nil,
			`title eq "clerk 0" or title eq "clerk 1" or title eq "Clerk 2"`: every(1, 1),
			`meta.lastModified ge "2026-03-01T09:30:00Z"`:                    every(1, 1),
		} {
			if want == nil {
				for n := 1; n <= many; n++ {
					if n%3 != 1 {
						want = append(want, n)
					}
				}
			}
			f := parse(t, store.User, text)
			for _, offset := range []int{0, 300, len(want) - 3} {
				page := find(t, s, store.Query{Kind: store.User, Filter: f, Match: match(f), Offset: offset, Limit: 5})
				equal(t, text, want[offset:min(offset+5, len(want))], numbers(t, page.Records))
				equal(t, "total of "+text, len(want), page.Total)
			}
			page := find(t, s, store.Query{Kind: store.User, Filter: f, Match: match(f), After: id(400), Limit: 2})
			equal(t, "walk: "+text, 2, len(page.Records))
			for _, n := range numbers(t, page.Records) {
				if n <= 400 {
					t.Errorf("walk after 400: %s finds %d", text, n)
				}
			}
		}
	}},
	{"any filter finds what its evaluation finds", func(t *testing.T, s store.Store) {
		for seed := range uint64(2) {
			FindEqualsMatch(t, s, seed, 200)
		}
	}},
}

// FindEqualsMatch fills the store with random resources and compares what random filters find, sorted and not, with what
// filter.Match says of each. It can be called again with another seed, which replaces them.
func FindEqualsMatch(t testing.TB, s store.Store, seed uint64, filters int) {
	t.Helper()
	r := &random{rand.New(rand.NewPCG(seed, 2))}
	all := map[store.Kind][]*store.Record{}
	rows := map[string]schema.Object{} // what the rows of members say, by the resource's id
	update(t, s, func(tx store.Tx) error {
		for _, kind := range []store.Kind{store.User, store.Group} {
			old, err := tx.Find(context.Background(), store.Query{Kind: kind, Limit: 1000})
			if err != nil {
				return err
			}
			for _, record := range old.Records {
				if err := remove(tx, kind, record.ID); err != nil {
					return err
				}
			}
			all[kind] = nil
			for n := range 60 {
				record := r.record(kind, 100*int(kind)+n)
				all[kind] = append(all[kind], record)
				if err := tx.Insert(context.Background(), record); err != nil {
					return err
				}
			}
		}
		for _, group := range all[store.Group] {
			members := r.members(rows, group)
			if _, err := tx.AddMembers(context.Background(), group.ID, members, nil); err != nil {
				return err
			}
		}
		return nil
	})
	for range filters {
		kind := []store.Kind{store.User, store.User, store.Group}[r.IntN(3)]
		f := r.filter(kind, 3)
		want := []int{}
		var matching []*store.Record
		for _, record := range all[kind] {
			ok, err := matchWith(f, record, rows[record.ID])
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				want = append(want, numbers(t, []store.Record{*record})...)
				matching = append(matching, record)
			}
		}
		// A filter that the parser would not give back is not one that a client can send.
		parsed, err := filter.Parse(typeOf(kind), f.String())
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, f, err)
		}
		offset, limit := r.IntN(4), 1+r.IntN(70)
		q := store.Query{Kind: kind, Filter: parsed, Match: match(parsed), Location: location, Offset: offset, Limit: limit}
		page := find(t, s, q)
		equal(t, fmt.Sprintf("seed %d: %s", seed, f), want[min(offset, len(want)):min(offset+limit, len(want))], numbers(t, page.Records))
		equal(t, fmt.Sprintf("seed %d: total of %s", seed, f), len(want), page.Total)
		switch r.IntN(8) {
		case 0:
			r.sortEqualsOrder(t, s, q, matching)
		case 1:
			r.sortEqualsOrder(t, s, store.Query{Kind: kind, Offset: offset, Limit: limit}, all[kind])
		}
		if t.Failed() {
			return
		}
	}
}

type random struct{ *rand.Rand }

func pick[T any](r *random, from ...T) T { return from[r.IntN(len(from))] }

// text is from a small vocabulary, so that values meet: in several cases, beyond ASCII, with the characters that SQL minds.
func (r *random) text() string {
	switch r.IntN(12) {
	case 0:
		return strings.Repeat("ab", schema.MaxKey/2-1) + pick(r, "", "a", "ab", "abx", "aby", "éé")
	case 1:
		return pick(r, "%", "_", "'", `"`, `\`, "\U0010FFFF", "a\U0010FFFFb")
	default:
		return pick(r, "ab", "AB", "abc", "aBd", "b", "Ärger", "ärger", "ſ", "S", "İ", "straße", "STRASSE", "x y", "a", "Å", "å")
	}
}

func (r *random) time() time.Time {
	return dawn.Add(time.Duration(r.IntN(6)-3) * 500 * time.Nanosecond)
}

func (r *random) record(kind store.Kind, n int) *store.Record {
	obj := schema.Object{}
	maybe := func(name string, value any) {
		if r.IntN(3) > 0 {
			obj[name] = value
		}
	}
	maybe("externalId", r.text())
	if kind == store.Group {
		obj["displayName"] = fmt.Sprintf("%s%d", r.text(), n%7)
		obj["displayName"] = obj["displayName"].(string) + strings.Repeat("~", n)
	} else {
		obj["userName"] = r.text() + strings.Repeat("~", n)
		maybe("title", r.text())
		maybe("nickName", r.text())
		maybe("locale", r.text())
		maybe("active", r.IntN(2) == 0)
		maybe("name", schema.Object{"givenName": r.text(), "honorificPrefix": r.text()})
		var emails []any
		for range r.IntN(3) {
			emails = append(emails, schema.Object{"value": r.text(), "type": pick(r, "work", "home"), "primary": r.IntN(2) == 0})
		}
		if emails != nil {
			obj["emails"] = emails
		}
		maybe("x509Certificates", []any{schema.Object{"value": "AQI="}})
		maybe(schema.EnterpriseUser, schema.Object{"department": r.text(), "manager": schema.Object{"value": id(r.IntN(9))}})
		maybe(schema.MediusUser, schema.Object{"customFieldText1": r.text()})
		maybe(schema.TenantryUser, schema.Object{"companies": []any{r.text(), r.text()}})
	}
	record := record(kind, n, obj)
	record.Modified, record.Created = r.time().Truncate(time.Microsecond), r.time().Truncate(time.Microsecond)
	return record
}

func (r *random) filter(kind store.Kind, depth int) filter.Filter {
	terms := func() (out []filter.Filter) {
		for range 2 + r.IntN(2) {
			out = append(out, r.filter(kind, depth-1))
		}
		return out
	}
	switch n := r.IntN(10); {
	case depth > 0 && n < 2:
		return filter.And{Terms: terms()}
	case depth > 0 && n < 4:
		return filter.Or{Terms: terms()}
	case depth > 0 && n < 5:
		return filter.Not{Term: r.filter(kind, depth-1)}
	case n < 6:
		return r.elements(kind)
	default:
		return r.comparison(kind)
	}
}

func (r *random) elements(kind store.Kind) filter.Filter {
	name := "members"
	if kind == store.User {
		name = pick(r, "emails", "emails", "groups")
	}
	inner := func() filter.Filter {
		sub := pick(r, "value", "value", "type", "display")
		if name != "emails" {
			sub = pick(r, sub, sub, sub, "$ref")
		}
		p := path(kind, name+"."+sub)
		if r.IntN(4) == 0 {
			return filter.Present{Path: p}
		}
		return filter.Compare{Path: p, Op: r.op(), Value: filter.Value{Text: r.textAt(p)}}
	}
	f := inner()
	switch r.IntN(4) {
	case 0:
		f = filter.And{Terms: []filter.Filter{f, inner()}}
	case 1:
		f = filter.Or{Terms: []filter.Filter{f, inner()}}
	case 2:
		f = filter.Not{Term: f}
	}
	return filter.Elements{Path: path(kind, name), Filter: f}
}

// textAt is a text that values of the attribute may have, begin with, or lack.
func (r *random) textAt(p schema.Path) string {
	whole := id(r.IntN(9) + pick(r, 0, 100, 200))
	if p.Rows() && r.IntN(3) == 0 {
		whole = pick(r, whole[:13], whole[10:], whole[4:16], "-7000-")
	}
	switch name := p.String(); {
	case strings.HasSuffix(name, ".type"):
		return pick(r, "work", "home", "User", "group", "DIRECT", "r")
	case strings.HasSuffix(name, "$ref"), name == "meta.location":
		return pick(r, location(pick(r, store.User, store.Group)), "", "/Users/") + whole
	case name == "id", strings.HasSuffix(name, "manager.value"), p.Rows() && strings.HasSuffix(name, ".value"):
		return whole
	}
	return r.text()
}

// members gives a group random members, and notes at both ends what a client would see of them.
func (r *random) members(rows map[string]schema.Object, group *store.Record) (members []store.Member) {
	values := func(id, attribute string, value schema.Object) {
		if rows[id] == nil {
			rows[id] = schema.Object{}
		}
		before, _ := rows[id][attribute].([]any)
		rows[id][attribute] = append(before, value)
	}
	seen := map[int]bool{}
	for range r.IntN(5) {
		kind := pick(r, store.User, store.User, store.Group)
		n := 100*int(kind) + r.IntN(9)
		if seen[n] {
			continue
		}
		seen[n] = true
		members = append(members, store.Member{ID: id(n), Kind: kind})
		values(group.ID, "members", schema.Object{"value": id(n), "type": kind.String(), "$ref": location(kind) + id(n)})
		if kind == store.User {
			values(id(n), "groups", schema.Object{
				"value": group.ID, "display": group.Key, "type": "direct", "$ref": location(store.Group) + group.ID,
			})
		}
	}
	return members
}

func (r *random) op() filter.Op {
	return pick(r, filter.Eq, filter.Eq, filter.Ne, filter.Co, filter.Sw, filter.Ew, filter.Gt, filter.Ge, filter.Lt, filter.Le)
}

func (r *random) comparison(kind store.Kind) filter.Filter {
	names := []string{"id", "externalId", "meta.created", "meta.lastModified", "meta.location", "displayName"}
	rows := "members"
	if kind == store.User {
		rows = "groups"
		names = append(names, "userName", "title", "nickName", "locale", "active", "name.givenName", "name.honorificPrefix", "emails.value",
			"emails.type", "x509Certificates.value", schema.EnterpriseUser+":department", schema.EnterpriseUser+":manager.value", custom,
			schema.TenantryUser+":companies")
	}
	names = append(names, rows+".value", rows+".type", rows+".display", rows+".$ref")
	p := path(kind, pick(r, names...))
	if r.IntN(5) == 0 {
		return filter.Present{Path: p}
	}
	c := filter.Compare{Path: p, Op: r.op(), Value: filter.Value{Text: r.textAt(p)}}
	switch p.Leaf().Type {
	case schema.TypeBoolean:
		c.Op, c.Value = pick(r, filter.Eq, filter.Ne), filter.Value{Kind: filter.Boolean, Bool: r.IntN(2) == 0}
	case schema.TypeBinary:
		c.Op, c.Value.Text = pick(r, filter.Eq, filter.Ne), pick(r, "AQI=", "AQM=")
	case schema.TypeDateTime:
		at := r.time()
		c.Op = pick(r, filter.Eq, filter.Ne, filter.Gt, filter.Ge, filter.Lt, filter.Le)
		c.Value = filter.Value{Kind: filter.DateTime, Time: at, Text: at.Format(time.RFC3339Nano)}
	}
	return c
}

func path(kind store.Kind, name string) schema.Path {
	p, err := typeOf(kind).Path(name)
	if err != nil {
		panic(err)
	}
	return p
}
