package directory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

func TestAPositionIsReadAsItWasWritten(t *testing.T) {
	for _, p := range []directory.Position{
		{},
		directory.PositionOf(&store.Entry{Sequence: 1, Time: dawn}),
		directory.PositionOf(&store.Entry{Sequence: 1<<63 - 1, Time: dawn, RequestID: "r"}),
	} {
		text := p.String()
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || len(text) != 23 {
			t.Errorf("%s has to be escaped in a URL, or has another length", text)
		}
		if got, err := directory.ParsePosition(text); got != p || err != nil {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
		for name, wrong := range map[string]string{
			"cut off": text[:22], "longer": text + "A", "padded": text + "=", "blank": " " + text, "a line": text + "\n", "of another format": "B" + text[1:],
		} {
			if _, err := directory.ParsePosition(wrong); !errors.Is(err, directory.ErrNoPosition) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, wrong := range map[string]string{
		"nothing": "", "a number": "17", "latest": "latest",
		"a negative number":            "AYAAAAAAAAAAAAAAAAAAAAA",
		"no entry with a fingerprint":  "AQAAAAAAAAAAAAAAAAAAAAE",
		"bits that no position has":    "AQAAAAAAAAAAAAAAAAAAAAB",
		"a character of other base64s": "AQAAAAAAAAAAAAAAAAAAA+A",
	} {
		if _, err := directory.ParsePosition(wrong); !errors.Is(err, directory.ErrNoPosition) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPositionTellsEntriesApart(t *testing.T) {
	base := store.Entry{
		Sequence: 7, Time: dawn, Client: "c", RequestID: "r", Kind: store.User, ResourceID: "i", Operation: "patch", Outcome: "success",
	}
	for name, change := range map[string]func(*store.Entry){
		"number":    func(e *store.Entry) { e.Sequence++ },
		"time":      func(e *store.Entry) { e.Time = e.Time.Add(time.Microsecond) },
		"client":    func(e *store.Entry) { e.Client = "d" },
		"request":   func(e *store.Entry) { e.RequestID = "s" },
		"kind":      func(e *store.Entry) { e.Kind = store.Group },
		"resource":  func(e *store.Entry) { e.ResourceID = "j" },
		"operation": func(e *store.Entry) { e.Operation = "delete" },
		"outcome":   func(e *store.Entry) { e.Outcome = "uniqueness" },
	} {
		other := base
		change(&other)
		if directory.PositionOf(&other) == directory.PositionOf(&base) {
			t.Errorf("an entry of another %s has the same position", name)
		}
	}
	same := base
	same.Time = dawn.In(time.FixedZone("", 3600))
	if directory.PositionOf(&same) != directory.PositionOf(&base) {
		t.Error("the same time in another zone is another position")
	}
}

// changed reads the ids of what changed behind a position, and the reason where nobody can tell.
func (b *logbook) changed(after directory.Position) (ids []string, reason string) {
	b.Helper()
	changes, err := b.Changes(b.Context(), after, 100, 1<<20)
	if gone, ok := errors.AsType[*directory.GoneError](err); ok {
		return nil, gone.Error()
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range changes.Entries {
		ids = append(ids, e.ResourceID)
	}
	return ids, ""
}

func (b *logbook) position() directory.Position {
	b.Helper()
	at, err := b.Position(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return at
}

func (b *logbook) user(name string) string {
	b.Helper()
	created, err := b.Create(b.Context(), directory.Caller{Client: "token-1", RequestID: "r-" + name}, store.User, schema.Object{"userName": name})
	if err != nil {
		b.Fatal(err)
	}
	return created.ID
}

func TestAPositionIsGoneWhereTheLogDoesNotGoOnFromIt(t *testing.T) {
	const (
		trimmed = "does not go back as far"
		ahead   = "does not reach as far"
		other   = "is not one of this provisioning log"
		missing = "changes after this position are not in the provisioning log"
	)
	b := newLogbook(t)
	start := b.position()
	if ids, reason := b.changed(start); len(ids) != 0 || reason != "" {
		t.Errorf("an empty log has %v %s", ids, reason)
	}
	var at []directory.Position
	var ids []string
	for _, name := range []string{"anna", "bob", "cecilia"} {
		b.now = b.now.Add(time.Hour)
		ids = append(ids, b.user(name))
		at = append(at, b.position())
	}
	for n, after := range append([]directory.Position{start}, at...) {
		if got, reason := b.changed(after); strings.Join(got, " ") != strings.Join(ids[n:], " ") || reason != "" {
			t.Errorf("after %d: %v %s, want %v", n, got, reason, ids[n:])
		}
	}
	want := func(name string, after directory.Position, wanted string) {
		t.Helper()
		if ids, reason := b.changed(after); !strings.Contains(reason, wanted) || wanted == "" && reason != "" {
			t.Errorf("%s: %v %s, want %s", name, ids, reason, wanted)
		}
	}
	elsewhere := newLogbook(t)
	elsewhere.now = elsewhere.now.Add(time.Hour)
	elsewhere.user("anna")
	want("a position of another directory", elsewhere.position(), other)
	elsewhere.user("bob")
	elsewhere.user("cecilia")
	elsewhere.user("dora")
	want("a position beyond the end", elsewhere.position(), ahead)

	b.now = b.now.Add(48 * time.Hour)
	b.SetLogRetention(49*time.Hour + time.Minute) // which keeps bob and cecilia, and anna because bob is kept
	if err := b.TrimLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("before the first, which is trimmed no more than the second", start, "")
	b.SetLogRetention(48*time.Hour + time.Minute)
	if err := b.TrimLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("before the first, which is trimmed", start, missing)
	want("a trimmed entry", at[0], trimmed)
	want("an entry that stays because the next does", at[1], "")
}

func TestAnImportStopsWhoFollowsUnlessItBringsTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		log  bool
		want string
	}{"without the log": {false, "an import brought resources without it"}, "with the log": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			b := newLogbook(t)
			start := b.position()
			if recent := b.recent(); recent != start {
				t.Errorf("the recent position is %s", recent)
			}
			id := "01926e6f-6f2c-7000-8000-000000000001"
			err := b.Importing(directory.Caller{Client: "token-1"}).Update(t.Context(), func(tx store.Tx) error {
				rec := &store.Record{
					Kind: store.User, ID: id, Key: "anna", Version: 1, Created: b.now, Modified: b.now, Active: true, Document: []byte(`{"active":true,"userName":"anna"}`),
				}
				if err := tx.Insert(t.Context(), rec); err != nil || !c.log {
					return err
				}
				return tx.Append(t.Context(), store.Entry{
					Sequence: 1, Time: b.now, Kind: store.User, ResourceID: id, Operation: directory.OperationCreate, Outcome: directory.OutcomeSuccess,
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if ids, reason := b.changed(start); !strings.Contains(reason, c.want) || c.want == "" && strings.Join(ids, " ") != id {
				t.Errorf("%v %s, want %s", ids, reason, c.want)
			}
			if ids, reason := b.changed(b.position()); len(ids) != 0 || reason != "" {
				t.Errorf("after the import: %v %s", ids, reason)
			}
			if _, reason := b.changed(b.recent()); reason != "" { // whoever was told to read all again would be told so by that again
				t.Errorf("from the next list on: %s", reason)
			}
			b.user("bob")
			if ids, reason := b.changed(start); !strings.Contains(reason, c.want) || c.want == "" && len(ids) != 2 {
				t.Errorf("later: %v %s, want %s", ids, reason, c.want)
			}
		})
	}
}

func (b *logbook) recent() directory.Position {
	b.Helper()
	text, err := b.RecentPosition(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	at, err := directory.ParsePosition(text)
	if err != nil {
		b.Fatal(err)
	}
	return at
}

func TestARecentPositionIsReadOnceAMinuteAndIsNeverAhead(t *testing.T) {
	b := newLogbook(t)
	before := b.recent()
	b.user("anna")
	if got := b.recent(); got != before {
		t.Error("it was read again")
	}
	b.now = b.now.Add(time.Minute)
	if got := b.recent(); got != b.position() {
		t.Error("it was not read again after a minute")
	}
}
