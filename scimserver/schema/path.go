package schema

import "strings"

// Path names an attribute of a resource type, or one of its sub-attributes.
type Path struct {
	// Schema that defines the attribute; nil for the common attributes (id, externalId, meta, schemas).
	Schema    *Schema
	Attribute *Attribute
	// Sub is nil when the path names the whole attribute.
	Sub *Attribute
}

// String returns the canonical notation of RFC 7644 section 3.10: "emails.value", or with the schema's URN in front
// for an extension's attribute.
func (p Path) String() string {
	var b strings.Builder
	if p.Schema != nil && p.Schema.IsExtension() {
		b.WriteString(p.Schema.ID)
		b.WriteByte(':')
	}
	b.WriteString(p.Attribute.Name)
	if p.Sub != nil {
		b.WriteByte('.')
		b.WriteString(p.Sub.Name)
	}
	return b.String()
}

// Leaf returns the definition of the values that the path reaches.
func (p Path) Leaf() *Attribute {
	if p.Sub != nil {
		return p.Sub
	}
	return p.Attribute
}

// Path resolves a name in attribute notation (RFC 7644 section 3.10), in any case: attr, attr.sub, and both behind a
// schema's URN. The URN is the longest one this resource type knows, so that the dot in "2.0" is no separator; a dot
// after the URN instead of a colon is understood too. A name without URN, or with that of the core schema, is looked
// for in the core schema, then in the extensions. The error is invalidPath.
func (rt *ResourceType) Path(s string) (Path, error) {
	return Path{}, Errorf(InvalidPath, "not yet")
}

// Get returns the attribute's value in obj, whatever Sub is, or nil.
func (p Path) Get(obj Object) any {
	if p.Schema != nil && p.Schema.IsExtension() {
		obj, _ = obj[p.Schema.ID].(Object)
	}
	return obj[p.Attribute.Name]
}

// Values returns every value that the path reaches in obj: those of all elements where the attribute is multi-valued.
func (p Path) Values(obj Object) []any { return nil }
