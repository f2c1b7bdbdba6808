package directory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	deactivate = `{"op":"replace","path":"active","value":false}`
	reactivate = `{"op":"replace","path":"active","value":true}`
)

// archive is a directory that keeps inactive users for 48 hours, and its clock.
type archive struct {
	*world
	now time.Time
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{world: newWorld(t), now: dawn}
	a.over(a.store)
	return a
}

// over begins anew over a store.
func (a *archive) over(s store.Store) {
	a.Directory = directory.New(directory.Options{Store: s, Now: func() time.Time { return a.now }})
	a.SetPurgeAfter(48 * time.Hour)
}

// purges wants so many users to be deleted so many hours after dawn.
func (a *archive) purges(hours, want int) {
	a.t.Helper()
	a.now = dawn.Add(time.Duration(hours) * time.Hour)
	if got, err := a.Purge(a.t.Context()); err != nil || got != want {
		a.t.Errorf("%d hours after dawn %d users are deleted, want %d (%v)", hours, got, want, err)
	}
}

// at makes changes of a user, each so many hours after dawn.
func (a *archive) at(id string, changes map[int]string) {
	a.t.Helper()
	for hours := range 100 {
		if operation := changes[hours]; operation != "" {
			a.now = dawn.Add(time.Duration(hours) * time.Hour)
			a.patch(id, operation)
		}
	}
}

func TestAUserIsDeletedWhenItWasInactiveForLongEnough(t *testing.T) {
	const retitle = `{"op":"replace","path":"title","value":"Clerk"}`
	for name, c := range map[string]struct {
		body    string
		changes map[int]string
		// last is the last hour in which the user is there; 0 for one that stays.
		last int
	}{
		"one that stays active":                    {`{"userName":"a"}`, map[int]string{3: retitle}, 0},
		"one that arrived inactive":                {`{"userName":"a","active":false}`, nil, 48},
		"one that becomes inactive":                {`{"userName":"a"}`, map[int]string{5: deactivate}, 53},
		"one that is said to be inactive again":    {`{"userName":"a"}`, map[int]string{5: deactivate, 9: deactivate}, 53},
		"one that is changed while it is inactive": {`{"userName":"a"}`, map[int]string{5: deactivate, 9: retitle}, 53},
		"one that is active again":                 {`{"userName":"a"}`, map[int]string{5: deactivate, 9: reactivate}, 0},
		"one that was active in between":           {`{"userName":"a"}`, map[int]string{5: deactivate, 9: reactivate, 20: deactivate}, 68},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t)
			a.at(a.create(c.body), c.changes)
			if c.last == 0 {
				a.purges(10_000, 0)
				return
			}
			a.purges(c.last, 0)
			a.purges(c.last+1, 1)
			a.purges(c.last+2, 0)
		})
	}
}

func TestNobodyIsDeletedWhereNothingIsSaidOrItIsTakenBack(t *testing.T) {
	a := newArchive(t)
	a.create(`{"userName":"a","active":false}`)
	a.SetPurgeAfter(0)
	a.purges(10_000, 0)
	a.SetPurgeAfter(20_000 * time.Hour)
	a.purges(10_000, 0)
	a.SetPurgeAfter(9_000 * time.Hour)
	a.purges(10_000, 1)
}

func TestWhoeverIsDeletedLeavesGroupsAndReportsAndEntriesOfTheProvisioningLog(t *testing.T) {
	a := newArchive(t)
	gone := a.create(`{"userName":"gone","active":false}`)
	stays := a.create(`{"userName":"stays","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"` + gone + `"}}}`)
	caller := directory.Caller{Client: "token-1", RequestID: "r"}
	group, err := a.Create(t.Context(), caller, store.Group, schema.Object{
		"displayName": "Buyers", "members": []any{schema.Object{"value": gone}, schema.Object{"value": stays}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.purges(49, 1)

	left, err := a.Get(t.Context(), directory.Target{Kind: store.Group, ID: group.ID})
	if err != nil || left.Version != 2 || !left.Modified.Equal(a.now) {
		t.Errorf("the group is of version %d, %v, want 2 (%v)", left.Version, left.Modified, err)
	}
	members, err := a.store.Members(t.Context(), group.ID)
	if diff := cmp.Diff([]store.Member{{ID: stays, Kind: store.User}}, members); err != nil || diff != "" {
		t.Errorf("members: want -, got +\n%s", diff)
	}
	a.sees(stays, `{}`)
	entries, err := a.store.Log(t.Context(), 3, 10)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(kind store.Kind, id, operation string, attributes ...string) store.Entry {
		return store.Entry{
			Time: a.now, Client: "retention", Kind: kind, ResourceID: id, Operation: operation, Attributes: attributes, Outcome: "success", Count: 1,
		}
	}
	leaving := entry(store.Group, group.ID, "unassign", "members")
	uuid, _ := store.ParseID(gone)
	leaving.Members = []store.MemberChange{{ID: uuid}}
	want := []store.Entry{
		leaving,
		entry(store.User, stays, "unassign", schema.EnterpriseUser+":manager"),
		entry(store.User, gone, "delete"),
	}
	if diff := cmp.Diff(want, entries, cmpopts.IgnoreFields(store.Entry{}, "Sequence"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("entries: want -, got +\n%s", diff)
	}
}

func TestFewAreDeletedAtOnceAndTheLongestInactiveFirst(t *testing.T) {
	a := newArchive(t)
	for n := range directory.PurgeBatch + 1 {
		a.now = dawn.Add(-time.Duration(n) * time.Second)
		a.create(fmt.Sprintf(`{"userName":"u%d","active":false}`, n))
	}
	a.purges(1000, directory.PurgeBatch)
	page, err := a.store.Find(t.Context(), store.Query{Kind: store.User, Limit: 10})
	if err != nil || page.Total != 1 || page.Records[0].Key != "u0" {
		t.Errorf("left are %d, want the one that is inactive for the shortest time: %+v (%v)", page.Total, page.Records, err)
	}
	a.purges(1001, 1)
}

// late is a store where something happens between looking for inactive users and deleting them.
type late struct {
	store.Store
	happens func()
}

func (l late) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	ids, err := l.Store.Deactivated(ctx, before, limit)
	l.happens()
	return ids, err
}

func TestAUserWhoseStateChangesJustThenIsNotDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(a *archive, other *directory.Directory, id string)
		left    int
	}{
		"made active again":          {func(a *archive, _ *directory.Directory, id string) { a.patch(id, reactivate) }, 1},
		"active in between":          {func(a *archive, _ *directory.Directory, id string) { a.patch(id, reactivate); a.patch(id, deactivate) }, 1},
		"deleted by another replica": {func(a *archive, other *directory.Directory, _ string) { _, _ = other.Purge(a.t.Context()) }, 0},
		"the setting is taken back":  {func(a *archive, _ *directory.Directory, _ string) { a.SetPurgeAfter(0) }, 1},
		"the setting is made longer": {func(a *archive, _ *directory.Directory, _ string) { a.SetPurgeAfter(1000 * time.Hour) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t)
			id := a.create(`{"userName":"a","active":false}`)
			other := directory.New(directory.Options{Store: a.store, Now: func() time.Time { return a.now }})
			other.SetPurgeAfter(48 * time.Hour)
			a.over(late{a.store, func() { c.happens(a, other, id) }})
			a.purges(49, 0)
			if got := a.status().Users; got != int64(c.left) {
				t.Errorf("%d users are left, want %d", got, c.left)
			}
		})
	}
}
