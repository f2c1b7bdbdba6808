package store

import "errors"

// WithCause gives an error the reason of condition StorageReady that people can look it up by, one of those in api/v1alpha1. The error must
// be an ErrUnavailable, and its text shows no secret: the condition has it too.
func WithCause(reason string, err error) error { return &caused{reason, err} }

// CauseOf returns the reason that an error has, or one that it wraps, and whether one has. The reason is empty where condition StorageReady
// is not concerned.
func CauseOf(err error) (reason string, ok bool) {
	e, ok := errors.AsType[interface {
		error
		Cause() string
	}](err)
	if ok {
		reason = e.Cause()
	}
	return reason, ok
}

type caused struct {
	reason string
	err    error
}

func (e *caused) Error() string { return e.err.Error() }

func (e *caused) Unwrap() error { return e.err }

func (e *caused) Cause() string { return e.reason }
