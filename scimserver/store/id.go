package store

import (
	"strings"

	"github.com/google/uuid"
)

// canonical is the length of an id. The other ways to write a UUID are longer or shorter, or have upper case.
const canonical = len("00000000-0000-7000-8000-000000000000")

// ParseID returns the 16 bytes of an id. Ids are case-exact (RFC 7643 section 3.1), so of the ways to write a UUID only
// the canonical one is an id.
func ParseID(id string) (b [16]byte, ok bool) {
	u, err := uuid.Parse(id)
	return u, err == nil && len(id) == canonical && !strings.ContainsAny(id, "ABCDEF")
}

// FormatID is the id that has these bytes.
func FormatID(b [16]byte) string { return uuid.UUID(b).String() }
