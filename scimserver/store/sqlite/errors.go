package sqlite

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
)

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

// translate makes store's errors of the engine's. What it does not know is returned as it is.
func translate(err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrUnavailable):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case unavailable(err):
		return store.WithCause(reason(err), fmt.Errorf("%w: %w", store.ErrUnavailable, err))
	default:
		return err
	}
}

// reason is why condition StorageReady is False where err makes the engine unavailable.
func reason(err error) string {
	code := 0
	if e, ok := errors.AsType[*driver.Error](err); ok {
		code = e.Code() & 0xff
	}
	switch {
	case code == sqlite3.SQLITE_FULL, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return v1alpha1.ReasonVolumeFull
	case code == sqlite3.SQLITE_READONLY, errors.Is(err, syscall.EROFS):
		return v1alpha1.ReasonVolumeReadOnly
	case code == sqlite3.SQLITE_CORRUPT, code == sqlite3.SQLITE_NOTADB:
		return v1alpha1.ReasonDirectoryDamaged
	}
	return v1alpha1.ReasonVolumeFailed
}

// refused is the error of a change that the engine did not make. SQLite knows a full disk, and calls the system's other answers to a write an
// I/O error; the folder tells those apart.
func (w *writer) refused(err error) error {
	err = translate(err)
	why, _ := store.CauseOf(err)
	if why == v1alpha1.ReasonVolumeFailed {
		if tried := tryWriting(w.putting.folder); tried != nil {
			why = reason(tried)
			err = store.WithCause(why, fmt.Errorf("%w: %w", err, tried))
		}
	}
	switch why {
	case v1alpha1.ReasonVolumeFull, v1alpha1.ReasonVolumeReadOnly: // of a damaged file or a failing disk no answer is certain
		return store.Unwritable(err)
	}
	return err
}

// tryWriting writes a page to a file of its own in the folder, and takes it away again. It returns the system's error.
func tryWriting(folder string) error {
	name := filepath.Join(folder, "probe")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 4096))
	err = cmp.Or(err, file.Sync())
	return cmp.Or(err, file.Close(), os.Remove(name))
}

// unavailable tells whether err is the engine's, in a way that passes or that an administrator has to mend: nothing is
// wrong with what was asked.
func unavailable(err error) bool {
	if errors.Is(err, sql.ErrConnDone) {
		return true
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return true
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// failedWith tells whether err has one of SQLite's extended codes.
func failedWith(err error, code int) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code() == code
}
