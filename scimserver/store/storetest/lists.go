package storetest

import (
	"context"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var listTests = []testCase{
	{"an empty directory has empty lists", func(t *testing.T, s store.Store) {
		equal(t, "page", store.Page{}, find(t, s, store.Query{Kind: store.User, Limit: 10}))
		equal(t, "far page", store.Page{}, find(t, s, store.Query{Kind: store.Group, Offset: 10, Limit: 10}))
	}},
	{"lists are in the order of ids, one kind at a time, with whole records", func(t *testing.T, s store.Store) {
		for _, n := range []int{5, 2, 9, 1} {
			insert(t, s, record(store.User, n, schema.Object{}))
		}
		insert(t, s, record(store.Group, 3, schema.Object{}), record(store.Group, 7, schema.Object{}))
		page := find(t, s, store.Query{Kind: store.User, Limit: 10})
		equal(t, "users", []int{1, 2, 5, 9}, numbers(t, page.Records))
		equal(t, "total", 4, page.Total)
		equal(t, "record", stored(record(store.User, 5, schema.Object{})), page.Records[2])
		page = find(t, s, store.Query{Kind: store.Group, Offset: 1, Limit: 1})
		equal(t, "groups", []int{7}, numbers(t, page.Records))
		equal(t, "total", 2, page.Total)
	}},
	{"a limit of zero only counts", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"title": "Clerk"}))
		equal(t, "all", store.Page{Total: 1}, find(t, s, store.Query{Kind: store.User}))
		f := parse(t, store.User, `title eq "clerk"`)
		equal(t, "filtered", store.Page{Total: 1}, find(t, s, store.Query{Kind: store.User, Filter: f}))
	}},
	{"every page of a long list is right, also after deletions in the middle", func(t *testing.T, s store.Store) {
		const many = 3000
		var all []int
		for from := 0; from < many; from += 500 {
			var records []*store.Record
			for n := from + 500 - 1; n >= from; n-- { // not the order in which ids are made
				records = append(records, record(store.User, n+1, schema.Object{}))
			}
			insert(t, s, records...)
		}
		pages := func() {
			t.Helper()
			for _, offset := range []int{0, 1, 499, 511, 512, 513, 1023, 1024, 1025, 1700, len(all) - 7, len(all) - 1, len(all), len(all) + 9} {
				page := find(t, s, store.Query{Kind: store.User, Offset: offset, Limit: 20})
				equal(t, "page", all[min(offset, len(all)):min(offset+20, len(all))], numbers(t, page.Records))
				equal(t, "total", len(all), page.Total)
			}
		}
		for n := 1; n <= many; n++ {
			all = append(all, n)
		}
		pages()
		all = nil
		update(t, s, func(tx store.Tx) error {
			all = nil
			for n := 1; n <= many; n++ {
				if n > 600 && n < 1900 || n%7 == 0 || n < 5 {
					if err := tx.Delete(context.Background(), store.User, id(n)); err != nil {
						return err
					}
					continue
				}
				all = append(all, n)
			}
			return nil
		})
		pages()
		update(t, s, func(tx store.Tx) error {
			for _, n := range all {
				if err := tx.Delete(context.Background(), store.User, id(n)); err != nil {
					return err
				}
			}
			return nil
		})
		all = nil
		equal(t, "nothing left", store.Page{}, find(t, s, store.Query{Kind: store.User, Limit: 1}))
		insert(t, s, record(store.User, 1, schema.Object{}))
		equal(t, "and one again", 1, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"a walk sees each resource once, while others come and go", func(t *testing.T, s store.Store) {
		for n := 10; n <= 100; n += 10 {
			insert(t, s, record(store.User, n, schema.Object{"title": "Clerk"}), record(store.User, n+1, schema.Object{"title": "Boss"}))
		}
		for name, text := range map[string]string{
			"all":         "",
			"indexed":     `title eq "clerk"`,
			"matched":     `title eq "clerk" and title ne "x"`,
			"not indexed": `not (x509Certificates pr) and title eq "clerk"`,
		} {
			q := store.Query{Kind: store.User, After: store.Start, Limit: 3, Offset: 5}
			if text != "" {
				q.Filter = parse(t, store.User, text)
				q.Match = match(q.Filter)
			}
			var seen []int
			for steps := 0; ; steps++ {
				if steps > 20 {
					t.Fatalf("%s: the walk does not end", name)
				}
				page := find(t, s, q)
				for _, n := range numbers(t, page.Records) {
					if n%10 == 0 {
						seen = append(seen, n)
					}
				}
				equal(t, "no total", 0, page.Total)
				if len(page.Records) < q.Limit {
					break
				}
				q.After = page.Records[len(page.Records)-1].ID
				if len(seen) == 2 { // behind the walk
					insert(t, s, record(store.User, 5, schema.Object{"title": "Clerk"}))
					update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(5)) })
				}
			}
			equal(t, name, []int{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, seen)
		}
	}},
	{"inside an update, lists and filters have what it has written", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"title": "Clerk"}), record(store.User, 2, schema.Object{"title": "Clerk"}))
		update(t, s, func(tx store.Tx) error {
			if err := tx.Insert(context.Background(), record(store.User, 3, schema.Object{"title": "Clerk"})); err != nil {
				return err
			}
			if err := tx.Delete(context.Background(), store.User, id(1)); err != nil {
				return err
			}
			page := find(t, tx, store.Query{Kind: store.User, Limit: 10})
			equal(t, "list", []int{2, 3}, numbers(t, page.Records))
			equal(t, "total", 2, page.Total)
			page = find(t, tx, store.Query{Kind: store.User, Offset: 1, Limit: 10, Filter: parse(t, store.User, `title eq "clerk"`)})
			equal(t, "filtered", []int{3}, numbers(t, page.Records))
			equal(t, "filtered total", 2, page.Total)
			equal(t, "outside", 2, find(t, s, store.Query{Kind: store.User}).Total)
			equal(t, "outside, page", []int{1, 2}, numbers(t, find(t, s, store.Query{Kind: store.User, Limit: 10}).Records))
			return nil
		})
	}},
}
