package store

import "github.com/google/uuid"

// ParseID returns the 16 bytes of an id. Ids are case-exact (RFC 7643 section 3.1), so of the ways to write a UUID only
// the canonical one is an id.
func ParseID(id string) (b [16]byte, ok bool) {
	u, err := uuid.Parse(id)
	return u, err == nil && u.String() == id
}

// FormatID is the id that has these bytes.
func FormatID(b [16]byte) string { return uuid.UUID(b).String() }
