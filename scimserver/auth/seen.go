package auth

import (
	"crypto/sha256"
	"sync"
)

// maxSeen bounds how many tokens are remembered. A client uses one for an hour or more.
const maxSeen = 1024

// seenTokens remembers tokens whose signature was good, so that each is checked once: that takes longer than a look-up.
// Whether the key still counts is asked each time.
type seenTokens struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]seenToken
}

// seenToken is what a token says.
type seenToken struct {
	keyID  string
	claims accessClaims
}

func (s *seenTokens) find(credential string) (seenToken, bool) {
	sum := sha256.Sum256([]byte(credential))
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, ok := s.tokens[sum]
	return found, ok
}

// add remembers a token. Where there are too many, all others are forgotten.
func (s *seenTokens) add(credential string, token seenToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil || len(s.tokens) >= maxSeen {
		s.tokens = map[[sha256.Size]byte]seenToken{}
	}
	s.tokens[sha256.Sum256([]byte(credential))] = token
}
