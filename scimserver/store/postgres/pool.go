package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// fullFor is for how long no further connection is asked for after the database had none to give, and those that are there are waited for.
	// Without any, a tenth of it.
	fullFor = time.Second
	// growAfter is how long background work waits for a connection that is there before it has another opened.
	growAfter = time.Second
	// lookAgain is how often who waits looks whether another can be opened.
	lookAgain = 100 * time.Millisecond
	// turnover is how often a pool gives up one of its connections, if it has at least surplus of them.
	turnover = 10 * time.Second
	surplus  = 4
	// turnoverPause is for how long it opens no other then. Those who have none look again more often.
	turnoverPause = 3 * lookAgain
)

// pool is a pgxpool.Pool whose users wait for a connection that it has where the database gives no more.
type pool struct {
	*pgxpool.Pool

	schema *namespace
	way    *pooler

	mu    sync.Mutex
	most  int
	taken int             // connections in use, or being opened
	full  bool            // the database had none to give a moment ago, or the next is left to others
	queue []chan struct{} // those who wait, in their order

	turnover time.Duration // the constant where it is 0
	turned   time.Time     // when one was last given up
	giveUp   atomic.Bool   // the next that is given back
}

// lent is a connection in use.
type lent struct {
	*pgxpool.Conn
	from *pool // nil where nobody waits for it
}

// Release gives the connection back, or up.
func (l lent) Release() {
	switch {
	case l.from == nil:
		l.Conn.Release()
	case l.from.giveUp.Load() && l.from.gives():
		connection := l.Hijack()
		l.from.refrain(turnoverPause)
		closing, cancel := context.WithTimeout(context.Background(), lookAgain)
		defer cancel()
		_ = connection.Close(closing)
	default:
		l.Conn.Release()
		l.from.leave()
	}
}

// turnOver has a connection given up now and then, even if all are used without a rest. The tenants of a database cannot know whether there is
// one without any, which would wait for as long as the others work; what they give up, it takes. Where there is none, they have their
// connection back in a moment.
func (p *pool) turnOver(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.turned.IsZero():
		p.turned = now
	case now.Sub(p.turned) >= cmp.Or(p.turnover, turnover) && p.made() >= surplus:
		p.turned = now
		p.giveUp.Store(true)
	}
}

// gives tells whether the connection that is given back now is the one to give up.
func (p *pool) gives() bool { return p.giveUp.Swap(false) && p.made() >= surplus }

var errNoneFree = &engineError{busy, "no connection to the database became free in time"}

// acquire takes a connection, and waits for one until ctx ends. Its error is the store's.
func (p *pool) acquire(ctx context.Context) (lent, error) {
	var last error
	for {
		if err := p.enter(ctx); err != nil {
			switch {
			case last != nil && !errors.Is(err, context.Canceled):
				return lent{}, last
			case errors.Is(err, context.DeadlineExceeded):
				return lent{}, errNoneFree
			}
			return lent{}, err
		}
		conn, err := p.take(ctx)
		if err == nil {
			return lent{conn, p}, nil
		}
		if last = translate(ctx, err); !failed(last, full) {
			p.leave()
			return lent{}, last
		}
		pause := fullFor
		if p.open() == 0 {
			pause /= 10
		}
		p.refrain(pause)
	}
}

// take takes a connection of the pool, or makes one, in the manner that the way to the database asks for.
func (p *pool) take(ctx context.Context) (*pgxpool.Conn, error) {
	for {
		made := p.way.manner()
		conn, err := p.Pool.Acquire(ctx)
		if err == nil || !p.way.learn(err, made) {
			return conn, err
		}
	}
}

// idle takes a connection that is there and that nobody uses; ok is false if there is none.
func (p *pool) idle(ctx context.Context) (conn lent, ok bool, err error) {
	p.mu.Lock()
	if ok = p.taken < p.open(); ok {
		p.taken++
	}
	p.mu.Unlock()
	if !ok {
		return lent{}, false, nil
	}
	taken, err := p.take(ctx)
	if err != nil {
		p.leave()
		return lent{}, true, translate(ctx, err)
	}
	return lent{taken, p}, true, nil
}

// enter waits until there is a connection to take, or one may be opened.
func (p *pool) enter(ctx context.Context) error {
	patient := store.InBackground(ctx)
	p.mu.Lock()
	if (!patient || p.taken == 0) && p.mayOpen() || p.taken < p.open() {
		p.taken++
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	p.queue = append(p.queue, turn)
	p.mu.Unlock()
	wait := lookAgain
	if patient {
		wait = growAfter
	}
	look := time.NewTimer(wait)
	defer look.Stop()
	for {
		select {
		case <-turn:
			return nil
		case <-ctx.Done():
			if !p.withdraw(turn, false) {
				p.leave() // its turn has come meanwhile
			}
			return ctx.Err()
		case <-look.C:
			if p.withdraw(turn, true) {
				return nil
			}
			look.Reset(lookAgain)
		}
	}
}

func (p *pool) mayOpen() bool {
	return p.taken < p.most && !p.full
}

// withdraw takes who waits out of the queue, where to take a turn only if a connection may be opened, and tells whether it did.
func (p *pool) withdraw(turn chan struct{}, take bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, turn)
	if i < 0 || take && !p.mayOpen() {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	if take {
		p.taken++
	}
	return true
}

// leave hands a turn to the first who waits.
func (p *pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.taken--
		return
	}
	p.queue[0] <- struct{}{}
	p.queue = p.queue[1:]
}

// refrain gives back a turn for which there is no connection, and opens none for a while.
func (p *pool) refrain(pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.full = true
	time.AfterFunc(pause, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.full = false
	})
}

// refrains tells whether no other connection is opened for now.
func (p *pool) refrains() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full
}

// open is how many connections there are.
func (p *pool) open() int { return int(p.Stat().TotalConns()) }

// made is how many there are, without those that are being opened and may not come to be.
func (p *pool) made() int {
	stat := p.Stat()
	return int(stat.TotalConns() - stat.ConstructingConns())
}
