// Package outage tells the beginning and the end of a time in which something fails that a program needs. A line in the log for each failure
// would tell no more, and there may be thousands a second.
package outage

import (
	"sync"
	"sync/atomic"
	"time"
)

// Outage is what is known of one thing that may fail. The zero value is for a thing that works, and may be used by any number of goroutines.
type Outage struct {
	// Calm is how long nothing may have failed before a success ends the outage. Where some requests succeed and others do not, as those
	// that only read do on a disk that is full, each would begin an outage or end it.
	Calm time.Duration

	away        atomic.Bool
	mu          sync.Mutex
	began, last time.Time // of the failures
}

// Lasts reports whether an outage has begun and not ended.
func (o *Outage) Lasts() bool { return o.away.Load() }

// Failed takes a failure, and reports whether an outage begins with it.
func (o *Outage) Failed(at time.Time) (begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at.After(o.last) {
		o.last = at
	}
	if begins = !o.away.Swap(true); begins {
		o.began = at
	}
	return begins
}

// Lasted is the time from the first failure of the last outage to the last one.
func (o *Outage) Lasted() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last.Sub(o.began)
}

// Succeeded takes a success, and reports whether an outage ends with it. It costs nothing while there is none.
func (o *Outage) Succeeded(at time.Time) (ends bool) {
	if !o.away.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return at.Sub(o.last) >= o.Calm && o.away.Swap(false)
}
