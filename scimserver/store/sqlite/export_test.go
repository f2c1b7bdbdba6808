package sqlite

// SetFew makes a store take the ways for many candidates although it has few resources.
func (s *Store) SetFew(n int) { s.reader.few = n }
