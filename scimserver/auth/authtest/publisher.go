package authtest

import (
	"net/http"
	"sync"
)

// publisher answers for its keys and counts how often they are fetched. Its lock is also that of what embeds it.
type publisher struct {
	mu      sync.Mutex
	answer  http.HandlerFunc
	fetches int
}

// Answer makes the publisher answer in another way from now on; nil is as it should.
func (p *publisher) Answer(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Fetches is how often the keys were asked for.
func (p *publisher) Fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}
