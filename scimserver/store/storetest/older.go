package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Older are the resources of a directory whose tables are those of version 1: keys are schema.Fold of names, and two normalization
// forms of one name are two. Engines write them by SQL of their own, and OlderIsUpToDate holds what becomes of them.
func Older() []*store.Record {
	records := []*store.Record{
		older(named(1, "Zoë"), "Zoë"), older(named(2, "Zoe\u0308"), "Zoe\u0308"), // one name
		older(named(3, "Åsa"), "Åsa"), older(named(4, "A\u030asa"), "A\u030asa"), // another
		older(named(5, "Jose\u0301"), "Jose\u0301"), older(named(6, "ＡＮＮＡ"), "ＡＮＮＡ"), older(named(7, "Bob"), "Bob"),
		older(group(11, "Säljare", ""), "Säljare"), older(group(12, "Sa\u0308ljare", "s"), "Sa\u0308ljare"), // one name
		older(group(13, "Chefer", "c"), "Chefer"), older(group(14, "Åka\u0308re", "a"), "Åka\u0308re"),
	}
	for n := 100; n < 100+olderMany; n++ {
		name := fmt.Sprintf("rene\u0301 %d", n)
		records = append(records, older(named(n, name), name))
	}
	for _, r := range records {
		r.Version, r.Index = 3, nil
	}
	return records
}

// OlderEntry are the values of an entry in which a server of that time told that members of a group changed: its columns are time, client,
// request_id, kind, resource_id, operation, attributes, defaults and outcome.
const OlderEntry = " VALUES (0, '', '', 2, '', 'patch', 'members', '', 'success')"

// olderMany is more than one step of store.Rekey.
const olderMany = store.RekeyStep + 100

// OlderIsUpToDate checks a directory that was opened with what Older was in it.
func OlderIsUpToDate(t *testing.T, s store.Store) {
	t.Helper()
	entries := logged(t, s, 0, 9)
	equal(t, "entries", 1, len(entries))
	equal(t, "attributes of an entry", []string{"members"}, entries[0].Attributes)
	equal(t, "members of an entry", 0, len(entries[0].Members))
	for text, want := range map[string][]int{
		`userName eq "zoë"`: {1, 2}, `userName eq "ZOE\u0308"`: {1, 2}, `userName eq "a\u030asa"`: {3, 4}, `userName eq "josé"`: {5},
		`userName eq "anna"`: {6}, `userName eq "bob"`: {7}, `userName eq "René 105"`: {105},
		fmt.Sprintf(`userName eq "René %d"`, 99+olderMany): {99 + olderMany},
	} {
		found := find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, text), Limit: 9})
		equal(t, text, want, numbers(t, found.Records))
	}
	for text, want := range map[string][]int{
		`displayName eq "sa\u0308ljare"`: {11, 12}, `displayName eq "säljare"`: {11, 12}, `displayName eq "chefer"`: {13}, `displayName eq "åkäre"`: {14},
	} {
		found := find(t, s, store.Query{Kind: store.Group, Filter: parse(t, store.Group, text), Limit: 9})
		equal(t, text, want, numbers(t, found.Records))
	}
	for _, r := range Older() {
		want := stored(r)
		want.Key = schema.FoldName(r.Key)
		got, err := s.Get(context.Background(), r.Kind, r.ID)
		isError(t, "get", err, nil)
		got.Ungrouped = false // which is not written
		equal(t, "a resource but for its key", want, got)
	}
	for kind, want := range map[store.Kind][]string{store.User: {id(1), id(2), id(3), id(4)}, store.Group: {id(11), id(12)}} {
		ids, err := s.Ambiguous(context.Background(), kind, 100)
		isError(t, "ambiguous", err, nil)
		equal(t, "ambiguous", want, ids)
	}
	for _, third := range []*store.Record{named(50, "zoe\u0308"), named(50, "José"), named(50, "anna"), group(50, "Säljare", "new"), group(50, "chefer", "")} {
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), third) })
		isError(t, "one more of a name", err, store.ErrConflict)
	}
	insert(t, s, group(51, "chefer", "new"))
	changed := named(2, "Zoe\u0308")
	changed.Version = 4
	replace(t, s, changed)
	update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(2)) })
	update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(3)) })
	update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.Group, id(11)) })
	isUnambiguous(t, s)
	for _, name := range []string{"zoë", "Åsa"} { // one of each two is left: the one that had the name first, and the other
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), named(50, name)) })
		isError(t, "a name that one of two has left", err, store.ErrConflict)
	}
}
