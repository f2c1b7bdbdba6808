package postgres

import (
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

var errReadOnly = errors.New("the server takes no writes: it is a standby, or read-only by default")

// validated looks at a new connection: a server that takes no writes is passed over, where the next host of the URL may take them, unless
// the URL says by itself which servers are right. Both settings
// are read in one round trip. chosen says that the URL has a synchronous_commit.
func validated(next pgconn.ValidateConnectFunc, writable, chosen bool) pgconn.ValidateConnectFunc {
	return func(ctx context.Context, connection *pgconn.PgConn) error {
		const question = "SELECT current_setting('transaction_read_only'), coalesce(current_setting('synchronous_commit', true), '')"
		results, err := connection.Exec(ctx, question).ReadAll()
		if err != nil {
			return err
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
		case next != nil:
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
