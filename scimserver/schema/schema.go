// Package schema knows what a SCIM resource is made of: the schemas and attributes of RFC 7643, how a client's JSON
// becomes one canonical object, how attributes are named, which of them are returned, and the keys by which they are
// found. It does no I/O and holds no state: a ResourceType is built once and only read afterwards.
package schema

import "strings"

// URNs of the schemas that every tenant has (RFC 7643 section 8.7 and the two extensions of this product).
const (
	CoreUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	CoreGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	MediusUser     = "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
	// TenantryUser holds what the server adds to a user; a client can read but not write it.
	TenantryUser = "urn:ietf:params:scim:schemas:extension:tenantry:2.0:User"
)

// Type is the data type of an attribute (RFC 7643 section 2.3).
type Type string

// The data types.
const (
	TypeString    Type = "string"
	TypeBoolean   Type = "boolean"
	TypeDecimal   Type = "decimal"
	TypeInteger   Type = "integer"
	TypeDateTime  Type = "dateTime"
	TypeReference Type = "reference"
	TypeComplex   Type = "complex"
	TypeBinary    Type = "binary"
)

// Mutability says who may change an attribute, and when (RFC 7643 section 7).
type Mutability string

// The mutabilities.
const (
	ReadOnly  Mutability = "readOnly"
	ReadWrite Mutability = "readWrite"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"
)

// Returned says when an attribute is part of a response (RFC 7643 section 7).
type Returned string

// When an attribute is returned.
const (
	ReturnedAlways  Returned = "always"
	ReturnedNever   Returned = "never"
	ReturnedDefault Returned = "default"
	ReturnedRequest Returned = "request"
)

// Uniqueness says among which resources a value must be unique (RFC 7643 section 7).
type Uniqueness string

// The uniquenesses.
const (
	UniquenessNone   Uniqueness = "none"
	UniquenessServer Uniqueness = "server"
	UniquenessGlobal Uniqueness = "global"
)

// Attribute is one attribute definition (RFC 7643 section 7). Fields left out take the defaults of RFC 7643
// section 2.2: an optional, case-insensitive, readWrite string that is returned by default.
type Attribute struct {
	Name        string
	Description string
	Type        Type
	MultiValued bool
	Required    bool
	// CaseExact tells whether values that differ only in case are different values.
	CaseExact  bool
	Mutability Mutability
	Returned   Returned
	Uniqueness Uniqueness
	// CanonicalValues are hints: other values are accepted too.
	CanonicalValues []string
	ReferenceTypes  []string
	SubAttributes   []*Attribute
	// Undeclared is an attribute that was declared once and is no more: its values stay stored and indexed, out of sight.
	Undeclared bool
	// Unlisted is an attribute that no answer has and /Schemas does not list. It is known, so that a client that sends it, or names it
	// in a filter, is not refused; a filter by it finds nobody.
	Unlisted bool

	rows bool // its values are rows of memberships: any number of them, and none in a resource's document
	byID bool // its value is the id of a resource, which its $ref leads to; of both only the value is kept
	name bool // its values are names that resources are known by, and are compared by FoldName
	rare bool // filters hardly ever ask for it, so that its entries in the index would cost each write more than a scan now and then
}

// Fold returns the form of a text under which values of the attribute are compared: equal ones have the same.
func (a *Attribute) Fold(s string) string {
	switch {
	case a.CaseExact:
		return s
	case a.name:
		return FoldName(s)
	default:
		return Fold(s)
	}
}

// Same tells whether two texts are equal as values of the attribute.
func (a *Attribute) Same(s, t string) bool {
	switch {
	case s == t:
		return true
	case a.CaseExact:
		return false
	default:
		return strings.EqualFold(s, t) || a.name && FoldName(s) == FoldName(t)
	}
}

// Sub returns the sub-attribute of that name, in any case, or nil. Clients also call "display" displayName, and the
// manager's "value" managerId, as SCIM 1.1 does.
func (a *Attribute) Sub(name string) *Attribute {
	sub := find(a.SubAttributes, name)
	switch {
	case sub != nil:
		return sub
	case equalNames(name, "displayName"):
		return find(a.SubAttributes, "display")
	case a.isManagerID(name):
		return find(a.SubAttributes, "value")
	}
	return nil
}

// ManagerID is what SCIM 1.1 calls the value of the manager.
const ManagerID = "managerId"

func (a *Attribute) isManagerID(name string) bool {
	return a.byID && a.Name == "manager" && equalNames(name, ManagerID)
}

// MaxValues is the greatest number of values of a multi-valued attribute. A group's members have no such bound.
const MaxValues = 1000

// CheckCount returns an *Error invalidValue when n values are more than the attribute at p accepts.
func (p Path) CheckCount(n int) error {
	if n > MaxValues && !p.Attribute.rows {
		return Errorf(InvalidValue, "%s accepts at most %d values", p, MaxValues)
	}
	return nil
}

// Schema is one schema definition (RFC 7643 section 7).
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []*Attribute
}

// Attribute returns the attribute of that name, in any case, or nil.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

// IsExtension tells whether values of the schema stand in an object of their own under the schema's URN.
func (s *Schema) IsExtension() bool { return s.ID != CoreUser && s.ID != CoreGroup }

// find looks a name up exactly before it looks in any case: names as the schema spells them are the common ones.
func find(attributes []*Attribute, name string) *Attribute {
	for _, a := range attributes {
		if a.Name == name {
			return a
		}
	}
	for _, a := range attributes {
		if equalNames(a.Name, name) {
			return a
		}
	}
	return nil
}

// ResourceType is one kind of resource with its core schema and its extensions (RFC 7643 section 6).
// User and Group make them.
type ResourceType struct {
	ID          string
	Name        string
	Endpoint    string
	Description string
	Schema      *Schema
	Extensions  []*Schema

	common  []*Attribute
	schemas map[string]*Schema // by URN and by folded URN
	older   []urn              // the older URNs of schemas
	names   map[string]Path    // by name and by folded name: what a bare name means
	keys    map[string]bool    // the keys that a canonical object can have
	indexed []indexedPath
	hidden  []Path // what a response leaves out unless asked for

	undeclared []Path // whole attributes that nobody may see

	immutable []Path // outside of multi-valued attributes
}

// SchemaOf returns the schema with that URN, in any case, or nil.
func (rt *ResourceType) SchemaOf(urn string) *Schema {
	if s, ok := rt.schemas[urn]; ok {
		return s
	}
	return rt.schemas[Fold(urn)]
}

// Common returns the attributes that every resource has (RFC 7643 section 3.1). They must not be changed.
func (rt *ResourceType) Common() []*Attribute { return rt.common }

// Object is one resource. In a canonical object the names are spelled as the schema spells them, an extension's
// attributes stand in an object under its URN, and each value is as the client sent it: string, bool, json.Number,
// Object, or []any of these. An attribute without a value is absent.
type Object = map[string]any
