package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var resourceTests = []testCase{
	{"a resource comes back as it was written", func(t *testing.T, s store.Store) {
		full := record(store.User, 1, schema.Object{"userName": "Åsa@Contoso.com", "externalId": "e-1", "active": false})
		full.Version, full.Modified = 7, dawn.Add(time.Hour)
		full.Defaults, full.Matched, full.Overlay = "finance", "sales", []byte(`{"locale":"sv-SE"}`)
		plain := record(store.Group, 2, schema.Object{})
		insert(t, s, full, plain)
		equal(t, "user", stored(full), get(t, s, store.User, 1))
		equal(t, "group", stored(plain), get(t, s, store.Group, 2))
	}},
	{"any character in a value comes back as it was", func(t *testing.T, s store.Store) {
		odd := "a\U0010FFFF'\"%_\\"
		r := record(store.User, 1, schema.Object{"userName": odd, "externalId": odd, "title": odd})
		insert(t, s, r)
		equal(t, "record", stored(r), get(t, s, store.User, 1))
		for _, attribute := range []string{"userName", "externalId", "title"} {
			f := parse(t, store.User, attribute+` eq "a\udbff\udfff'\"%_\\"`)
			equal(t, attribute, 1, find(t, s, store.Query{Kind: store.User, Filter: f, Match: match(f)}).Total)
		}
	}},
	{"what is not there is not found", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}))
		for _, c := range []struct {
			kind store.Kind
			id   string
		}{
			{store.User, id(2)}, {store.Group, id(1)}, {store.User, ""}, {store.User, "x' OR 1=1"},
			{store.User, strings.ToUpper(id(10))}, {store.User, "{" + id(1) + "}"}, {store.User, strings.ReplaceAll(id(1), "-", "")},
		} {
			_, err := s.Get(context.Background(), c.kind, c.id)
			isError(t, "get "+c.id, err, store.ErrNotFound)
			changes := map[string]func(tx store.Tx) error{
				"replace": func(tx store.Tx) error {
					r := record(c.kind, 2, schema.Object{})
					r.ID = c.id
					return tx.Replace(context.Background(), r)
				},
				"touch":  func(tx store.Tx) error { return tx.Touch(context.Background(), c.kind, c.id, 2, dawn) },
				"delete": func(tx store.Tx) error { return tx.Delete(context.Background(), c.kind, c.id) },
			}
			for name, change := range changes {
				isError(t, name+" "+c.id, s.Update(context.Background(), change), store.ErrNotFound)
			}
		}
		equal(t, "users", 1, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"an id that is no UUID is refused", func(t *testing.T, s store.Store) {
		r := record(store.User, 1, schema.Object{})
		r.ID = "one"
		if err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), r) }); err == nil {
			t.Error("no error")
		}
	}},
	{"a key is unique within its kind, and the conflict says who has it", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "bob"}), record(store.User, 2, schema.Object{"userName": "eve"}))
		insert(t, s, record(store.Group, 3, schema.Object{"displayName": "bob"}))
		again := record(store.User, 4, schema.Object{"userName": "BOB"})
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), again) })
		isConflict(t, "insert", err, 1)
		renamed := record(store.User, 2, schema.Object{"userName": "Bob"})
		err = s.Update(context.Background(), func(tx store.Tx) error { return tx.Replace(context.Background(), renamed) })
		isConflict(t, "replace", err, 1)
		equal(t, "users", 2, find(t, s, store.Query{Kind: store.User}).Total)
		equal(t, "the one that kept its name", "eve", get(t, s, store.User, 2).Key)
	}},
	{"an id is given once", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "bob"}))
		again := record(store.User, 1, schema.Object{"userName": "eve"})
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), again) })
		isConflict(t, "insert", err, 1)
	}},
	{"an update can go on after a conflict", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "bob"}))
		update(t, s, func(tx store.Tx) error {
			err := tx.Insert(context.Background(), record(store.User, 2, schema.Object{"userName": "bob"}))
			if !errors.Is(err, store.ErrConflict) {
				return errors.New("no conflict")
			}
			return tx.Insert(context.Background(), record(store.User, 2, schema.Object{"userName": "bob2"}))
		})
		equal(t, "users", 2, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"many that are inserted at once are as if each had been", func(t *testing.T, s store.Store) {
		full := record(store.User, 3, schema.Object{"userName": "cy", "externalId": "e-3", "active": false, "title": "odd'\"\\\t\U0010FFFF"})
		full.Version, full.Modified, full.Deactivated = 7, dawn.Add(time.Hour), dawn.Add(time.Minute)
		full.Defaults, full.Matched, full.Overlay = "finance", "sales", []byte(`{"locale":"sv-SE"}`)
		many := []*store.Record{
			record(store.User, 4, schema.Object{"userName": "ann", "title": "Clerk", "nickName": "same"}), full,
			record(store.User, 1, schema.Object{"userName": "bob", "title": "clerk", "nickName": "same"}),
		}
		clerks := store.Query{Kind: store.User, Limit: 10, Filter: parse(t, store.User, `title eq "Clerk" and nickName eq "same"`)}
		clerks.Match = match(clerks.Filter)
		update(t, s, func(tx store.Tx) error {
			ctx := context.Background()
			n, err := tx.InsertAll(ctx, many)
			equal(t, "inserted", 3, n)
			isError(t, "insert", err, nil)
			page, err := tx.Find(ctx, clerks)
			isError(t, "find", err, nil)
			equal(t, "clerks that the update finds", 2, page.Total)
			isError(t, "replace", tx.Replace(ctx, record(store.User, 4, schema.Object{"userName": "ann", "title": "Boss", "nickName": "same"})), nil)
			n, err = tx.InsertAll(ctx, nil)
			equal(t, "inserted of none", 0, n)
			return err
		})
		equal(t, "a full one", stored(full), get(t, s, store.User, 3))
		equal(t, "one without attributes of choice", stored(many[2]), get(t, s, store.User, 1))
		equal(t, "clerks", []int{1}, numbers(t, find(t, s, clerks).Records))
		equal(t, "users", 3, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"of many that are inserted at once, the first that is in somebody's way is named, and none is there", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "bob"}), record(store.Group, 9, schema.Object{"displayName": "eve"}))
		user := func(n int, name string) *store.Record { return record(store.User, n, schema.Object{"userName": name}) }
		for name, c := range map[string]struct {
			many             []*store.Record
			before, existing int
		}{
			"a key of one who is there": {[]*store.Record{user(2, "eve"), user(3, "BOB"), user(4, "bob")}, 1, 1},
			"a key of one of them":      {[]*store.Record{user(2, "eve"), user(3, "cy"), user(4, "EVE")}, 2, 2},
			"an id of one who is there": {[]*store.Record{user(2, "eve"), user(1, "ann")}, 1, 1},
			"an id of one of them":      {[]*store.Record{user(2, "eve"), user(2, "ann")}, 1, 2},
		} {
			before := 0
			err := s.Update(context.Background(), func(tx store.Tx) (err error) {
				before, err = tx.InsertAll(context.Background(), c.many)
				return err
			})
			equal(t, name, c.before, before)
			isConflict(t, name, err, c.existing)
		}
		odd := user(3, "cy")
		odd.ID = "three"
		err := s.Update(context.Background(), func(tx store.Tx) error {
			before, err := tx.InsertAll(context.Background(), []*store.Record{user(2, "eve"), odd})
			equal(t, "before an id that is no UUID", 1, before)
			return err
		})
		if err == nil {
			t.Error("an id that is no UUID was taken")
		}
		equal(t, "users", 1, find(t, s, store.Query{Kind: store.User}).Total)
	}},
	{"replacing overwrites all but the memberships, and filters find the new values only", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "old", "externalId": "e-old", "title": "Clerk", "nickName": "same"}),
			record(store.Group, 2, schema.Object{}))
		addMembers(t, s, 2, store.Member{ID: id(1), Kind: store.User})
		r := record(store.User, 1, schema.Object{
			"userName": "new", "externalId": "e-new", "title": "Boss", "nickName": "same", "active": false,
			"emails": []any{schema.Object{"value": "new@contoso.com"}},
		})
		r.Version, r.Modified, r.Created, r.Defaults, r.Matched = 2, dawn.Add(time.Minute), dawn.Add(time.Second), "d", "m"
		update(t, s, func(tx store.Tx) error { return tx.Replace(context.Background(), r) })
		equal(t, "record", stored(r), get(t, s, store.User, 1))
		for text, want := range map[string]int{
			`userName eq "old"`: 0, `userName eq "NEW"`: 1, `externalId eq "e-old"`: 0, `externalId eq "e-new"`: 1, `title eq "Clerk"`: 0,
			`title eq "boss"`: 1, `nickName eq "same"`: 1, `emails eq "New@Contoso.com"`: 1, `active eq true`: 0, `active eq false`: 1,
			`meta.lastModified gt "2026-03-01T09:30:30Z"`: 1, `groups eq "` + id(2) + `"`: 1,
		} {
			equal(t, text, want, find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, text)}).Total)
		}
		// The old key is free again, and a resource does not conflict with itself.
		insert(t, s, record(store.User, 3, schema.Object{"userName": "OLD"}))
		update(t, s, func(tx store.Tx) error { return tx.Replace(context.Background(), r) })
	}},
	{"touching sets version and modification time alone", func(t *testing.T, s store.Store) {
		r := record(store.Group, 1, schema.Object{"displayName": "Finance"})
		insert(t, s, r)
		later := dawn.Add(90 * time.Minute)
		update(t, s, func(tx store.Tx) error { return tx.Touch(context.Background(), store.Group, id(1), 2, later) })
		r.Version, r.Modified = 2, later
		equal(t, "record", stored(r), get(t, s, store.Group, 1))
		f := parse(t, store.Group, `meta.lastModified gt "2026-03-01T10:00:00Z"`)
		equal(t, "found by its time", 1, find(t, s, store.Query{Kind: store.Group, Filter: f}).Total)
	}},
	{"deleting takes the index and the key along", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{"userName": "bob", "title": "Clerk", "externalId": "e"}))
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.User, id(1)) })
		for _, text := range []string{`userName eq "bob"`, `title eq "Clerk"`, `externalId eq "e"`, `id eq "` + id(1) + `"`} {
			equal(t, text, 0, find(t, s, store.Query{Kind: store.User, Filter: parse(t, store.User, text)}).Total)
		}
		insert(t, s, record(store.User, 5, schema.Object{"userName": "bob", "externalId": "e"}))
	}},
	{"what is left of a deleted group is nobody's group", func(t *testing.T, s store.Store) {
		insert(t, s, record(store.User, 1, schema.Object{}), record(store.Group, 3, schema.Object{}))
		addMembers(t, s, 3, store.Member{ID: id(1), Kind: store.User})
		update(t, s, func(tx store.Tx) error { return tx.Delete(context.Background(), store.Group, id(3)) })
		equal(t, "groups of the user", []int{}, groupsOf(t, s, 1))
		update(t, s, func(tx store.Tx) error {
			removed, err := tx.ClearMembers(context.Background(), id(3), 9, nil)
			equal(t, "cleared", 1, removed)
			return err
		})
		stats, err := s.Stats(context.Background())
		isError(t, "stats", err, nil)
		equal(t, "memberships left", int64(0), stats.Memberships)
	}},
}

func isError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: want error %v, got %v", what, want, got)
	}
}

// isConflict wants a user to have what was asked for.
func isConflict(t testing.TB, what string, err error, existing int) {
	t.Helper()
	isTaken(t, what, err, store.User, existing)
}
