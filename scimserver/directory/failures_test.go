package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

var dawn = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

// logbook is a directory whose clock stands still until it is told.
type logbook struct {
	*testing.T
	*directory.Directory
	store store.Store
	now   time.Time
}

func newLogbook(t *testing.T) *logbook {
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
	b := &logbook{T: t, store: database, now: dawn}
	b.Directory = directory.New(directory.Options{Store: database, Now: func() time.Time { return b.now }})
	return b
}

func (b *logbook) write() {
	b.Helper()
	if _, err := b.WriteFailures(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func (b *logbook) entries() []store.Entry {
	b.Helper()
	entries, err := b.store.Log(b.Context(), 0, 10_000)
	if err != nil {
		b.Fatal(err)
	}
	return entries
}

// id is a valid id that depends on n.
func id(n int) string { return fmt.Sprintf("01926e6f-6f2c-7000-8000-%012d", n) }

func notFound(n int) directory.Failure {
	return directory.Failure{
		Caller: directory.Caller{Client: "token-1", RequestID: fmt.Sprint("r", n)}, Kind: store.User, ID: id(n),
		Operation: directory.OperationPatch, Outcome: "notFound",
	}
}

func TestFailuresThatAreAlikeAreOneEntryWithACount(t *testing.T) {
	b := newLogbook(t)
	create := directory.Failure{
		Caller: directory.Caller{Client: "token-1", RequestID: "a"}, Kind: store.User, Operation: directory.OperationCreate, Outcome: "uniqueness",
	}
	b.Failed(create)
	create.Caller.RequestID = "b"
	b.now = b.now.Add(time.Millisecond)
	b.Failed(create)
	b.now = b.now.Add(time.Millisecond)
	b.Failed(notFound(7))
	b.write()
	b.write()
	want := []store.Entry{
		{Time: dawn, Client: "token-1", RequestID: "a", Kind: store.User, Operation: "create", Outcome: "uniqueness", Count: 2},
		{Time: dawn.Add(2 * time.Millisecond), Client: "token-1", RequestID: "r7", Kind: store.User, ResourceID: id(7), Operation: "patch", Outcome: "notFound", Count: 1},
	}
	if diff := cmp.Diff(want, b.entries(), cmpopts.IgnoreFields(store.Entry{}, "Sequence")); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestWhatAClientPutsInPlaceOfAnIDStaysOutOfTheLog(t *testing.T) {
	b := newLogbook(t)
	failure := notFound(1)
	for _, sent := range []string{"anna@contoso.test", strings.ToUpper(id(1)) + "A", "{" + id(1) + "}"} {
		failure.ID = sent
		b.Failed(failure)
	}
	b.write()
	if got := b.entries(); len(got) != 1 || got[0].ResourceID != "" || got[0].Count != 3 {
		t.Errorf("got %+v, want one entry for three requests without an id", got)
	}
}

func TestAFloodOfFailuresCostsFewEntriesAndIsCountedInFull(t *testing.T) {
	b := newLogbook(t)
	const minutes, perMinute = 10, 6000
	for minute := range minutes {
		for n := range perMinute {
			b.Failed(notFound(minute*perMinute + n))
			if n%100 == 0 {
				b.now = b.now.Add(time.Second)
				b.write()
			}
		}
	}
	got := b.entries()
	// A hundred at once and ten a minute.
	if len(got) < 100 || len(got) > 100+10*minutes {
		t.Errorf("%d entries, want 100 to %d", len(got), 100+10*minutes)
	}
	b.now = b.now.Add(time.Hour)
	for range 3 {
		b.write()
	}
	var requests int64
	for _, e := range b.entries() {
		requests += e.Count
	}
	if requests != minutes*perMinute {
		t.Errorf("the entries stand for %d requests, want %d", requests, minutes*perMinute)
	}
}

func TestFailuresWaitUntilTheLogCanBeWritten(t *testing.T) {
	b := newLogbook(t)
	for n := range 3 {
		b.Failed(notFound(n))
	}
	b.Failed(notFound(2))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 200 { // more often than there may be rows: to try costs none
		if requests, err := b.WriteFailures(ctx); err == nil || requests != 4 {
			t.Fatalf("a write that cannot have happened: %d requests, %v", requests, err)
		}
	}
	if got := b.entries(); len(got) != 0 {
		t.Fatalf("%d entries", len(got))
	}
	if requests, err := b.LogFailures(t.Context()); err != nil || requests != 4 {
		t.Fatalf("%d requests, %v", requests, err)
	}
	if got := b.entries(); len(got) != 3 {
		t.Errorf("%d entries, want the three that waited", len(got))
	}
}

// Failures beyond a client's budget are written when there is room for them, whether more fail by then or not.
func TestFailuresBeyondTheBudgetWaitForNoOthers(t *testing.T) {
	b := newLogbook(t)
	for n := range 200 {
		b.Failed(notFound(n))
		if n == 99 {
			b.write()
		}
	}
	for left := int64(100); left > 0; {
		b.now = b.now.Add(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		requests, err := b.LogFailures(ctx)
		cancel()
		if err != nil || requests == 0 {
			t.Fatalf("%d requests still wait (%v)", left, err)
		}
		left -= requests
	}
}

func TestTheLogIsTrimmedByAgeAndItsNewestEntryStays(t *testing.T) {
	b := newLogbook(t)
	caller := directory.Caller{Client: "token-1", RequestID: "r"}
	for day := range 4 {
		b.now = dawn.AddDate(0, 0, day)
		if _, err := b.Create(t.Context(), caller, store.User, schema.Object{"userName": fmt.Sprint("u", day)}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() []int64 {
		t.Helper()
		if err := b.TrimLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		var out []int64
		for _, e := range b.entries() {
			out = append(out, e.Sequence)
		}
		return out
	}
	b.now = dawn.AddDate(1, 0, 0)
	if got := left(); len(got) != 4 {
		t.Errorf("entries %v are left by a server that has not heard yet for how long they are kept", got)
	}
	for _, step := range []struct {
		name      string
		now       time.Time
		retention time.Duration
		want      []int64
	}{
		{"within the default", dawn.Add(directory.DefaultLogRetention), 0, []int64{1, 2, 3, 4}},
		{"beyond the default", dawn.Add(directory.DefaultLogRetention + time.Millisecond), 0, []int64{1, 2, 3, 4}},
		{"the next one beyond the default", dawn.AddDate(0, 0, 1).Add(directory.DefaultLogRetention + time.Millisecond), 0, []int64{2, 3, 4}},
		{"with a shorter time", dawn.AddDate(0, 0, 4), 36 * time.Hour, []int64{3, 4}},
		{"long after", dawn.AddDate(10, 0, 0), time.Hour, []int64{4}},
	} {
		b.now = step.now
		b.SetLogRetention(step.retention)
		if diff := cmp.Diff(step.want, left()); diff != "" {
			t.Errorf("%s: want -, got +\n%s", step.name, diff)
		}
	}
}
