//go:build linux

package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is what one turn of the load generator saw.
type sample struct {
	elapsed time.Duration
	took    []time.Duration // of each operation, sorted
}

// perSecond is how many operations were done in a second.
func (s sample) perSecond() float64 { return float64(len(s.took)) / s.elapsed.Seconds() }

// quantile of the operations' durations in milliseconds; 0.5 is the median.
func (s sample) quantile(q float64) float64 {
	if len(s.took) == 0 {
		return 0
	}
	return milliseconds(s.took[min(int(q*float64(len(s.took))), len(s.took)-1)])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// errEnough ends a client's turn before its time: there is nothing left to do.
var errEnough = errors.New("enough")

// turn has so many clients do an operation, each as soon as its last is done, for a while. The operations are counted
// through, beginning with 0.
func turn(ctx context.Context, clients int, length time.Duration, do func(ctx context.Context, i int) error) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	all := make([][]time.Duration, clients)
	begin := time.Now()
	for c := range clients {
		wg.Go(func() {
			for last := begin; last.Sub(begin) < length && ctx.Err() == nil; {
				if err := do(ctx, int(next.Add(1))-1); err != nil {
					if !errors.Is(err, errEnough) {
						cancel(err)
					}
					return
				}
				now := time.Now()
				all[c] = append(all[c], now.Sub(last))
				last = now
			}
		})
	}
	wg.Wait()
	s := sample{elapsed: time.Since(begin), took: slices.Concat(all...)}
	slices.Sort(s.took)
	return s, context.Cause(ctx)
}

// series is one figure over the rounds.
type series []float64

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
