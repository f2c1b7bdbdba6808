package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

// engineError is a failure of the engine in our words: the driver's may quote statements, values or the connection URL.
type engineError struct {
	failure failure
	text    string
}

type failure int

const (
	// broken is a mistake of ours: a statement that the engine does not take.
	broken failure = iota
	// unavailable passes, or an administrator has to mend it; nothing is wrong with what was asked.
	unavailable
	// misread is a connection URL that cannot be right.
	misread
	// unreachable is a database to which no connection can be made.
	unreachable
	// denied is what the role may not do, or what is not there for it.
	denied
	// filled is a database whose disk is full.
	filled
	// standby is a server that takes no writes, and was found so on a new connection.
	standby
	// busy is a server of ours that uses all the connections that it may have.
	busy
	// lost is a connection that ended in the middle. What it was asked for can be asked for again on another.
	lost
	// full is a database that takes no more connections, of this role or at all.
	full
	// nameless is a connection on which a statement with a name is not what it was, so a pooler is in between. The statement did not run.
	nameless
	// silent is a database that does not answer. Its connections may lead to a machine that is gone.
	silent
	// dropped is a directory whose tables, or columns of them, are gone, as after a restore. Those that come in their place may be another's, or
	// of an older version.
	dropped
	// foreign is a session that leads to another directory than the one that was judged. The statement did not run.
	foreign
	// demoted is a database that takes no writes any more.
	demoted
	// uncertain is a commit of which it is not known whether it happened, and if so, whether it outlives its machine.
	uncertain
	// conflict is a transaction that has to begin anew because of another.
	conflict
)

func (e *engineError) Error() string { return e.text }

// Is makes all that can pass store.ErrUnavailable, should it last.
func (e *engineError) Is(target error) bool {
	return target == store.ErrUnavailable && e.failure != broken || target == store.ErrUncertain && e.failure == uncertain
}

// Cause is the reason of condition StorageReady.
func (e *engineError) Cause() string {
	switch e.failure {
	case misread:
		return v1alpha1.ReasonDatabaseURLInvalid
	case unreachable, lost, silent:
		return v1alpha1.ReasonDatabaseUnreachable
	case denied:
		return v1alpha1.ReasonDatabaseRefused
	case filled:
		return v1alpha1.ReasonDatabaseFull
	case standby, demoted:
		return v1alpha1.ReasonDatabaseReadOnly
	case busy, full:
		return v1alpha1.ReasonDatabaseConnectionsExhausted
	case uncertain:
		return v1alpha1.ReasonDatabaseCommitUncertain
	case broken, unavailable, conflict, dropped, foreign, nameless:
	}
	return v1alpha1.ReasonDatabaseFailed
}

// unwritable marks why a change failed that a database refused which can be read: all its servers are, and none of ours does better. A standby
// is none of these: it may be behind, and would not have what was acknowledged.
func unwritable(err error) error {
	for _, as := range []failure{filled, denied, uncertain} {
		if failed(err, as) {
			return store.Unwritable(err)
		}
	}
	return err
}

// stale tells whether a failure says of the other connections, too, that they are of no use: after a fail-over, new ones reach the database
// that takes writes. Those that it does not concern are kept, because the database may have no others to give.
func stale(err error) bool {
	for _, as := range []failure{lost, silent, demoted, dropped, nameless} {
		if failed(err, as) {
			return true
		}
	}
	return false
}

func failed(err error, as failure) bool {
	var e *engineError
	return errors.As(err, &e) && e.failure == as
}

// translate makes store's errors of the driver's. ctx is the caller's: if it has ended, that is the error.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*owner.Refusal](err); ok {
		return refused // whatever the driver says around it
	}
	var known *engineError
	switch {
	case errors.Is(err, errClosed):
		return err
	case errors.As(err, &known):
		if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
			return known // the driver's words around it name the user
		}
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	case ctx.Err() != nil:
		return ctx.Err()
	}
	connect, connecting := errors.AsType[*pgconn.ConnectError](err)
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		if connecting {
			return refusedConnection(answer)
		}
		return sorted(answer)
	}
	switch {
	case errors.Is(err, errReadOnly):
		return &engineError{standby, "cannot connect to the database: " + everyCause(connect)}
	case errors.Is(err, errNoSession):
		return &engineError{full, "cannot connect to the database: " + everyCause(connect)}
	case connecting:
		return &engineError{unreachable, "cannot connect to the database: " + everyCause(connect)}
	}
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &engineError{silent, "the database did not answer in time"}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		pgconn.SafeToRetry(err), strings.HasSuffix(err.Error(), "conn closed"):
		return &engineError{lost, "the connection to the database was lost" + cause(err)}
	}
	return &engineError{broken, fmt.Sprintf("the database driver refused a statement (%T)", err)}
}

// cause is what the network said, which names addresses alone.
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return ": " + steady(op.Error())
	}
	return ""
}

// everyCause is what the network, TLS or the driver said of each host. It names hosts, addresses and certificates; the error around it names
// the user.
func everyCause(failed *pgconn.ConnectError) string {
	return steady(strings.ReplaceAll(failed.Unwrap().Error(), "\n", "; "))
}

// steady leaves out what is another each time: the port at this end, and the time at which a certificate was looked at.
func steady(text string) string {
	text = regexp.MustCompile(`\S+->`).ReplaceAllString(text, "")
	return regexp.MustCompile(`current time \S+ is`).ReplaceAllString(text, "the time is")
}

// refusedConnection sorts why the database, or a pooler, took no connection. All of it can pass without a change of ours.
func refusedConnection(answer *pgconn.PgError) *engineError {
	if e := sorted(answer); e.failure == full || e.failure == lost && !strings.HasPrefix(answer.Code, "08") {
		return e
	}
	e := &engineError{unreachable, "the server gets no connection: " + said(answer)}
	switch {
	case answer.Code == "42704", answer.Code == "22023", refusesParameter(answer):
		e.failure = misread // a parameter, or a value of one, that the database or a pooler does not know
	case strings.Contains(answer.Message, "authentication failed"), strings.Contains(answer.Message, "no such"):
		e.failure = denied // by PgBouncer, which has one code for all
	default:
		if known := sorted(answer).failure; known == denied || known == filled {
			e.failure = known
		}
	}
	return e
}

// said is what was answered, and by whom: PostgreSQL says in which of its functions an error came up, poolers have none to name.
func said(answer *pgconn.PgError) string {
	who := "the database"
	if fromPooler(answer) {
		who = "the pooler"
	}
	return fmt.Sprintf("%s answered %s: %s", who, answer.Code, answer.Message)
}

func fromPooler(answer *pgconn.PgError) bool { return answer.Routine == "" && answer.File == "" }

// none tells whether an answer of class 08 is a pooler's that has no connection to give.
func none(answer *pgconn.PgError) bool {
	return answer.Code == "08P01" && (strings.Contains(answer.Message, "no more connections") ||
		strings.Contains(answer.Message, "too many") || strings.Contains(answer.Message, "query_wait_timeout") ||
		strings.Contains(answer.Message, "max_client_conn") || strings.Contains(answer.Message, "max_db_client_connections"))
}

// sorted sorts what the engine answered by its SQLSTATE.
func sorted(answer *pgconn.PgError) *engineError {
	said := said(answer)
	switch answer.Code {
	case "40001", "40P01", "23505":
		// A unique index is only violated where another transaction came between our look and our write: look again.
		return &engineError{conflict, "too many others change the same at the same time (SQLSTATE " + answer.Code + ")"}
	case "40003", "57P01", "57P02", "57P05", "25P03":
		return &engineError{lost, said}
	case "42P05", "26000":
		// Names of prepared statements follow from their text, so that one exists already, or does not any more, is nobody's mistake here.
		return &engineError{nameless, said + "; a pooler is in between that keeps no prepared statements"}
	case "53300":
		return &engineError{full, said}
	case "25006":
		return &engineError{demoted, said}
	case "53100":
		return &engineError{filled, said}
	case "57P03":
		return &engineError{unreachable, said}
	case "42501":
		return &engineError{denied, said + "; the role of the connection URL needs USAGE of the schema, and SELECT, INSERT, UPDATE and DELETE on its tables," +
			" or CREATE to make them"}
	case "42P01", "42703", "3F000":
		return &engineError{dropped, said}
	case "22012":
		return &engineError{foreign, "the pooler leads to another directory than before"} // see proof
	case "42704":
		return &engineError{unavailable, said + "; look at the parameters of the connection URL"}
	case "57014", "55P03":
		return &engineError{unavailable, said}
	}
	if none(answer) {
		return &engineError{full, said}
	}
	if strings.Contains(answer.Message, "statement pooling mode") {
		return &engineError{denied, said + "; the pooler pools statements, and one that pools transactions or sessions is needed"}
	}
	switch answer.Code[:min(2, len(answer.Code))] {
	case "08":
		return &engineError{lost, said}
	case "28", "3D":
		return &engineError{denied, said}
	case "3F", "53", "58", "XX":
		return &engineError{unavailable, said}
	}
	if fromPooler(answer) {
		return &engineError{unavailable, said}
	}
	return &engineError{broken, "the database refused a statement (SQLSTATE " + answer.Code + ")"}
}
