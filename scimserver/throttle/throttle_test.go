package throttle_test

import (
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

func TestWhatIsWorthManyRequestsIsPaidAfterwards(t *testing.T) {
	var throttled throttle.Throttle
	limit := throttle.Limit{PerSecond: 10, Burst: 20}
	if throttled.Take("a", limit, start) != 0 {
		t.Fatal("the first request did not get in")
	}
	throttled.Charge("a", limit, start, 1000)
	if got := throttled.Take("a", limit, start); got <= 0 || got > 2*time.Second {
		t.Errorf("wait = %v, want at most what a burst takes", got)
	}
	if got := throttled.Take("a", limit, start.Add(2*time.Second)); got != 0 {
		t.Errorf("two seconds later: wait = %v", got)
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
