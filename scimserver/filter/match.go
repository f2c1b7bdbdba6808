package filter

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Match evaluates f on a canonical object.
//
// A comparison with a multi-valued attribute holds when it holds for any of the values (RFC 7644 section 3.4.2.2). Ne
// also holds when there is no value at all: what is unassigned is not equal. To say that none of several values is
// equal, write not (emails.value eq "x"); Not is the plain complement of its term. Text is compared as
// schema.Attribute.Fold gives it, and ordered by code point; dateTimes are compared as points in time.
func Match(f Filter, obj schema.Object) bool {
	switch f := f.(type) {
	case And:
		for _, term := range f.Terms {
			if !Match(term, obj) {
				return false
			}
		}
		return true
	case Or:
		for _, term := range f.Terms {
			if Match(term, obj) {
				return true
			}
		}
		return false
	case Not:
		return !Match(f.Term, obj)
	case Compare:
		return f.holdsFor(f.Path.Get(obj))
	case Present:
		return isPresent(f.Path, f.Path.Get(obj))
	case Elements:
		value := f.Path.Get(obj)
		if elements, ok := value.([]any); ok {
			for _, element := range elements {
				if MatchElement(f.Filter, element) {
					return true
				}
			}
			return false
		}
		return value != nil && MatchElement(f.Filter, value)
	}
	return false
}

// MatchElement evaluates the filter of an Elements or a Path on a single element of the attribute.
func MatchElement(f Filter, element any) bool {
	switch f := f.(type) {
	case And:
		for _, term := range f.Terms {
			if !MatchElement(term, element) {
				return false
			}
		}
		return true
	case Or:
		for _, term := range f.Terms {
			if MatchElement(term, element) {
				return true
			}
		}
		return false
	case Not:
		return !MatchElement(f.Term, element)
	case Compare:
		return f.holdsFor(element)
	case Present:
		return isPresent(f.Path, element)
	}
	return false
}

// holdsFor compares the value of the path's attribute, which can be an array.
func (c Compare) holdsFor(value any) bool {
	found, holds := c.anyOf(value, c.Path.Sub)
	return holds || !found && c.Op == Ne
}

// anyOf tells whether there is a value, and whether the comparison holds for any.
func (c Compare) anyOf(value any, sub *schema.Attribute) (found, holds bool) {
	switch v := value.(type) {
	case nil:
		return false, false
	case []any:
		for _, element := range v {
			f, h := c.anyOf(element, sub)
			found = found || f
			if h {
				return true, true
			}
		}
		return found, false
	case schema.Object:
		if sub == nil {
			return false, false
		}
		return c.anyOf(v[sub.Name], nil)
	}
	return true, c.holds(value)
}

func (c Compare) holds(value any) bool {
	switch c.Value.Kind {
	case Boolean:
		b, ok := schema.ParseBoolean(value)
		return (ok && b == c.Value.Bool) == (c.Op == Eq)
	case Number:
		number, ok := value.(json.Number)
		if !ok {
			return c.Op == Ne
		}
		return c.Op.accepts(schema.CompareNumbers(number.String(), c.Value.Text))
	}
	text, ok := value.(string)
	if !ok {
		return c.Op == Ne
	}
	if c.Value.Kind == DateTime {
		t, ok := schema.ParseDateTime(text)
		if !ok {
			return c.Op == Ne
		}
		return c.Op.accepts(t.Compare(c.Value.Time))
	}
	operand := c.Value.Text
	leaf := c.Path.Leaf()
	switch c.Op {
	case Eq:
		return leaf.Same(text, operand)
	case Ne:
		return !leaf.Same(text, operand)
	}
	text, operand = leaf.Fold(text), leaf.Fold(operand)
	switch c.Op {
	case Co:
		return strings.Contains(text, operand)
	case Sw:
		return strings.HasPrefix(text, operand)
	case Ew:
		return strings.HasSuffix(text, operand)
	}
	return c.Op.accepts(cmp.Compare(text, operand))
}

// accepts tells whether an order of value and operand satisfies the operator.
func (op Op) accepts(order int) bool {
	switch op {
	case Eq:
		return order == 0
	case Ne:
		return order != 0
	case Gt:
		return order > 0
	case Ge:
		return order >= 0
	case Lt:
		return order < 0
	case Le:
		return order <= 0
	}
	return false
}

// isPresent tells whether the attribute's value, or that of any of its elements, has something at the path.
func isPresent(p schema.Path, value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case []any:
		for _, element := range v {
			if isPresent(p, element) {
				return true
			}
		}
		return false
	case schema.Object:
		if p.Sub != nil {
			return v[p.Sub.Name] != nil
		}
		return len(v) > 0
	}
	return true
}
