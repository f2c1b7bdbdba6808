package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store { return open(b, b.TempDir()) })
}

// BenchmarkBare is what BenchmarkStore is held against: the same rows, as durable, with nothing but prepared statements and
// a goroutine that commits together what waits.
func BenchmarkBare(b *testing.B) {
	b.Run("insert", func(b *testing.B) {
		s, next := openBare(b), new(atomic.Int64)
		for _, n := range []int{1, 8, 32} {
			storetest.Clients(b, n, func(int) error { return s.insert(storetest.BenchUser(int(next.Add(1)))) })
		}
	})
	b.Run("users=1000", func(b *testing.B) {
		s := openBare(b)
		for n := 1; n <= 1000; n++ {
			if err := s.insert(storetest.BenchUser(n)); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("get", func(b *testing.B) {
			for _, n := range []int{1, 8} {
				storetest.Clients(b, n, func(i int) error { return s.get(storetest.BenchID(1 + i*7919%1000)) })
			}
		})
	})
}

type bare struct {
	read, write *sql.DB
	lookup      *sql.Stmt
	queue       chan bareWrite
}

type bareWrite struct {
	record *store.Record
	done   chan error
}

func openBare(b *testing.B) *bare {
	folder := b.TempDir()
	s, err := sqlite.Open(context.Background(), folder) // for the tables
	if err := errors.Join(err, s.Close()); err != nil {
		b.Fatal(err)
	}
	file := "file:" + filepath.Join(folder, "directory.db") + "?_pragma=synchronous(full)&_pragma=cache_size(-2048)"
	bare := &bare{queue: make(chan bareWrite, 256)}
	bare.write = must(sql.Open("sqlite", file))(b)
	bare.read = must(sql.Open("sqlite", file))(b)
	bare.read.SetMaxOpenConns(2)
	bare.lookup = must(bare.read.Prepare("SELECT r.id, r.key, r.external_id, r.active, r.version, r.created, r.modified, r.defaults, r.matched," +
		" d.document, d.overlay FROM resources r JOIN documents d ON d.row = r.row WHERE r.kind = 1 AND r.id = ?"))(b)
	stopped := make(chan struct{})
	go bare.run(b, stopped)
	b.Cleanup(func() {
		close(bare.queue)
		<-stopped
		if err := errors.Join(bare.read.Close(), bare.write.Close()); err != nil {
			b.Error(err)
		}
	})
	return bare
}

func (s *bare) insert(r *store.Record) error {
	w := bareWrite{r, make(chan error, 1)}
	s.queue <- w
	return <-w.done
}

func (s *bare) get(id string) error {
	b, _ := store.ParseID(id)
	var key, external, document, overlay, uuid []byte
	var active bool
	var version, created, modified int64
	var defaults, matched string
	return s.lookup.QueryRow(b[:]).Scan(&uuid, &key, &external, &active, &version, &created, &modified, &defaults, &matched, &document, &overlay)
}

func (s *bare) run(b *testing.B, stopped chan struct{}) {
	defer close(stopped)
	conn := must(s.write.Conn(context.Background()))(b)
	defer conn.Close()
	prepare := func(text string) *sql.Stmt { return must(conn.PrepareContext(context.Background(), text))(b) }
	resource := prepare("INSERT INTO resources (kind, id, key, external_id, active, version, created, modified, defaults, matched)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', '')")
	document := prepare("INSERT INTO documents (row, document, keys) VALUES (last_insert_rowid(), ?, ?)")
	attribute := prepare("INSERT INTO attributes (path, key, resource) VALUES (?, ?, ?)")
	log := prepare("INSERT INTO log (time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, '', ?)")
	begin, commit := prepare("BEGIN IMMEDIATE"), prepare("COMMIT")
	paths := map[string]int64{"userName": 0, "externalId": 0}
	insert := func(r *store.Record) error {
		id, _ := store.ParseID(r.ID)
		_, err := resource.Exec(int64(r.Kind), id[:], []byte(r.Key), []byte(r.ExternalID), r.Active, r.Version, r.Created.UnixMicro(), r.Modified.UnixMicro())
		if err != nil {
			return err
		}
		var keys []byte
		for _, k := range r.Index {
			keys = append(binary.AppendUvarint(keys, uint64(len(k.Key))), k.Key...)
		}
		if _, err := document.Exec(r.Document, keys); err != nil {
			return err
		}
		for _, k := range r.Index {
			path, ok := paths[k.Path]
			if !ok {
				path = int64(len(paths))
				paths[k.Path] = path
			}
			if path == 0 {
				continue
			}
			if _, err := attribute.Exec(path, []byte(k.Key), id[:]); err != nil {
				return err
			}
		}
		e := storetest.BenchEntry(r)
		_, err = log.Exec(e.Time.UnixMicro(), e.Client, e.RequestID, int64(e.Kind), e.ResourceID, e.Operation, "userName", e.Outcome)
		return err
	}
	var group []bareWrite
	for w := range s.queue {
		group = append(group[:0], w)
		_, err := begin.Exec()
		for i := 0; i < len(group) && err == nil; i++ {
			if err = insert(group[i].record); err != nil || len(group) == 256 {
				continue
			}
			select {
			case next, open := <-s.queue:
				if open {
					group = append(group, next)
				}
			default:
			}
		}
		if err == nil {
			_, err = commit.Exec()
		}
		for _, w := range group {
			w.done <- err
		}
	}
}
