package sqlite_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// Readers that had taken the writer's pages kept them when they had ended, and each update read all its pages from the file again.
func TestTheWriterHasItsPagesBackAfterReadersHadThem(t *testing.T) {
	race.Meets(t)
	s := open(t, t.TempDir())
	ctx := t.Context()
	ids := make([]string, 4000)
	err := s.Update(ctx, func(tx store.Tx) error {
		for n := range ids {
			user := titled(n, fmt.Sprint("title ", n))
			user.Document = make([]byte, 400)
			ids[n] = user.ID
			if err := tx.Insert(ctx, user); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func() {
		var readers sync.WaitGroup
		for g := range 8 {
			readers.Go(func() {
				for n := g; n < len(ids); n += 8 {
					if _, err := s.Get(ctx, store.User, ids[n]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		readers.Wait()
	}
	change := func(ids ...string) {
		err := s.Update(ctx, func(tx store.Tx) error {
			for _, id := range ids {
				user, err := tx.Get(ctx, store.User, id)
				if err != nil {
					return err
				}
				user.Version++
				if err := tx.Replace(ctx, &user); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 5 { // as a cycle that looks all users up, and one that changes them
		read()
		for some := range slices.Chunk(ids, 100) {
			change(some...)
		}
	}
	for range 500 { // more than enough to miss as many pages as the writer may
		change(ids[0])
	}
	if missed := s.Missed(func() { change(ids[0]) }); missed > 0 {
		t.Errorf("the 502nd change of one user read %d pages from the file, want none", missed)
	}
}
