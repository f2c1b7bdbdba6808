package main

import "time"

// idleInterval is how long nobody must have asked anything for the server to be at rest.
const idleInterval = 2 * time.Second

// idleness knows when the server comes to rest. A tenant is at rest most of the time, and many share a node; by itself Go keeps for
// minutes what the last requests needed.
type idleness struct {
	began time.Time // of the last work: the start, or a request
	given bool      // memory was given back after it
}

// due tells, once for each rest, that memory can be given back. last is when the last request came; the zero time is never.
func (i *idleness) due(now, last time.Time) bool {
	if last.After(i.began) {
		i.began, i.given = last, false
	}
	if i.given || now.Sub(i.began) < idleInterval {
		return false
	}
	i.given = true
	return true
}
