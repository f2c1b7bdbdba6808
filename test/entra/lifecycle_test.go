package entra

import (
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// The table is Microsoft's "How provisioning works", row by row.
func TestWhatFollowsFromWhereAUserStands(t *testing.T) {
	usual := job.Job{UserMappings: job.UserMappings()}
	skipping := job.Job{UserMappings: job.UserMappings(), SkipOutOfScopeDeletions: true}
	withoutActive := job.Job{UserMappings: []job.Mapping{job.Direct("userPrincipalName", "userName")}}
	const (
		never = iota
		linked
		released
	)
	for _, tt := range []struct {
		at   standing
		was  int
		job  job.Job
		want verdict
	}{
		{active, never, usual, provision},
		{disabled, never, usual, skip},
		{outOfScope, never, usual, nothing},
		{softDeleted, never, usual, nothing},
		{purged, never, usual, nothing},

		{active, linked, usual, update},
		{disabled, linked, usual, update},
		{outOfScope, linked, usual, disable},
		{softDeleted, linked, usual, disable},
		{purged, linked, usual, remove},

		{active, released, usual, update},
		{disabled, released, usual, nothing},
		{outOfScope, released, usual, nothing},
		{softDeleted, released, usual, nothing},
		{purged, released, usual, release},

		{outOfScope, linked, skipping, nothing},
		{softDeleted, linked, skipping, disable},
		{purged, linked, skipping, remove},

		{active, linked, withoutActive, update},
		{disabled, linked, withoutActive, remove},
		{outOfScope, linked, withoutActive, remove},
		{softDeleted, linked, withoutActive, remove},
	} {
		if got := judge(tt.at, tt.was != never, tt.was == released, tt.job); got != tt.want {
			t.Errorf("standing %d, was %d: got verdict %d, want %d", tt.at, tt.was, got, tt.want)
		}
	}
}

func TestTheBackOffGrowsToADay(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var e Escrow
	for attempt, want := range []time.Duration{
		0, 80 * time.Minute, 160 * time.Minute, 320 * time.Minute, 640 * time.Minute, 1280 * time.Minute,
		24 * time.Hour, 24 * time.Hour,
	} {
		e = escrowed(e, wire.TooManyRequests, 1, now)
		if got := e.Next.Sub(now); got != want || e.Attempts != attempt+1 {
			t.Errorf("after attempt %d the next is %v away, want %v", e.Attempts, got, want)
		}
	}
	for range 100 {
		e = escrowed(e, wire.TooManyRequests, 1, now)
	}
	if e.Next.Sub(now) != 24*time.Hour {
		t.Errorf("after a hundred attempts the next is %v away", e.Next.Sub(now))
	}
}
