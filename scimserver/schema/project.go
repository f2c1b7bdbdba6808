package schema

import "strings"

// Projection is the choice of attributes that a response has (RFC 7644 section 3.9). It is made once for a request and
// applied to each resource.
type Projection struct {
	rt       *ResourceType
	included selection // nil: no attributes were chosen, so those returned by default
	excluded selection
}

// selection has an entry for each chosen attribute and sub-attribute, and false for an attribute only some of whose
// sub-attributes are chosen.
type selection map[*Attribute]bool

// Projection reads the parameters attributes and excludedAttributes. Names are read as by Path; a schema's URN means all
// of its attributes, a filter in brackets is left aside (emails[type eq "work"] means emails), and names that no schema
// knows are passed over. Where both are given, an attribute must be chosen and not excluded. The error is an *Error
// invalidPath for what is not in attribute notation.
func (rt *ResourceType) Projection(attributes, excluded []string) (Projection, error) {
	p := Projection{rt: rt}
	var err error
	if p.included, err = rt.selection(attributes); err != nil {
		return p, err
	}
	p.excluded, err = rt.selection(excluded)
	return p, err
}

func (rt *ResourceType) selection(names []string) (selection, error) {
	if len(names) == 0 {
		return nil, nil
	}
	chosen := selection{}
	for _, name := range names {
		name, err := withoutFilter(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if s := rt.SchemaOf(name); s != nil {
			for _, a := range s.Attributes {
				chosen[a] = true
			}
			continue
		}
		p, err := rt.Path(name)
		if err != nil {
			continue
		}
		chosen[p.Leaf()] = true
		if p.Sub != nil && !chosen[p.Attribute] {
			chosen[p.Attribute] = false
		}
	}
	return chosen, nil
}

// withoutFilter cuts a filter in brackets out of a name.
func withoutFilter(name string) (string, error) {
	opening, closing := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if opening < 0 && closing < 0 {
		return name, nil
	}
	if opening < 0 || closing < opening {
		return "", Errorf(InvalidPath, "a chosen attribute has a bracket without its counterpart")
	}
	return name[:opening] + name[closing+1:], nil
}

// Wants tells whether the response can have values of the named attribute, so that a server need not load them.
func (p Projection) Wants(name string) bool {
	path, err := p.rt.Path(name)
	if err != nil || !p.keeps(path.Attribute) {
		return false
	}
	return path.Sub == nil || p.keepsSub(path.Attribute, path.Sub)
}

// Extent is how much of something a response has.
type Extent uint8

// A response can have a part of something, which then has to be looked for, all of it, or nothing.
const (
	Part Extent = iota
	Whole
	Nothing
)

// Of tells how much the response has of the named attribute.
func (p Projection) Of(name string) Extent {
	path, err := p.rt.Path(name)
	if err != nil {
		return Nothing
	}
	return p.extent(path.Attribute)
}

// OfDocument tells how much the response has of what is stored as a document: every attribute but id, schemas and meta, which a server
// makes, and those that are rows of memberships. A document need only be read where the answer is Part.
func (p Projection) OfDocument() Extent {
	if p.included == nil && p.excluded == nil && !p.rt.HidesByDefault() {
		return Whole
	}
	whole, nothing := true, true
	look := func(attributes []*Attribute) {
		for _, a := range attributes {
			if a.rows || a.Returned == ReturnedNever && a.Mutability == WriteOnly { // which is never stored
				continue
			}
			of := p.extent(a)
			whole, nothing = whole && of == Whole, nothing && of == Nothing
		}
	}
	for _, a := range p.rt.common {
		if a.Name != "id" && a.Name != "schemas" && a.Name != "meta" {
			look([]*Attribute{a})
		}
	}
	look(p.rt.Schema.Attributes)
	for _, s := range p.rt.Extensions {
		look(s.Attributes)
	}
	switch {
	case whole:
		return Whole
	case nothing:
		return Nothing
	default:
		return Part
	}
}

func (p Projection) extent(a *Attribute) Extent {
	if !p.keeps(a) {
		return Nothing
	}
	for _, sub := range a.SubAttributes {
		if !p.keepsSub(a, sub) {
			return Part
		}
	}
	return Whole
}

// Apply returns the chosen part of obj, which may be obj itself and shares its values.
func (p Projection) Apply(obj Object) Object {
	if p.included == nil && p.excluded == nil && !p.rt.hasHidden(obj) {
		return obj
	}
	out := make(Object, len(obj))
	for key, value := range obj {
		if s := p.rt.schemas[key]; s != nil {
			if values, ok := value.(Object); ok {
				if kept := p.attributes(values, s); len(kept) > 0 {
					out[key] = kept
				}
			}
		} else if a := p.rt.names[key]; p.rt.keys[key] && p.keeps(a.Attribute) {
			p.put(out, a.Attribute, value)
		}
	}
	return out
}

func (p Projection) attributes(values Object, s *Schema) Object {
	out := make(Object, len(values))
	for _, a := range s.Attributes {
		if value, ok := values[a.Name]; ok && p.keeps(a) {
			p.put(out, a, value)
		}
	}
	return out
}

// put puts what is chosen of an attribute's value into out.
func (p Projection) put(out Object, a *Attribute, value any) {
	if p.extent(a) == Whole {
		out[a.Name] = value
		return
	}
	switch v := value.(type) {
	case Object:
		if kept := p.subAttributes(a, v); len(kept) > 0 {
			out[a.Name] = kept
		}
	case []any:
		elements := make([]any, 0, len(v))
		for _, element := range v {
			object, _ := element.(Object)
			if kept := p.subAttributes(a, object); len(kept) > 0 {
				elements = append(elements, kept)
			}
		}
		if len(elements) > 0 || len(v) == 0 {
			out[a.Name] = elements
		}
	}
}

func (p Projection) subAttributes(a *Attribute, object Object) Object {
	out := make(Object, len(object))
	for _, sub := range a.SubAttributes {
		if value, ok := object[sub.Name]; ok && p.keepsSub(a, sub) {
			out[sub.Name] = value
		}
	}
	return out
}

func (p Projection) keeps(a *Attribute) bool {
	switch a.Returned {
	case ReturnedAlways:
		return true
	case ReturnedNever:
		return false
	}
	_, chosen := p.included[a]
	return (chosen || p.included == nil && a.Returned != ReturnedRequest) && !p.excluded[a]
}

// keepsSub answers for a sub-attribute of an attribute that is kept.
func (p Projection) keepsSub(a, sub *Attribute) bool {
	switch sub.Returned {
	case ReturnedAlways:
		return true
	case ReturnedNever:
		return false
	}
	chosen := p.included[sub]
	if whole, named := p.included[a]; sub.Returned != ReturnedRequest {
		chosen = chosen || whole || !named
	}
	return chosen && !p.excluded[sub]
}

func (rt *ResourceType) hasHidden(obj Object) bool {
	for _, p := range rt.hidden {
		if p.Get(obj) != nil {
			return true
		}
	}
	return false
}
