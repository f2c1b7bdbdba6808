// Package patch reads PATCH requests (RFC 7644 section 3.5.2) and applies them to a resource. Parse is the door at
// which the dialects of real clients become plain RFC operations; nothing behind it knows of them.
package patch

import (
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// MaxOperations is the greatest number of operations in one request, after those without a path were expanded.
const MaxOperations = 5000

// Op is what an operation does.
type Op string

// The operations.
const (
	Add     Op = "add"
	Remove  Op = "remove"
	Replace Op = "replace"
)

// Operation is one change of one attribute.
type Operation struct {
	Op   Op
	Path filter.Path
	// Value in canonical form: []any for a whole multi-valued attribute, an Object for a complex one or for one element,
	// else a simple value. An Add or Replace has one: what unassigns an attribute is a Remove. A Remove of whole
	// elements can have one, []any, and then removes only these values, and of them those that the path's filter selects.
	Value any
}

// Request is a PATCH request in plain form.
type Request struct {
	Operations []Operation
	// Quirks names the accommodations that were made for this client, each once, sorted.
	Quirks []string
	// Ignored names the attributes that the client sent and this tenant does not have, each once, sorted.
	Ignored []string
}

// Named returns the attributes that operations speak of, whether they change anything or not.
func Named(ops []Operation) schema.Names {
	names := schema.Names{}
	for _, op := range ops {
		if op.Path.Element != nil {
			op.Value = nil // some of the whole attribute's elements
		}
		names.Add(op.Path.Path, op.Value)
	}
	return names
}

// Equal tells whether two objects hold the same values, so that a PATCH without effect can be seen.
func Equal(a, b schema.Object) bool { return schema.Equal(a, b) }
