package schema

import "strings"

// Names are the attributes that a request speaks of, each as Path.String() has it: a sub-attribute where it speaks of one
// of an attribute with a single value, otherwise the whole attribute.
type Names map[string]bool

// Named returns the attributes that a whole resource speaks of, in whatever spelling Normalize understands, also those
// that it unassigns with null, "" or []. What no schema knows is passed over.
func (rt *ResourceType) Named(in Object) Names {
	n := Names{}
	for key, value := range in {
		if s := rt.SchemaOf(key); s != nil {
			n.addSchema(rt, s, value)
		} else if p, err := rt.Path(key); err == nil {
			n.Add(p, value)
		}
	}
	return n
}

// addSchema adds what an object of one schema's attributes speaks of. To unassign the object is to speak of them all.
func (n Names) addSchema(rt *ResourceType, s *Schema, value any) {
	values, ok := value.(Object)
	if !ok {
		for _, a := range s.Attributes {
			n.Add(Path{Schema: s, Attribute: a}, nil)
		}
		return
	}
	for key, value := range values {
		if p, err := rt.Path(s.ID + ":" + key); err == nil {
			n.Add(p, value)
		}
	}
}

// Add adds the attribute at p, or only those of its sub-attributes that the value has. An attribute with a sub-attribute
// value, of which the others only tell more (RFC 7643 section 2.4), has no parts that stand for themselves.
func (n Names) Add(p Path, value any) {
	if array, ok := value.([]any); ok && len(array) == 1 {
		value = array[0]
	}
	if p.Attribute.MultiValued || p.Attribute.Sub("value") != nil {
		p.Sub = nil
	} else if object, ok := value.(Object); ok && p.Leaf().Type == TypeComplex {
		for key := range object {
			if p.Sub = p.Attribute.Sub(key); p.Sub != nil {
				n[p.String()] = true
			}
		}
		return
	}
	n[p.String()] = true
}

// Has tells whether the request speaks of the attribute or sub-attribute of that canonical name, or of all that it is a
// part of.
func (n Names) Has(name string) bool {
	if n[name] {
		return true
	}
	// A URN has dots too: only one behind the last colon separates a sub-attribute.
	dot := strings.LastIndexByte(name, '.')
	return dot > strings.LastIndexByte(name, ':') && n[name[:dot]]
}
