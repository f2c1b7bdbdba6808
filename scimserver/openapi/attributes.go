package openapi

import (
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Schema is a Schema Object (OpenAPI 3.1 section 4.8.24), which is JSON Schema 2020-12.
type Schema struct {
	Ref             string     `json:"$ref,omitempty"`
	Type            string     `json:"type,omitempty"`
	Description     string     `json:"description,omitempty"`
	Format          string     `json:"format,omitempty"`
	ContentEncoding string     `json:"contentEncoding,omitempty"`
	Const           any        `json:"const,omitempty"`
	Enum            []string   `json:"enum,omitempty"`
	Examples        []string   `json:"examples,omitempty"`
	Minimum         *int       `json:"minimum,omitempty"`
	Maximum         *int       `json:"maximum,omitempty"`
	MaxItems        int        `json:"maxItems,omitempty"`
	ReadOnly        bool       `json:"readOnly,omitempty"`
	WriteOnly       bool       `json:"writeOnly,omitempty"`
	Items           *Schema    `json:"items,omitempty"`
	AnyOf           []*Schema  `json:"anyOf,omitempty"`
	Properties      properties `json:"properties,omitempty"`
	Required        []string   `json:"required,omitempty"`
}

// properties are the members of an object.
type properties = map[string]*Schema

// direction is which way a resource goes, on which depends what it can have.
type direction int

const (
	// sent is a resource as a client sends it: without what it cannot write.
	sent direction = iota
	// answered is a resource as the server answers it: without what it never returns.
	answered
	// found is what discovery answers, of which no client leaves anything out.
	found
)

// has tells whether a resource on its way can have an attribute.
func (d direction) has(a *schema.Attribute) bool {
	if a.Unlisted {
		return false
	}
	if d == sent {
		return a.Mutability != schema.ReadOnly
	}
	return a.Returned != schema.ReturnedNever
}

// needs tells whether it must have the attribute.
func (d direction) needs(a *schema.Attribute) bool {
	if d == answered { // what a client did not set has no value that could be returned
		return a.Returned == schema.ReturnedAlways && a.Mutability == schema.ReadOnly
	}
	return a.Required
}

// object describes an object with attributes. Those of extensions stand in objects of their own, whose names are the extensions' URNs.
func (d direction) object(attributes []*schema.Attribute, extensions ...*schema.Schema) *Schema {
	out := &Schema{Type: "object", Properties: properties{}}
	for _, a := range attributes {
		if !d.has(a) {
			continue
		}
		out.Properties[a.Name] = d.attribute(a)
		if d.needs(a) {
			out.Required = append(out.Required, a.Name)
		}
	}
	for _, extension := range extensions {
		values := d.object(extension.Attributes)
		if len(values.Properties) == 0 {
			continue
		}
		values.Description = extension.Description
		values.ReadOnly = extension.ID == schema.TenantryUser
		out.Properties[extension.ID] = values
	}
	return out
}

// attribute describes the values of an attribute (RFC 7643 section 2).
func (d direction) attribute(a *schema.Attribute) *Schema {
	out := d.value(a)
	if a.MultiValued {
		out = &Schema{Type: "array", Items: out}
		if d == sent && a.Name != "members" {
			out.MaxItems = schema.MaxValues
		}
	}
	out.Description = a.Description
	if a.Mutability == schema.Immutable && d != found {
		out.Description = strings.TrimSpace(out.Description + " It cannot be changed once it is set.")
	}
	if a.Returned == schema.ReturnedRequest {
		out.Description = strings.TrimSpace(out.Description + " It is returned where attributes names it.")
	}
	out.ReadOnly = a.Mutability == schema.ReadOnly && d != found
	out.WriteOnly = a.Mutability == schema.WriteOnly
	return out
}

// value describes one value. Canonical values are examples, for others are accepted and returned too.
func (d direction) value(a *schema.Attribute) *Schema {
	out := &Schema{Type: "string", Examples: a.CanonicalValues}
	switch a.Type {
	case schema.TypeComplex:
		out = d.object(a.SubAttributes)
	case schema.TypeBoolean:
		out.Type = "boolean"
	case schema.TypeInteger:
		out.Type = "integer"
	case schema.TypeDecimal:
		out.Type = "number"
	case schema.TypeDateTime:
		out.Format = "date-time"
	case schema.TypeBinary:
		out.ContentEncoding = "base64"
	case schema.TypeReference:
		if a.Mutability == schema.ReadOnly { // what a client sends may be an id
			out.Format = "uri"
		}
	case schema.TypeString:
	}
	return out
}
