//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// rows are what the server wrote for one user.
type rows struct {
	resource, document, log []any
	attributes              []any // path, key, id of the resource, and so on
}

const fileName = "directory.db"

// written reads what a server wrote for the users behind a row, in order.
func written(ctx context.Context, folder string, after int64) (all []rows, err error) {
	copied, err := copyDatabase(folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(copied)) }()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(copied, fileName))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := db.QueryContext(ctx, "SELECT r.row, kind, id, key, external_id, active, version, created, modified, r.defaults, matched,"+
		" document, overlay, keys FROM resources r JOIN documents d ON d.row = r.row WHERE r.row > ? AND kind = 1 ORDER BY r.row", after)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		v := scanner(14)
		if err := found.Scan(v.pointers...); err != nil {
			return nil, err
		}
		u := rows{resource: v.values[:11:11], document: []any{v.values[0], v.values[11], v.values[12], v.values[13]}}
		keys, ok := v.values[13].([]byte)
		if !ok {
			return nil, errors.New("a document has no keys")
		}
		for len(keys) > 0 {
			path, n := binary.Uvarint(keys)
			size, m := binary.Uvarint(keys[n:])
			keys = keys[n+m:]
			u.attributes = append(u.attributes, int64(path), keys[:size:size], v.values[2])
			keys = keys[size:]
		}
		all = append(all, u)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	// The rows of the log are as many as the users, and which goes with whom makes no difference.
	logged, err := db.QueryContext(ctx, "SELECT sequence, time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome, count"+
		" FROM log WHERE operation = 'create' ORDER BY sequence DESC LIMIT ?", len(all))
	if err != nil {
		return nil, err
	}
	defer logged.Close()
	for i := len(all) - 1; i >= 0 && logged.Next(); i-- {
		v := scanner(11)
		if err := logged.Scan(v.pointers...); err != nil {
			return nil, err
		}
		all[i].log = v.values
	}
	return all, logged.Err()
}

// copyDatabase copies the database of a server that is not being written to, since the server lets nobody else read its own.
func copyDatabase(folder string) (copied string, err error) {
	if copied, err = os.MkdirTemp("", "bench-"); err != nil {
		return "", err
	}
	for _, name := range []string{fileName, fileName + "-wal"} {
		if err := copyFile(filepath.Join(folder, name), filepath.Join(copied, name)); err != nil {
			return "", errors.Join(err, os.RemoveAll(copied))
		}
	}
	return copied, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	target, err := os.Create(to)
	if err != nil {
		return errors.Join(err, source.Close())
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, source.Close(), target.Close())
}

type values struct{ values, pointers []any }

func scanner(n int) values {
	v := values{make([]any, n), make([]any, n)}
	for i := range v.values {
		v.pointers[i] = &v.values[i]
	}
	return v
}

// bareEngine is the baseline of what is written: SQLite with the same tables and the same durability, prepared
// statements, and one goroutine that commits together what waits. It is as fast as the engine lets anybody be.
type bareEngine struct {
	db      *sql.DB
	conn    *sql.Conn
	queue   chan bareWrite
	stopped chan struct{}
	kept    map[string]*sql.Stmt
}

type bareWrite struct {
	do   func(context.Context) error
	done chan error
}

// openBare makes the tables by opening and closing a directory.
func openBare(ctx context.Context, folder string) (*bareEngine, error) {
	made, err := sqlite.Open(ctx, folder)
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	e := &bareEngine{queue: make(chan bareWrite, 256), stopped: make(chan struct{}), kept: map[string]*sql.Stmt{}}
	e.db, err = sql.Open("sqlite", "file:"+filepath.Join(folder, fileName)+"?vfs=unix-excl&_pragma=synchronous(full)&_pragma=cache_size(-2048)")
	if err != nil {
		return nil, err
	}
	if e.conn, err = e.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	go e.run(ctx)
	return e, nil
}

func (e *bareEngine) close() error {
	close(e.queue)
	<-e.stopped
	return errors.Join(e.conn.Close(), e.db.Close())
}

// write returns when what do writes is on the disk.
func (e *bareEngine) write(do func(context.Context) error) error {
	w := bareWrite{do, make(chan error, 1)}
	e.queue <- w
	return <-w.done
}

func (e *bareEngine) run(ctx context.Context) {
	defer close(e.stopped)
	var group []bareWrite
	for w := range e.queue {
		group = append(group[:0], w)
		err := e.exec(ctx, "BEGIN IMMEDIATE")
		for i := 0; i < len(group) && err == nil; i++ {
			if err = group[i].do(ctx); err != nil || len(group) == cap(e.queue) {
				continue
			}
			select {
			case next, open := <-e.queue:
				if open {
					group = append(group, next)
				}
			default:
			}
		}
		if err == nil {
			err = e.exec(ctx, "COMMIT")
		}
		for _, w := range group {
			w.done <- err
		}
	}
}

func (e *bareEngine) exec(ctx context.Context, query string, args ...any) error {
	statement := e.kept[query]
	if statement == nil {
		var err error
		if statement, err = e.conn.PrepareContext(ctx, query); err != nil {
			return err
		}
		e.kept[query] = statement
	}
	_, err := statement.ExecContext(ctx, args...)
	return err
}

// insert writes the rows of one user, at the end of the table and of the log.
func (e *bareEngine) insert(ctx context.Context, u rows) error {
	if err := e.put(ctx, "resources", len(u.resource), u.resource); err != nil {
		return err
	}
	if err := e.put(ctx, "documents", len(u.document), u.document); err != nil {
		return err
	}
	if err := e.put(ctx, "attributes", 3, u.attributes); err != nil {
		return err
	}
	return e.put(ctx, "log", len(u.log), u.log)
}

func (e *bareEngine) put(ctx context.Context, table string, columns int, values []any) error {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return e.exec(ctx, "INSERT INTO "+table+" VALUES "+strings.Repeat(row+", ", len(values)/columns-1)+row, values...)
}

// update writes what a change of one indexed attribute has to: both rows, the entry of the index, and a row of the log.
func (e *bareEngine) update(ctx context.Context, u rows, version int) error {
	if err := e.exec(ctx, "UPDATE resources SET version = ?, modified = modified + 1 WHERE row = ?", version, u.resource[0]); err != nil {
		return err
	}
	err := e.exec(ctx, "UPDATE documents SET document = ?, keys = ? WHERE row = ?", u.document[1], u.document[3], u.resource[0])
	if err != nil {
		return err
	}
	path, key, id := u.attributes[0], u.attributes[1], u.attributes[2]
	changed, ok := key.([]byte)
	if !ok {
		return errors.New("a key is no blob")
	}
	old := changed
	if version > 2 {
		old = fmt.Appendf(nil, "%s %d", key, version-1)
	}
	if err := e.exec(ctx, "DELETE FROM attributes WHERE path = ? AND key = ? AND resource = ?", path, old, id); err != nil {
		return err
	}
	if err := e.put(ctx, "attributes", 3, []any{path, fmt.Appendf(nil, "%s %d", key, version), id}); err != nil {
		return err
	}
	return e.put(ctx, "log", len(u.log), append([]any{nil}, u.log[1:]...))
}

// syncs is the baseline of one client that writes: how often in a second 32 KiB, about one commit, are written and on the
// disk.
func syncs(ctx context.Context, folder string, length time.Duration) (perSecond float64, err error) {
	file, err := os.CreateTemp(folder, "syncs")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 32<<10)
	s, err := turn(ctx, 1, length, func(_ context.Context, i int) error {
		if _, err := file.WriteAt(block, int64(i%1024)*int64(len(block))); err != nil {
			return err
		}
		return syscall.Fdatasync(int(file.Fd()))
	})
	return s.perSecond(), err
}
