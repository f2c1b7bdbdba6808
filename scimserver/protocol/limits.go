package protocol

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/throttle"
)

const (
	// MaxInFlight is how many requests are worked on at once. More would only wait for the same processors and disk.
	MaxInFlight = 256
	// maxLargeBodies is how many bodies above smallBody are worked on at once: read and taken apart, one of MaxBody can
	// take ten times its size in memory.
	maxLargeBodies = 8

	// retryBusy is the Retry-After, in seconds, while too much is asked at once.
	retryBusy = "1"
)

// limits keep the server's work within bounds.
type limits struct {
	throttle throttle.Throttle
	inFlight chan struct{}
	large    chan struct{}
}

func newLimits() *limits {
	return &limits{inFlight: make(chan struct{}, MaxInFlight), large: make(chan struct{}, maxLargeBodies)}
}

// limit is what the tenant's settings let each client ask; ok is false where they set none.
func limit(current *settings.Snapshot) (l throttle.Limit, ok bool) {
	spec := current.Tenant.Spec.Limits
	if spec.RequestsPerSecond == nil || spec.Burst == nil {
		return throttle.Limit{}, false
	}
	return throttle.Limit{PerSecond: int(*spec.RequestsPerSecond), Burst: int(*spec.Burst)}, true
}

// admit lets a request of a client in, or returns the answer 429. Everybody without a valid credential is one client,
// throttle.Stranger: behind an ingress no address can be believed, and what is counted by address has no end.
func (l *limits) admit(current *settings.Snapshot, client string, now time.Time) error {
	limit, ok := limit(current)
	if !ok {
		return nil
	}
	wait := l.throttle.Take(client, limit, now)
	if wait == 0 {
		return nil
	}
	who := "this credential sends"
	if client == throttle.Stranger {
		who = "clients without a valid credential send"
	}
	return &Error{
		Status: http.StatusTooManyRequests, RetryAfter: strconv.Itoa(int((wait + time.Second - 1) / time.Second)),
		Detail: who + " more than " + strconv.Itoa(limit.PerSecond) + " requests a second (spec.limits)",
	}
}

// charge counts the operations of a request beyond the first.
func (l *limits) charge(current *settings.Snapshot, client string, now time.Time, operations int) {
	if limit, ok := limit(current); ok && operations > 1 {
		l.throttle.Charge(client, limit, now, operations-1)
	}
}

// enter takes a place among the requests that are worked on; leave gives it back.
func (l *limits) enter() (leave func(), err error) {
	select {
	case l.inFlight <- struct{}{}:
		return func() { <-l.inFlight }, nil
	default:
		return nil, busy("the server is working on " + strconv.Itoa(MaxInFlight) + " requests already")
	}
}

func busy(detail string) error {
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryBusy, Detail: detail}
}
