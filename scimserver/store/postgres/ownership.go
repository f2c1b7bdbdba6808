package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// ownership is what a store knows of whose directory it serves. The mark is read on each new connection, before anything else is, because
// a URL, a name or a pooler may lead elsewhere than the connection before.
type ownership struct {
	guard  *owner.Guard // nil serves what is there
	schema *namespace
	search bool
	// settled says that the mark was judged, and is as it is to be.
	settled atomic.Bool
	// making says that this store makes the directory, which has no mark yet.
	making atomic.Bool
	// judged is the mark of the directory that is served, as it is kept; nil before there is one, and without a guard.
	judged atomic.Pointer[string]
}

// question asks for the mark, for when its holder was last seen, for the time, and whether the directory is whole, as text. A restore that is
// not in one transaction makes keys last, and until then users may be missing that the mark stands for.
func (o *ownership) question() string {
	mark := "(SELECT value FROM " + o.schema.table("meta") + " WHERE key = '"
	return "SELECT " + mark + store.MetaOwner + "'), " + mark + store.MetaOwnerSeen + "'), " + nowMicros +
		", EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = '" +
		strings.ReplaceAll(o.schema.table("resources"), "'", "''") + "'::regclass AND contype = 'p')"
}

var errPartial = &engineError{unavailable, "the directory is not whole: its table resources has no primary key, as while it is being restored"}

const nowMicros = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// found makes of an answer, or of the error in its place, what is there.
func (o *ownership) found(ctx context.Context, connection *pgconn.PgConn, answers []*pgconn.Result, err error) (owner.Found, error) {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case gone(answer):
			return owner.Found{}, nil
		case answer.Code == "42501" && !o.usable(ctx, connection):
			return owner.Found{}, noUsage(o.schema)
		}
	}
	if err != nil {
		return owner.Found{}, err
	}
	row := answers[len(answers)-1].Rows[0]
	if string(row[3]) != "t" {
		return owner.Found{}, errPartial
	}
	found := owner.Found{There: true, Mark: string(row[0])}
	if now, err := strconv.ParseInt(string(row[2]), 10, 64); err == nil {
		found.Now = fromMicros(now)
	}
	if seen, err := strconv.ParseInt(string(row[1]), 10, 64); err == nil {
		found.Seen = fromMicros(seen)
	}
	if o.guard.Hinges(found) {
		return found, o.untouched(ctx, connection, &found)
	}
	return found, nil
}

// untouched finds out whether nothing was ever written into a directory. The newest entry of the log always stays.
func (o *ownership) untouched(ctx context.Context, connection *pgconn.PgConn, found *owner.Found) error {
	question := "SELECT NOT EXISTS (SELECT 1 FROM " + o.schema.table("log") + ") AND NOT EXISTS (SELECT 1 FROM " + o.schema.table("resources") + ")"
	answers, err := connection.Exec(ctx, question).ReadAll()
	if err != nil {
		return err
	}
	found.Untouched = string(answers[0].Rows[0][0]) == "t"
	return nil
}

// gone tells whether an answer says that there is no such table, or no such schema.
func gone(answer *pgconn.PgError) bool { return answer.Code == "42P01" || answer.Code == "3F000" }

func (o *ownership) usable(ctx context.Context, connection *pgconn.PgConn) bool {
	const question = "SELECT has_schema_privilege(nspname, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1"
	result := connection.ExecParams(ctx, question, [][]byte{[]byte(o.schema.name)}, nil, nil, nil).Read()
	return result.Err != nil || len(result.Rows) == 0 || string(result.Rows[0][0]) == "t"
}

func noUsage(schema *namespace) error {
	return &engineError{denied, "the role has no USAGE on the schema " + schema.quoted + ", which exists (GRANT USAGE ON SCHEMA)"}
}

// admit judges what a new connection leads to.
func (o *ownership) admit(found owner.Found) error {
	if o.making.Load() {
		return nil
	}
	verdict, err := o.guard.Judge(found)
	if err == nil && verdict.Mark.Encode() != found.Mark {
		o.settled.Store(false) // the next call settles it
	}
	return err
}

// look reads the mark on a connection.
func (o *ownership) look(ctx context.Context, conn lent) (owner.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	connection := conn.Conn.Conn().PgConn()
	answers, err := connection.Exec(ctx, o.question()).ReadAll()
	return o.found(ctx, connection, answers, err)
}

var errOvertaken = &engineError{conflict, "others mark the directory at the same time"}

// settle brings tables and mark to what they are to be, if the directory may be served.
func (s *Store) settle(ctx context.Context) error {
	if s.owned.guard == nil {
		return s.migrateOnce(ctx)
	}
	return s.retry(ctx, func(ctx context.Context) error {
		found, err := s.found(ctx)
		if err != nil {
			return err
		}
		verdict, err := s.owned.guard.Judge(found)
		if err != nil {
			s.migrated.Store(false) // what comes in its place may have older tables
			return err
		}
		if !found.There {
			s.migrated.Store(false)
			s.owned.making.Store(true)
			defer s.owned.making.Store(false)
		}
		if err := s.migrateOnce(ctx); err != nil {
			return err
		}
		if err := s.mark(ctx, found, verdict); err != nil {
			return err
		}
		s.owned.guard.Admit(verdict)
		if !found.There {
			s.log.Info("began a directory", "schema", s.owned.schema.name, "database", s.pool.Config().ConnConfig.Database)
		}
		mark := verdict.Mark.Encode()
		s.owned.judged.Store(&mark)
		s.owned.settled.Store(true)
		return nil
	})
}

func (s *Store) found(ctx context.Context) (owner.Found, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return owner.Found{}, err
	}
	defer conn.Release()
	found, err := s.owned.look(ctx, conn)
	if err == nil && !found.There && s.owned.search {
		found.Elsewhere, err = s.elsewhere(ctx, conn)
	}
	return found, translate(ctx, err)
}

// mark gives the directory the mark that it is to have, unless another server has given it one meanwhile.
func (s *Store) mark(ctx context.Context, found owner.Found, verdict owner.Verdict) error {
	mark := verdict.Mark.Encode()
	if mark == found.Mark {
		return nil
	}
	return s.attempt(ctx, func(t *transaction) error {
		current, err := t.Meta(ctx, store.MetaOwner)
		switch {
		case err != nil:
			return err
		case current != found.Mark:
			return errOvertaken
		}
		if err := t.SetMeta(ctx, store.MetaOwner, mark); err != nil {
			return err
		}
		_, err = t.write(ctx, hold, store.MetaOwnerSeen)
		return err
	})
}

// hold says that the holder of a directory lives.
const hold = "INSERT INTO main.meta (key, value) VALUES ($1, " + nowMicros + "::text)" +
	" ON CONFLICT (key) DO UPDATE SET value = excluded.value"

// Review implements owner.Store. It also renews the hold of the tenant, at most once a minute, however many replicas there are, and ends it
// where the tenant was deleted.
func (s *Store) Review(ctx context.Context) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.owned.guard == nil || !s.prepared() {
		return s.prepare(ctx)
	}
	found, err := s.found(ctx)
	if err != nil {
		return s.unsettled(err)
	}
	verdict, err := s.owned.guard.Judge(found)
	if err != nil || verdict.Mark.Encode() != found.Mark {
		s.owned.settled.Store(false)
		return s.prepare(ctx)
	}
	ends := s.owned.guard.Releases(verdict.Mark, found)
	if !ends && !s.owned.guard.Holds(verdict.Mark, found) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err = s.attempt(ctx, func(t *transaction) error {
		seen, err := t.Meta(ctx, store.MetaOwnerSeen)
		if err != nil || seen != micros(found.Seen) {
			return err // another replica was first
		}
		if ends {
			return t.SetMeta(ctx, store.MetaOwnerSeen, "")
		}
		_, err = t.write(ctx, hold, store.MetaOwnerSeen)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the hold of the directory: %w", err)
	}
	return nil
}

// unsettled has the next call judge again where a directory may not be served as it is found.
func (s *Store) unsettled(err error) error {
	if _, ok := errors.AsType[*owner.Refusal](err); ok || errors.Is(err, errPartial) {
		s.owned.settled.Store(false)
	}
	return err
}

// micros is a time as it is kept; the zero time is not.
func micros(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
