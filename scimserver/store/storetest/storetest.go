// Package storetest is what every engine of package store must do, as tests and as benchmarks.
package storetest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Run runs the suite, but for what RunTogether has.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, open, resourceTests, nameTests, deactivatedTests, listTests, sortTests, filterTests, memberTests, memberChangeTests, leaveTests, portionTests,
		logTests, viewTests, otherTests, updateTests, requireTests)
}

// RunTogether runs the part of the suite in which goroutines use a store together, so that an engine can run it alone under the race
// detector.
func RunTogether(t *testing.T, open func(t *testing.T) store.Store) {
	run(t, open, concurrencyTests, followTests, memberRaceTests, nameRaceTests)
}

func run(t *testing.T, open func(t *testing.T) store.Store, groups ...[]testCase) {
	t.Helper()
	for _, group := range groups {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
		}
	}
}

type testCase struct {
	name string
	run  func(*testing.T, store.Store)
}

var (
	users  = schema.User()
	groups = schema.Group()
	dawn   = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)
)

func typeOf(kind store.Kind) *schema.ResourceType {
	if kind == store.Group {
		return groups
	}
	return users
}

// id returns the n-th id in the order of ids.
func id(n int) string { return store.FormatID(uuid(n)) }

// uuid has the bytes of id(n).
func uuid(n int) (b [16]byte) {
	binary.BigEndian.PutUint64(b[0:], uint64(n)<<16)
	b[6] = 0x70
	b[8] = 0x80
	return b
}

// record makes a record of a resource as the directory does.
func record(kind store.Kind, n int, obj schema.Object) *store.Record {
	attribute := "userName"
	if kind == store.Group {
		attribute = "displayName"
	}
	if obj[attribute] == nil {
		obj[attribute] = fmt.Sprintf("%s.%d@Contoso.com", kind, n)
	}
	document, err := json.Marshal(obj)
	if err != nil {
		panic(err)
	}
	r := &store.Record{
		Kind: kind, ID: id(n), Key: schema.FoldName(obj[attribute].(string)), Active: true,
		Version: 1, Created: dawn, Modified: dawn, Document: document, Index: typeOf(kind).IndexKeys(obj),
	}
	r.ExternalID, _ = obj["externalId"].(string)
	if active, ok := obj["active"].(bool); ok {
		r.Active = active
	}
	return r
}

// match is Query.Match as the directory makes it.
func match(f filter.Filter) func(*store.Record) (bool, error) {
	return func(r *store.Record) (bool, error) { return matchWith(r.Decided(f), r, nil) }
}

// location is Query.Location.
func location(kind store.Kind) string { return "https://contoso.test/" + kind.String() + "s/" }

// matchWith evaluates a filter on a record and values that are no part of its document.
func matchWith(f filter.Filter, r *store.Record, more schema.Object) (bool, error) {
	obj, err := schema.Decode(r.Document)
	if err != nil {
		return false, err
	}
	obj["id"] = r.ID
	obj["meta"] = schema.Object{
		"created":      r.Created.Format(time.RFC3339Nano),
		"lastModified": r.Modified.Format(time.RFC3339Nano),
		"location":     location(r.Kind) + r.ID,
	}
	maps.Copy(obj, more)
	return filter.Match(f, obj), nil
}

func parse(t testing.TB, kind store.Kind, text string) filter.Filter {
	t.Helper()
	f, err := filter.Parse(typeOf(kind), text)
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return f
}

func update(t testing.TB, s store.Store, change func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), change); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func insert(t testing.TB, s store.Store, records ...*store.Record) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, r := range records {
			if err := tx.Insert(context.Background(), r); err != nil {
				return err
			}
		}
		return nil
	})
}

func find(t testing.TB, s store.Reader, q store.Query) store.Page {
	t.Helper()
	page, err := s.Find(context.Background(), q)
	if err != nil {
		t.Fatalf("find %+v: %v", q, err)
	}
	return page
}

// numbers are the ids of a page as the numbers they were made of.
func numbers(t testing.TB, records []store.Record) []int {
	t.Helper()
	out := []int{}
	for _, r := range records {
		b, ok := store.ParseID(r.ID)
		if !ok {
			t.Fatalf("%q is not an id", r.ID)
		}
		out = append(out, int(binary.BigEndian.Uint64(b[0:])>>16))
	}
	return out
}

func equal(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: want -, got +\n%s", what, diff)
	}
}

// stored is what comes back of a record that was written.
func stored(r *store.Record) store.Record {
	out := *r
	out.Index = nil
	if !out.Active && out.Deactivated.IsZero() {
		out.Deactivated = out.Modified
	}
	return out
}

// get returns a record as it was written. Whether a group has it is not written, and has a test of its own.
func get(t testing.TB, s store.Reader, kind store.Kind, n int) store.Record {
	t.Helper()
	r, err := s.Get(context.Background(), kind, id(n))
	if err != nil {
		t.Fatalf("get %s %d: %v", kind, n, err)
	}
	r.Ungrouped = false
	return r
}
