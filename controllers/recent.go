package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
)

// mostRecent bounds how many answers are remembered of a kind.
const mostRecent = 10_000

// recent remembers answers of the API server for a while, for objects that the operator may get and not watch.
type recent[K comparable, V any] struct {
	every   time.Duration
	answers *cache.LRUExpireCache
}

func newRecent[K comparable, V any](clock clock.PassiveClock, every time.Duration) recent[K, V] {
	return recent[K, V]{every, cache.NewLRUExpireCacheWithClock(mostRecent, clock)}
}

// of returns the answer about key, from ask where none is remembered. An error is not remembered.
func (r recent[K, V]) of(key K, ask func() (V, error)) (V, error) {
	if known, ok := r.answers.Get(key); ok {
		answer, _ := known.(V)
		return answer, nil
	}
	answer, err := ask()
	if err == nil {
		r.answers.Add(key, answer, r.every-1) // whose last moment counts too
	}
	return answer, err
}
