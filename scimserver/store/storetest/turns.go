package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

// ReadersLeaveConnections has readers and people hold as many statements as they get, and checks that these are so many, and that whoever
// provisions and the server itself look up beside them. waiting is how many wait for a turn, and each is a read of the store that calls f
// while its statement is under way.
func ReadersLeaveConnections(t *testing.T, s store.Store, most int, waiting func() int, each func(ctx context.Context, f func() error) error) {
	t.Helper()
	const readers = 40
	Fill(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	under, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for n := range readers {
		class := []share.Class{share.Reader, share.Person}[n%2]
		wg.Go(func() {
			err := each(share.NewContext(ctx, share.Client{Class: class, ID: fmt.Sprint(n / 4)}), func() error {
				under <- struct{}{}
				<-end
				return nil
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for range most {
		<-under
	}
	for waiting() < readers-most {
		if t.Context().Err() != nil {
			t.Fatalf("%d statements wait, want %d", waiting(), readers-most)
		}
		runtime.Gosched()
	}
	for name, ctx := range map[string]context.Context{
		"whoever provisions": share.NewContext(t.Context(), share.Client{Class: share.Provisioner, ID: "token-1"}), "the server": t.Context(),
	} {
		for range 3 {
			if _, err := s.Get(ctx, store.User, BenchID(1)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	cancel() // those that wait have hung up
	close(end)
	go func() {
		for range under { // what got its turn at the end
		}
	}()
	wg.Wait()
	close(under)
}
