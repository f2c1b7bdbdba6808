// Package cycle tells the cycles of a provisioning client apart: what it asked in the last one, and whether it is let in at all.
// It is pure; times are given.
package cycle

import "time"

// Quiet ends a cycle. Entra begins one about every 40 minutes, and asks without a pause of minutes until it is through with what has
// changed, so five minutes are long enough for the slowest answers and short enough never to join two cycles.
const Quiet = 5 * time.Minute

// Patience is how long rejected credentials may be those of somebody else, because the client is not due yet: a little
// more than from one cycle of Entra's to the next.
const Patience = 45 * time.Minute

// Counts are requests on users and groups.
type Counts struct {
	Requests int64 `json:"requests"`
	// Creates, Updates and Deletes are those that succeeded.
	Creates int64 `json:"creates,omitempty"`
	Updates int64 `json:"updates,omitempty"`
	Deletes int64 `json:"deletes,omitempty"`
	// Failures were answered with a status of 400 or more.
	Failures int64 `json:"failures,omitempty"`
}

func (c *Counts) add(more Counts) {
	c.Requests += more.Requests
	c.Creates += more.Creates
	c.Updates += more.Updates
	c.Deletes += more.Deletes
	c.Failures += more.Failures
}

// State is the last cycle, and what came after it. The zero value is that of a tenant that nobody asked anything yet.
type State struct {
	// Began and Last are when the first and the last request of the cycle came.
	Began time.Time `json:"began,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	Counts
	// Rejected is when a credential was rejected for the first time after Last.
	Rejected time.Time `json:"rejected,omitzero"`
}

// Asked adds a request that was let in.
func (s *State) Asked(at time.Time, request Counts) {
	s.Add(State{Began: at, Last: at, Counts: request})
}

// Refused adds a request whose credential was rejected.
func (s *State) Refused(at time.Time) { s.Add(State{Rejected: at}) }

// Add adds what was seen elsewhere, or later: the parts of one cycle come together, and a cycle that began after a time of quiet takes
// the place of the one before.
func (s *State) Add(more State) {
	if more.Requests > 0 {
		switch {
		case s.Requests == 0, more.Began.Sub(s.Last) >= Quiet:
			s.Began, s.Last, s.Counts = more.Began, more.Last, more.Counts
		case s.Began.Sub(more.Last) >= Quiet: // it was over before this one began
		default:
			s.Counts.add(more.Counts)
			if more.Began.Before(s.Began) {
				s.Began = more.Began
			}
			if more.Last.After(s.Last) {
				s.Last = more.Last
			}
		}
	}
	for _, rejected := range []time.Time{s.Rejected, more.Rejected, {}} {
		if s.Rejected = rejected; rejected.After(s.Last) {
			return
		}
	}
}

// Empty tells whether nothing was seen.
func (s *State) Empty() bool { return s.Requests == 0 && s.Rejected.IsZero() }

// Over tells whether the cycle has ended by now.
func (s *State) Over(now time.Time) bool { return now.Sub(s.Last) >= Quiet }

// RejectedSince is since when credentials are rejected and none is let in; the zero time where one was let in not long ago.
func (s *State) RejectedSince(now time.Time) time.Time {
	if now.Sub(s.Last) < Patience {
		return time.Time{}
	}
	return s.Rejected
}
