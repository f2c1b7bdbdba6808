package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// admission is how a directory is let in while it is opened: its mark is read before anything else, and written after the migrations.
type admission struct {
	guard   *owner.Guard // nil lets any in
	found   owner.Found
	verdict owner.Verdict
}

func (a *admission) judge(found owner.Found) (err error) {
	if a.guard == nil {
		return nil
	}
	a.found = found
	a.verdict, err = a.guard.Judge(found)
	return err
}

// look reads the mark.
func (a *admission) look(ctx context.Context, db *sql.DB) error {
	if a.guard == nil {
		return nil
	}
	var found owner.Found
	const tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta')"
	if err := db.QueryRowContext(ctx, tables).Scan(&found.There); err != nil {
		return err
	}
	if found.There {
		err := db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", store.MetaOwner).Scan(&found.Mark)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if a.guard.Hinges(found) {
		if err := untouched(ctx, db, &found); err != nil {
			return err
		}
	}
	return a.judge(found)
}

// untouched finds out whether nothing was ever written into a directory. The newest entry of the log always stays.
func untouched(ctx context.Context, db *sql.DB, found *owner.Found) error {
	const question = "SELECT NOT EXISTS (SELECT 1 FROM log) AND NOT EXISTS (SELECT 1 FROM resources)"
	return db.QueryRowContext(ctx, question).Scan(&found.Untouched)
}

// mark gives the directory the mark that it is to have.
func (a *admission) mark(ctx context.Context, db *sql.DB) error {
	if a.guard == nil {
		return nil
	}
	if mark := a.verdict.Mark.Encode(); mark != a.found.Mark {
		const write = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
		if _, err := db.ExecContext(ctx, write, store.MetaOwner, mark); err != nil {
			return err
		}
	}
	a.guard.Admit(a.verdict)
	return nil
}
