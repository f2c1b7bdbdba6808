//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/store/postgres"
)

// remote keeps each directory in a schema of a PostgreSQL.
type remote struct {
	address *url.URL
	folder  string // of the files that tell servers where their schemas are
	made    []string
}

func newRemote(address, folder string) (*remote, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("-database is not a connection URL")
	}
	return &remote{address: parsed, folder: folder}, nil
}

func (*remote) name() string { return "PostgreSQL" }
func (*remote) goals() goals { return goals{perSecond: 2500, ofBare: 0.5} }

// schema is the connection URL of a directory's own schema, which goes when the run ends.
func (r *remote) schema(name string) string {
	schema := fmt.Sprintf("bench_%d_%s", os.Getpid(), name)
	r.made = append(r.made, schema)
	query := r.address.Query()
	query.Set("search_path", schema)
	own := *r.address
	own.RawQuery = query.Encode()
	return own.String()
}

func (r *remote) flags(name string) ([]string, error) {
	file := filepath.Join(r.folder, name+".url")
	return []string{"--database-url-file", file}, os.WriteFile(file, []byte(r.schema(name)), 0o600)
}

func (r *remote) close() error {
	ctx := context.Background() // also after the run was interrupted
	conn, err := pgx.Connect(ctx, r.address.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, schema := range r.made {
		// One statement each: a schema has more locks than one transaction of a hundred of them may hold.
		_, failed := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
		err = errors.Join(err, failed)
	}
	return err
}

func (r *remote) written(ctx context.Context, t *tenant, after int) (all []rows, err error) {
	conn, err := pgx.Connect(ctx, r.schema(t.name))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, "SELECT r.*, d.* FROM resources r JOIN documents d ON d.kind = r.kind AND d.id = r.id"+
		" WHERE r.kind = 1 ORDER BY r.id OFFSET $1", after)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		values, err := found.Values()
		if err != nil {
			return nil, err
		}
		u := rows{resource: values[:13:13], document: values[13:]}
		paths, _ := u.document[4].([]any)
		keys, _ := u.document[5].([]any)
		for i := range paths {
			u.attributes = append(u.attributes, paths[i], keys[i], values[1])
		}
		all = append(all, u)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	// Which of the log's rows goes with whom makes no difference.
	logged, err := conn.Query(ctx, "SELECT * FROM log WHERE operation = 'create' ORDER BY id DESC LIMIT $1", len(all))
	if err != nil {
		return nil, err
	}
	defer logged.Close()
	for i := len(all) - 1; i >= 0 && logged.Next(); i-- {
		if all[i].log, err = logged.Values(); err != nil {
			return nil, err
		}
	}
	return all, logged.Err()
}

// barePostgres is PostgreSQL with the same tables and the same durability, prepared statements, and two connections that
// each send what waits as one batch: one round trip and one commit.
type barePostgres struct {
	free chan *pgx.Conn
	queue[func(*pgx.Batch)]
}

const connections = 2

func (r *remote) bare(ctx context.Context, name string) (bare, error) {
	address := r.schema("bare_" + name)
	made, err := postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return address, nil }})
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	b := &barePostgres{free: make(chan *pgx.Conn, connections)}
	for range connections {
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			return nil, err
		}
		b.free <- conn
	}
	b.queue = drain(connections, func(group []func(*pgx.Batch)) error {
		conn := <-b.free
		defer func() { b.free <- conn }()
		var batch pgx.Batch
		for _, add := range group {
			add(&batch)
		}
		return conn.SendBatch(ctx, &batch).Close()
	})
	return b, nil
}

func (b *barePostgres) close() (err error) {
	b.end()
	for range connections {
		conn := <-b.free
		err = errors.Join(err, conn.Close(context.Background()))
	}
	return err
}

func (b *barePostgres) insert(u rows) error {
	return b.write(func(batch *pgx.Batch) {
		batch.Queue("INSERT INTO resources VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", u.resource...)
		batch.Queue("INSERT INTO documents VALUES ($1, $2, $3, $4, $5, $6)", u.document...)
		batch.Queue("INSERT INTO attributes SELECT path, key, $3 FROM unnest($1::bigint[], $2::bytea[]) AS i (path, key)",
			u.document[4], u.document[5], u.resource[1])
		batch.Queue("INSERT INTO log VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", u.log...)
	})
}

func (b *barePostgres) update(u rows, version int) error {
	kind, id, path := u.resource[0], u.resource[1], u.attributes[0]
	return b.write(func(batch *pgx.Batch) {
		batch.Queue("UPDATE resources SET version = $3, modified = modified + 1 WHERE kind = $1 AND id = $2", kind, id, version)
		batch.Queue("UPDATE documents SET document = $3, keys = $4 WHERE kind = $1 AND id = $2", kind, id, u.document[2], u.document[5])
		batch.Queue("DELETE FROM attributes WHERE path = $1 AND key = $2 AND resource = $3", path, u.key(version-1), id)
		batch.Queue("INSERT INTO attributes VALUES ($1, $2, $3)", path, u.key(version), id)
		batch.Queue("INSERT INTO log VALUES (uuid_send(gen_random_uuid()), NULL, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", u.log[2:]...)
	})
}
