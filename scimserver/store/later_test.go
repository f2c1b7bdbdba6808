package store_test

import (
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

func TestLater(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct{ before, now, want time.Time }{
		"time went on":                {noon, noon.Add(time.Second), noon.Add(time.Second)},
		"a millisecond later":         {noon, noon.Add(time.Millisecond), noon.Add(time.Millisecond)},
		"at the same time":            {noon, noon, noon.Add(time.Millisecond)},
		"the clock went back":         {noon, noon.Add(-time.Hour), noon.Add(time.Millisecond)},
		"kept to the microsecond":     {noon.Add(1500 * time.Microsecond), noon, noon.Add(2 * time.Millisecond)},
		"between two milliseconds":    {noon.Add(1500 * time.Microsecond), noon.Add(time.Millisecond), noon.Add(2 * time.Millisecond)},
		"of something that never was": {time.Time{}, noon, noon},
	} {
		if got := store.Later(test.before, test.now); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
