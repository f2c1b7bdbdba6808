package store

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that there is no such resource.
	ErrNotFound = errors.New("no such resource")

	// ErrConflict is what every *ConflictError is.
	ErrConflict = errors.New("taken by another resource")

	// ErrTooMany says that a page of a sorted list lies beyond MaxRanked, and the engine cannot sort by itself.
	ErrTooMany = errors.New("too many resources to sort")

	// ErrTooWide says that a query looked at more than the engine has time for.
	ErrTooWide = errors.New("the query looks at too many resources")

	// ErrOutdated says that something is stored under a key of Meta that RequireMeta did not want.
	ErrOutdated = errors.New("what a change follows from is not so any more")

	// ErrUnavailable says that the engine cannot do its work just now: full disk, I/O error, locked, unreachable
	// or closed. Nothing was changed unless it is an ErrUncertain too, and trying again later is right.
	ErrUnavailable = errors.New("the directory's storage is unavailable")

	// ErrUncertain is an ErrUnavailable too, but the change may have happened: the engine did not say so, or has it on one machine only
	// where it should be on two.
	ErrUncertain = fmt.Errorf("%w: whether the change happened is not known", ErrUnavailable)

	// ErrUnwritable is an ErrUnavailable of changes alone, as on a full disk: nothing was changed, and what is stored can be read.
	ErrUnwritable = fmt.Errorf("%w: it takes no changes", ErrUnavailable)

	// ErrHeld is an ErrUnavailable: another process has the directory to itself.
	ErrHeld = fmt.Errorf("%w: another process has it open", ErrUnavailable)

	// ErrHandover is an ErrUnavailable that nobody need be told of: the other process is expected to end within seconds, as the last pod of a
	// server does.
	ErrHandover = fmt.Errorf("%w: it is handed over", ErrUnavailable)

	// ErrBusy is an ErrUnavailable: a query that looks at many resources would have to wait too long for others that do.
	ErrBusy = fmt.Errorf("%w: too many queries look at many resources", ErrUnavailable)
)

// ConflictError says which resource already has the Key, or the id, that an Insert or a Replace asked for.
type ConflictError struct {
	Kind     Kind
	Existing string // id of the resource that has it
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("taken by %s %s", e.Kind, e.Existing)
}

func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Unwritable makes an ErrUnwritable of an ErrUnavailable. The text and the cause stay.
func Unwritable(err error) error { return &unwritable{err} }

// Handover makes an ErrHandover of an ErrHeld. The text and the cause stay.
func Handover(err error) error { return &handover{err} }

type handover struct{ error }

func (e *handover) Is(target error) bool { return target == ErrHandover }

func (e *handover) Unwrap() error { return e.error }

type unwritable struct{ error }

func (e *unwritable) Is(target error) bool { return target == ErrUnwritable }

func (e *unwritable) Unwrap() error { return e.error }
