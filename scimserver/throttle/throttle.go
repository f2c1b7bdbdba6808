// Package throttle holds back clients that ask more than their share, each by itself, so that none of them can use up
// what another may ask.
package throttle

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxClients bounds what is remembered. Credentials are few; people who ask with tokens of their own may be many.
const maxClients = 1000

// Stranger is the client that stands for everybody without a valid credential. No credential's ID is empty.
const Stranger = ""

// crowd is the client that stands for all who come while maxClients others are busy.
const crowd = "\x00"

// Limit is what one client may ask.
type Limit struct {
	// PerSecond is how many requests a second in the long run.
	PerSecond int
	// Burst is how many at once, after a pause.
	Burst int
}

// Throttle counts what clients ask. The zero value is ready for use, by any number of goroutines.
type Throttle struct {
	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// Take lets a client's request in, or tells how long until the next would be: 0 means that it is in. A limit that
// differs from the last one counts from now on.
func (t *Throttle) Take(client string, limit Limit, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	reservation := t.limiter(client, limit, now).ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// Charge counts n more requests for one that was let in and turned out to be worth as many. They are not refused; what
// comes after them waits the longer, but never longer than a whole burst takes.
func (t *Throttle) Charge(client string, limit Limit, now time.Time, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limiter(client, limit, now).ReserveN(now, min(n, limit.Burst))
}

// limiter returns a client's limiter with the limit in force.
func (t *Throttle) limiter(client string, limit Limit, now time.Time) *rate.Limiter {
	found, known := t.clients[client]
	if !known {
		if len(t.clients) >= maxClients {
			t.forget(now)
		}
		if len(t.clients) >= maxClients {
			client = crowd
			found, known = t.clients[client]
		}
	}
	if !known {
		if t.clients == nil {
			t.clients = map[string]*rate.Limiter{}
		}
		found = rate.NewLimiter(rate.Limit(limit.PerSecond), limit.Burst)
		t.clients[client] = found
	}
	if found.Limit() != rate.Limit(limit.PerSecond) {
		found.SetLimitAt(now, rate.Limit(limit.PerSecond))
	}
	if found.Burst() != limit.Burst {
		found.SetBurstAt(now, limit.Burst)
	}
	return found
}

// forget drops the clients that could ask a whole burst: a new limiter would tell them the same.
func (t *Throttle) forget(now time.Time) {
	for client, limiter := range t.clients {
		if limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(t.clients, client)
		}
	}
}
