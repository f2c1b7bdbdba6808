package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// expectation is what a new connection is to be like.
type expectation struct {
	writable bool              // a server that takes no writes is passed over; else the URL says which servers are right
	durable  string            // synchronous_commit in the URL
	sent     map[string]string // parameters, as sent where nothing is carried
	carried  *carried          // where a pooler was seen
	owned    *ownership        // nil where any directory will do
}

// durability is under which name a connection keeps how durable its commits are, unless they are, and misledKey under which one that was made as
// a direct one keeps that it leads to a pooler.
const (
	durability = "tenantry durability"
	misledKey  = "tenantry misled"
)

type lax struct {
	setting string // synchronous_commit
	own     bool   // nobody decided that for this directory
}

var errNoAnswer = errors.New("the server does not say what its settings are")

// errNoSession is how a pooler shows that it has no session to give: it takes the client, and lets its first statement wait.
var errNoSession = errors.New("no answer to the first statement in time, as from a pooler that has no connection to give")

var errReadOnly = errors.New("the server takes no writes: it is a standby, or read-only by default")

// validated looks at a new connection: a server that takes no writes is passed over, where the next host of the URL may take them, and so is
// one with a directory that may not be served. All that is to be known is read in one round trip.
func (e expectation) validated(next pgconn.ValidateConnectFunc) pgconn.ValidateConnectFunc {
	return func(ctx context.Context, connection *pgconn.PgConn) error {
		question := e.question()
		guarded := e.owned != nil && e.owned.guard != nil
		if guarded {
			question += "; " + e.owned.question()
		}
		results, err := connection.Exec(ctx, question).ReadAll()
		if ctx.Err() != nil {
			return errNoSession
		}
		if len(results) == 0 || results[0].Err != nil || len(results[0].Rows) == 0 || err != nil && !guarded {
			return cmp.Or(err, errNoAnswer)
		}
		row, data := results[0].Rows[0], connection.CustomData()
		switch setting := string(row[1]); setting {
		case "on", "remote_apply", "":
		default:
			data[durability] = lax{setting, setting == "off" && e.durable != "off"}
		}
		switch {
		case e.carried != nil:
			data[carriedKey] = e.carried
		case e.elsewhere(connection.PID(), row[2:]):
			data[misledKey] = true
		}
		switch {
		case e.writable && string(row[0]) == "on":
			return errReadOnly
		case guarded:
			found, err := e.owned.found(ctx, connection, results, err)
			if err == nil {
				err = e.owned.admit(found)
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

// question asks a session for its settings. Those that are to be carried are tried, so that one that the database does not know is named.
func (e expectation) question() string {
	const question = "SELECT current_setting('transaction_read_only'), coalesce(current_setting('synchronous_commit', true), ''), pg_backend_pid()," +
		" coalesce(current_setting('statement_timeout', true), ''), coalesce(current_setting('idle_in_transaction_session_timeout', true), '')"
	if e.carried == nil {
		return question
	}
	settings := strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(e.carried.settings)
	return question + " FROM (SELECT count(set_config(key, value, true)) FROM json_each_text(E'" + settings + "')) s"
}

// elsewhere tells whether statements reach another session than the one that the connection began with: that is another process, or has other
// limits than were sent.
func (e expectation) elsewhere(process uint32, answers [][]byte) bool {
	if string(answers[0]) != fmt.Sprint(process) {
		return true
	}
	for i, name := range timeLimits() {
		has, known := duration(string(answers[i+1]))
		sent, readable := duration(e.sent[name])
		if known && readable && has != sent {
			return true
		}
	}
	return false
}

// duration reads a time limit as PostgreSQL writes it.
func duration(text string) (time.Duration, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, ok := map[string]time.Duration{
		"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[strings.TrimSpace(text[len(digits):])]
	return time.Duration(n) * unit, ok && err == nil
}

// misled tells whether a connection was made as a direct one and leads to a pooler.
func misled(connection *pgconn.PgConn) bool { return connection.CustomData()[misledKey] != nil }

// restores tells whether a transaction has to ask for commits that wait for the disk: where a role, a database or a server leaves them out for
// all, acknowledged changes would be lost with the machine. Other settings, and one in the URL, are decisions about this directory.
func (s *Store) restores(connection *pgconn.PgConn) bool {
	found, ok := connection.CustomData()[durability].(lax)
	if !ok {
		return false
	}
	s.setting.Do(func() {
		s.log.Info("synchronous_commit is not on, so changes can be lost with a machine unless the server sets it on for its own",
			"synchronous_commit", found.setting, "setOn", found.own)
	})
	return found.own
}
