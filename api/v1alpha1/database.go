package v1alpha1

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

const (
	// schemaPrefix keeps tenants apart from what else is in the database, and from names that PostgreSQL keeps for itself.
	schemaPrefix = "tenantry_"
	// maxSchema is the longest name that PostgreSQL does not cut, in bytes.
	maxSchema = 63
)

// DatabaseSchema is the schema of a database that keeps a tenant's directory: tenantry_NAMESPACE_NAME, or where that is longer
// than a name can be, its beginning and a hash of it. Neither namespace nor name can hold an underscore, so no two tenants
// share a schema: the underscores tell where each part ends, and two in a row that a hash follows.
func DatabaseSchema(namespace, name string) string {
	whole := schemaPrefix + namespace + "_" + name
	if len(whole) <= maxSchema {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	hash := strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
	return whole[:maxSchema-len("__")-len(hash)] + "__" + hash
}
