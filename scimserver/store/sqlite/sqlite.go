// Package sqlite keeps one tenant's directory in SQLite, in one folder on a block volume.
//
// One goroutine writes, and commits together what waits at the same time; a few connections read beside it. A commit is on
// the disk before it is acknowledged.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"

	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/scan"
)

// A migration changes the tables of a new directory too, whose file has the number of the newest.
//
//go:embed migrations/*.sql tables/*.sql
var migrations embed.FS

const (
	// steps are the migrations, from whatever version a directory has.
	steps = "migrations"
	// whole makes the tables of a new directory at once, and stands for all steps.
	whole = "tables"

	fileName = "directory.db"
	lockName = "lock"

	// vfs keeps other processes out for as long as the database is open, which the lock on the folder does anyway. In return
	// the connections of this process need no locks of the kernel's, two system calls for each statement, and no shared memory.
	vfs = "unix-excl"

	// scans are one of a reader's and one of the client that provisions, and turns the other statements of readers. The reading
	// connections leave one beside these, so that the client that provisions never waits for readers.
	scans   = 2
	turns   = 2
	readers = scans + turns + 1

	// writers are the connection that writes and the checkpointer's.
	writers = 2

	// Page caches in KiB. The kernel keeps the file's pages too, so large ones only cost memory.
	writerCache = 2048
	readerCache = 512
	checkCache  = 64
)

// Store is a store.Store in a folder.
type Store struct {
	reader

	lock         *os.File
	read         *sql.DB
	write        *sql.DB
	views        *sql.DB
	checks       *sql.DB       // one connection, that no reader holds when Check wants it
	viewing      chan struct{} // held by the one view that there may be, and by Close
	writer       *writer
	checkpointer *checkpointer
	counted      atomic.Pointer[counted]
	mu           sync.RWMutex // guards closed, and the queue against being closed under a sender
	closed       bool
	closing      sync.Once
	closeErr     error
}

var _ store.Store = (*Store)(nil)

// Open opens the directory in a folder, which it makes if need be. The folder belongs to this process alone until Close.
func Open(ctx context.Context, folder string) (*Store, error) { return open(ctx, folder, nil) }

// open opens the directory in a folder where guard lets it in; nil lets any in.
func open(ctx context.Context, folder string, guard *owner.Guard) (*Store, error) {
	s := &Store{viewing: make(chan struct{}, 1)}
	if err := s.open(ctx, folder, guard); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open the directory in %s: %w", folder, translate(err))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, folder string, guard *owner.Guard) (err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if s.lock, err = lock(filepath.Join(folder, lockName)); err != nil {
		return err
	}
	// As every distribution's SQLite does: a commit needs the file's data and size on the disk, not its timestamps.
	if _, err := driver.Fdatasync(true); err != nil {
		return err
	}
	file := filepath.Join(folder, fileName)
	admitted := admission{guard: guard}
	if !Exists(folder) { // asked before anything is made there
		if err := admitted.judge(owner.Found{}); err != nil {
			return err
		}
	}
	if err := own(file); err != nil {
		return err
	}
	if s.write, err = connect(file, writerCache, writers); err != nil {
		return err
	}
	if err := checkVersion(ctx, s.write); err != nil {
		return err
	}
	if err := admitted.look(ctx, s.write); err != nil {
		return err
	}
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if err := admitted.mark(ctx, s.write); err != nil {
		return err
	}
	if s.read, err = connect(file, readerCache, readers, "query_only(1)"); err != nil {
		return err
	}
	if s.views, err = connect(file, readerCache, 1, "query_only(1)"); err != nil {
		return err
	}
	s.views.SetMaxIdleConns(-1) // views are rare
	if s.checks, err = connect(file, checkCache, 1, "query_only(1)"); err != nil {
		return err
	}
	if err := s.startWriter(ctx, folder); err != nil {
		return err
	}
	s.reader = reader{
		statements: newStatements(s.read), outline: s.writer.outline, few: few,
		gate: scan.NewGate(scans), page: scan.Page,
	}
	s.statements.turns = scan.NewTurns(turns)
	return store.Rekey(ctx, s.Update)
}

func connect(file string, cache, connections int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"vfs": {vfs}, "_pragma": append(pragmas,
		"busy_timeout(5000)",
		"journal_mode(wal)",
		"synchronous(full)",
		"wal_autocheckpoint(0)", // see checkpointer
		"temp_store(memory)",    // the file system may be read-only elsewhere
		"cache_size(-"+strconv.Itoa(cache)+")",
	)}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// firstSafe is the first version in which several connections to one write-ahead log cannot corrupt the database
// (https://sqlite.org/wal.html#walresetbug).
var firstSafe = []int{3, 51, 3} //nolint:gochecknoglobals // a list that nothing writes

func checkVersion(ctx context.Context, db *sql.DB) error {
	var text string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&text); err != nil {
		return err
	}
	var version []int
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return fmt.Errorf("SQLite calls itself version %q", text)
		}
		version = append(version, n)
	}
	if slices.Compare(version, firstSafe) < 0 {
		return fmt.Errorf("SQLite %s can corrupt a database in WAL mode; 3.51.3 is the first that cannot", text)
	}
	return nil
}

func migrationsOf(db *sql.DB, folder string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
}

// migrate brings the database to this version's schema. Its commits do not wait for the disk, which is most of the time that a new directory
// takes: with a write-ahead log a power cut leaves the database as it was after one of them, and the next commit waits for them all.
func migrate(ctx context.Context, db *sql.DB) error {
	var begun bool
	const question = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')"
	if err := db.QueryRowContext(ctx, question).Scan(&begun); err != nil {
		return err
	}
	folder := whole
	if begun {
		folder = steps
	}
	provider, err := migrationsOf(db, folder)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // the one that does not wait
	defer db.SetMaxOpenConns(writers)
	if _, err := db.ExecContext(ctx, "PRAGMA synchronous = normal"); err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	if _, reset := db.ExecContext(ctx, "PRAGMA synchronous = full"); reset != nil {
		return errors.Join(err, reset)
	}
	if err != nil {
		return fmt.Errorf("bring the database to this version's schema: %w", err)
	}
	return nil
}

func (s *Store) startWriter(ctx context.Context, folder string) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	on := newStatements(conn)
	on.uninterrupted = true
	w := &writer{
		putting: putting{after: 1000, chunk: 50_000, folder: folder},
		conn:    conn,
		reader:  reader{statements: on, few: few},
		queue:   make(chan *update, maxGroup),
		stopped: make(chan struct{}),
		outline: &outline{},
		paths:   paths{known: map[pathName]int64{}},
	}
	for _, kind := range []store.Kind{store.User, store.Group} {
		err := w.outline.start(kind, w.idAfter(kind), func(from []byte) (n int, err error) {
			err = w.reader.row(ctx, []any{&n}, "SELECT count(*) FROM resources WHERE kind = ? AND id >= ?", int64(kind), from)
			return n, err
		})
		if err != nil {
			_ = conn.Close()
			return err
		}
	}
	s.checkpointer = startCheckpointer(s.write)
	w.written = s.checkpointer.written
	s.writer = w
	go w.run()
	return nil
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, change func(tx store.Tx) error) error {
	u := &update{change: change, done: make(chan struct{})}
	if err := s.enqueue(ctx, u); err != nil {
		return err
	}
	select {
	case <-u.done:
	case <-ctx.Done():
		if u.abandon() {
			return ctx.Err()
		}
		<-u.done
	}
	return u.err
}

func (s *Store) enqueue(ctx context.Context, u *update) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	select {
	case s.writer.queue <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counted is what was counted when so many transactions had changed something.
type counted struct {
	commits int64
	stats   store.Stats
}

// Stats implements store.Store. It counts again only when something has changed.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	commits := s.writer.commits.Load()
	last := s.counted.Load()
	if last == nil || last.commits != commits {
		stats, err := s.reader.Stats(ctx)
		if err != nil {
			return store.Stats{}, err
		}
		last = &counted{commits, stats}
		s.counted.Store(last)
	}
	return last.stats.Clone(), nil
}

// probeSize is what has to fit on the disk before it counts as having room again, in bytes.
const probeSize = 256 << 10

// Check implements store.Store.
func (s *Store) Check(ctx context.Context) error {
	if err := s.checkReading(ctx); err != nil {
		return err
	}
	last := s.writer.lastFailure()
	switch {
	case last == nil:
		return nil
	case s.writer.stillFull(last):
		return fmt.Errorf("write: %w", s.writer.refused(last))
	}
	err := s.Update(ctx, func(tx store.Tx) error {
		last, err := tx.Meta(ctx, "check")
		if err != nil {
			return err
		}
		fill := "0"
		if strings.HasPrefix(last, fill) {
			fill = "1" // SQLite does not write again what is there already
		}
		return tx.SetMeta(ctx, "check", strings.Repeat(fill, probeSize))
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (s *Store) checkReading(ctx context.Context) error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return errClosed
	}
	var there bool
	return translate(s.checks.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'check')").Scan(&there))
}

// Close implements store.Store. Updates that were already asked for are finished.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.viewing <- struct{}{}
	defer func() { <-s.viewing }()
	if s.writer != nil {
		close(s.writer.queue)
		<-s.writer.stopped
		s.checkpointer.stop()
		s.writer.reader.statements.close()
		_ = s.writer.conn.Close() // gives it back to s.write, whose Close tells
	}
	if s.statements != nil {
		s.statements.close()
	}
	var failed error
	for _, db := range []*sql.DB{s.checks, s.views, s.read, s.write} { // the last to close empties the write-ahead log
		if db == nil {
			continue
		}
		if err := db.Close(); err != nil {
			failed = fmt.Errorf("close the directory: %w", translate(err))
		}
	}
	if s.lock != nil {
		_ = s.lock.Close() // which is what unlocks it
	}
	return failed
}
