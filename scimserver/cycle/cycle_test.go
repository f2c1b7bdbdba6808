package cycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/cycle"
)

var dawn = time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)

// at is so many minutes after dawn.
func at(minutes float64) time.Time { return dawn.Add(time.Duration(minutes * float64(time.Minute))) }

func asked(minutes ...float64) func(*cycle.State) {
	return func(s *cycle.State) {
		for _, m := range minutes {
			s.Asked(at(m), cycle.Counts{Requests: 1})
		}
	}
}

func refused(minutes float64) func(*cycle.State) {
	return func(s *cycle.State) { s.Refused(at(minutes)) }
}

func seenElsewhere(more cycle.State) func(*cycle.State) {
	return func(s *cycle.State) { s.Add(more) }
}

func of(from, to float64, requests int64) cycle.State {
	return cycle.State{Began: at(from), Last: at(to), Counts: cycle.Counts{Requests: requests}}
}

func TestRequestsWithoutAPauseAreOneCycle(t *testing.T) {
	rejected := func(s cycle.State, minutes float64) cycle.State {
		s.Rejected = at(minutes)
		return s
	}
	for name, c := range map[string]struct {
		seen []func(*cycle.State)
		want cycle.State
	}{
		"nothing":                             {nil, cycle.State{}},
		"one request":                         {[]func(*cycle.State){asked(1)}, of(1, 1, 1)},
		"some requests":                       {[]func(*cycle.State){asked(1, 2, 6.9)}, of(1, 6.9, 3)},
		"a pause that is too short":           {[]func(*cycle.State){asked(1, 5.99)}, of(1, 5.99, 2)},
		"a pause that is long enough":         {[]func(*cycle.State){asked(1, 2, 7)}, of(7, 7, 1)},
		"Entra's next cycle":                  {[]func(*cycle.State){asked(0, 1, 40, 41)}, of(40, 41, 2)},
		"a clock that goes back":              {[]func(*cycle.State){asked(10, 9)}, of(9, 10, 2)},
		"a part that another replica saw":     {[]func(*cycle.State){asked(3, 4), seenElsewhere(of(2, 6, 5))}, of(2, 6, 7)},
		"the next one, by another replica":    {[]func(*cycle.State){asked(3, 4), seenElsewhere(of(40, 42, 5))}, of(40, 42, 5)},
		"one that was over, told late":        {[]func(*cycle.State){asked(40), seenElsewhere(of(2, 6, 5))}, of(40, 40, 1)},
		"a part in between, told late":        {[]func(*cycle.State){asked(3, 10), seenElsewhere(of(6, 7, 5))}, of(6, 10, 6)},
		"a rejected credential alone":         {[]func(*cycle.State){refused(2)}, rejected(cycle.State{}, 2)},
		"the first of several rejected":       {[]func(*cycle.State){refused(2), refused(3)}, rejected(cycle.State{}, 2)},
		"a credential that is let in again":   {[]func(*cycle.State){refused(2), asked(3)}, of(3, 3, 1)},
		"a rejected one after the cycle":      {[]func(*cycle.State){asked(3), refused(4)}, rejected(of(3, 3, 1), 4)},
		"a rejected one, told late":           {[]func(*cycle.State){asked(3), refused(2)}, of(3, 3, 1)},
		"rejected, let in, and told together": {[]func(*cycle.State){refused(1), seenElsewhere(rejected(of(2, 3, 2), 4))}, rejected(of(2, 3, 2), 4)},
	} {
		t.Run(name, func(t *testing.T) {
			var got cycle.State
			for _, see := range c.seen {
				see(&got)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
			if got.Empty() != (len(c.seen) == 0) {
				t.Errorf("it is empty: %v", got.Empty())
			}
		})
	}
}

func TestWhatRequestsDidIsAddedUp(t *testing.T) {
	var s cycle.State
	s.Asked(at(0), cycle.Counts{Requests: 1, Creates: 1})
	s.Asked(at(0), cycle.Counts{Requests: 1, Failures: 1})
	s.Add(cycle.State{Began: at(1), Last: at(1), Counts: cycle.Counts{Requests: 9, Creates: 1, Updates: 2, Deletes: 3, Failures: 1}})
	if want := (cycle.Counts{Requests: 11, Creates: 2, Updates: 2, Deletes: 3, Failures: 2}); s.Counts != want {
		t.Errorf("got %+v, want %+v", s.Counts, want)
	}
}

func TestACycleIsOverAfterFiveMinutesOfQuiet(t *testing.T) {
	s := of(0, 10, 3)
	for now, want := range map[float64]bool{9: false, 10: false, 14.99: false, 15: true, 100: true} {
		if got := s.Over(at(now)); got != want {
			t.Errorf("minute %v: over %v, want %v", now, got, want)
		}
	}
}

func TestRejectedCredentialsAreToldWhereTheClientIsOverdue(t *testing.T) {
	fresh, known := cycle.State{Rejected: at(1)}, of(0, 10, 3)
	known.Rejected = at(12)
	for name, c := range map[string]struct {
		state cycle.State
		now   float64
		want  time.Time
	}{
		"at once where none was ever let in":       {fresh, 1, at(1)},
		"not soon after one was let in":            {known, 54.9, time.Time{}},
		"once the next cycle would have come":      {known, 55, at(12)},
		"long after":                               {known, 5000, at(12)},
		"never where none was rejected afterwards": {of(0, 10, 3), 5000, time.Time{}},
	} {
		if got := c.state.RejectedSince(at(c.now)); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
