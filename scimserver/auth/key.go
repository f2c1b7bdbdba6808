package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/tenantry/tenantry/scimserver/store"
)

// SigningKey is the key of the store's Meta that holds what access tokens are signed with. Its value is a secret: whoever
// copies a directory leaves it out, and the next server makes another.
const SigningKey = "oauth-signing-key"

// signingKeyBytes is the length of the key: that of the hash (RFC 7518 section 3.2).
const signingKeyBytes = 32

// signingKey returns the key, nil where there is none. It is read once: it never changes while the store lives.
func (a *Authenticator) signingKey(ctx context.Context) ([]byte, error) {
	if key := a.key.Load(); key != nil {
		return *key, nil
	}
	encoded, err := a.keys.Meta(ctx, SigningKey)
	if err != nil || encoded == "" {
		return nil, err
	}
	return a.keep(encoded)
}

// makeSigningKey returns the key, and makes it where there is none. Of several replicas that try at once one wins, and
// the others take its key.
func (a *Authenticator) makeSigningKey(ctx context.Context) ([]byte, error) {
	if key, err := a.signingKey(ctx); err != nil || key != nil {
		return key, err
	}
	fresh := make([]byte, signingKeyBytes)
	if _, err := io.ReadFull(a.random, fresh); err != nil {
		return nil, fmt.Errorf("make the key that signs access tokens: %w", err)
	}
	var encoded string
	err := a.keys.Update(ctx, func(tx store.Tx) (err error) {
		if encoded, err = tx.Meta(ctx, SigningKey); err != nil || encoded != "" {
			return err
		}
		encoded = base64.RawStdEncoding.EncodeToString(fresh)
		return tx.SetMeta(ctx, SigningKey, encoded)
	})
	if err != nil {
		return nil, fmt.Errorf("keep the key that signs access tokens: %w", err)
	}
	return a.keep(encoded)
}

func (a *Authenticator) keep(encoded string) ([]byte, error) {
	key, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(key) != signingKeyBytes {
		return nil, fmt.Errorf("the key that signs access tokens is damaged: delete %q from the store's metadata and a new one is made", SigningKey)
	}
	a.key.Store(&key)
	return key, nil
}
