// Package connections bounds what the connections of a port cost on which no request of a known client is worked on. Anybody may open
// them, and say nothing, or send a header or a body that never ends.
package connections

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Bound follows the connections of one port. It can be used by any number of goroutines.
type Bound struct {
	waiting, idle int

	mu     sync.Mutex
	all    map[net.Conn]*connection
	counts [closed + 1]int
	turns  uint64
}

// New returns a Bound.
//
// No more than so many connections are waiting: those that are new, or on which a request came of which it is not known whether it is let
// in, or was answered and is not whole. Where one more begins to wait, the one is closed that waits for longest: an honest client needs
// milliseconds, and whoever holds connections without saying anything loses them.
//
// With more than so many idle ones, on which a request was answered and nothing is asked, each answer says Connection: close. They are not
// closed: a proxy may just be sending a write on one.
func New(waiting, idle int) *Bound {
	return &Bound{waiting: waiting, idle: idle, all: map[net.Conn]*connection{}}
}

type state int

const (
	waiting state = iota
	working
	idle
	closed
)

// connection is what is known of a connection.
type connection struct {
	bound *Bound
	conn  net.Conn
	state state
	since uint64 // the turn in which it began to wait
}

type contextKey struct{}

// Configure makes a server follow its connections.
func (b *Bound) Configure(server *http.Server) {
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		c := &connection{bound: b, conn: conn, state: closed}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all[conn] = c
		return context.WithValue(ctx, contextKey{}, c)
	}
	server.ConnState = b.follow
	server.Handler = b.bounded(server.Handler)
}

// follow is told by the server what becomes of a connection.
func (b *Bound) follow(conn net.Conn, now http.ConnState) {
	next := closed
	switch now {
	case http.StateNew, http.StateActive:
		next = waiting
	case http.StateIdle:
		next = idle
	case http.StateHijacked, http.StateClosed:
	}
	b.mu.Lock()
	c := b.all[conn]
	if c == nil {
		b.mu.Unlock()
		return
	}
	if next == closed {
		delete(b.all, conn)
	}
	b.change(c, next)
}

// change is called with the lock, and gives it back.
func (b *Bound) change(c *connection, next state) {
	if _, there := b.all[c.conn]; !there {
		next = closed
	}
	b.counts[c.state]--
	b.counts[next]++
	if next == waiting && c.state != waiting { // the first byte of a request makes nobody wait anew
		b.turns++
		c.since = b.turns
	}
	c.state = next
	var longest *connection
	if b.counts[waiting] > b.waiting {
		for _, other := range b.all {
			if other.state == waiting && (longest == nil || other.since < longest.since) {
				longest = other
			}
		}
		delete(b.all, longest.conn)
		b.counts[waiting]--
		longest.state = closed
		b.counts[closed]++
	}
	b.mu.Unlock()
	if longest != nil {
		_ = longest.conn.Close()
	}
}

// Work says that the request of a context was let in, so that its connection is kept, until Rest.
func Work(ctx context.Context) { tell(ctx, working) }

// Rest says that a request has been answered. The rest of its body may still come.
func Rest(ctx context.Context) { tell(ctx, waiting) }

func tell(ctx context.Context, next state) {
	if c, ok := ctx.Value(contextKey{}).(*connection); ok {
		c.bound.mu.Lock()
		c.bound.change(c, next)
	}
}

// bounded lets no connection become idle while there are enough of them.
func (b *Bound) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.Idle() >= b.idle {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Idle is how many connections are idle.
func (b *Bound) Idle() int { return b.count(idle) }

// Waiting is how many connections are waiting.
func (b *Bound) Waiting() int { return b.count(waiting) }

func (b *Bound) count(s state) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[s]
}
