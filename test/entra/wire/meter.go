package wire

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Meter counts requests and takes their time. The zero value measures with the real clock.
type Meter struct {
	mu        sync.Mutex
	counts    map[string]map[int]int
	durations []time.Duration
	answered  int
}

// Measures is what a [Meter] found.
type Measures struct {
	Requests int `json:"requests"`
	// ByMethod counts by method and status; status 0 is a request without an answer.
	ByMethod map[string]map[int]int `json:"byMethod"`
	P50      time.Duration          `json:"p50"`
	P99      time.Duration          `json:"p99"`
}

func (m *Meter) start(method string) (done func(status int)) {
	began := time.Now()
	return func(status int) {
		took := time.Since(began)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.counts == nil {
			m.counts = map[string]map[int]int{}
		}
		if m.counts[method] == nil {
			m.counts[method] = map[int]int{}
		}
		m.counts[method][status]++
		m.durations = append(m.durations, took)
		if status != 0 {
			m.answered++
		}
	}
}

// Requests returns how many requests were sent, and how many of them got an answer.
func (m *Meter) Requests() (sent, answered int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.durations), m.answered
}

// Measures sums up.
func (m *Meter) Measures() Measures {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := Measures{Requests: len(m.durations), ByMethod: map[string]map[int]int{}}
	for method, counts := range m.counts {
		out.ByMethod[method] = maps.Clone(counts)
	}
	if n := len(m.durations); n > 0 {
		sorted := slices.Sorted(slices.Values(m.durations))
		out.P50, out.P99 = sorted[n/2], sorted[n*99/100]
	}
	return out
}

// Pace spreads requests evenly, to at most a number a second. A nil Pace does not hold anything up.
type Pace struct {
	mu       sync.Mutex
	interval time.Duration
	next     time.Time
}

// NewPace returns a pace of perSecond requests; 0 is no limit, and returns nil.
func NewPace(perSecond float64) *Pace {
	if perSecond <= 0 {
		return nil
	}
	return &Pace{interval: time.Duration(float64(time.Second) / perSecond)}
}

func (p *Pace) wait(ctx context.Context) error {
	if p == nil {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.interval)
	p.mu.Unlock()
	if at.Equal(now) {
		return ctx.Err()
	}
	t := time.NewTimer(at.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
