package postgres

import "k8s.io/apimachinery/pkg/util/wait"

// Again is when and how often an update is tried again.
func Again() wait.Backoff { return again() }

// SetFew makes a store take the ways for many candidates although it has few resources.
func (s *Store) SetFew(n int) { s.few = n }
