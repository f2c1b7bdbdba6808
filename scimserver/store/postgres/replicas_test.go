package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// replicas opens three stores at once on one new schema.
func replicas(t *testing.T) []*postgres.Store {
	t.Helper()
	return replicasOn(t, testenv.Schema(t))
}

func replicasOn(t *testing.T, url string) []*postgres.Store {
	t.Helper()
	stores := make([]*postgres.Store, 3)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			stores[i], err = postgres.Open(context.Background(), postgres.Options{URL: func() (string, error) { return url, nil }})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s == nil {
			t.FailNow()
		}
		t.Cleanup(func() { must(0, s.Close())(t) })
	}
	return stores
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newGroup(t *testing.T, s store.Store) string {
	t.Helper()
	g := &store.Record{Kind: store.Group, ID: storetest.BenchID(1 << 40), Key: "all", Version: 1, Created: noon, Modified: noon}
	must(0, s.Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), g) }))(t)
	return g.ID
}

// addMember does what the directory does for a PATCH that adds one member.
func addMember(s store.Store, group, member string) error {
	ctx := context.Background()
	return s.Update(ctx, func(tx store.Tx) error {
		g, err := tx.Get(ctx, store.Group, group)
		if err != nil {
			return err
		}
		kinds, err := tx.Kinds(ctx, []string{member})
		if err != nil || kinds[member] != store.User {
			return errors.Join(err, errors.New("no such user"))
		}
		n, err := tx.AddMembers(ctx, group, []store.Member{{ID: member, Kind: store.User}}, nil)
		if err != nil || n == 0 {
			return err
		}
		if err := tx.Touch(ctx, store.Group, group, g.Version+1, noon); err != nil {
			return err
		}
		return tx.Append(ctx, store.Entry{Time: noon, Kind: store.Group, ResourceID: group, Operation: "patch", Outcome: "success"})
	})
}

func TestTenThousandMembersThatThreeReplicasAddOneByOneAreAllThere(t *testing.T) {
	const members, clients = 10_000, 16
	stores := replicas(t)
	storetest.Fill(t, stores[0], members)
	group := newGroup(t, stores[0])
	var next atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= members && !t.Failed(); n = next.Add(1) {
				if err := addMember(stores[c%len(stores)], group, storetest.BenchID(int(n))); err != nil {
					t.Errorf("member %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	for i, s := range stores {
		got := must(s.Members(context.Background(), group))(t)
		version := must(s.Get(context.Background(), store.Group, group))(t).Version
		if len(got) != members || version != members+1 {
			t.Errorf("replica %d: %d members at version %d", i, len(got), version)
		}
	}
	stats := must(stores[1].Stats(context.Background()))(t)
	if stats.Users != members || stats.Memberships != members {
		t.Errorf("counted %+v", stats)
	}
}

func TestOfParallelCreatesOnThreeReplicasOneSucceeds(t *testing.T) {
	stores := replicas(t)
	for round := range 20 {
		var made, refused atomic.Int64
		var wg sync.WaitGroup
		for c := range 12 {
			wg.Go(func() {
				r := storetest.BenchUser(round*100 + c)
				r.Key = fmt.Sprintf("bob%d", round)
				err := stores[c%3].Update(context.Background(), func(tx store.Tx) error { return tx.Insert(context.Background(), r) })
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, store.ErrConflict):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 || refused.Load() != 11 {
			t.Fatalf("round %d: %d made, %d refused", round, made.Load(), refused.Load())
		}
	}
}

func TestOfParallelRenamesToOneNameOneSucceeds(t *testing.T) {
	stores := replicas(t)
	storetest.Fill(t, stores[0], 6)
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() {
			r := storetest.BenchUser(c + 1)
			r.Key = "one name"
			err := stores[c%3].Update(context.Background(), func(tx store.Tx) error {
				if _, err := tx.Get(context.Background(), store.User, r.ID); err != nil {
					return err
				}
				return tx.Replace(context.Background(), r)
			})
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, store.ErrConflict):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || refused.Load() != 5 {
		t.Errorf("%d made, %d refused", made.Load(), refused.Load())
	}
}

func leave(tx store.Tx, member string) error {
	_, err := tx.LeaveGroups(context.Background(), member, 10, store.Entry{Time: noon, Kind: store.Group, Operation: "unassign", Outcome: "success"})
	return err
}

func TestAMemberThatIsDeletedMeanwhileLeavesNoMembership(t *testing.T) {
	stores := replicas(t)
	storetest.Fill(t, stores[0], 60)
	group := newGroup(t, stores[0])
	var wg sync.WaitGroup
	for n := 1; n <= 60; n++ {
		member := storetest.BenchID(n)
		wg.Go(func() { _ = addMember(stores[n%3], group, member) }) // refused where it came too late
		wg.Go(func() {
			err := stores[(n+1)%3].Update(context.Background(), func(tx store.Tx) error {
				return errors.Join(tx.Delete(context.Background(), store.User, member), leave(tx, member))
			})
			if err != nil {
				t.Errorf("delete %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if left := must(stores[0].Members(context.Background(), group))(t); len(left) != 0 {
		t.Errorf("%d members that do not exist", len(left))
	}
}

// A reader that goes on from the last entry it saw must see the entry of a transaction that was begun before that one and
// committed after it.
func TestAReaderOfTheLogMissesNoEntryThatCommitsLate(t *testing.T) {
	stores := replicas(t)
	ctx := context.Background()
	entry := func(id string) store.Entry { return store.Entry{Time: noon, RequestID: id} }
	appended, finish, finished := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		finished <- stores[0].Update(ctx, func(tx store.Tx) error {
			if err := tx.Append(ctx, entry("late")); err != nil {
				return err
			}
			if _, err := tx.Kinds(ctx, []string{storetest.BenchID(1)}); err != nil { // sends what is queued
				return err
			}
			close(appended)
			<-finish
			return nil
		})
	}()
	<-appended
	must(0, stores[1].Update(ctx, func(tx store.Tx) error { return tx.Append(ctx, entry("early")) }))(t)
	first := must(stores[2].Log(ctx, 0, 10))(t)
	if len(first) != 1 || first[0].RequestID != "early" {
		t.Fatalf("before the late one: %+v", first)
	}
	close(finish)
	must(0, <-finished)(t)
	rest := must(stores[2].Log(ctx, first[0].Sequence, 10))(t)
	if len(rest) != 1 || rest[0].RequestID != "late" {
		t.Fatalf("after the late one: %+v", rest)
	}
	if again := must(stores[0].Log(ctx, 0, 10))(t); len(again) != 2 || again[0].Sequence != first[0].Sequence || again[1].Sequence != rest[0].Sequence {
		t.Errorf("numbers changed: %+v", again)
	}
}

// A resource's next version is always later than the one before, whatever the clock of the replica says that writes it. Its entries are told
// in that order: whoever follows who is a member would keep somebody who has left.
func TestEntriesOfReplicasWhoseClocksDifferAreToldInTheOrderOfTheirChanges(t *testing.T) {
	stores := replicas(t)
	ctx := context.Background()
	stores[0].SetNewID(func() (uuid.UUID, error) { // whose clock is an hour ahead
		id, err := uuid.NewV7()
		milliseconds := append([]byte{0, 0}, id[:6]...)
		binary.BigEndian.PutUint64(milliseconds, binary.BigEndian.Uint64(milliseconds)+uint64(time.Hour.Milliseconds()))
		copy(id[:6], milliseconds[2:])
		return id, err
	})
	at, want := noon, ""
	for i := range 5 {
		id := fmt.Sprint(i)
		must(0, stores[i%2].Update(ctx, func(tx store.Tx) error {
			return tx.Append(ctx, store.Entry{Time: at, RequestID: id, Outcome: "success"})
		}))(t)
		at, want = store.Later(at, noon), want+id
	}
	got := ""
	for _, e := range must(stores[2].Log(ctx, 0, 10))(t) {
		got += e.RequestID
	}
	if got != want {
		t.Errorf("told in the order %s, want %s", got, want)
	}
}

func TestUpdatesThatLockEachOthersResourcesBothHappen(t *testing.T) {
	stores := replicas(t)
	storetest.Fill(t, stores[0], 2)
	ctx := context.Background()
	var wg sync.WaitGroup
	both := make(chan struct{}, 2)
	for i := range 2 {
		wg.Go(func() {
			var once sync.Once
			err := stores[i].Update(ctx, func(tx store.Tx) error {
				for _, n := range []int{1 + i, 2 - i} {
					r, err := tx.Get(ctx, store.User, storetest.BenchID(n))
					if err != nil {
						return err
					}
					if err := tx.Touch(ctx, store.User, r.ID, r.Version+1, noon); err != nil {
						return err
					}
					once.Do(func() { // each has the first before it asks for the other's
						both <- struct{}{}
						for len(both) < 2 {
							if _, err := stores[i].Meta(ctx, "other"); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				return nil
			})
			if err != nil {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for n := 1; n <= 2; n++ {
		if r := must(stores[2].Get(ctx, store.User, storetest.BenchID(n)))(t); r.Version != 3 {
			t.Errorf("user %d has version %d, want 3", n, r.Version)
		}
	}
}
