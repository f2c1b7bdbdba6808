package schema

import "maps"

// HidesByDefault tells whether an answer to which nobody asked for certain attributes may leave out stored values. What
// can only be written is never stored.
func (rt *ResourceType) HidesByDefault() bool {
	for _, p := range rt.hidden {
		if p.Leaf().Mutability != WriteOnly {
			return true
		}
	}
	return false
}

// Conceals tells whether Conceal may leave anything out.
func (rt *ResourceType) Conceals() bool { return len(rt.undeclared) > 0 }

// Conceal returns obj without the values of undeclared attributes. It may be obj itself, and shares its values.
func (rt *ResourceType) Conceal(obj Object) Object {
	out, copied := obj, map[string]bool{}
	for _, p := range rt.undeclared {
		if p.Get(out) == nil {
			continue
		}
		urn := p.Schema.ID
		if len(copied) == 0 {
			out = maps.Clone(out)
		}
		values, _ := out[urn].(Object)
		if !copied[urn] {
			values = maps.Clone(values)
			copied[urn] = true
		}
		delete(values, p.Attribute.Name)
		if out[urn] = values; len(values) == 0 {
			delete(out, urn)
		}
	}
	return out
}

// Carry puts the values that from has of undeclared attributes into to, which takes the place of from and whose
// extensions are its own. Nobody could have sent them, so nobody meant to remove them.
func (rt *ResourceType) Carry(from, to Object) {
	for _, p := range rt.undeclared {
		value := p.Get(from)
		if value == nil {
			continue
		}
		values, _ := to[p.Schema.ID].(Object)
		if values = maps.Clone(values); values == nil {
			values = Object{}
		}
		values[p.Attribute.Name] = value
		to[p.Schema.ID] = values
	}
}
