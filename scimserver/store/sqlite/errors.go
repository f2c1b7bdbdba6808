package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
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

func isUnique(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
