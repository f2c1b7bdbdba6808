package store_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/store"
)

func TestAnIDIsAUUIDInCanonicalForm(t *testing.T) {
	const id = "0192f0c1-0a00-7000-8000-00000000000f"
	for text, want := range map[string]bool{
		id: true, "00000000-0000-0000-0000-000000000000": true, "ffffffff-ffff-ffff-ffff-ffffffffffff": true,
		strings.ToUpper(id): false, "0192F0c1-0a00-7000-8000-00000000000f": false, "{" + id + "}": false, "urn:uuid:" + id: false,
		strings.ReplaceAll(id, "-", ""): false, " " + id[1:]: false, id + " ": false, "": false, id[:35]: false, id[:35] + "g": false,
		strings.ReplaceAll(id, "-", "_"): false,
	} {
		b, ok := store.ParseID(text)
		if ok != want {
			t.Errorf("ParseID(%q) = %t", text, ok)
		}
		if ok && (uuid.UUID(b) != uuid.MustParse(text) || store.FormatID(b) != text) {
			t.Errorf("ParseID(%q) = %x", text, b)
		}
	}
}
