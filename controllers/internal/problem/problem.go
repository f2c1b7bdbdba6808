// Package problem has the types of what keeps a step of a reconcile from its end. The type decides what comes next: Stalled waits for a person,
// Waiting for the world, and any other error is tried again with backoff.
package problem

import "time"

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
