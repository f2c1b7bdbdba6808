package schema

import (
	"maps"
	"slices"
	"strings"
)

// CheckCanonical returns nil for a canonical object that a directory can hold: Normalize makes the same of it, and it has no
// memberships, which are rows. Two rules are left out because they are younger than stored values are: a required text may be one
// that nobody can see, and the id of a manager may be in any spelling. Otherwise the error is an *Error that names the first
// attribute that a client could not have sent so, and what would be right.
func (rt *ResourceType) CheckCanonical(obj Object) error {
	n := normalizer{rt: rt, out: make(Object, len(obj)), stored: true}
	if err := n.whole(obj); err != nil {
		return err
	}
	rows := rt.rowsIn(obj)
	switch {
	case len(rows) > 0:
		return Errorf(InvalidValue, "%s does not stand in a document: memberships are kept beside it", rt.names[slices.Min(rows)])
	case Equal(obj, n.out): // as nearly always: then nothing has to be put in order
		return nil
	}
	return rt.difference(obj, n.out, "")
}

// rowsIn returns the names in obj of what are memberships.
func (rt *ResourceType) rowsIn(obj Object) (names []string) {
	for key := range obj {
		if p, ok := rt.names[key]; ok && p.Rows() {
			names = append(names, key)
		}
	}
	return names
}

// difference returns an error about the first name, behind a prefix, that has another value in the normalized object or none.
func (rt *ResourceType) difference(obj, normalized Object, prefix string) error {
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		value, kept := normalized[key]
		if kept && Equal(obj[key], value) {
			continue
		}
		inner, isObject := obj[key].(Object)
		if left, ok := value.(Object); ok && isObject && prefix == "" && rt.SchemaOf(key) != nil {
			return rt.difference(inner, left, key+":")
		}
		p, err := rt.Path(prefix + key)
		switch {
		case prefix == "" && rt.SchemaOf(key) != nil:
			return notUnder(rt.SchemaOf(key))
		case err != nil:
			return err
		case p.Sub != nil:
			return Errorf(InvalidValue, "%s must stand inside of its attribute", p)
		case p.String() != prefix+key:
			return Errorf(InvalidValue, "%s must be spelled so, and stand in the object of its schema", p)
		case p.Attribute.Mutability == WriteOnly:
			return Errorf(InvalidValue, "%s is never stored", p)
		case p.ReadOnly():
			return Errorf(InvalidValue, "%s is the server's and does not stand in a document", p)
		case !kept:
			return Errorf(InvalidValue, "%s must be left out where it has no value", p)
		}
		return p.changed(obj[key], value)
	}
	return nil
}

// notUnder is the error for the attributes of a schema that stand under another name than its URN, or are none.
func notUnder(s *Schema) *Error {
	if !s.IsExtension() {
		return Errorf(InvalidValue, "the attributes of %s must not stand under its URN", s.ID)
	}
	return Errorf(InvalidValue, "%s must be spelled so, and left out where it has no values", s.ID)
}

// changed is the error for a value at p of which Normalize makes another.
func (p Path) changed(before, after any) error {
	if !p.Leaf().MultiValued {
		return place{p, alone}.changed(before, after)
	}
	elements, isArray := before.([]any)
	if !isArray {
		return Errorf(InvalidValue, "%s accepts an array of its values", p)
	}
	left, _ := after.([]any)
	for i, element := range elements {
		switch {
		case len(left) != len(elements):
			return Errorf(InvalidValue, "%s accepts elements that have a value", p)
		case !Equal(element, left[i]):
			return place{p, i}.changed(element, left[i])
		}
	}
	return nil
}

func (at place) changed(before, after any) error {
	object, isObject := before.(Object)
	left, _ := after.(Object)
	if at.Leaf().Type != TypeComplex || !isObject {
		return wrongType(at.Path)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		sub := find(at.Attribute.SubAttributes, key)
		switch {
		case Equal(object[key], left[key]):
		case sub == nil || sub.Name != key || sub.Mutability == ReadOnly || at.Attribute.byID && sub.Name != "value":
			return Errorf(InvalidValue, "%s accepts only %s, spelled so", at, strings.Join(names(at.kept()), ", "))
		case left[key] == nil:
			return Errorf(InvalidValue, "%s.%s must be left out where it has no value", at, key)
		default:
			p := at.Path
			p.Sub = sub
			return p.changed(object[key], left[key])
		}
	}
	return nil
}

// kept are the sub-attributes that are stored.
func (at place) kept() []*Attribute {
	return slices.DeleteFunc(slices.Clone(at.Attribute.SubAttributes), func(sub *Attribute) bool {
		return sub.Mutability == ReadOnly || at.Attribute.byID && sub.Name != "value"
	})
}
