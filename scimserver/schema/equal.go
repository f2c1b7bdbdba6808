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
		if err := p.checkUnchanged(p.Get(current), p.Get(next)); err != nil {
			return err
		}
	}
	return nil
}

// CheckImmutable is that of a resource type for the attribute at p alone, whose value is to become another.
func (p Path) CheckImmutable(before, after any) error {
	p.Sub = nil
	if err := p.checkUnchanged(before, after); err != nil || p.Attribute.MultiValued {
		return err
	}
	for _, p.Sub = range p.Attribute.SubAttributes {
		if err := p.checkUnchanged(before, after); err != nil {
			return err
		}
	}
	return nil
}

func (p Path) checkUnchanged(before, after any) error {
	if p.Leaf().Mutability != Immutable {
		return nil
	}
	if before = p.inElement(before); before != nil && !Equal(before, p.inElement(after)) {
		return Errorf(IsMutability, "%s cannot be changed once it is set", p)
	}
	return nil
}
