package schema

import (
	"encoding/json"
	"fmt"
	"math"
)

// SortPath resolves the attribute that a list is sorted by (RFC 7644 section 3.4.2.3), named as Path reads it. A complex
// attribute means its "value". The error is an *Error invalidPath.
func (rt *ResourceType) SortPath(name string) (Path, error) {
	p, err := rt.Path(name)
	if err != nil {
		return Path{}, err
	}
	if p.Leaf().Type == TypeComplex {
		if p.Sub = p.Attribute.Sub("value"); p.Sub == nil {
			return Path{}, Errorf(InvalidPath, "a list can be sorted by a sub-attribute of %s, not by the whole", p)
		}
	}
	if p.Attribute.Returned == ReturnedNever || p.Leaf().Returned == ReturnedNever {
		return Path{}, Errorf(InvalidPath, "a list cannot be sorted by %s, which is never returned", p)
	}
	return p, nil
}

// SortKey returns the key by which an object is sorted: in the order of keys, compared as bytes, values are in the order
// that RFC 7644 section 3.4.2.3 asks for. Of several values it is that of the element that is primary, or else of the
// first. For an indexed attribute of one value that is no number, it is the index key. ok is false for an object without
// a value.
//
// Numbers have keys of their own, because index keys of numbers are not in the order of the numbers.
func (p Path) SortKey(obj Object) (key string, ok bool) {
	value := p.inElement(p.preferred(p.Get(obj)))
	if several, ok := value.([]any); ok && len(several) > 0 {
		value = several[0]
	}
	if number, ok := value.(json.Number); ok {
		return numberOrder(number), true
	}
	return p.Key(value)
}

// preferred is the primary or first of several values.
func (p Path) preferred(value any) any {
	elements, ok := value.([]any)
	if !ok || len(elements) == 0 {
		return value
	}
	for _, element := range elements {
		object, _ := element.(Object)
		if primary, _ := ParseBoolean(object["primary"]); primary {
			return element
		}
	}
	return elements[0]
}

// numberOrder writes a number so that greater numbers have greater text: the bits of a float64 are in that order but for
// those of negative numbers, which are in the opposite order.
func numberOrder(n json.Number) string {
	f, _ := n.Float64() // what is too large is infinite, and still in order
	bits := math.Float64bits(f + 0)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("%016x", bits)
}
