package schema

import "slices"

// User returns the resource type User (RFC 7643 section 4.1) with the enterprise, medius and tenantry extensions and
// those given. One that is given under the URN of another adds the attributes which that one lacks. Attributes that are
// undeclared take part in IndexKeys, Conceal and Carry alone.
func User(extensions ...*Schema) *ResourceType {
	return newResourceType(&ResourceType{
		ID: "User", Name: "User", Endpoint: "/Users", Description: "User Account",
		Schema:     coreUser(),
		Extensions: append([]*Schema{enterpriseUser(), mediusUser(), tenantryUser()}, extensions...),
	})
}

// Group returns the resource type Group (RFC 7643 section 4.2) with the extensions given.
func Group(extensions ...*Schema) *ResourceType {
	return newResourceType(&ResourceType{
		ID: "Group", Name: "Group", Endpoint: "/Groups", Description: "Group",
		Schema:     coreGroup(),
		Extensions: slices.Clone(extensions),
	})
}

// newResourceType copies the schemas, so that nobody else can change them, and prepares the look-ups.
func newResourceType(rt *ResourceType) *ResourceType {
	rt.schemas = map[string]*Schema{}
	rt.names = map[string]Path{}
	rt.keys = map[string]bool{}
	declared := rt.Extensions
	rt.Extensions = nil

	rt.Schema = &Schema{ID: rt.Schema.ID, Name: rt.Schema.Name, Description: rt.Schema.Description,
		Attributes: completed(rt.Schema.Attributes)}
	rt.addSchema(rt.Schema)
	for _, s := range declared {
		rt.addExtension(s)
	}
	rt.addOlderURNs()

	rt.common = completed(common())
	for _, a := range rt.common {
		rt.addAttribute(Path{Attribute: a})
		rt.keys[a.Name] = true
	}
	for _, a := range rt.Schema.Attributes {
		rt.addAttribute(Path{Schema: rt.Schema, Attribute: a})
		rt.keys[a.Name] = true
	}
	for _, s := range rt.Extensions {
		rt.keys[s.ID] = true
		for _, a := range s.Attributes {
			rt.addAttribute(Path{Schema: s, Attribute: a})
		}
	}
	return rt
}

// addExtension adds a schema, or its attributes to the one that is there under its URN.
func (rt *ResourceType) addExtension(declared *Schema) {
	s := rt.SchemaOf(declared.ID)
	known := s != nil
	if !known {
		s = &Schema{ID: declared.ID, Name: declared.Name, Description: declared.Description}
	}
	for _, a := range completed(declared.Attributes) {
		switch {
		case s.Attribute(a.Name) != nil:
		case a.Undeclared:
			p := Path{Schema: s, Attribute: a}
			rt.undeclared = append(rt.undeclared, p)
			rt.addIndexed(p)
		default:
			s.Attributes = append(s.Attributes, a)
		}
	}
	if !known && len(s.Attributes) > 0 {
		rt.Extensions = append(rt.Extensions, s)
		rt.addSchema(s)
	}
}

// addIndexed notes the values of an attribute that have an index entry.
func (rt *ResourceType) addIndexed(p Path) {
	for _, sub := range append([]*Attribute{nil}, p.Attribute.SubAttributes...) {
		if p.Sub = sub; p.Indexed() {
			rt.indexed = append(rt.indexed, indexedPath{p, p.String()})
		}
	}
}

func (rt *ResourceType) addSchema(s *Schema) {
	rt.schemas[s.ID] = s
	rt.schemas[Fold(s.ID)] = s
}

// addAttribute makes an attribute known by its bare name; the first of a name keeps it.
func (rt *ResourceType) addAttribute(p Path) {
	for _, name := range []string{p.Attribute.Name, Fold(p.Attribute.Name)} {
		if _, taken := rt.names[name]; !taken {
			rt.names[name] = p
		}
	}
	rt.addIndexed(p)
	for _, sub := range append([]*Attribute{nil}, p.Attribute.SubAttributes...) {
		p.Sub = sub
		leaf := p.Leaf()
		if leaf.Returned == ReturnedNever || leaf.Returned == ReturnedRequest {
			rt.hidden = append(rt.hidden, p)
		}
		if leaf.Mutability == Immutable && (sub == nil || !p.Attribute.MultiValued) {
			rt.immutable = append(rt.immutable, p)
		}
	}
}

// completed copies definitions and fills in what was left out with the defaults of RFC 7643 section 2.2.
func completed(attributes []*Attribute) []*Attribute {
	out := make([]*Attribute, len(attributes))
	for i, a := range attributes {
		c := *a
		c.Type = orDefault(c.Type, TypeString)
		c.Mutability = orDefault(c.Mutability, ReadWrite)
		c.Returned = orDefault(c.Returned, ReturnedDefault)
		c.Uniqueness = orDefault(c.Uniqueness, UniquenessNone)
		c.SubAttributes = completed(c.SubAttributes)
		out[i] = &c
	}
	return out
}

func orDefault[T ~string](v, standard T) T {
	if v == "" {
		return standard
	}
	return v
}
