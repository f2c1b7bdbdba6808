// Package postgres keeps one tenant's directory in a schema of a PostgreSQL database, or of what speaks its protocol. Any
// number of replicas may use it at once.
//
// Updates run beside each other and lock what they read in order to change it. Statements are those that CockroachDB has too.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// Options are what a Store is made of.
type Options struct {
	// URL returns the connection URL, as in postgres://user:password@host:5432/database?search_path=contoso. It is asked
	// again for every connection and every Check, so that a password that was rotated is followed.
	URL func() (string, error)
	// Log gets what an administrator of the database should know. Default: nothing is logged.
	Log logr.Logger
	// Schema keeps the tables, and is made if it is missing. Default: the URL's search_path, else "public".
	Schema string
	// Guard decides whether the directory that is there is served. Default: it is, whoever it belongs to.
	Guard *owner.Guard
	// Search has the tenant's directory looked for in other schemas of the database before a new one is begun in a schema that a person has
	// named. Those that the role may not read are passed over.
	Search bool

	owned     *ownership // of the store
	overruled func()     // called where the URL names another schema than Schema; nil for nobody
}

// Store is a store.Store in a schema.
type Store struct {
	reader

	owned    ownership
	pool     *pool
	checks   *pool // one connection, that no reader holds when Check wants it
	url      func() (string, error)
	log      logr.Logger
	setting  sync.Once              // says what synchronous_commit is
	lastURL  atomic.Pointer[string] // as it was when Check last looked
	newID    func() (uuid.UUID, error)
	patience time.Duration
	updates  chan struct{} // held by each update, so that connections are left for readers
	commits  atomic.Int64  // transactions of this replica that wrote something
	counted  counted
	refused  atomic.Pointer[engineError] // why the last update failed, nil if it did not
	trying   atomic.Bool                 // a Check writes to find out whether that is over
	migrated atomic.Bool
	migrator chan struct{} // held while migrating

	mu     sync.RWMutex // guards closed, and users from beginning after it
	closed bool
	users  sync.WaitGroup
}

var _ owner.Store = (*Store)(nil)

// few is up to how many candidates of a filter are loaded and checked instead of asking for a page of them.
const few = 256

// Open opens a directory, and brings its tables to this version's. Where the database cannot be reached just now, that is done
// when it can be, and until then the store is unavailable; other failures are Open's.
func Open(ctx context.Context, o Options) (*Store, error) {
	way := &pooler{log: o.Log}
	s := &Store{url: o.URL, log: o.Log, newID: uuid.NewV7, patience: statementTimeout, migrator: make(chan struct{}, 1)}
	s.owned.guard, s.owned.search, o.owned = o.Guard, o.Search, &s.owned
	o.overruled = sync.OnceFunc(func() {
		o.Log.Info("the search_path in the connection URL has no effect: --database-schema, or the tenant's namespace and name, say which schema",
			"schema", o.Schema)
	})
	_, schema, err := o.parse(direct)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	s.owned.schema = newNamespace(schema)
	pool, err := o.connect(ctx, way, 0)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	checks, err := o.connect(ctx, way, 1)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	connections := int(pool.Config().MaxConns + checks.Config().MaxConns)
	scans := max(1, connections/5)
	s.pool, s.checks, s.updates = pool, checks, make(chan struct{}, max(1, connections-scans-2))
	turns := max(1, (int(pool.Config().MaxConns)-scans)/2) // the others are for the client that provisions
	s.reader = reader{on: pooled{pool, scan.NewTurns(turns), &s.owned}, few: few, gate: scan.NewGate(scans), page: scan.Page}
	s.resetIfURLChanged()
	err = s.prepare(ctx)
	_, refused := errors.AsType[*owner.Refusal](err)
	switch {
	case refused: // which is for Review to say
	case errors.Is(err, store.ErrUnavailable):
		s.log.Error(err, "the database is not ready; trying again with each request and each readiness check")
	case err != nil:
		s.closePools()
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	return s, nil
}

func (s *Store) closePools() {
	s.checks.Close()
	s.pool.Close()
}

// reset lets go of all connections: those in use are closed when they are no longer.
func (s *Store) reset() {
	s.checks.Reset()
	s.pool.Reset()
}

// resetIfStale lets go of all connections where a failure says that of them, and has the directory judged anew where its tables are gone, or
// another is there.
func (s *Store) resetIfStale(err error) {
	if failed(err, nameless) {
		s.pool.way.learn(err, direct)
	}
	if stale(err) {
		s.reset()
	}
	if (failed(err, dropped) || failed(err, foreign)) && s.owned.guard != nil {
		s.migrated.Store(false)
		s.owned.settled.Store(false)
	}
}

// prepared tells whether the directory may be used as it is.
func (s *Store) prepared() bool {
	return s.migrated.Load() && (s.owned.guard == nil || s.owned.settled.Load())
}

// prepare has the directory judged and its tables migrated, once and again when something says that this is needed.
func (s *Store) prepare(ctx context.Context) error {
	if s.prepared() {
		return nil
	}
	select {
	case s.migrator <- struct{}{}:
		defer func() { <-s.migrator }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.prepared() {
		return nil
	}
	return s.settle(ctx)
}

// migrateOnce migrates unless that was done.
func (s *Store) migrateOnce(ctx context.Context) error {
	if s.migrated.Load() {
		return nil
	}
	err := s.reach(ctx)
	if err == nil {
		err = translate(ctx, s.migrate(ctx))
	}
	s.resetIfStale(err)
	if failed(err, nameless) {
		err = translate(ctx, s.migrate(ctx))
	}
	if err != nil {
		return fmt.Errorf("bring the database to this version's schema: %w", err)
	}
	s.migrated.Store(true)
	return nil
}

// reach makes the first connection. A database that has none to give is asked again for a moment, not for as long as a statement may wait:
// those who look at a server that starts should soon hear why it does not serve.
func (s *Store) reach(ctx context.Context) error {
	moment, cancel := context.WithTimeout(ctx, fullFor)
	defer cancel()
	for {
		conn, err := s.pool.take(ctx)
		if err == nil {
			conn.Release()
			return nil
		}
		if err = translate(ctx, err); !failed(err, full) {
			return err
		}
		select {
		case <-time.After(lookAgain):
		case <-moment.Done():
			return err
		}
	}
}

// enter lets a caller in unless the store is closed. Close waits until it leaves.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.users.Add(1)
	return s.users.Done, nil
}

// acquire takes a connection of its own.
func (s *Store) acquire(ctx context.Context) (lent, error) {
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	conn, err := s.pool.acquire(bounded)
	return conn, translate(ctx, err)
}

// reading runs a read, once more if its connection was lost.
func reading[T any](ctx context.Context, s *Store, read func() (T, error)) (value T, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return value, err
	}
	defer leave()
	err = s.served(ctx, func() error {
		return s.retry(ctx, func(context.Context) (err error) {
			value, err = read()
			return err
		})
	})
	return value, err
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	return reading(ctx, s, func() (store.Record, error) { return s.reader.Get(ctx, kind, id) })
}

// Find implements store.Reader.
func (s *Store) Find(ctx context.Context, query store.Query) (store.Page, error) {
	return reading(ctx, s, func() (store.Page, error) { return s.reader.Find(ctx, query) })
}

// Kinds implements store.Reader.
func (s *Store) Kinds(ctx context.Context, ids []string) (map[string]store.Kind, error) {
	return reading(ctx, s, func() (map[string]store.Kind, error) { return s.reader.Kinds(ctx, ids) })
}

// Members implements store.Reader.
func (s *Store) Members(ctx context.Context, group string) ([]store.Member, error) {
	return reading(ctx, s, func() ([]store.Member, error) { return s.reader.Members(ctx, group) })
}

// Memberships implements store.Reader.
func (s *Store) Memberships(ctx context.Context, after store.Membership, limit int) ([]store.Membership, error) {
	return reading(ctx, s, func() ([]store.Membership, error) { return s.reader.Memberships(ctx, after, limit) })
}

// Deactivated implements store.Reader.
func (s *Store) Deactivated(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return reading(ctx, s, func() ([]string, error) { return s.reader.Deactivated(ctx, before, limit) })
}

// Ambiguous implements store.Reader.
func (s *Store) Ambiguous(ctx context.Context, kind store.Kind, limit int) ([]string, error) {
	return reading(ctx, s, func() ([]string, error) { return s.reader.Ambiguous(ctx, kind, limit) })
}

// Meta implements store.Reader.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	return reading(ctx, s, func() (string, error) { return s.reader.Meta(ctx, key) })
}

// Check implements store.Store. It also looks whether the connection URL has changed, and whether a connection is due to be given up.
func (s *Store) Check(ctx context.Context) error {
	s.resetIfURLChanged()
	s.pool.turnOver(time.Now()) //nolint:forbidigo // connections age by the machine's clock, in pgxpool too
	state, err := reading(ctx, s, func() (string, error) { return s.readOnly(ctx) })
	switch {
	case err != nil:
		return err
	case state != "off":
		s.reset() // the next connections may reach the one that can be written to
		return fmt.Errorf("write: %w", &engineError{standby, "the database is read-only"})
	}
	refused := s.refused.Load()
	switch {
	case refused == nil:
		return nil
	case !s.trying.CompareAndSwap(false, true): // the one that tries may have to wait long, and keeps a connection
		return fmt.Errorf("write: %w", unwritable(unanswered(refused)))
	}
	tried := make(chan error, 1)
	go func() {
		defer s.trying.Store(false)
		tried <- panicked.Guard(func() error {
			return s.Update(ctx, func(tx store.Tx) error { return tryWriting(ctx, tx, refused.failure == filled) })
		})
	}()
	select {
	case err = <-tried:
	case <-ctx.Done(): // an update that has begun tells its outcome, however long that takes
		err = unanswered(refused)
	}
	if err != nil {
		return fmt.Errorf("write: %w", unwritable(err))
	}
	return nil
}

// probeSize is what has to fit on the disk before it counts as having room again, in bytes. Less fits into pages that are there.
const probeSize = 256 << 10

// tryWriting writes what leaves nothing behind, and has an answer before COMMIT is sent, as other changes do: a pooler of statements would let
// it pass otherwise. Where the disk was full it takes new pages on the way.
func tryWriting(ctx context.Context, tx store.Tx, room bool) error {
	if room {
		probe := make([]byte, probeSize)
		_, _ = rand.Read(probe) // what repeats itself would be compressed
		if err := tx.SetMeta(ctx, checkKey, base64.StdEncoding.EncodeToString(probe)); err != nil {
			return err
		}
		if err := tx.SetMeta(ctx, checkKey, ""); err != nil {
			return err
		}
	}
	_, err := tx.Meta(ctx, checkKey)
	return err
}

// unanswered is the error of a check while another, or an earlier one, waits to hear whether it can write again.
func unanswered(refused *engineError) error {
	return fmt.Errorf("the last change failed, and the one to try again has no answer yet: %w", refused)
}

// Close implements store.Store. Updates that were already asked for are finished.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.users.Wait()
	s.closePools()
	return nil
}

// readOnly asks the database for its transaction_read_only, and behind a pooler in the same round trip whose directory is there. At rest it
// uses a connection that is there; where all are in use, one that no reader can hold, and where the database has none to give for that, it
// waits for one of the others.
func (s *Store) readOnly(ctx context.Context) (state string, err error) {
	const question = "SHOW transaction_read_only"
	conn, ok, err := s.pool.idle(ctx)
	if err != nil {
		return "", err
	}
	if !ok {
		if conn, err = s.own(ctx); failed(err, full) && s.pool.open() > 0 {
			conn, err = s.acquire(ctx)
		}
		if err != nil {
			return "", err
		}
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := s.owned.ask(ctx, conn.Conn.Conn(), question, nil)
	if err == nil {
		state, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	}
	return state, translate(ctx, err)
}

// own takes the connection that no reader can hold. It opens none that is left to others.
func (s *Store) own(ctx context.Context) (lent, error) {
	if s.checks.open() == 0 && s.pool.open() > 0 && s.pool.refrains() {
		return lent{}, &engineError{full, "no connection is opened for now"}
	}
	conn, err := s.checks.take(ctx)
	return lent{Conn: conn}, translate(ctx, err)
}
