package directory_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/test/race"
)

// counting counts the questions about memberships.
type counting struct {
	store.Store

	members, groups int
}

func (c *counting) Members(ctx context.Context, group string) ([]store.Member, error) {
	c.members++
	return c.Store.Members(ctx, group)
}

func (c *counting) Groups(ctx context.Context, members []string) (map[string][]*store.Record, error) {
	c.groups++
	return c.Store.Groups(ctx, members)
}

func openCounting(t *testing.T) (*directory.Directory, *counting) {
	t.Helper()
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &counting{Store: database}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	return directory.New(directory.Options{Store: c, Now: func() time.Time { return now }}), c
}

func TestOnlyMembershipsThatAreWantedAreRead(t *testing.T) {
	d, c := openCounting(t)
	var members []any
	for n := range 5 {
		user, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": fmt.Sprint("u", n)})
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, schema.Object{"value": user.ID})
	}
	for _, name := range []string{"a", "b"} {
		if _, err := d.Create(t.Context(), directory.Caller{}, store.Group, schema.Object{"displayName": name, "members": members}); err != nil {
			t.Fatal(err)
		}
	}
	both := []store.Kind{store.User, store.Group}
	for _, r := range []struct {
		name            string
		query           directory.Query
		members, groups int
	}{
		{"none", directory.Query{Limit: 10}, 0, 0},
		{"members of each group", directory.Query{Limit: 10, Want: directory.Related{Members: true}}, 2, 0},
		{"groups of all users at once", directory.Query{Limit: 10, Want: directory.Related{Groups: true}}, 0, 1},
		{"of a page without users, no groups", directory.Query{Offset: 5, Limit: 1, Want: directory.Related{Members: true, Groups: true}}, 1, 0},
		{"of a filter on memberships, nothing", directory.Query{Filter: "groups pr or members pr", Limit: 10}, 0, 0},
		{"of a total, nothing", directory.Query{Want: directory.Related{Members: true, Groups: true}}, 0, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			c.members, c.groups = 0, 0
			list, err := d.Search(t.Context(), both, r.query)
			if err != nil || list.Total != 7 {
				t.Fatalf("%d, %v", list.Total, err)
			}
			if c.members != r.members || c.groups != r.groups {
				t.Errorf("asked %d times for members and %d times for groups, want %d and %d", c.members, c.groups, r.members, r.groups)
			}
			for _, resource := range list.Resources {
				if r.query.Want.Groups && resource.Kind == store.User && len(resource.Groups) != 2 {
					t.Errorf("%s has the groups %v", resource.ID, resource.Groups)
				}
			}
		})
	}
}

func TestAWalkOfNothingOnlyCounts(t *testing.T) {
	d, _ := openCounting(t)
	if _, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": "u"}); err != nil {
		t.Fatal(err)
	}
	list, err := d.List(t.Context(), store.User, directory.Query{Walk: &directory.Place{}})
	if err != nil || list.Total != 1 || len(list.Resources) != 0 || list.Next != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestASecretIsTheSameForAllWhoAsk(t *testing.T) {
	race.Meets(t)
	d, _ := openCounting(t)
	const clients = 8
	secrets := make([][]byte, clients)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			secret, err := d.Secret(t.Context(), "key", bytes.Repeat([]byte{byte(n)}, 4))
			if err != nil {
				t.Error(err)
			}
			secrets[n] = secret
		})
	}
	all.Wait()
	for _, secret := range secrets {
		if len(secret) != 4 || !cmp.Equal(secret, secrets[0]) {
			t.Fatalf("got %v", secrets)
		}
	}
	if other, err := d.Secret(t.Context(), "other", []byte{9}); err != nil || !cmp.Equal(other, []byte{9}) {
		t.Errorf("another name has %v, %v", other, err)
	}
}
