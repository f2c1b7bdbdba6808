package auth

import (
	"context"
	"fmt"
	"io"
)

// SigningKey is the name under which the key is kept that access tokens are signed with. Whoever copies a directory leaves it
// out, and the next server makes another.
const SigningKey = "oauth-signing-key"

// signingKeyBytes is the length of the key: that of the hash (RFC 7518 section 3.2).
const signingKeyBytes = 32

// signingKey returns the key, which is read once: it never changes while the store lives. Where there is none, fresh becomes
// it; with nil the answer is nil.
func (a *Authenticator) signingKey(ctx context.Context, fresh []byte) ([]byte, error) {
	if key := a.key.Load(); key != nil {
		return *key, nil
	}
	key, err := a.keys.Secret(ctx, SigningKey, fresh)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the key that signs access tokens: %w", err)
	case key == nil:
		return nil, nil
	case len(key) != signingKeyBytes:
		return nil, fmt.Errorf("the key that signs access tokens is damaged: delete %q from the store's metadata and a new one is made", SigningKey)
	}
	a.key.Store(&key)
	return key, nil
}

// makeSigningKey returns the key, and makes it where there is none.
func (a *Authenticator) makeSigningKey(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, signingKeyBytes)
	if _, err := io.ReadFull(a.random, fresh); err != nil {
		return nil, fmt.Errorf("make the key that signs access tokens: %w", err)
	}
	return a.signingKey(ctx, fresh)
}
