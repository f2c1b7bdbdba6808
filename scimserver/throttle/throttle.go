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

const (
	// crowd is the client that stands for all who come while maxClients others are busy.
	crowd = "\x00"
	// everyone is the client that stands for all clients of a Throttle together.
	everyone = "\x01"
)

// MaxDebt bounds how long a client waits for what Charge counted, so that a limit that is set too low is no ban.
const MaxDebt = 30 * time.Minute

// maxShared bounds how long all clients of a Throttle wait for what was charged to some. Each pays what it owes by itself: one reader's five
// requests that look at a whole directory would otherwise hold up all readers for as long as they hold up that one.
const maxShared = time.Second

// Limit is what one client may ask.
type Limit struct {
	// PerSecond is how many requests a second in the long run.
	PerSecond int
	// Burst is how many at once, after a pause.
	Burst int
}

func (l Limit) times(n int) Limit { return Limit{l.PerSecond * n, l.Burst * n} }

// Throttle counts what clients ask. The zero value is ready for use, by any number of goroutines.
type Throttle struct {
	// Together is how many times the limit of one client all clients together may ask; 0 is without a bound. It is set before use.
	Together int

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// Take lets a client's request in, or tells how long until the next would be: 0 means that it is in. A limit that
// differs from the last one counts from now on.
func (t *Throttle) Take(client string, limit Limit, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.limiter(client, limit, now).ReserveN(now, 1)
	wait = own.DelayFrom(now)
	if wait == 0 && t.Together > 0 {
		all := t.limiter(everyone, limit.times(t.Together), now).ReserveN(now, 1)
		if wait = all.DelayFrom(now); wait > 0 {
			all.CancelAt(now)
		}
	}
	if wait > 0 {
		own.CancelAt(now)
	}
	return wait
}

// Charge counts n more requests for one that was let in and turned out to be worth as many. They are not refused; what
// comes after them waits the longer, up to MaxDebt.
func (t *Throttle) Charge(client string, limit Limit, now time.Time, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	charge(t.limiter(client, limit, now), now, n, MaxDebt)
	if t.Together > 0 {
		charge(t.limiter(everyone, limit.times(t.Together), now), now, n, maxShared)
	}
}

// charge takes n from a limiter, or less where that would take it longer than most to recover. A limiter reserves no more than a
// burst at a time.
func charge(limiter *rate.Limiter, now time.Time, n int, most time.Duration) {
	n = min(n, int(limiter.TokensAt(now)+most.Seconds()*float64(limiter.Limit())))
	for ; n > 0; n -= limiter.Burst() {
		limiter.ReserveN(now, min(n, limiter.Burst()))
	}
}

// limiter returns a client's limiter with the limit in force.
func (t *Throttle) limiter(client string, limit Limit, now time.Time) *rate.Limiter {
	found, known := t.clients[client]
	if !known {
		if len(t.clients) >= maxClients {
			t.forget(now)
		}
		if len(t.clients) >= maxClients && client != everyone {
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
