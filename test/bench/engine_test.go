//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// The baselines write to the tables without the server: when these change, they have to as well.
func TestTheBaselinesTakeTheRowsThatTheServerWrites(t *testing.T) {
	address := os.Getenv("TENANTRY_TEST_POSTGRES_URL")
	if address == "" {
		t.Fatal("TENANTRY_TEST_POSTGRES_URL is not set; run the tests with hack/postgres/run")
	}
	ctx, folder := t.Context(), t.TempDir()
	remote, err := newRemote(address, folder)
	if err != nil {
		t.Fatal(err)
	}
	tenant := &tenant{name: "rows", folder: filepath.Join(folder, "rows")}
	for _, c := range []struct {
		engine engine
		open   func() (store.Store, error)
	}{
		{embedded{folder}, func() (store.Store, error) { return sqlite.Open(ctx, tenant.data()) }},
		{remote, func() (store.Store, error) {
			return postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return remote.schema(tenant.name), nil }})
		}},
	} {
		t.Run(c.engine.name(), func(t *testing.T) {
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() { check(c.engine.close()) })
			s, err := c.open()
			check(err)
			t.Cleanup(func() { check(s.Close()) })
			for n := range 3 {
				check(s.Update(ctx, func(tx store.Tx) error {
					r := storetest.BenchUser(n + 1)
					if err := tx.Insert(ctx, r); err != nil {
						return err
					}
					entry := storetest.BenchEntry(r)
					entry.Operation = "create"
					return tx.Append(ctx, entry)
				}))
			}
			all, err := c.engine.written(ctx, tenant, 1)
			check(err)
			if len(all) != 2 {
				t.Fatalf("%d users after the first of three", len(all))
			}
			alone, err := c.engine.bare(ctx, "rows")
			check(err)
			defer func() { check(alone.close()) }()
			for _, u := range all {
				check(alone.insert(u))
			}
			for _, u := range all {
				check(alone.update(u, 2))
			}
		})
	}
}
