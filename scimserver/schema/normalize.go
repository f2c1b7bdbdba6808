package schema

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// Normalize turns a client's whole resource into a canonical object; in stays as it is. Names are read in any case,
// dotted and behind URNs; what no schema knows, what only the server can write (id, meta, schemas, groups, …) and
// passwords are dropped; null, "" and [] unassign. The error is an *Error invalidValue that names the attribute and what
// would be accepted: a wrong type, an attribute given twice, a second primary value, or a required one missing.
func (rt *ResourceType) Normalize(in Object) (Object, Lenience, error) {
	n := normalizer{rt: rt, out: make(Object, len(in))}
	if err := n.whole(in); err != nil {
		return nil, 0, err
	}
	n.compareSchemas(in)
	return n.out, n.lenience, nil
}

func (n *normalizer) whole(in Object) error {
	if err := n.resource(in); err != nil {
		return err
	}
	if err := n.checkDotted(); err != nil {
		return err
	}
	return n.rt.CheckRequired(n.out)
}

// compareSchemas compares the schemas that a resource says it has with those that it has values of (RFC 7643 section 3).
func (n *normalizer) compareSchemas(in Object) {
	value, _ := Member(in, "schemas")
	urns, _ := value.([]any)
	named := make([]*Schema, 0, len(urns))
	for _, urn := range urns {
		text, _ := urn.(string)
		s := n.rt.SchemaOf(text)
		switch {
		case s == nil:
			n.lenience |= LenientForeignSchema
		case n.rt.IsOlder(text):
			n.lenience |= LenientOlderURN
		}
		named = append(named, s)
	}
	if !slices.Contains(named, n.rt.Schema) {
		n.lenience |= LenientNoSchema
	}
	for _, s := range n.rt.Extensions {
		if n.out[s.ID] != nil && !slices.Contains(named, s) {
			n.lenience |= LenientNoSchema
		}
	}
}

// CheckRequired returns an *Error invalidValue when a required attribute has no value in a canonical object. Those of
// an extension are required only of an object that has values of that extension.
func (rt *ResourceType) CheckRequired(obj Object) error {
	if err := checkRequired(rt.Schema, obj); err != nil {
		return err
	}
	for _, s := range rt.Extensions {
		if values, ok := obj[s.ID].(Object); ok {
			if err := checkRequired(s, values); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRequired(s *Schema, values Object) error {
	for _, a := range s.Attributes {
		if a.Required && a.Mutability != ReadOnly && values[a.Name] == nil {
			return Errorf(InvalidValue, "%s is required", Path{Schema: s, Attribute: a})
		}
	}
	return nil
}

// Schemas returns the URNs of the schemas that a canonical object, as encoded by json.Marshal, has values of: the core
// schema and each extension with data.
func (rt *ResourceType) Schemas(document []byte) []string {
	urns := []string{rt.Schema.ID}
	for _, s := range rt.Extensions {
		// A quote inside of a string is escaped, so this can only be the key of an object that is not empty.
		if bytes.Contains(document, []byte(`"`+s.ID+`":{"`)) {
			urns = append(urns, s.ID)
		}
	}
	return urns
}

type normalizer struct {
	rt       *ResourceType
	out      Object
	dotted   []Path       // of which sub-attributes came one by one
	emptied  []*Attribute // of which the value came by itself, and was none
	lenience Lenience
	stored   bool // whether the object comes from a directory, whose values may be older than a rule; see CheckCanonical
}

// resource reads the keys as the schema spells them first, in the schema's order, and then the others in theirs, so that
// the same body always has the same outcome.
func (n *normalizer) resource(in Object) error {
	found := 0
	for _, attributes := range [...][]*Attribute{n.rt.common, n.rt.Schema.Attributes} {
		for _, a := range attributes {
			if value, ok := in[a.Name]; ok {
				found++
				if err := n.assign(n.rt.names[a.Name], value); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range n.rt.Extensions {
		if value, ok := in[s.ID]; ok {
			found++
			if err := n.schema(s, value); err != nil {
				return err
			}
		}
	}
	if found == len(in) {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if n.rt.keys[key] {
			continue
		}
		var err error
		if s := n.rt.SchemaOf(key); s != nil {
			if n.rt.IsOlder(key) {
				n.lenience |= LenientOlderURN
			} else {
				n.lenience |= LenientName
			}
			err = n.schema(s, in[key])
		} else {
			err = n.named(key, in[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// schema reads an object of one schema's attributes, which stands under the schema's URN.
func (n *normalizer) schema(s *Schema, value any) error {
	if value == nil || value == "" {
		return nil
	}
	values, ok := value.(Object)
	if !ok {
		return Errorf(InvalidValue, "%s accepts an object of its attributes", s.ID).About(s.ID)
	}
	found := 0
	for _, a := range s.Attributes {
		if value, ok := values[a.Name]; ok {
			found++
			if err := n.assign(Path{Schema: s, Attribute: a}, value); err != nil {
				return err
			}
		}
	}
	if found == len(values) {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if a := s.Attribute(key); a != nil && a.Name == key {
			continue
		}
		if err := n.named(s.ID+":"+key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

func (n *normalizer) named(name string, value any) error {
	p, err := n.rt.Path(name)
	if err != nil {
		if lost, ok := n.rt.AttributeOf(name); ok && !isEmpty(value) && !lost.ReadOnly() && lost.Attribute.Mutability != WriteOnly {
			return notWhole(lost)
		}
		n.lenience |= LenientUnknown
		return nil
	}
	n.lenience |= LenientName
	if n.rt.IsOlder(name) {
		n.lenience |= LenientOlderURN
	}
	return n.assign(p, value)
}

// notWhole is the error for a name of which only the attribute is known: it has an unknown sub-attribute behind it, or a filter, which
// selects nothing in a whole resource. Without it a value would be lost, and a PUT would remove the one that there was.
func notWhole(p Path) *Error {
	if p.Attribute.Type != TypeComplex {
		return Errorf(InvalidValue, "%s accepts its value under its name alone", p)
	}
	return Errorf(InvalidValue, "%s accepts its values under its name, or each behind one of the names %s",
		p, strings.Join(names(listed(p.Attribute.SubAttributes)), ", "))
}

// assign puts a value at its canonical place, unless it has one already or is not the client's to give.
func (n *normalizer) assign(p Path, value any) error {
	switch {
	case p.Attribute.Mutability == WriteOnly:
		n.lenience |= LenientPassword
		return nil
	case p.Schema == nil && p.Attribute.Name == "schemas": // which every resource has
		return nil
	case p.Attribute.byID && p.Sub != nil && p.Sub.Name == "$ref" && !isEmpty(value):
		whole := p
		whole.Sub = nil
		id, err := n.refID(place{whole, alone}, value)
		if err != nil {
			return err
		}
		p.Sub, value = p.Attribute.Sub("value"), id
	case p.ReadOnly():
		n.lenience |= LenientReadOnly
		return nil
	}
	value, err := n.value(p, value)
	if err != nil {
		return err
	}
	if value == nil {
		if p.Sub != nil && p.Sub.Name == "value" {
			n.emptied = append(n.emptied, p.Attribute)
		}
		return nil
	}
	parent := n.out
	if p.extension() {
		values, ok := parent[p.Schema.ID].(Object)
		if !ok {
			values = Object{}
			parent[p.Schema.ID] = values
		}
		parent = values
	}
	if p.Sub == nil {
		return n.assignTo(p, parent, p.Attribute.Name, value)
	}
	return n.assignDotted(p, parent, value)
}

// assignDotted puts the value of a dotted name into the attribute's object, or into its only element.
func (n *normalizer) assignDotted(p Path, parent Object, value any) error {
	switch whole := parent[p.Attribute.Name].(type) {
	case nil:
		object := Object{p.Sub.Name: value}
		parent[p.Attribute.Name] = object
		if p.Attribute.MultiValued {
			parent[p.Attribute.Name] = []any{object}
		}
		p.Sub = nil
		n.dotted = append(n.dotted, p)
		return nil
	case Object:
		return n.assignTo(p, whole, p.Sub.Name, value)
	case []any:
		if object, ok := whole[0].(Object); ok && len(whole) == 1 {
			return n.assignTo(p, object, p.Sub.Name, value)
		}
	}
	return givenTwice(p)
}

// checkDotted holds what came together of dotted names against the rules of a whole value.
func (n *normalizer) checkDotted() error {
	for _, p := range n.dotted {
		if !n.isLeftEmpty(p) {
			if _, err := n.value(p, p.Get(n.out)); err != nil {
				return err
			}
			continue
		}
		parent := n.out
		if p.extension() {
			parent, _ = n.out[p.Schema.ID].(Object)
		}
		if delete(parent, p.Attribute.Name); len(parent) == 0 && p.extension() {
			delete(n.out, p.Schema.ID)
		}
	}
	return nil
}

// isLeftEmpty tells whether only the labels are there of an element whose value came as none.
func (n *normalizer) isLeftEmpty(p Path) bool {
	elements, _ := p.Get(n.out).([]any)
	if len(elements) != 1 || !slices.Contains(n.emptied, p.Attribute) {
		return false
	}
	element, ok := elements[0].(Object)
	return ok && p.Attribute.IsUnassigned(element)
}

func (n *normalizer) assignTo(p Path, parent Object, key string, value any) error {
	if _, taken := parent[key]; taken {
		return givenTwice(p)
	}
	parent[key] = value
	return nil
}

func givenTwice(p Path) *Error {
	return Errorf(InvalidValue, "%s is given more than once, with different spellings of its name", p)
}
