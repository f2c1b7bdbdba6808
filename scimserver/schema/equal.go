package schema

import "reflect"

// Equal tells whether two values of canonical objects are the same, the order of elements included. It compares values as
// they were sent: texts that differ in case are different, and so are the numbers 1 and 1.0.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case Object:
		y, ok := b.(Object)
		if !ok || len(x) != len(y) {
			return false
		}
		for name, v := range x {
			if w, ok := y[name]; !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case string:
		y, ok := b.(string)
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

// CheckImmutable returns an *Error mutability when next changes or drops a value of current that can be given only once
// (RFC 7643 section 7). Values inside the elements of multi-valued attributes are not compared: an element with another
// value is another element.
func (rt *ResourceType) CheckImmutable(current, next Object) error {
	for _, p := range rt.immutable {
		before := p.inElement(p.Get(current))
		if before != nil && !Equal(before, p.inElement(p.Get(next))) {
			return Errorf(IsMutability, "%s cannot be changed once it is set", p)
		}
	}
	return nil
}
