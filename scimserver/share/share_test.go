package share_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tenantry/tenantry/scimserver/share"
)

// ten is a pool of which a provisioning client has a reserve of 3.
func ten() share.Division {
	return share.Division{
		Size: 10, Provisioners: share.Share{Each: 8, Together: 9}, Readers: share.Share{Each: 3, Together: 4},
		People: share.Share{Each: 1, Together: 2}, Strangers: 1,
	}
}

func client(class share.Class, id int) share.Client {
	return share.Client{Class: class, ID: fmt.Sprint(id)}
}

// takes counts how many of n takes of one get something.
func takes(p *share.Pool, c share.Client, n int) (held []share.Held) {
	for range n {
		if h, ok := p.TryTake(c, 1); ok {
			held = append(held, h)
		}
	}
	return held
}

func TestEachClientAndEachClassHasAnEnd(t *testing.T) {
	for _, c := range []struct {
		class          share.Class
		each, together int
	}{
		{share.Provisioner, 8, 9}, {share.Reader, 3, 4}, {share.Person, 1, 2}, {share.Stranger, 1, 1},
	} {
		p := share.NewPool(ten())
		first := takes(p, client(c.class, 1), 100)
		if len(first) != c.each {
			t.Errorf("one %s holds %d, want %d", c.class, len(first), c.each)
		}
		all := len(first)
		for id := range 20 {
			all += len(takes(p, client(c.class, 2+id), 100))
		}
		if all != c.together {
			t.Errorf("every %s together: %d, want %d", c.class, all, c.together)
		}
		first[0].Release()
		first[0].Release()
		if again := len(takes(p, client(c.class, 1), 100)); again != 1 {
			t.Errorf("%s: %d after one was released twice, want 1", c.class, again)
		}
	}
}

func TestTheReserveIsLeftWhatAllOthersTake(t *testing.T) {
	p := share.NewPool(ten())
	for _, class := range []share.Class{share.Stranger, share.Person, share.Reader} {
		for id := range 50 {
			takes(p, client(class, id), 50)
		}
	}
	if got := len(takes(p, client(share.Provisioner, 1), 100)); got != 3 || ten().Reserve() != 3 {
		t.Errorf("the provisioning client holds %d, want the reserve of 3", got)
	}
}

func TestMoreIsTakenWholeOrNotAtAll(t *testing.T) {
	p := share.NewPool(ten())
	held, ok := p.TryTake(client(share.Reader, 1), 2)
	if !ok || held.More(2) || !held.More(1) {
		t.Fatal("a share of 3 is not 2 and 1")
	}
	if got := len(takes(p, client(share.Reader, 2), 10)); got != 1 {
		t.Errorf("%d are left for readers, want 1: what was refused is not held", got)
	}
	held.Release()
	if _, ok := p.TryTake(client(share.Reader, 1), 3); !ok {
		t.Error("what was taken in two steps was not released")
	}
	var nothing share.Held
	nothing.Release()
}

func TestRefusalsAreToldByClass(t *testing.T) {
	p := share.NewPool(ten())
	refused := map[share.Class]int{}
	p.Refused = func(c share.Class) { refused[c]++ }
	held := takes(p, client(share.Reader, 1), 5)
	held[0].More(1)
	if _, err := p.Take(t.Context(), client(share.Person, 1), 2); !errors.Is(err, share.ErrNever) {
		t.Errorf("to wait for more than the share: %v", err)
	}
	if refused[share.Reader] != 3 || refused[share.Person] != 1 || len(refused) != 2 {
		t.Errorf("refused %v", refused)
	}
}

func TestWaitingClientsAreServedInOrderAndProvisioningClientsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.NewPool(share.Division{
			Size: 4, Provisioners: share.Share{Each: 4, Together: 4}, Readers: share.Share{Each: 2, Together: 3},
		})
		full, _ := p.TryTake(client(share.Provisioner, 0), 2)
		a, _ := p.TryTake(client(share.Reader, 1), 2)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		take := func(name string, c share.Client, amount int64) {
			wg.Go(func() {
				held, err := p.Take(t.Context(), c, amount)
				if err != nil {
					t.Error(name, err)
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				held.Release()
			})
			synctest.Wait()
		}
		take("a's second", client(share.Reader, 1), 2) // holds its share and holds up nobody
		take("b", client(share.Reader, 2), 1)
		take("provisioner", client(share.Provisioner, 1), 4)
		if _, ok := p.TryTake(client(share.Reader, 3), 1); ok {
			t.Error("one that came later overtook")
		}
		full.Release()
		synctest.Wait()
		if len(order) != 0 {
			t.Errorf("%v were served before the provisioning client", order)
		}
		a.Release()
		wg.Wait()
		if len(order) != 3 || order[0] != "provisioner" {
			t.Errorf("served %v", order)
		}
	})
}

// A client that asks for much at once waits behind itself, and no other client waits behind it.
func TestClientsThatWaitAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.NewPool(share.Division{Size: 2, Provisioners: share.Share{Each: 1, Together: 1}, Readers: share.Share{Each: 1, Together: 1}})
		var order []string
		var served share.Held
		take := func(names ...string) {
			for _, name := range names {
				go func() {
					held, err := p.Take(t.Context(), share.Client{Class: share.Reader, ID: name[:1]}, 1)
					if err != nil {
						t.Error(name, err)
					}
					order, served = append(order, name), held // of which there is one at a time
				}()
				synctest.Wait()
			}
		}
		next := func() { served.Release(); synctest.Wait() }
		take("z", "a1", "a2", "a3", "a4", "b1", "c1", "c2")
		next()
		next()
		take("b2") // it has been served, so it comes behind those who have not
		next()
		take("d1")
		for p.Waiting() > 0 {
			next()
		}
		if want := []string{"z", "a1", "b1", "c1", "d1", "a2", "c2", "b2", "a3", "a4"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
	})
}

func TestWhoGivesUpHoldsNothingAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.NewPool(ten())
		held := takes(p, client(share.Reader, 1), 3)
		ctx, giveUp := context.WithCancel(t.Context())
		var large, small error
		var wg sync.WaitGroup
		wg.Go(func() { _, large = p.Take(ctx, client(share.Reader, 2), 3) })
		synctest.Wait()
		wg.Go(func() {
			var h share.Held
			h, small = p.Take(t.Context(), client(share.Reader, 3), 1)
			defer h.Release()
		})
		synctest.Wait()
		giveUp()
		wg.Wait()
		if !errors.Is(large, context.Canceled) || small != nil {
			t.Errorf("the large one: %v, the small one behind it: %v", large, small)
		}
		for i := range held {
			held[i].Release()
		}
		if _, err := p.Take(ctx, client(share.Reader, 2), 1); !errors.Is(err, context.Canceled) {
			t.Errorf("a take of one who has given up: %v", err)
		}
		if got, ok := p.TryTake(client(share.Reader, 2), 3); !ok {
			t.Errorf("a share is not free again: %v", got)
		}
	})
}

// TestNoSequenceOfTakesBreaksAPromise lets clients of all classes take, take more, wait, give up and release at random, and compares
// with what the division says after each step.
func TestNoSequenceOfTakesBreaksAPromise(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			size := 10 + random.Int64N(90)
			quarter := size / 4
			division := share.Division{
				Size: size, Provisioners: share.Share{Each: size * 2 / 3, Together: size}, Readers: share.Share{Each: 1 + quarter/2, Together: 1 + quarter},
				People: share.Share{Each: 1 + quarter/4, Together: quarter}, Strangers: 1,
			}
			if seed%10 == 0 { // one place without a reserve
				size, division = 1, share.Division{Size: 1, Provisioners: share.Share{Each: 1, Together: 1}, Readers: share.Share{Each: 1, Together: 1}}
			}
			limits := map[share.Class]share.Share{
				share.Provisioner: division.Provisioners, share.Reader: division.Readers, share.Person: division.People, share.Stranger: {Each: division.Strangers, Together: division.Strangers},
			}
			p := share.NewPool(division)

			type grant struct {
				share.Held
				client share.Client
				amount int64
			}
			type wait struct {
				client share.Client
				amount int64
				cancel context.CancelFunc
				done   atomic.Bool
				held   share.Held
				err    error
			}
			var grants []grant
			var waits []*wait
			settle := func() {
				synctest.Wait()
				var still []*wait
				for _, w := range waits {
					switch {
					case !w.done.Load():
						still = append(still, w)
					case w.err == nil:
						grants = append(grants, grant{w.held, w.client, w.amount})
					}
				}
				waits = still
			}
			check := func() {
				t.Helper()
				byClient, byClass, total := map[share.Client]int64{}, map[share.Class]int64{}, int64(0)
				for _, g := range grants {
					byClient[g.client] += g.amount
					byClass[g.client.Class] += g.amount
					total += g.amount
				}
				for c, n := range byClient {
					if n > limits[c.Class].Each {
						t.Fatalf("seed %d: %v holds %d, its share is %d", seed, c, n, limits[c.Class].Each)
					}
				}
				for class, n := range byClass {
					if n > limits[class].Together {
						t.Fatalf("seed %d: all of class %s hold %d of %d", seed, class, n, limits[class].Together)
					}
				}
				if total > size || total-byClass[share.Provisioner] > size-division.Reserve() {
					t.Fatalf("seed %d: %d of %d are held, of which the reserve is %d", seed, total, size, division.Reserve())
				}
				if held, clients := p.Held(); held != total || clients != len(byClient) {
					t.Fatalf("seed %d: the pool knows of %d held by %d clients, and %d hold %d", seed, held, clients, len(byClient), total)
				}
				waiting := false
				for _, w := range waits {
					waiting = waiting || w.client.Class == share.Provisioner
				}
				if free := division.Reserve() - byClass[share.Provisioner]; free > 0 && !waiting {
					held, ok := p.TryTake(client(share.Provisioner, 99), min(free, division.Provisioners.Each))
					if !ok {
						t.Fatalf("seed %d: %d of the reserve are free and the provisioning client did not get them", seed, free)
					}
					held.Release()
				}
			}
			for range 300 {
				c := client(share.Class(random.IntN(4)), random.IntN(4))
				if c.Class == share.Stranger {
					c.ID = ""
				}
				amount := 1 + random.Int64N(1+limits[c.Class].Each)
				switch what := random.IntN(10); {
				case what < 3:
					if held, ok := p.TryTake(c, amount); ok {
						grants = append(grants, grant{held, c, amount})
					}
				case what < 5:
					ctx, cancel := context.WithCancel(t.Context())
					w := &wait{client: c, amount: amount, cancel: cancel}
					waits = append(waits, w)
					go func() {
						w.held, w.err = p.Take(ctx, c, amount)
						w.done.Store(true)
					}()
				case what < 6 && len(waits) > 0:
					waits[random.IntN(len(waits))].cancel()
				case what < 7 && len(grants) > 0:
					if g := &grants[random.IntN(len(grants))]; g.More(1) {
						g.amount++
					}
				case len(grants) > 0:
					i := random.IntN(len(grants))
					grants[i].Release()
					grants = append(grants[:i], grants[i+1:]...)
				}
				settle()
				check()
			}
			for len(grants)+len(waits) > 0 { // whoever waits is served when everybody releases
				if len(grants) == 0 {
					t.Fatalf("seed %d: %d wait for nothing", seed, len(waits))
				}
				grants[0].Release()
				grants = grants[1:]
				settle()
				check()
			}
			if held, clients := p.Held(); held != 0 || clients != 0 {
				t.Fatalf("seed %d: at the end the pool knows of %d held by %d clients", seed, held, clients)
			}
		})
	}
}

func TestParallelTakesStayWithinTheShares(t *testing.T) {
	p := share.NewPool(ten())
	var held atomic.Int64
	var wg sync.WaitGroup
	for id := range 8 {
		c := client(share.Class(id%4), id)
		wg.Go(func() {
			for range 500 {
				h, err := p.Take(t.Context(), c, 1)
				if err != nil {
					t.Error(err)
					return
				}
				if now := held.Add(1); now > 10 {
					t.Errorf("%d of 10 are held", now)
				}
				held.Add(-1)
				h.Release()
			}
		})
	}
	wg.Wait()
	if held, clients := p.Held(); held != 0 || clients != 0 {
		t.Errorf("%d clients hold %d at the end", clients, held)
	}
}

func TestATakeAllocatesNothing(t *testing.T) {
	p := share.NewPool(ten())
	c := client(share.Provisioner, 1)
	if got := testing.AllocsPerRun(1000, func() {
		held, _ := p.TryTake(c, 1)
		held.Release()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestADivisionThatPromisesTooMuchIsRefused(t *testing.T) {
	for name, division := range map[string]share.Division{
		"others above the pool":    {Size: 2, Provisioners: share.Share{Each: 2, Together: 2}, Readers: share.Share{Each: 1, Together: 2}, Strangers: 1},
		"more than there is":       {Size: 2, Provisioners: share.Share{Each: 3, Together: 3}},
		"a share above its class":  {Size: 9, Readers: share.Share{Each: 3, Together: 2}},
		"a share that is negative": {Size: 9, People: share.Share{Each: -1}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: taken", name)
				}
			}()
			share.NewPool(division)
		}()
	}
}

func TestTheClientTravelsWithTheContext(t *testing.T) {
	want := client(share.Reader, 1)
	if got, ok := share.FromContext(share.NewContext(t.Context(), want)); !ok || got != want {
		t.Errorf("got %v %v", got, ok)
	}
	if got, ok := share.FromContext(t.Context()); ok {
		t.Errorf("the server's own work is %v's", got)
	}
}
