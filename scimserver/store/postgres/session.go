package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// durability is under which name a connection keeps how durable its commits are, unless they are.
const durability = "tenantry durability"

type lax struct {
	setting string // synchronous_commit
	chosen  bool   // by the connection URL
}

var errNoAnswer = errors.New("the server does not say what its settings are")

var errReadOnly = errors.New("the server takes no writes: it is a standby, or read-only by default")

// validated looks at a new connection: a server that takes no writes is passed over, where the next host of the URL may take them, unless
// the URL says by itself which servers are right, and so is one with a directory that may not be served. All of
// this is read in one round trip. chosen says that the URL has a synchronous_commit.
func validated(next pgconn.ValidateConnectFunc, writable, chosen bool, owned *ownership) pgconn.ValidateConnectFunc {
	return func(ctx context.Context, connection *pgconn.PgConn) error {
		question := "SELECT current_setting('transaction_read_only'), coalesce(current_setting('synchronous_commit', true), '')"
		guarded := owned != nil && owned.guard != nil
		if guarded {
			question += "; " + owned.question()
		}
		results, err := connection.Exec(ctx, question).ReadAll()
		if len(results) == 0 || results[0].Err != nil || len(results[0].Rows) == 0 || err != nil && !guarded {
			return cmp.Or(err, errNoAnswer)
		}
		row := results[0].Rows[0]
		switch setting := string(row[1]); setting {
		case "on", "remote_apply", "":
		default:
			connection.CustomData()[durability] = lax{setting, chosen}
		}
		switch {
		case writable && string(row[0]) == "on":
			return errReadOnly
		case guarded:
			found, err := owned.found(ctx, connection, results, err)
			if err == nil {
				err = owned.admit(found)
			}
			if err != nil {
				return err
			}
		}
		if next != nil {
			return next(ctx, connection)
		}
		return nil
	}
}

// restores tells whether a transaction has to ask for commits that wait for the disk: where a role, a database or a server leaves them out for
// all, acknowledged changes would be lost with the machine. Other settings, and one in the URL, are decisions about this directory.
func (s *Store) restores(connection *pgconn.PgConn) bool {
	found, ok := connection.CustomData()[durability].(lax)
	if !ok {
		return false
	}
	own := found.setting == "off" && !found.chosen
	s.setting.Do(func() {
		s.log.Info("synchronous_commit is not on, so changes can be lost with a machine unless the server sets it on for its own",
			"synchronous_commit", found.setting, "setOn", own)
	})
	return own
}
