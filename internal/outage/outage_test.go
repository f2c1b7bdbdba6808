package outage_test

import (
	"testing"
	"time"

	"github.com/tenantry/tenantry/internal/outage"
)

func TestAnOutageBeginsOnceAndEndsOnce(t *testing.T) {
	start := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	type step struct {
		second int
		fails  bool
		told   bool
	}
	for name, c := range map[string]struct {
		calm  time.Duration
		steps []step
	}{
		"it works":                  {0, []step{{0, false, false}, {1, false, false}}},
		"it fails and works again":  {0, []step{{0, true, true}, {1, true, false}, {1, false, true}, {2, false, false}, {2, true, true}, {3, false, true}}},
		"some succeed, others fail": {10 * time.Second, []step{{0, true, true}, {1, false, false}, {9, true, false}, {18, false, false}, {19, false, true}, {20, true, true}}},
		"a clock that goes back":    {10 * time.Second, []step{{10, true, true}, {5, true, false}, {16, false, false}, {20, false, true}}},
	} {
		o := outage.Outage{Calm: c.calm}
		for i, s := range c.steps {
			at := start.Add(time.Duration(s.second) * time.Second)
			got := false
			if s.fails {
				got = o.Failed(at)
			} else {
				got = o.Succeeded(at)
			}
			if got != s.told {
				t.Errorf("%s: step %d tells %v, want %v", name, i+1, got, s.told)
			}
		}
	}
}
