package scan

// Waiting tells how many scans wait for a place.
func (g *Gate) Waiting() int64 {
	waiting, _ := g.queue.Held()
	return waiting
}
