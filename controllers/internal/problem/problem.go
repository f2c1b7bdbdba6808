// Package problem has the types of what keeps a step of a reconcile from its end, and how errors of the API server become them. The type decides
// what comes next: Stalled waits for a person, Waiting for the world, and any other error is tried again with backoff.
package problem

import (
	"errors"
	"fmt"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Stalled is an error that only a change by a person ends.
type Stalled struct {
	// Condition that is False because of it.
	Condition, Reason, Message string
	// Recheck is when to look again though nothing has changed, for what the operator is not told of; 0 for never.
	Recheck time.Duration
}

func (e *Stalled) Error() string { return e.Message }

// Waiting is an error that ends by itself.
type Waiting struct {
	// Condition that is False because of it.
	Condition, Reason, Message string
	// After is when to look again; 0 where an event will tell.
	After time.Duration
}

func (e *Waiting) Error() string { return e.Message }

// NotAccepted returns a *Stalled by which condition Accepted is False.
func NotAccepted(reason, format string, args ...any) *Stalled {
	return &Stalled{Condition: v1alpha1.ConditionAccepted, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// About returns a typed error such that it speaks of another condition, and any other error as it is.
func About(condition string, err error) error {
	var stalled *Stalled
	var waiting *Waiting
	switch {
	case errors.As(err, &stalled):
		other := *stalled
		other.Condition = condition
		return &other
	case errors.As(err, &waiting):
		other := *waiting
		other.Condition = condition
		return &other
	}
	return err
}

// Join returns one problem with the reason of the first and what both say, or nil where there is none.
func Join(first, second *Stalled) *Stalled {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	both := *first
	both.Message += " " + second.Message
	if both.Recheck == 0 || second.Recheck > 0 && second.Recheck < both.Recheck {
		both.Recheck = second.Recheck
	}
	return &both
}
