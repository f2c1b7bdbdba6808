package directory_test

import (
	"bytes"
	"context"
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

	members, groups, records int
	gone                     func() // called before Records, unless nil
}

func (c *counting) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	c.members++
	return c.Store.MembersOf(ctx, groups, after, limit)
}

func (c *counting) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	c.groups++
	return c.Store.GroupsOf(ctx, members, after, limit)
}

func (c *counting) Records(ctx context.Context, kind store.Kind, ids []string) ([]store.Record, error) {
	if c.records++; c.gone != nil {
		c.gone()
	}
	return c.Store.Records(ctx, kind, ids)
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
