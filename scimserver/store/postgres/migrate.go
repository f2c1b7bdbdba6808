package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Migrations only go forward, and only add: replicas of the version before go on working beside them. What the version before
// still reads or writes is removed one version later.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrateTimeout bounds all migrations together, and waiting for the replica that makes them.
const migrateTimeout = 5 * time.Minute

// migrate brings the schema to this version. Of several replicas that start at once one does, and the others wait for it: it
// holds a row of a table of its own, as locks of other kinds are not the same on all that speak this protocol. Should it end
// in the middle, the row is free again.
func (s *Store) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	if err := s.prepareSchema(ctx); err != nil {
		return err
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = s.newTransaction(conn).run(ctx, func(holder *transaction) error { return s.migrateHolding(ctx, holder) })
	if errors.Is(err, errUpToDate) {
		return nil
	}
	return err
}

// errUpToDate undoes the transaction of a migration that had nothing to do.
var errUpToDate = errors.New("nothing was migrated")

// migrateHolding migrates while a transaction holds the row. What was migrated is final where that transaction is: see commit.
func (s *Store) migrateHolding(ctx context.Context, holder *transaction) error {
	const hold = "INSERT INTO migrating (one) VALUES (1) ON CONFLICT (one) DO UPDATE SET one = excluded.one"
	if _, err := holder.write(ctx, hold); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = db.Close() }() // which leaves the pool alone
	provider, err := migrationsOf(db)
	if err != nil {
		return err
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return err
	}
	err = store.Rekey(ctx, func(ctx context.Context, change func(store.Tx) error) error {
		return s.retry(ctx, func(ctx context.Context) error {
			return s.attempt(ctx, func(t *transaction) error { return change(t) })
		})
	})
	if err == nil && len(applied) == 0 {
		return errUpToDate
	}
	return err
}

func migrationsOf(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
}

// prepareSchema makes the schema and the table of the lock. IF NOT EXISTS does not keep two from making the same at once, so
// who loses looks again.
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
	schema := s.pool.Config().ConnConfig.RuntimeParams["search_path"]
	var current *string
	if err := s.pool.QueryRow(ctx, "SELECT current_schema()").Scan(&current); err != nil {
		return err
	}
	if current == nil { // asked first, because IF NOT EXISTS needs the right to make it even if it exists
		if _, err := s.pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema); err != nil {
			return err
		}
	}
	_, err := s.pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS migrating (one smallint PRIMARY KEY)", pgx.QueryExecModeExec)
	return err
}
