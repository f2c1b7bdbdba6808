package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Lenience is a set of accommodations that were made to read a client's values.
type Lenience uint16

// The accommodations.
const (
	// LenientBoolean: a boolean was sent as a string such as "True".
	LenientBoolean Lenience = 1 << iota
	// LenientNumber: a number was sent as a string.
	LenientNumber
	// LenientBare: a simple value was sent for a complex attribute and taken as its "value".
	LenientBare
	// LenientWrapped: a single simple value was sent inside an array, or as an object with "value".
	LenientWrapped
	// LenientSingle: one value was sent for a multi-valued attribute, without an array.
	LenientSingle
	// LenientEmpty: an attribute was unassigned with an empty string.
	LenientEmpty
	// LenientName: a name was spelled in another case, dotted or qualified where the RFC has a nested object.
	LenientName
	// LenientUnknown: an attribute that the schema does not have was dropped.
	LenientUnknown
	// LenientReadOnly: a value that only the server can give was dropped.
	LenientReadOnly
)

// Normalize turns a client's whole resource into a canonical object; in stays as it is. Names are read in any case,
// dotted and behind URNs; what no schema knows, what only the server can write (id, meta, schemas, groups, …) and
// passwords are dropped; null, "" and [] unassign. The error is an *Error invalidValue that names the attribute and what
// would be accepted: a wrong type, an attribute given twice, a second primary value, or a required one missing.
func (rt *ResourceType) Normalize(in Object) (Object, error) {
	n := normalizer{rt: rt, out: make(Object, len(in))}
	if err := n.resource(in); err != nil {
		return nil, err
	}
	return n.out, rt.CheckRequired(n.out)
}

// NormalizeValue brings a value for the attribute or sub-attribute at p into canonical form: []any for a multi-valued
// one, an Object for a complex one, else a simple value, and nil for what unassigns. The error is as that of Normalize.
func (rt *ResourceType) NormalizeValue(p Path, value any) (any, Lenience, error) {
	n := normalizer{rt: rt}
	value, err := n.value(p, value)
	return value, n.lenience, err
}

// NormalizeElement is NormalizeValue for one element of the multi-valued attribute at p, or of a complex one.
func (rt *ResourceType) NormalizeElement(p Path, value any) (any, Lenience, error) {
	n := normalizer{rt: rt}
	value, err := n.single(p, value)
	return value, n.lenience, err
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

// Schemas returns the URNs of the schemas that obj has values of: the core schema and each extension with data.
func (rt *ResourceType) Schemas(obj Object) []string {
	urns := []string{rt.Schema.ID}
	for _, s := range rt.Extensions {
		if values, ok := obj[s.ID].(Object); ok && len(values) > 0 {
			urns = append(urns, s.ID)
		}
	}
	return urns
}

type normalizer struct {
	rt       *ResourceType
	out      Object
	lenience Lenience
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
		if s := n.rt.lookupSchema(key); s != nil {
			n.lenience |= LenientName
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
		return Errorf(InvalidValue, "%s accepts an object of its attributes", s.ID)
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
		n.lenience |= LenientUnknown
		return nil
	}
	n.lenience |= LenientName
	return n.assign(p, value)
}

// assign puts a value at its canonical place, unless it has one already or is not the client's to give.
func (n *normalizer) assign(p Path, value any) error {
	if p.ReadOnly() || p.Attribute.Mutability == WriteOnly {
		n.lenience |= LenientReadOnly
		return nil
	}
	value, err := n.value(p, value)
	if err != nil || value == nil {
		return err
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
		if p.Attribute.IsUnassigned(object) {
			return nil
		}
		parent[p.Attribute.Name] = object
		if p.Attribute.MultiValued {
			parent[p.Attribute.Name] = []any{object}
		}
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

func (n *normalizer) value(p Path, value any) (any, error) {
	if !p.Leaf().MultiValued {
		return n.single(p, value)
	}
	var elements []any
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		elements = v
	default:
		if value != "" {
			n.lenience |= LenientSingle
		}
		elements = []any{value}
	}
	if err := p.CheckCount(len(elements)); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(elements))
	primaries := 0
	for _, element := range elements {
		element, err := n.single(p, element)
		if err != nil {
			return nil, err
		}
		if element == nil {
			continue
		}
		if object, ok := element.(Object); ok && object["primary"] == true {
			primaries++
		}
		out = append(out, element)
	}
	if primaries > 1 {
		return nil, Errorf(InvalidValue, "%s accepts one value with primary true; several were sent", p)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// single reads one value: that of a single-valued attribute, or one element of a multi-valued one.
func (n *normalizer) single(p Path, value any) (any, error) {
	if array, ok := value.([]any); ok {
		switch len(array) {
		case 0:
			return nil, nil
		case 1:
			n.lenience |= LenientWrapped
			value = array[0]
		default:
			return nil, Errorf(InvalidValue, "%s accepts one value; several were sent", p)
		}
	}
	if value == nil {
		return nil, nil
	}
	if value == "" {
		n.lenience |= LenientEmpty
		return nil, nil
	}
	object, isObject := value.(Object)
	if p.Leaf().Type == TypeComplex {
		if !isObject {
			if p.Attribute.Sub("value") == nil {
				return nil, Errorf(InvalidValue, "%s accepts an object", p)
			}
			n.lenience |= LenientBare
			object = Object{"value": value}
		}
		return n.complex(p, object)
	}
	if isObject {
		n.lenience |= LenientWrapped
		if value, isObject = wrapped(object); !isObject {
			return nil, wrongType(p)
		}
	}
	return n.simple(p, value)
}

func (n *normalizer) complex(p Path, in Object) (any, error) {
	out := make(Object, len(in))
	found := 0
	for _, sub := range p.Attribute.SubAttributes {
		if value, ok := in[sub.Name]; ok {
			found++
			if err := n.assignSub(p, sub, out, value); err != nil {
				return nil, err
			}
		}
	}
	if found < len(in) {
		for _, key := range slices.Sorted(maps.Keys(in)) {
			sub := p.Attribute.Sub(key)
			switch {
			case sub == nil:
				n.lenience |= LenientUnknown
			case sub.Name != key:
				n.lenience |= LenientName
				if err := n.assignSub(p, sub, out, in[key]); err != nil {
					return nil, err
				}
			}
		}
	}
	if p.Attribute.IsUnassigned(out) {
		return nil, nil
	}
	for _, sub := range p.Attribute.SubAttributes {
		if sub.Required && sub.Mutability != ReadOnly && out[sub.Name] == nil {
			p.Sub = sub
			return nil, Errorf(InvalidValue, "%s is required", p)
		}
	}
	return out, nil
}

func (n *normalizer) assignSub(p Path, sub *Attribute, out Object, value any) error {
	p.Sub = sub
	if p.ReadOnly() {
		n.lenience |= LenientReadOnly
		return nil
	}
	value, err := n.value(p, value)
	if err != nil || value == nil {
		return err
	}
	return n.assignTo(p, out, sub.Name, value)
}

// IsUnassigned tells whether an element of a says nothing: it is empty, or, where elements have the sub-attributes of
// RFC 7643 section 2.4, holds no more than the labels type and primary of a value that is gone.
func (a *Attribute) IsUnassigned(element Object) bool {
	labelled := a.MultiValued && find(a.SubAttributes, "primary") != nil
	for name := range element {
		if !labelled || name != "type" && name != "primary" {
			return false
		}
	}
	return true
}

// wrapped takes a simple value out of an object such as {"$ref": null, "value": "x"}.
func wrapped(object Object) (value any, ok bool) {
	if value, ok = object["value"]; ok {
		return value, true
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if equalNames(key, "value") {
			return object[key], true
		}
	}
	return nil, false
}

func (n *normalizer) simple(p Path, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	text, isText := value.(string)
	if isText && text == "" {
		n.lenience |= LenientEmpty
		return nil, nil
	}
	if isText && strings.IndexByte(text, 0) >= 0 {
		return nil, Errorf(InvalidValue, "%s accepts text without the character U+0000", p)
	}
	switch t := p.Leaf().Type; t {
	case TypeBoolean:
		if b, ok := ParseBoolean(value); ok {
			if isText {
				n.lenience |= LenientBoolean
			}
			return b, nil
		}
	case TypeInteger, TypeDecimal:
		return n.number(p, value)
	case TypeDateTime:
		if _, ok := ParseDateTime(text); ok {
			return text, nil
		}
	case TypeBinary:
		if isText && isBinary(text) {
			return text, nil
		}
	default:
		if isText {
			return text, nil
		}
	}
	return nil, wrongType(p)
}

func (n *normalizer) number(p Path, value any) (any, error) {
	number, ok := value.(json.Number)
	if text, isText := value.(string); isText {
		number, ok = json.Number(text), IsNumber(text)
		n.lenience |= LenientNumber
	}
	if !ok || p.Leaf().Type == TypeInteger && !isInteger(number.String()) {
		return nil, wrongType(p)
	}
	return number, nil
}

func wrongType(p Path) *Error {
	accepted := "a string"
	switch p.Leaf().Type {
	case TypeBoolean:
		accepted = "true or false"
	case TypeInteger:
		accepted = "a whole number"
	case TypeDecimal:
		accepted = "a number"
	case TypeDateTime:
		accepted = "a dateTime such as 2026-01-31T12:00:00Z"
	case TypeBinary:
		accepted = "base64 text"
	case TypeComplex:
		accepted = "an object"
	}
	return Errorf(InvalidValue, "%s accepts %s", p, accepted)
}
