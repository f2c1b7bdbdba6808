package directory

// WaitingFailures is how many rows wait to be written, and how many clients are told apart.
func (d *Directory) WaitingFailures() (rows, clients int) {
	d.failures.mu.Lock()
	defer d.failures.mu.Unlock()
	return len(d.failures.waiting), len(d.failures.failing)
}
