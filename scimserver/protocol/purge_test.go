package protocol_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/test/race"
)

// purge has inactive users deleted, wants so many to be, and returns the entries that this left in the provisioning log.
func (f *fixture) purge(want int) (entries []string) {
	f.t.Helper()
	after, err := f.directory.Position(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	deleted, err := f.directory.Purge(f.t.Context())
	if err != nil || deleted != want {
		f.t.Errorf("%d users are deleted, want %d (%v)", deleted, want, err)
	}
	for e, err := range f.directory.Log(f.t.Context(), directory.LogQuery{
		After: func(context.Context) (directory.Position, error) { return after, nil },
	}) {
		if err != nil {
			f.t.Fatal(err)
		}
		for name, id := range f.ids {
			if e.ResourceID == id {
				entries = append(entries, e.Client+": "+e.Operation+" "+name)
			}
		}
	}
	return entries
}

func TestAUserWhomEntraDeactivatedIsDeletedLaterAndOneWhomItRestoredIsNot(t *testing.T) {
	f := newFixture(t)
	f.directory.SetPurgeAfter(60 * 24 * time.Hour)
	f.create("anna", "/Users", anna)
	f.create("bob", "/Users", `{"userName":"bob@contoso.test"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"},{"value":"{bob}"}]}`)
	f.create("others", "/Groups", `{"displayName":"Others","members":[{"value":"{bob}"}]}`)
	version := func(group string) any {
		t.Helper()
		return f.field(f.expect("GET", "/Groups/{"+group+"}", "", 200, ""), "meta", "version")
	}
	buyers, others := version("buyers"), version("others")

	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"False"}`), 204, "")
	f.expect("PATCH", "/Users/{bob}", patchOf(`{"op":"replace","value":{"active":false}}`), 204, "")
	f.advance(30 * 24 * time.Hour)
	f.expect("PATCH", "/Users/{bob}", patchOf(`{"op":"Replace","path":"active","value":"True"}`), 204, "")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":"Clerk"}`), 204, "")
	f.advance(30 * 24 * time.Hour)
	f.purge(0)
	f.expect("GET", "/Users/{anna}", "", 200, "")

	f.advance(time.Second)
	if diff := cmp.Diff([]string{"retention: unassign buyers", "retention: delete anna"}, f.purge(1)); diff != "" {
		t.Errorf("entries: want -, got +\n%s", diff)
	}
	f.wantError(f.send("GET", "/Users/{anna}", ""), http.StatusNotFound, "")
	f.wantError(f.send("DELETE", "/Users/{anna}", ""), http.StatusNotFound, "")
	if got := f.field(f.expect("GET", `/Users?filter=userName eq "anna.k@contoso.test"`, "", 200, ""), "totalResults"); got != 0.0 {
		t.Errorf("%v users are found by the name of the one that was deleted", got)
	}
	if got := f.members("buyers"); got != "bob" {
		t.Errorf("the members are %q, want bob", got)
	}
	if version("buyers") == buyers || version("others") != others {
		t.Errorf("versions are %v and %v; before they were %v and %v, and only the first group has lost a member",
			version("buyers"), version("others"), buyers, others)
	}
	f.purge(0)
	f.create("anna2", "/Users", anna) // her name is free again
}

// Replicas do not wait for each other, and each user is deleted by one of them.
func TestReplicasThatPurgeAtOnceDeleteEachUserOnce(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		f.create(name, "/Users", `{"active":false,"userName":"`+name+`"}`)
	}
	f.advance(25 * time.Hour)
	counts := make(chan int)
	for range 3 {
		replica := directory.New(directory.Options{Store: f.openReplica(), Now: f.clock})
		replica.SetPurgeAfter(24 * time.Hour)
		go func() {
			deleted, err := replica.Purge(t.Context())
			if err != nil {
				t.Error(err)
			}
			counts <- deleted
		}()
	}
	if got := <-counts + <-counts + <-counts; got != 5 {
		t.Errorf("they say to have deleted %d users, want 5", got)
	}
	deletes := 0
	for e, err := range f.directory.Log(t.Context(), directory.LogQuery{Operation: directory.OperationDelete}) {
		if err != nil || e.Client != "retention" {
			t.Errorf("entry %+v (%v)", e, err)
		}
		deletes++
	}
	if deletes != 5 {
		t.Errorf("%d entries of the provisioning log, want 5", deletes)
	}
}
