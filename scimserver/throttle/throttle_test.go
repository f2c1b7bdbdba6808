package throttle_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/throttle"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// takes counts how many of n requests get in.
func takes(t *throttle.Throttle, client string, limit throttle.Limit, now time.Time, n int) (in int) {
	for range n {
		if t.Take(client, limit, now) == 0 {
			in++
		}
	}
	return in
}

func TestAClientMaySendABurstAndThenItsRate(t *testing.T) {
	var throttled throttle.Throttle
	limit := throttle.Limit{PerSecond: 10, Burst: 30}
	if got := takes(&throttled, "a", limit, start, 100); got != 30 {
		t.Errorf("%d of a burst got in, want 30", got)
	}
	if got := throttled.Take("a", limit, start); got != 100*time.Millisecond {
		t.Errorf("wait = %v, want a tenth of a second", got)
	}
	if got := takes(&throttled, "a", limit, start.Add(time.Second), 100); got != 10 {
		t.Errorf("%d got in a second later, want 10: who is refused must not pay for it", got)
	}
	if got := takes(&throttled, "a", limit, start.Add(time.Hour), 100); got != 30 {
		t.Errorf("%d got in after a pause, want a burst", got)
	}
}

func TestNoClientUsesUpWhatAnotherMayAsk(t *testing.T) {
	var throttled throttle.Throttle
	limit := throttle.Limit{PerSecond: 1, Burst: 5}
	takes(&throttled, throttle.Stranger, limit, start, 1000)
	takes(&throttled, "a", limit, start, 1000)
	if got := takes(&throttled, "b", limit, start, 1000); got != 5 {
		t.Errorf("%d of b's got in, want 5", got)
	}
}

func TestANewLimitCountsAtOnce(t *testing.T) {
	var throttled throttle.Throttle
	takes(&throttled, "a", throttle.Limit{PerSecond: 1, Burst: 1}, start, 10)
	wide := throttle.Limit{PerSecond: 100, Burst: 200}
	if got := takes(&throttled, "a", wide, start.Add(time.Second), 1000); got == 0 {
		t.Error("nothing got in under the wider limit")
	}
	if got := takes(&throttled, "a", wide, start.Add(time.Minute), 1000); got != 200 {
		t.Errorf("%d got in, want the new burst", got)
	}
	if got := takes(&throttled, "a", throttle.Limit{PerSecond: 1, Burst: 3}, start.Add(time.Hour), 1000); got != 3 {
		t.Errorf("%d got in, want the narrower burst", got)
	}
}

func TestWhatIsWorthManyRequestsIsPaidInFull(t *testing.T) {
	for name, c := range map[string]struct {
		limit throttle.Limit
		worth int
		want  time.Duration
	}{
		"less than a burst":       {throttle.Limit{PerSecond: 10, Burst: 20}, 15, 0},
		"a burst":                 {throttle.Limit{PerSecond: 10, Burst: 20}, 20, 200 * time.Millisecond},
		"fifty bursts":            {throttle.Limit{PerSecond: 10, Burst: 20}, 1000, 98200 * time.Millisecond},
		"a burst of one":          {throttle.Limit{PerSecond: 5, Burst: 1}, 1000, 200200 * time.Millisecond},
		"more than can be waited": {throttle.Limit{PerSecond: 1, Burst: 20}, 1_000_000, throttle.MaxDebt + time.Second},
		"more than a number":      {throttle.Limit{PerSecond: 100_000, Burst: 100_000}, math.MaxInt, throttle.MaxDebt + 10*time.Microsecond},
	} {
		var throttled throttle.Throttle
		if throttled.Take("a", c.limit, start) != 0 {
			t.Fatal("the first request did not get in")
		}
		throttled.Charge("a", c.limit, start, c.worth)
		wait := throttled.Take("a", c.limit, start)
		if wait != c.want {
			t.Errorf("%s: wait = %v, want %v", name, wait, c.want)
		}
		if wait == 0 {
			continue
		}
		if got := throttled.Take("a", c.limit, start.Add(wait-time.Microsecond)); got == 0 {
			t.Errorf("%s: the next got in before the time that was told", name)
		}
		if got := throttled.Take("a", c.limit, start.Add(wait)); got != 0 {
			t.Errorf("%s: wait = %v after the time that was told", name, got)
		}
		if got := throttled.Take("b", c.limit, start); got != 0 {
			t.Errorf("%s: another client waits %v", name, got)
		}
	}
}

func TestNoSequenceOfRequestsAndChargesIsWorthMoreThanTheLimit(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		limit := throttle.Limit{PerSecond: 1 + random.IntN(50), Burst: 1 + random.IntN(100)}
		var throttled throttle.Throttle
		now, worth, last := start, 0, 0
		for range 2000 {
			now = now.Add(time.Duration(random.IntN(200)) * time.Millisecond)
			if throttled.Take("a", limit, now) > 0 {
				continue
			}
			last = 1
			if random.IntN(10) == 0 {
				last += random.IntN(1000)
				throttled.Charge("a", limit, now, last-1)
			}
			worth += last
		}
		// The last request got in before it was known what it is worth.
		if most := float64(limit.Burst) + now.Sub(start).Seconds()*float64(limit.PerSecond) + float64(last); float64(worth) > most+1 {
			t.Errorf("seed %d: %v: requests worth %d got in, want at most %v", seed, limit, worth, most)
		}
	}
}

func TestAllClientsTogetherHaveABoundAndNoneOfThemReachesIt(t *testing.T) {
	throttled := throttle.Throttle{Together: 4}
	limit := throttle.Limit{PerSecond: 1, Burst: 5}
	if got := takes(&throttled, "a", limit, start, 1000); got != 5 {
		t.Errorf("%d of a's got in, want 5", got)
	}
	throttled.Charge("b", limit, start, 5)
	in := 0
	for i := range 100 {
		in += takes(&throttled, "c"+strconv.Itoa(i), limit, start, 3)
	}
	if in != 10 {
		t.Errorf("%d of all others' got in, want the 10 that are left of four times 5", in)
	}
	if got := throttled.Take("late", limit, start); got != 250*time.Millisecond {
		t.Errorf("wait = %v, want that of four a second", got)
	}
	if got := takes(&throttled, "late", limit, start.Add(time.Second), 10); got != 4 {
		t.Errorf("%d got in a second later, want 4: one that was refused for all must not pay for it", got)
	}
}

func TestThereIsAnEndToWhatIsRemembered(t *testing.T) {
	var throttled throttle.Throttle
	limit := throttle.Limit{PerSecond: 1, Burst: 2}
	for i := range 1000 { // all of them busy
		takes(&throttled, strconv.Itoa(i), limit, start, 2)
	}
	in := 0
	for i := range 1000 {
		in += takes(&throttled, "new"+strconv.Itoa(i), limit, start, 2)
	}
	if in != 2 {
		t.Errorf("%d of the newcomers got in, want 2: they share one allowance", in)
	}
	if got := takes(&throttled, "0", limit, start, 5); got != 0 {
		t.Errorf("a busy client was forgotten, and %d more got in", got)
	}
	if got := takes(&throttled, "late", limit, start.Add(time.Minute), 5); got != 2 {
		t.Errorf("%d got in when the others were quiet, want a burst", got)
	}
}

func TestParallelRequestsGetNoMoreThanTheBurst(t *testing.T) {
	var throttled throttle.Throttle
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			in.Add(int64(takes(&throttled, "a", throttle.Limit{PerSecond: 1, Burst: 50}, start, 100)))
		})
	}
	wg.Wait()
	if in.Load() != 50 {
		t.Errorf("%d got in, want 50", in.Load())
	}
}

// One client's charges are its own debt. All clients together would pay them for minutes.
func TestTheDebtOfOneClientHoldsUpNobodyElse(t *testing.T) {
	throttled := throttle.Throttle{Together: 4}
	limit := throttle.Limit{PerSecond: 5, Burst: 10}
	throttled.Take("a", limit, start)
	for range 5 {
		throttled.Charge("a", limit, start, 2500)
	}
	if wait := throttled.Take("a", limit, start); wait != throttle.MaxDebt+200*time.Millisecond {
		t.Errorf("one that owes 12,500 requests waits for %s, want the most", wait)
	}
	if wait := throttled.Take("b", limit, start); wait > 1100*time.Millisecond {
		t.Errorf("another waits for %s, want a second at the most", wait)
	}
	if got := takes(&throttled, "b", limit, start.Add(2*time.Second), 10); got != 10 {
		t.Errorf("two seconds later %d of another's get in, want a burst", got)
	}
}
