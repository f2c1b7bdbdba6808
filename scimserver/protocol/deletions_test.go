package protocol_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// weighed is a store that keeps of each update how many calls it made and how many rows those changed.
type weighed struct {
	store.Store

	mu    sync.Mutex
	costs []cost
	// fails is after how many more updates each fails; less than 0 is never.
	fails int
}

type cost struct{ calls, rows int }

var errLost = fmt.Errorf("%w: pulled by the test", store.ErrUnavailable)

func (w *weighed) Update(ctx context.Context, change func(store.Tx) error) error {
	w.mu.Lock()
	fails := w.fails == 0
	w.fails--
	w.mu.Unlock()
	if fails {
		w.fails = 0
		return errLost
	}
	var spent cost
	err := w.Store.Update(ctx, func(tx store.Tx) error {
		spent = cost{}
		return change(weighedTx{tx, &spent})
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.costs = append(w.costs, spent)
	return err
}

// most is the greatest cost of an update since the last call.
func (w *weighed) most() (calls, rows int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.costs {
		calls, rows = max(calls, c.calls), max(rows, c.rows)
	}
	w.costs = nil
	return calls, rows
}

type weighedTx struct {
	store.Tx

	*cost
}

func (w weighedTx) count(n int, err error) (int, error) {
	w.calls++
	w.rows += n
	return n, err
}

func (w weighedTx) one(err error) error { _, err = w.count(1, err); return err }

func (w weighedTx) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	w.calls++
	return w.Tx.Get(ctx, kind, id)
}

func (w weighedTx) Find(ctx context.Context, q store.Query) (store.Page, error) {
	w.calls++
	return w.Tx.Find(ctx, q)
}

func (w weighedTx) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	w.calls++
	return w.Tx.Kinds(ctx, ids)
}

func (w weighedTx) Replace(ctx context.Context, r *store.Record) error {
	return w.one(w.Tx.Replace(ctx, r))
}

func (w weighedTx) Touch(ctx context.Context, kind store.Kind, id string, version int64, modified time.Time) error {
	return w.one(w.Tx.Touch(ctx, kind, id, version, modified))
}

func (w weighedTx) Append(ctx context.Context, e store.Entry) error {
	return w.one(w.Tx.Append(ctx, e))
}

func (w weighedTx) LeaveGroups(ctx context.Context, member string, limit int, e store.Entry) (int, error) {
	return w.count(w.Tx.LeaveGroups(ctx, member, limit, e))
}

func (w weighedTx) AddMembers(ctx context.Context, group string, members []store.Member, c *store.MemberChanges) (int, error) {
	return w.count(w.Tx.AddMembers(ctx, group, members, c))
}

func (w weighedTx) RemoveMembers(ctx context.Context, group string, ids []string, c *store.MemberChanges) (int, error) {
	return w.count(w.Tx.RemoveMembers(ctx, group, ids, c))
}

func (w weighedTx) ClearMembers(ctx context.Context, group string, limit int, c *store.MemberChanges) (int, error) {
	return w.count(w.Tx.ClearMembers(ctx, group, limit, c))
}

// weigh has the fixture's server write through a weighed store.
func (f *fixture) weigh() *weighed {
	w := &weighed{Store: f.database.Store, fails: -1}
	f.database.Store = w
	return w
}

// fill inserts so many resources of a kind, and returns their ids.
func (f *fixture) fill(kind store.Kind, n int, document func(i int) string) (ids []string) {
	f.t.Helper()
	records := make([]*store.Record, n)
	for i := range records {
		values, err := schema.Decode([]byte(document(i)))
		if err != nil {
			f.t.Fatal(err)
		}
		text, err := json.Marshal(values)
		if err != nil {
			f.t.Fatal(err)
		}
		id := uuid.Must(uuid.NewV7()).String()
		name, _ := values["userName"].(string)
		if kind == store.Group {
			name, _ = values["displayName"].(string)
		}
		records[i] = &store.Record{
			Kind: kind, ID: id, Key: schema.FoldName(name), Active: true, Version: 1, Created: f.clock(), Modified: f.clock(),
			Document: text, Index: f.directory.Type(kind).IndexKeys(values),
		}
		ids = append(ids, id)
	}
	err := f.database.Update(f.t.Context(), func(tx store.Tx) error {
		_, err := tx.InsertAll(f.t.Context(), records)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return ids
}

// join makes a resource a member of groups, or resources members of a group.
func (f *fixture) join(groups []string, kind store.Kind, members ...string) {
	f.t.Helper()
	rows := make([]store.Member, len(members))
	for i, id := range members {
		rows[i] = store.Member{ID: id, Kind: kind}
	}
	err := f.database.Update(f.t.Context(), func(tx store.Tx) error {
		for _, group := range groups {
			if _, err := tx.AddMembers(f.t.Context(), group, rows, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// company is a user with many groups and reports, and a group with many members and groups.
type company struct {
	*fixture

	boss, club             string
	groups, reports, users []string
}

const (
	manyGroups, manyReports, manyMembers = 2_300, 250, 21_000

	// One transaction may do so much, whatever the directory holds.
	mostCalls, mostRows = 250, 12_500
)

func newCompany(t *testing.T) company {
	t.Helper()
	c := company{fixture: newFixture(t)}
	c.create("boss", "/Users", `{"userName":"boss"}`)
	c.create("club", "/Groups", `{"displayName":"club"}`)
	c.boss, c.club = c.ids["boss"], c.ids["club"]
	c.groups = c.fill(store.Group, manyGroups, func(i int) string { return fmt.Sprintf(`{"displayName":"g%d"}`, i) })
	c.reports = c.fill(store.User, manyReports, func(i int) string {
		return fmt.Sprintf(`{"userName":"u%d","active":true,%q:{"manager":{"value":%q}}}`, i, schema.EnterpriseUser, c.boss)
	})
	for range manyMembers {
		c.users = append(c.users, uuid.Must(uuid.NewV7()).String())
	}
	c.join(c.groups, store.User, c.boss)
	c.join(c.groups, store.Group, c.club)
	c.join([]string{c.club}, store.User, c.users...)
	return c
}

// isGone wants nobody to name the resource any more, each that did to be one version older and have one entry in the log.
func (c company) isGone(kind store.Kind, id string) {
	c.t.Helper()
	ctx, versions := c.t.Context(), int64(2)
	if found, err := c.database.GroupsOf(ctx, []string{id}, "", 1); err != nil || len(found) != 0 {
		c.t.Errorf("groups have it: %v (%v)", found, err)
	}
	if left, err := c.database.Members(ctx, id); err != nil || len(left) != 0 {
		c.t.Errorf("%d members are left (%v)", len(left), err)
	}
	touched := append([]string{}, c.groups...)
	if kind == store.User {
		touched = append(touched, c.reports...)
	}
	for i, id := range touched {
		of := store.Group
		if i >= len(c.groups) {
			of = store.User
		}
		rec, err := c.database.Get(ctx, of, id)
		if err != nil || rec.Version != versions || !rec.Modified.After(rec.Created) || strings.Contains(string(rec.Document), "manager") {
			c.t.Fatalf("%s %s has version %d of %s: %s (%v)", of, id, rec.Version, rec.Modified, rec.Document, err)
		}
	}
	var logged []string
	for entry, err := range c.directory.Log(ctx, directory.LogQuery{Operation: directory.OperationUnassign}) {
		if err != nil {
			c.t.Fatal(err)
		}
		logged = append(logged, entry.ResourceID)
	}
	slices.Sort(logged)
	slices.Sort(touched)
	if !slices.Equal(logged, touched) {
		c.t.Errorf("the log has %d entries, want one for each of %d", len(logged), len(touched))
	}
	if marks, err := c.database.Meta(ctx, "deletions"); err != nil || marks != "" {
		c.t.Errorf("to be finished: %s (%v)", marks, err)
	}
	if rows, err := c.database.Memberships(ctx, store.Membership{Group: id}, 1); err != nil || slices.ContainsFunc(rows, func(m store.Membership) bool { return m.Group == id }) {
		c.t.Errorf("an export has %v (%v)", rows, err)
	}
}

// deletions are the ways to delete a resource.
var deletions = map[string]func(c company, path string) int{
	"DELETE": func(c company, path string) int { return c.send(http.MethodDelete, path, "").status },
	"bulk": func(c company, path string) int {
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"` + path + `"}]}`
		got := c.send(http.MethodPost, "/Bulk", body)
		if !strings.Contains(string(got.body), `"204"`) {
			return got.status
		}
		return http.StatusNoContent
	},
}

func TestADeletionHoldsTheWriterForAFewRowsAtATime(t *testing.T) {
	for way, remove := range deletions {
		for kind, path := range map[store.Kind]string{store.User: "/Users/{boss}", store.Group: "/Groups/{club}"} {
			t.Run(way+" "+kind.String(), func(t *testing.T) {
				c := newCompany(t)
				w := c.weigh()
				if status := remove(c, path); status != http.StatusNoContent {
					t.Fatalf("status %d", status)
				}
				if calls, rows := w.most(); calls > mostCalls || rows > mostRows {
					t.Errorf("a transaction made %d calls and changed %d rows, want at most %d and %d", calls, rows, mostCalls, mostRows)
				}
				c.isGone(kind, map[store.Kind]string{store.User: c.boss, store.Group: c.club}[kind])
			})
		}
	}
}

// A server that ends in the middle has deleted the resource; another, or its next start, does the rest.
func TestADeletionThatIsInterruptedIsFinished(t *testing.T) {
	for kind, path := range map[store.Kind]string{store.User: "/Users/{boss}", store.Group: "/Groups/{club}"} {
		t.Run(kind.String(), func(t *testing.T) {
			c := newCompany(t)
			w := c.weigh()
			w.fails = 1
			c.expect(http.MethodDelete, path, "", http.StatusNoContent, "")
			c.expect(http.MethodGet, path, "", http.StatusNotFound, "")
			c.expect(http.MethodDelete, path, "", http.StatusServiceUnavailable, "")
			c.directory.SetDefaults(nil)
			if err := c.directory.FinishDeletions(t.Context()); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("while the storage is away: %v", err)
			}
			w.fails = -1
			database := c.openReplica()
			other := directory.New(directory.Options{Store: database, Now: c.clock})
			other.SetDefaults(nil)
			for range 2 {
				if err := other.FinishDeletions(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.isGone(kind, map[store.Kind]string{store.User: c.boss, store.Group: c.club}[kind])
		})
	}
}

func TestAPurgeHoldsTheWriterForAFewRowsAtATime(t *testing.T) {
	c := newCompany(t)
	c.expect(http.MethodPatch, "/Users/{boss}", `{"Operations":[{"op":"replace","path":"active","value":false}]}`, http.StatusNoContent, "")
	c.advance(48 * time.Hour)
	c.directory.SetPurgeAfter(time.Hour)
	w := c.weigh()
	if n, err := c.directory.Purge(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d users were deleted (%v)", n, err)
	}
	if calls, rows := w.most(); calls > mostCalls || rows > mostRows {
		t.Errorf("a transaction made %d calls and changed %d rows, want at most %d and %d", calls, rows, mostCalls, mostRows)
	}
	c.isGone(store.User, c.boss)
}

// Members are changed by a few statements, in however many operations a client names them.
func TestAPatchOfManyMembersIsAFewStatements(t *testing.T) {
	f := newFixture(t)
	f.create("sales", "/Groups", `{"displayName":"sales"}`)
	users := f.fill(store.User, 1000, func(i int) string { return fmt.Sprintf(`{"userName":"u%d","active":true}`, i) })
	f.join([]string{f.ids["sales"]}, store.User, users...)
	w := f.weigh()
	operations := func(more ...string) string { return `{"Operations":[` + strings.Join(more, ",") + `]}` }
	add := func(id string) string { return `{"op":"add","path":"members","value":[{"value":"` + id + `"}]}` }
	remove := func(id string) string { return `{"op":"remove","path":"members[value eq \"` + id + `\"]"}` }
	nobody := `{"op":"remove","path":"members"}`
	var removals, toAndFro, clearing, swaps []string
	for i, id := range users {
		removals = append(removals, remove(id))
		toAndFro = append(toAndFro, remove(id), add(id), remove(users[(i+1)%len(users)]))
		clearing = append(clearing, nobody, add(id))
		swaps = append(swaps, `{"op":"replace","path":"members[value eq \"`+users[(i+1)%len(users)]+`\"]","value":{"value":"`+id+`"}}`)
	}
	for _, test := range []struct {
		name, body string
		left       []string
	}{
		{"to and fro", operations(append(toAndFro, add(users[0]))...), nil},
		{"clearing", operations(clearing...), users[999:]},
		{"one after the other", operations(append([]string{nobody, add(users[1]), add(users[2])}, swaps[1])...), users[1:2]},
		{"swaps", operations(swaps...), nil},
		{"removals", operations(removals...), []string{}},
		{"added again", operations(add(users[3]), remove(users[3]), add(users[4])), users[4:5]},
		{"nothing left", operations(nobody), []string{}},
	} {
		f.expect(http.MethodPatch, "/Groups/{sales}", test.body, http.StatusNoContent, "")
		if calls, _ := w.most(); calls > 10 {
			t.Errorf("%s: a transaction made %d calls", test.name, calls)
		}
		members, err := f.database.Members(t.Context(), f.ids["sales"])
		var left []string
		for _, m := range members {
			left = append(left, m.ID)
		}
		if test.left != nil && !slices.Equal(left, test.left) || err != nil {
			t.Errorf("%s: %d members are left, want %d (%v)", test.name, len(left), len(test.left), err)
		}
	}
}
