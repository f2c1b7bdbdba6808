package postgres

// SetFew makes a store take the ways for many candidates although it has few resources.
func (s *Store) SetFew(n int) { s.few = n }
