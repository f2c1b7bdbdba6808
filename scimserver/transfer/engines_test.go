package transfer_test

import (
	"bytes"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

func TestADirectoryMovesFromEngineToEngineAndBackByteForByte(t *testing.T) {
	race.Meets(t) // one reads while the other writes
	embedded := open(t, t.TempDir())
	fill(t, embedded, 1)
	file := exported(t, embedded, transfer.Options{Log: true})
	from := embedded
	for _, next := range []struct {
		name string
		open func() store.Store
	}{
		{"to PostgreSQL", func() store.Store { return openPostgres(t) }},
		{"to another schema", func() store.Store { return openPostgres(t) }},
		{"back to SQLite", func() store.Store { return open(t, t.TempDir()) }},
	} {
		to := next.open()
		if _, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(exported(t, from, transfer.Options{Log: true}))); err != nil {
			t.Fatalf("%s: %v", next.name, err)
		}
		if again := exported(t, to, transfer.Options{Log: true}); !bytes.Equal(file, again) {
			t.Errorf("%s: the export has %d bytes, the first %d", next.name, len(again), len(file))
		}
		sameAnswers(t, embedded, to)
		from = to
	}
}

func openPostgres(t *testing.T) store.Store {
	t.Helper()
	url := testenv.Schema(t)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return url, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
