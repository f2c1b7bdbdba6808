// Package filter parses, prints and evaluates SCIM filters (RFC 7644 section 3.4.2.2) and the paths of PATCH
// operations (figure 7), which can carry a filter. A parsed filter is a tree of plain values that refers to the schema's
// attributes, so a store can compile it without knowing the grammar.
package filter

import (
	"encoding/json"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Bounds of a filter. Beyond them Parse answers invalidFilter.
const (
	MaxLength = 8192 // bytes
	MaxDepth  = 32   // nested parentheses, nots and brackets
	MaxTerms  = 256  // comparisons
)

// Filter is a node of the tree: And, Or, Not, Compare, Present or Elements. No other type implements it.
type Filter interface {
	// String prints the filter so that Parse reads the same tree back.
	String() string
	filter()
}

// And holds when all of its terms hold. Parse gives it at least two terms, none of them an And.
type And struct{ Terms []Filter }

// Or holds when any of its terms holds. Parse gives it at least two terms, none of them an Or.
type Or struct{ Terms []Filter }

// Not holds when its term does not.
type Not struct{ Term Filter }

// Compare holds when any value at Path compares so with Value. Ne also holds when there is no value at all. The path
// always reaches simple values: Parse makes "manager eq" mean manager.value.
type Compare struct {
	Path  schema.Path
	Op    Op
	Value Value
}

// Present holds when there is a value at Path.
type Present struct{ Path schema.Path }

// Elements holds when Filter holds for at least one single element of the attribute. Path has no Sub; the paths inside
// Filter are complete (emails.type), or Path itself where the elements are simple values.
type Elements struct {
	Path   schema.Path
	Filter Filter
}

// Op is a comparison operator of RFC 7644 table 3.
type Op string

// The comparison operators.
const (
	Eq Op = "eq"
	Ne Op = "ne"
	Co Op = "co"
	Sw Op = "sw"
	Ew Op = "ew"
	Gt Op = "gt"
	Ge Op = "ge"
	Lt Op = "lt"
	Le Op = "le"
)

// Kind tells which kind of literal a Value is. It always fits the attribute that it is compared with. There is no null:
// Parse turns "eq null" into Not{Present} and "ne null" into Present.
type Kind uint8

// The kinds of Value.
const (
	String   Kind = iota // Text
	Boolean              // Bool
	Number               // Text is a JSON number
	DateTime             // Time, and Text as it was written
)

// Value is the literal of a comparison.
type Value struct {
	Kind Kind
	Text string
	Bool bool
	Time time.Time
}

// Key returns the index key of the comparison's value (see schema.Path.Key), which an equal stored value has too. ok is
// false for comparisons of a dateTime's text.
func (c Compare) Key() (key string, ok bool) { return c.Path.Key(c.Value.Any()) }

func (And) filter()      {}
func (Or) filter()       {}
func (Not) filter()      {}
func (Compare) filter()  {}
func (Present) filter()  {}
func (Elements) filter() {}

// Any returns the value as a canonical object would hold it.
func (v Value) Any() any {
	switch v.Kind {
	case Boolean:
		return v.Bool
	case Number:
		return json.Number(v.Text)
	}
	return v.Text
}
