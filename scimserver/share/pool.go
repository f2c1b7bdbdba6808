package share

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// ErrNever is the error for more than a client can ever hold: to wait for it would be to wait for ever.
var ErrNever = errors.New("this is more than a client can hold")

// Pool is what is divided. Its methods may be called by any number of goroutines. It remembers clients only while they hold
// something.
type Pool struct {
	size   int64
	shares [classes]Share
	// Refused is called for each take that gets nothing, except where the caller gave up waiting; nil for nobody. It is set before
	// the pool is used, and must not use the pool.
	Refused func(Class)

	mu       sync.Mutex
	held     map[Client]int64
	together [classes]int64
	total    int64
	waiting  [classes][]*waiter // in the order of their rounds, of one round the first come first
	round    [classes]int       // in which the last that waited was served
	next     map[Client]int     // the round of a client's next that waits, where it is behind that of its class
}

// waiter is a take that waits for others to release.
type waiter struct {
	client Client
	amount int64
	round  int
	taken  chan struct{} // closed under the lock, once the amount is the client's
}

// NewPool returns a pool that is divided so. It panics where the division promises what there is not: more than the pool, or a share that
// is greater than what its class has together. Without a reserve, as of a single place, provisioning clients are served first.
func NewPool(d Division) *Pool {
	if d.Reserve() < 0 || d.Provisioners.Together > d.Size {
		panic("share: the division is greater than the pool")
	}
	shares := d.shares()
	for _, share := range shares {
		if share.Each < 0 || share.Each > share.Together {
			panic("share: a client's share is greater than what its class has together")
		}
	}
	return &Pool{size: d.Size, shares: shares, held: map[Client]int64{}, next: map[Client]int{}}
}

// Held is an amount that a client holds. The zero value holds nothing. It belongs to one goroutine at a time, and a copy of it is
// not to be released beside it.
type Held struct {
	pool   *Pool
	client Client
	amount int64
}

// Most is what a client can hold.
func (p *Pool) Most(client Client) int64 { return p.shares[client.Class].Each }

// TryTake takes an amount for a client, where it fits into what the client, its class and the pool have left, and nobody who comes
// before the client waits for that.
func (p *Pool) TryTake(client Client, amount int64) (held Held, ok bool) {
	p.mu.Lock()
	ok = p.takeNow(client, amount)
	p.mu.Unlock()
	if !ok {
		p.refused(client.Class)
		return Held{}, false
	}
	return Held{p, client, amount}, true
}

// Take takes an amount for a client as TryTake does, and waits for it until ctx ends. Provisioning clients are served first. Of a class, one
// take of each client that waits is served in a round, in the order in which they came: a client that waits with many waits behind itself and
// not others behind it. A client that holds its share holds up nobody. The error is ctx's or ErrNever.
func (p *Pool) Take(ctx context.Context, client Client, amount int64) (Held, error) {
	if err := ctx.Err(); err != nil {
		return Held{}, err
	}
	if amount > p.Most(client) {
		p.refused(client.Class)
		return Held{}, ErrNever
	}
	p.mu.Lock()
	if p.takeNow(client, amount) {
		p.mu.Unlock()
		return Held{p, client, amount}, nil
	}
	w := p.wait(client, amount)
	p.mu.Unlock()

	select {
	case <-w.taken:
		return Held{p, client, amount}, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.taken: // in the same moment; the caller is told that it gave up, so it will not release
		p.add(client, -amount)
	default:
		p.waiting[client.Class] = slices.DeleteFunc(p.waiting[client.Class], func(other *waiter) bool { return other == w })
		p.forget(client.Class)
	}
	p.serve() // those who waited behind it
	return Held{}, ctx.Err()
}

// More takes more to what is held, or changes nothing. To hold something and wait for more is how two clients wait for each other, so
// it does not wait.
func (h *Held) More(amount int64) bool {
	h.pool.mu.Lock()
	ok := h.pool.takeNow(h.client, amount)
	h.pool.mu.Unlock()
	if !ok {
		h.pool.refused(h.client.Class)
		return false
	}
	h.amount += amount
	return true
}

// Release gives back all that is held. To release it again does nothing.
func (h *Held) Release() {
	if h.amount == 0 {
		return
	}
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	h.pool.add(h.client, -h.amount)
	h.amount = 0
	h.pool.serve()
}

// Held returns how much of the pool is held now, and by how many clients.
func (p *Pool) Held() (amount int64, clients int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total, len(p.held)
}

// Waiting returns how many takes wait now.
func (p *Pool) Waiting() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, class := range p.waiting {
		n += len(class)
	}
	return n
}

func (p *Pool) refused(class Class) {
	if p.Refused != nil {
		p.Refused(class)
	}
}

// takeNow takes an amount that is left, unless that would overtake somebody; the caller holds the lock.
func (p *Pool) takeNow(client Client, amount int64) bool {
	if amount < 0 {
		panic("share: a negative amount")
	}
	if p.lacks(client, amount) != nothing {
		return false
	}
	for class := client.Class; class < Class(classes); class++ {
		for _, w := range p.waiting[class] {
			if lack := p.lacks(w.client, w.amount); lack == ofPool || lack == ofClass && class == client.Class {
				return false // else a large amount would never come together while small ones are taken
			}
		}
	}
	p.add(client, amount)
	return true
}

// lack is what there is too little of.
type lack int

const (
	nothing lack = iota
	ofClient
	ofClass
	ofPool
)

// lacks tells why an amount cannot be a client's, whoever waits; the caller holds the lock.
func (p *Pool) lacks(client Client, amount int64) lack {
	share := p.shares[client.Class]
	switch {
	case p.held[client] > share.Each-amount:
		return ofClient
	case p.together[client.Class] > share.Together-amount:
		return ofClass
	case p.total > p.size-amount:
		return ofPool
	default:
		return nothing
	}
}

// wait puts a take behind those that wait in its round or before; the caller holds the lock.
func (p *Pool) wait(client Client, amount int64) *waiter {
	class := client.Class
	w := &waiter{client, amount, max(p.round[class], p.next[client]), make(chan struct{})}
	p.next[client] = w.round + 1
	behind := slices.IndexFunc(p.waiting[class], func(other *waiter) bool { return other.round > w.round })
	if behind < 0 {
		behind = len(p.waiting[class])
	}
	p.waiting[class] = slices.Insert(p.waiting[class], behind, w)
	return w
}

// forget drops what says nothing any more of the order in which a class is served; the caller holds the lock.
func (p *Pool) forget(class Class) {
	maps.DeleteFunc(p.next, func(client Client, round int) bool {
		return client.Class == class && (round <= p.round[class] || len(p.waiting[class]) == 0)
	})
}

// serve gives those who wait what is left, provisioning clients first; the caller holds the lock.
func (p *Pool) serve() {
	for class := Class(classes) - 1; class >= 0; class-- {
		if p.serveClass(class) == ofPool {
			return
		}
	}
}

// serveClass serves those of one class, and returns what there is too little of for the first who has to wait on and holds less than
// its share: what is left comes together for that one, and not for those behind it. The caller holds the lock.
func (p *Pool) serveClass(class Class) (first lack) {
	if len(p.waiting[class]) == 0 {
		return nothing
	}
	defer p.forget(class)
	p.waiting[class] = slices.DeleteFunc(p.waiting[class], func(w *waiter) bool {
		if first != nothing {
			return false
		}
		switch lack := p.lacks(w.client, w.amount); lack {
		case nothing:
			p.add(w.client, w.amount)
			p.round[class] = max(p.round[class], w.round)
			close(w.taken)
			return true
		case ofClient:
			return false
		default:
			first = lack
			return false
		}
	})
	return first
}

// add counts what a client holds; the caller holds the lock.
func (p *Pool) add(client Client, amount int64) {
	p.total += amount
	p.together[client.Class] += amount
	if now := p.held[client] + amount; now == 0 {
		delete(p.held, client)
	} else {
		p.held[client] = now
	}
}
