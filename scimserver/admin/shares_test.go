//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// withCredential gives the tenant one more credential and returns its token.
func (f *fixture) withCredential(name string, role token.Role) string {
	f.Helper()
	secret, err := token.New(strings.NewReader(strings.Repeat(name, 32)))
	if err != nil {
		f.Fatal(err)
	}
	next := *f.snapshot.Load()
	next.Verifiers.Verifiers = append(append([]token.Verifier{}, next.Verifiers.Verifiers...), token.NewVerifier(secret, role, f.clock.Now()))
	f.snapshot.Store(&next)
	return secret
}

// followers begins to follow the log until that is refused, and returns the answers.
func (f *fixture) followers(credential, refusal string) (all []*http.Response) {
	f.Helper()
	for {
		answer := f.get("/log?follow=true", credential)
		if answer.StatusCode != http.StatusOK {
			if body := f.want("/log?follow=true", credential, http.StatusTooManyRequests); body != refusal+"\n" || answer.Header.Get("Retry-After") != "30" {
				f.Errorf("refused with %q and Retry-After %q", body, answer.Header.Get("Retry-After"))
			}
			return all
		}
		all = append(all, answer)
	}
}

func TestEachCredentialHasItsShareOfFollowers(t *testing.T) {
	race.Meets(t)
	const share, full = "this credential, or all like it, has its share of those who follow the log: try again later",
		"there are 8 already who follow the log: try again later"
	f := newFixture(t)
	first := f.followers(f.reader, share)
	if len(first) != 2 {
		t.Errorf("a reader has %d followers, want 2", len(first))
	}
	readers := len(first) + len(f.followers(f.withCredential("wiki", token.RoleReader), share)) + len(f.followers(f.withCredential("crm", token.RoleReader), share))
	if readers != 5 {
		t.Errorf("all readers have %d followers, want 5", readers)
	}
	if got := len(f.followers(f.provisioner, full)); got != 3 {
		t.Errorf("the client that provisions has %d followers beside them, want 3", got)
	}
	f.want("/log", f.reader, 200)
	if err := first[0].Body.Close(); err != nil {
		t.Fatal(err)
	}
	for f.get("/log?follow=true", f.reader).StatusCode != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("nobody is let in again")
		}
	}
}

// slowStore is a storage whose log is not read before it is let.
type slowStore struct {
	store.Store

	let chan struct{}
}

func (s slowStore) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	select {
	case <-s.let:
		return s.Store.Log(ctx, after, limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestReadersOfTheLogLeaveTheProvisioningClientItsPlaces(t *testing.T) {
	race.Meets(t)
	slow := slowStore{openSQLite(t), make(chan struct{})}
	f := newFixtureOn(t, slow)
	answers := make(chan int)
	for _, c := range []struct {
		credential string
		let        int
	}{{f.reader, 2}, {f.withCredential("wiki", token.RoleReader), 2}, {f.provisioner, 4}} {
		for range 16 {
			go func() { answers <- f.statusOf("/log", c.credential) }()
		}
		for range 16 - c.let { // the others wait for the storage
			if got := <-answers; got != http.StatusTooManyRequests {
				t.Errorf("a query beyond the share was answered %d", got)
			}
		}
	}
	close(slow.let)
	for range 8 {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("a query that was let in was answered %d", got)
		}
	}
}

// statusOf is the status of a GET, from any goroutine; 0 where there was none.
func (f *fixture) statusOf(path, credential string) int {
	request, err := http.NewRequestWithContext(f.Context(), http.MethodGet, f.url+path, http.NoBody)
	if err != nil {
		f.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		f.Error(err)
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
