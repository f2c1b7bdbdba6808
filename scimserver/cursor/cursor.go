// Package cursor writes and reads the cursors of RFC 9865. A cursor is a client's place in a list, encrypted and
// authenticated: it shows nothing of the directory, cannot be made up, serves only the query and the client that it was
// made for, and expires. The server keeps nothing of it.
package cursor

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// KeySize is the size of a Sealer's key in bytes.
const KeySize = 32

// maxLength bounds what Open looks at; a sort key makes a cursor long, but not as long as that.
const maxLength = 16 << 10

var (
	// ErrInvalid is for what is no cursor, or that of another query or client.
	ErrInvalid = errors.New("not a cursor of this query")
	// ErrExpired is for a cursor that has expired.
	ErrExpired = errors.New("the cursor has expired")
)

// Place is where a client is in a list.
type Place struct {
	// Kind of the last resource that the client has seen.
	Kind uint8 `json:"k"`
	// ID of that resource.
	ID string `json:"i"`
	// Key is what that resource was sorted by, nil for nothing.
	Key []byte `json:"s"`
	// Total is how many resources there were when the list was begun.
	Total int `json:"t"`
}

// Sealer makes and reads cursors with one key. All replicas of a server have the same.
type Sealer struct{ aead cipher.AEAD }

// NewSealer returns a Sealer. The key has KeySize random bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the key of cursors has %d bytes, want %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Sealer{aead}, err
}

type sealed struct {
	Place

	Expires int64 `json:"e"` // Unix seconds
}

// Seal makes the cursor for a place, of the unreserved characters of RFC 3986. The query says which one the cursor is
// for, and for whom.
func (s *Sealer) Seal(place Place, query []byte, expires time.Time) (string, error) {
	plain, err := json.Marshal(sealed{place, expires.Unix()})
	if err != nil {
		return "", fmt.Errorf("encode a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, query)), nil //nolint:gosec // the AEAD makes a random nonce itself
}

// Open reads what Seal made for the same query. The error is ErrInvalid or ErrExpired.
func (s *Sealer) Open(text string, query []byte, now time.Time) (Place, error) {
	if len(text) > maxLength {
		return Place{}, ErrInvalid
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Place{}, ErrInvalid
	}
	plain, err := s.aead.Open(nil, nil, data, query)
	if err != nil {
		return Place{}, ErrInvalid
	}
	var opened sealed
	if err := json.Unmarshal(plain, &opened); err != nil {
		return Place{}, ErrInvalid
	}
	if now.Unix() >= opened.Expires {
		return Place{}, ErrExpired
	}
	return opened.Place, nil
}
