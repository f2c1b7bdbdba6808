package admin

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// trickling is a client that takes its time for each portion, as long as it is given that.
type trickling struct {
	*httptest.ResponseRecorder

	clock    *clocktesting.FakeClock
	each     time.Duration
	deadline time.Time
}

func (c *trickling) SetReadDeadline(time.Time) error { return nil }

func (c *trickling) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *trickling) Write(data []byte) (int, error) {
	if c.clock.Step(c.each); c.clock.Now().After(c.deadline) {
		return 0, errSlow
	}
	return c.ResponseRecorder.Write(data)
}

var errSlow = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string { return "i/o timeout" }

// An export holds the state of the directory that it began with, and an engine keeps everything that is written meanwhile.
func TestAnExportIsReadAtAPace(t *testing.T) {
	for name, c := range map[string]struct {
		pace  int64
		each  time.Duration // for 16 KiB
		whole bool
	}{
		"an export that is read fast":           {exportPace, 100 * time.Millisecond, true},
		"an export that is read at the pace":    {exportPace, 250 * time.Millisecond, true},
		"an export that trickles":               {exportPace, 5 * time.Second, false},
		"an export that stands still":           {exportPace, stalled + time.Second, false},
		"followers, who hold nothing, may wait": {0, 25 * time.Second, true},
	} {
		clock := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
		client := &trickling{ResponseRecorder: httptest.NewRecorder(), clock: clock, each: c.each}
		out, err := newStream(client, clock, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		out.pace = c.pace
		for range 1000 {
			clock.Step(time.Second) // for which the store needs, not the client
			if _, err = out.Write(bytes.Repeat([]byte{'x'}, 16<<10)); err != nil {
				break
			}
		}
		if (err == nil) != c.whole {
			t.Errorf("%s: %v after %d KiB", name, err, client.Body.Len()>>10)
		}
	}
}
