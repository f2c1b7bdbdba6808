package share

// Clients returns how many clients the pool remembers.
func (p *Pool) Clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}
