//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

const fileName = "directory.db"

// embedded keeps each directory in SQLite, in the tenant's own folder.
type embedded struct{ folder string }

func (embedded) name() string                   { return "SQLite" }
func (embedded) goals() goals                   { return goals{perSecond: 5000, ofBare: 0.55, ofDisk: 0.5} }
func (embedded) close() error                   { return nil }
func (embedded) flags(string) ([]string, error) { return nil, nil }

func (embedded) written(ctx context.Context, t *tenant, after int) (all []rows, err error) {
	copied, err := copyDatabase(t.data())
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
		" deactivated, deactivated_version, apart, document, overlay, keys"+
		" FROM resources r JOIN documents d ON d.row = r.row WHERE r.row > ? AND kind = 1 ORDER BY r.row", after)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		v := scanner(17)
		if err := found.Scan(v.pointers...); err != nil {
			return nil, err
		}
		u := rows{resource: v.values[:14:14], document: []any{v.values[0], v.values[14], v.values[15], v.values[16]}}
		u.resource[13] = []byte{} // which the driver reads as NULL
		keys, ok := v.values[16].([]byte)
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
	logged, err := db.QueryContext(ctx, "SELECT sequence, time, client, request_id, kind, resource_id, operation, attributes, defaults, outcome, count,"+
		" members FROM log WHERE operation = 'create' ORDER BY sequence DESC LIMIT ?", len(all))
	if err != nil {
		return nil, err
	}
	defer logged.Close()
	for i := len(all) - 1; i >= 0 && logged.Next(); i-- {
		v := scanner(12)
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

// bareSQLite is SQLite with the same tables and the same durability, prepared statements, and one goroutine that commits
// together what waits.
type bareSQLite struct {
	db   *sql.DB
	conn *sql.Conn
	queue[func(context.Context) error]
	kept map[string]*sql.Stmt
}

func (e embedded) bare(ctx context.Context, name string) (_ bare, err error) {
	// Opening and closing a directory makes the tables.
	folder := filepath.Join(e.folder, "bare-"+name)
	made, err := sqlite.Open(ctx, folder)
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	b := &bareSQLite{kept: map[string]*sql.Stmt{}}
	b.db, err = sql.Open("sqlite", "file:"+filepath.Join(folder, fileName)+"?vfs=unix-excl&_pragma=synchronous(full)&_pragma=cache_size(-2048)")
	if err != nil {
		return nil, err
	}
	if b.conn, err = b.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	b.queue = drain(1, func(group []func(context.Context) error) error { return b.commit(ctx, group) })
	return b, nil
}

func (b *bareSQLite) close() error {
	b.end()
	return errors.Join(b.conn.Close(), b.db.Close())
}

func (b *bareSQLite) commit(ctx context.Context, group []func(context.Context) error) error {
	if err := b.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, do := range group {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return b.exec(ctx, "COMMIT")
}

func (b *bareSQLite) exec(ctx context.Context, query string, args ...any) error {
	statement := b.kept[query]
	if statement == nil {
		var err error
		if statement, err = b.conn.PrepareContext(ctx, query); err != nil {
			return err
		}
		b.kept[query] = statement
	}
	_, err := statement.ExecContext(ctx, args...)
	return err
}

// insert writes at the end of the table and of the log.
func (b *bareSQLite) insert(u rows) error {
	return b.write(func(ctx context.Context) error {
		if err := b.put(ctx, "resources", len(u.resource), u.resource); err != nil {
			return err
		}
		if err := b.put(ctx, "documents", len(u.document), u.document); err != nil {
			return err
		}
		if err := b.put(ctx, "attributes", 3, u.attributes); err != nil {
			return err
		}
		return b.put(ctx, "log", len(u.log), u.log)
	})
}

func (b *bareSQLite) put(ctx context.Context, table string, columns int, values []any) error {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return b.exec(ctx, "INSERT INTO "+table+" VALUES "+strings.Repeat(row+", ", len(values)/columns-1)+row, values...)
}

func (b *bareSQLite) update(u rows, version int) error {
	return b.write(func(ctx context.Context) error {
		if err := b.exec(ctx, "UPDATE resources SET version = ?, modified = modified + 1 WHERE row = ?", version, u.resource[0]); err != nil {
			return err
		}
		err := b.exec(ctx, "UPDATE documents SET document = ?, keys = ? WHERE row = ?", u.document[1], u.document[3], u.resource[0])
		if err != nil {
			return err
		}
		path, id := u.attributes[0], u.attributes[2]
		if err := b.exec(ctx, "DELETE FROM attributes WHERE path = ? AND key = ? AND resource = ?", path, u.key(version-1), id); err != nil {
			return err
		}
		if err := b.put(ctx, "attributes", 3, []any{path, u.key(version), id}); err != nil {
			return err
		}
		return b.put(ctx, "log", len(u.log), append([]any{nil}, u.log[1:]...))
	})
}
