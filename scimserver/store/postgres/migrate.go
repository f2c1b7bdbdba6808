package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Migrations only go forward, and only add: replicas of the version before go on working beside them. What the version before
// still reads or writes is removed one version later. Each changes the tables of a new directory too, whose file has the number of the newest.
//
//go:embed migrations/*.sql tables/*.sql
var migrations embed.FS

const (
	// steps are the migrations, from whatever version a directory has.
	steps = "migrations"
	// whole makes the tables of a new directory at once, and stands for all steps.
	whole = "tables"
)

// migrateTimeout bounds all migrations together, and waiting for the replica that makes them.
const migrateTimeout = 5 * time.Minute

// migrate brings the schema to this version, with one connection. Of several replicas that start at once one makes each migration, and the
// others wait for it: it holds a row of a table of its own, as locks of other kinds are not the same on all that speak this protocol.
// Should it end in the middle, the row is free again.
func (s *Store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	if version < newest() {
		if err := s.prepareSchema(ctx); err != nil {
			return err
		}
		if version == 0 {
			if err := s.apply(ctx, whole); !errors.Is(err, errBegun) {
				return err // a new directory has no keys of an earlier version
			}
		}
		if err := s.apply(ctx, steps); err != nil {
			return err
		}
	}
	return s.rekeyAll(ctx)
}

// apply makes the migrations of a folder that have yet to be made, each in a transaction of its own. It returns errBegun where the folder is
// for a new directory, and there is one by now.
func (s *Store) apply(ctx context.Context, folder string) error {
	conn, err := s.acquire(ctx) // waits for one where the database has none to give, which goose does not
	if err != nil {
		return err
	}
	conn.Release()
	db := stdlib.OpenDBFromPool(s.pool.Pool)
	defer func() { _ = db.Close() }() // which leaves the pool alone
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1) // it has a transaction while goose does not use it
	row := &rowLock{store: s}
	provider, err := migrationsOf(db, s.pool.schema, folder, goose.WithSessionLocker(row), goose.WithIsolateDDL(true))
	if err != nil {
		return err
	}
	for _, migration := range provider.ListSources() {
		row.holder = nil
		_, err := provider.ApplyVersion(ctx, migration.Version, true)
		if row.holder != nil {
			err = row.holder.run(ctx, func(*transaction) error { return err })
		}
		if err != nil && !errors.Is(err, goose.ErrAlreadyApplied) {
			return err
		}
	}
	return nil
}

// rowLock is how goose locks others out. It begins a transaction on the connection that goose uses next, and takes the row. With IsolateDDL
// goose begins none itself, so that the migration is part of that transaction, whose COMMIT is ours.
type rowLock struct {
	store  *Store
	holder *transaction
}

// SessionLock implements lock.SessionLocker.
func (l *rowLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(connection any) error {
		l.holder = l.store.newTransaction(connection.(*stdlib.Conn).Conn()) //nolint:errcheck,forcetypeassert // apply opened it
		// A migration that is lost with the machine is made again, and whatever is committed after it waits for it too.
		l.holder.queue("SET LOCAL synchronous_commit = off")
		_, err := l.holder.write(ctx, "INSERT INTO main.migrating (one) VALUES (1) ON CONFLICT (one) DO UPDATE SET one = excluded.one")
		return err
	})
}

// SessionUnlock implements lock.SessionLocker. The row is free when the transaction ends, which is after goose has said how it went.
func (l *rowLock) SessionUnlock(context.Context, *sql.Conn) error { return nil }

func (s *Store) rekeyAll(ctx context.Context) error {
	return store.Rekey(ctx, func(ctx context.Context, change func(store.Tx) error) error {
		return s.retry(ctx, func(ctx context.Context) error {
			return s.attempt(ctx, func(t *transaction) error { return change(t) })
		})
	})
}

// version is the last migration that was made, 0 where none was. Where all were, nothing has to be made, so the role needs no right to.
func (s *Store) version(ctx context.Context) (version int64, err error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	schema := s.pool.schema
	r := reader{on: viewing{conn, schema}} // the directory has yet to be judged
	var usable, there bool
	const question = "SELECT u.usable, CASE WHEN u.usable THEN to_regclass($2) IS NOT NULL ELSE FALSE END FROM" +
		" (SELECT has_schema_privilege(nspname, 'USAGE') AS usable FROM pg_catalog.pg_namespace WHERE nspname = $1) u"
	err = r.one(ctx, []any{&usable, &there}, question, schema.name, schema.table(versionTable))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err == nil && !usable:
		return 0, noUsage(schema)
	case err != nil || !there:
		return 0, err
	}
	err = r.one(ctx, []any{&version}, "SELECT coalesce(max(version_id), 0) FROM main.goose_db_version WHERE is_applied")
	return version, err
}

// newest is the version of the last migration.
func newest() (version int64) {
	files, _ := fs.Glob(migrations, steps+"/*.sql")
	for _, file := range files {
		if n, err := goose.NumericComponent(file); err == nil {
			version = max(version, n)
		}
	}
	return version
}

// versionTable is where goose keeps which migrations were made.
const versionTable = "goose_db_version"

// errBegun says that a directory has tables already.
var errBegun = errors.New("there are tables already")

// versions is that table in a schema. goose looks for tables in the search path, or by a name without quotes.
type versions struct {
	database.Store

	missing bool // it may not be there
}

// TableExists implements database.StoreExtender. goose asks while others are locked out.
func (v versions) TableExists(ctx context.Context, db database.DBTxConn) (there bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", v.Tablename()).Scan(&there)
	if there && v.missing {
		return there, errBegun
	}
	return there, err
}

func migrationsOf(db *sql.DB, schema *namespace, folder string, options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	table, err := database.NewStore(database.DialectPostgres, schema.table(versionTable))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectCustom, db, qualified{files, schema},
		append(options, goose.WithStore(versions{table, folder == whole}), goose.WithDisableGlobalRegistry(true))...)
}

// prepareSchema makes the schema and the table of the lock. IF NOT EXISTS does not keep two from making the same at once, so
// the loser looks again.
func (s *Store) prepareSchema(ctx context.Context) error {
	again := wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 8}
	var last error
	err := wait.ExponentialBackoffWithContext(ctx, again, func(ctx context.Context) (bool, error) {
		last = s.prepareSchemaOnce(ctx)
		if answer, ok := errors.AsType[*pgconn.PgError](last); ok {
			switch answer.Code {
			case "23505", "42P06", "42P07", "42710", "40001", "XX000": // exists by now, or was changed meanwhile
				return false, nil
			}
		}
		return true, last
	})
	if wait.Interrupted(err) && last != nil {
		return last
	}
	return err
}

func (s *Store) prepareSchemaOnce(ctx context.Context) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	schema := s.pool.schema
	var there bool
	const question = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)"
	if err := conn.QueryRow(ctx, question, schema.name).Scan(&there); err != nil {
		return err
	}
	statement := "CREATE TABLE IF NOT EXISTS " + schema.table("migrating") + " (one smallint PRIMARY KEY)"
	if !there { // asked first, because IF NOT EXISTS needs the right to make it even if it exists
		statement = "CREATE SCHEMA IF NOT EXISTS " + schema.quoted + "; " + statement
	}
	_, err = conn.Exec(ctx, statement)
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == "42501" && !there {
		return &engineError{denied,
			"there is no schema " + schema.quoted + ", and the role may not make it (GRANT CREATE ON DATABASE), or make it yourself"}
	}
	return err
}
