package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// sortBy makes a Sort as the directory does.
func sortBy(kind store.Kind, name string, descending bool) *store.Sort {
	p, err := typeOf(kind).SortPath(name)
	if err != nil {
		panic(err)
	}
	unique := "userName"
	if kind == store.Group {
		unique = "displayName"
	}
	s := &store.Sort{Path: p, Descending: descending}
	s.Key = func(r *store.Record) (string, bool, error) {
		switch p.String() {
		case "id":
			return r.ID, true, nil
		case unique:
			return r.Key, true, nil
		case "externalId":
			return r.ExternalID, r.ExternalID != "", nil
		case "meta.created":
			return store.TimeKey(r.Created), true, nil
		case "meta.lastModified":
			return store.TimeKey(r.Modified), true, nil
		}
		obj, err := schema.Decode(r.Document)
		if err != nil {
			return "", false, err
		}
		key, ok := p.SortKey(obj)
		return key, ok, nil
	}
	return s
}

// walk goes through a whole list in steps of so many.
func walk(t testing.TB, s store.Reader, q store.Query) (all []store.Record) {
	t.Helper()
	sort := *q.Sort
	q.Sort, q.After = &sort, store.Start
	for {
		page := find(t, s, q)
		equal(t, "a step has no total", 0, page.Total)
		all = append(all, page.Records...)
		if len(page.Records) < q.Limit && !page.More {
			return all
		}
		if len(all) > 10_000 {
			t.Fatalf("sorted by %s: the walk does not end", sort.Path)
		}
		last := page.Records[len(page.Records)-1]
		q.After, sort.After = last.ID, last.SortKey
	}
}

var sortTests = []testCase{
	{"lists are sorted by any attribute, those without a value last, equal ones by id", func(t *testing.T, s store.Store) {
		at := func(n, minutes int, obj schema.Object) *store.Record {
			r := record(store.User, n, obj)
			r.Created, r.Modified = dawn.Add(time.Duration(minutes)*time.Minute), dawn.Add(-time.Duration(minutes)*time.Minute)
			return r
		}
		work := func(value string, primary bool) schema.Object {
			return schema.Object{"value": value, "primary": primary}
		}
		insert(t, s,
			at(4, 1, schema.Object{"userName": "Bea", "title": "clerk", "externalId": "b", "locale": "sv", "emails": []any{work("z", false), work("a", true)}}),
			at(2, 3, schema.Object{"userName": "alf", "externalId": "B", "locale": "en", "emails": []any{work("m", false), work("a", false)}}),
			at(3, 2, schema.Object{"userName": "Cia", "title": "Clerk", "name": schema.Object{"givenName": "Cia"}, "active": false}),
			at(1, 4, schema.Object{"userName": "dag", "title": "boss", "externalId": "a", "locale": "SV", "active": true}))
		for name, want := range map[string][]int{
			"userName": {2, 4, 3, 1}, "id": {1, 2, 3, 4}, "externalId": {2, 1, 4, 3}, "title": {1, 3, 4, 2}, "locale": {2, 1, 4, 3},
			"meta.created": {4, 3, 2, 1}, "meta.lastModified": {1, 2, 3, 4}, "emails": {4, 2, 1, 3}, "name.givenName": {3, 1, 2, 4},
			"active": {3, 1, 2, 4}, "nickName": {1, 2, 3, 4},
		} {
			backwards := slices.Clone(want)
			slices.Reverse(backwards)
			for descending, want := range map[bool][]int{false: want, true: backwards} {
				sort := sortBy(store.User, name, descending)
				what := fmt.Sprintf("by %s, descending %v", name, descending)
				page := find(t, s, store.Query{Kind: store.User, Sort: sort, Limit: 10})
				equal(t, what, want, numbers(t, page.Records))
				equal(t, "total "+what, 4, page.Total)
				page = find(t, s, store.Query{Kind: store.User, Sort: sort, Offset: 1, Limit: 2})
				equal(t, "page "+what, want[1:3], numbers(t, page.Records))
				equal(t, "total of the page "+what, 4, page.Total)
				equal(t, "count "+what, store.Page{Total: 4, Wide: true}, find(t, s, store.Query{Kind: store.User, Sort: sort}))
				equal(t, "behind the end "+what, store.Page{Total: 4, Wide: true}, find(t, s, store.Query{Kind: store.User, Sort: sort, Offset: 4, Limit: 9}))
				equal(t, "walk "+what, want, numbers(t, walk(t, s, store.Query{Kind: store.User, Sort: sort, Limit: 3})))
			}
		}
		f := parse(t, store.User, `title eq "Clerk" or locale eq "en"`)
		page := find(t, s, store.Query{Kind: store.User, Filter: f, Match: match(f), Sort: sortBy(store.User, "userName", false), Limit: 10})
		equal(t, "with a filter", []int{2, 4, 3}, numbers(t, page.Records))
		equal(t, "with whole records", "alf", page.Records[0].Key)
	}},
	{"a sorted walk goes on where it was when its last record has gone", func(t *testing.T, s store.Store) {
		for n := 1; n <= 6; n++ {
			insert(t, s, record(store.User, n, schema.Object{"title": fmt.Sprintf("T%d", n/3)}))
		}
		for _, name := range []string{"title", "userName", "meta.created"} {
			sort := sortBy(store.User, name, false)
			page := find(t, s, store.Query{Kind: store.User, Sort: sort, After: store.Start, Limit: 3})
			equal(t, "first step by "+name, []int{1, 2, 3}, numbers(t, page.Records))
			key, _, err := sort.Key(&page.Records[2])
			isError(t, "key", err, nil)
			update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(3)) })
			sort.After = &key
			page = find(t, s, store.Query{Kind: store.User, Sort: sort, After: id(3), Limit: 10})
			equal(t, "next step by "+name, []int{4, 5, 6}, numbers(t, page.Records))
			insert(t, s, record(store.User, 3, schema.Object{"title": "T1"}))
		}
	}},
	{"a sorted walk passes over nobody and ends nowhere because of those who move or go while it reads", func(t *testing.T, s store.Store) {
		ctx := context.Background()
		named := func(n int, address string) *store.Record {
			return record(store.User, n, schema.Object{"emails": []any{schema.Object{"value": address}}})
		}
		moves := func(n int) func(tx store.Tx) error {
			return func(tx store.Tx) error { return tx.Replace(ctx, named(n, "z")) }
		}
		goes := func(gone ...int) func(tx store.Tx) error {
			return func(tx store.Tx) error {
				for _, n := range gone {
					if err := tx.Delete(ctx, store.User, id(n)); err != nil {
						return err
					}
				}
				return nil
			}
		}
		for _, c := range []struct {
			name       string
			change     func(tx store.Tx) error
			descending bool
			want       []int
		}{
			{"the last of a page moves behind", moves(3), false, []int{1, 2, 3, 4, 5, 6, 3}},
			{"the last of a page moves to the front", moves(4), true, []int{6, 5, 4, 3, 2, 1}},
			{"the last of a page goes", goes(3), false, []int{1, 2, 4, 5, 6}},
			{"a whole page goes", goes(1, 2, 3), false, []int{4, 5, 6}},
		} {
			for n := 1; n <= 6; n++ {
				insert(t, s, named(n, string(rune('a'+n))))
			}
			sort := sortBy(store.User, "emails", c.descending) // of which no index tells which value counts, so that the engine asks
			key, asked := sort.Key, 0
			sort.Key = func(r *store.Record) (string, bool, error) {
				if asked++; asked == 6 {
					update(t, s, c.change)
				}
				return key(r)
			}
			equal(t, c.name, c.want, numbers(t, walk(t, s, store.Query{Kind: store.User, Sort: sort, Limit: 3})))
			for n := 1; n <= 6; n++ {
				update(t, s, func(tx store.Tx) error {
					if err := tx.Delete(ctx, store.User, id(n)); !errors.Is(err, store.ErrNotFound) {
						return err
					}
					return nil
				})
			}
		}
	}},
	{"an error of a sort's key ends the query", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}))
		sort := sortBy(store.User, "emails", false) // of which no index tells which value counts
		sort.Key = func(*store.Record) (string, bool, error) { return "", false, errExpected }
		_, err := s.Find(context.Background(), store.Query{Kind: store.User, Sort: sort, Limit: 1})
		isError(t, "find", err, errExpected)
	}},
	{"inside an update, sorted lists have what it has written", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"title": "b"}))
		update(t, s, func(tx store.Tx) error {
			if err := tx.Insert(context.Background(), record(store.User, 2, schema.Object{"title": "a"})); err != nil {
				return err
			}
			page := find(t, tx, store.Query{Kind: store.User, Sort: sortBy(store.User, "title", false), Limit: 10})
			equal(t, "list", []int{2, 1}, numbers(t, page.Records))
			equal(t, "total", 2, page.Total)
			return nil
		})
	}},
}

// sortNames are what random lists are sorted by: columns, index entries, several values, and what only documents have.
func sortNames(kind store.Kind) []string {
	names := []string{"id", "externalId", "meta.created", "meta.lastModified", "displayName"}
	if kind == store.User {
		names = append(names, "userName", "title", "locale", "active", "name.givenName", "name.honorificPrefix", "emails", "emails.type",
			schema.EnterpriseUser+":department", schema.EnterpriseUser+":manager", custom, schema.TenantryUser+":companies")
	}
	return names
}

// sortEqualsOrder compares a random sort of what a filter finds with the order in which the records should be.
func (r *random) sortEqualsOrder(t testing.TB, s store.Store, q store.Query, matching []*store.Record) {
	t.Helper()
	q.Sort = sortBy(q.Kind, pick(r, sortNames(q.Kind)...), r.IntN(2) == 0)
	want := []int{}
	for _, record := range inOrder(t, q.Sort, matching) {
		want = append(want, numbers(t, []store.Record{*record})...)
	}
	what := fmt.Sprintf("%v by %s, descending %v", q.Filter, q.Sort.Path, q.Sort.Descending)
	page := find(t, s, q)
	equal(t, what, want[min(q.Offset, len(want)):min(q.Offset+q.Limit, len(want))], numbers(t, page.Records))
	equal(t, "total of "+what, len(want), page.Total)
	q.Limit = 1 + r.IntN(20)
	equal(t, "walk of "+what, want, numbers(t, walk(t, s, q)))
}

// inOrder is the contract of store.Sort, word by word.
func inOrder(t testing.TB, sort *store.Sort, records []*store.Record) []*store.Record {
	t.Helper()
	keys := map[*store.Record]string{}
	var with, without []*store.Record
	for _, record := range records {
		key, ok, err := sort.Key(record)
		if err != nil {
			t.Fatal(err)
		}
		if keys[record] = key; ok {
			with = append(with, record)
		} else {
			without = append(without, record)
		}
	}
	slices.SortFunc(with, func(a, b *store.Record) int {
		return cmp.Or(strings.Compare(keys[a], keys[b]), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(without, func(a, b *store.Record) int { return strings.Compare(a.ID, b.ID) })
	all := append(with, without...)
	if sort.Descending {
		slices.Reverse(all)
	}
	return all
}
