package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

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
		if value == "" {
			n.lenience |= LenientEmpty
			return nil, nil
		}
		n.lenience |= LenientSingle
		elements = []any{value}
	}
	if err := p.CheckCount(len(elements)); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(elements))
	primaries := 0
	for i, element := range elements {
		element, err := n.element(place{p, i}, element)
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

// single reads the value of a single-valued attribute, or one element that a path names by itself.
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
		if _, ok := value.([]any); ok {
			return nil, Errorf(InvalidValue, "%s accepts one value; an array in an array was sent", p)
		}
	}
	if value == nil {
		return nil, nil
	}
	return n.one(place{p, alone}, value)
}

// element reads one element of an array of values.
func (n *normalizer) element(at place, value any) (any, error) {
	switch value.(type) {
	case nil:
		if at.Attribute.rows {
			return nil, at.unusable()
		}
		return nil, nil
	case []any:
		accepted := "one value"
		if at.Leaf().Type == TypeComplex {
			accepted = "an object or its value"
		}
		return nil, Errorf(InvalidValue, "%s is an array; an element of %s is %s", at, at.Path, accepted)
	}
	return n.one(at, value)
}

// one reads what is neither null nor an array.
func (n *normalizer) one(at place, value any) (any, error) {
	if value == "" {
		if at.index != alone && at.Attribute.rows {
			return nil, at.unusable()
		}
		n.lenience |= LenientEmpty
		return nil, nil
	}
	object, isObject := value.(Object)
	if at.Leaf().Type == TypeComplex {
		if !isObject {
			if at.Attribute.Sub("value") == nil {
				return nil, Errorf(InvalidValue, "%s accepts an object", at.Path)
			}
			n.lenience |= LenientBare
			object = Object{"value": value}
		}
		return n.complex(at, object)
	}
	if isObject {
		n.lenience |= LenientWrapped
		if value, isObject = wrapped(object); !isObject {
			return nil, wrongType(at.Path)
		}
	}
	return n.simple(at.Path, value)
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
	if isText && p.Attribute.byID && p.Leaf().Name == "value" && !n.stored {
		id, lenience := p.Attribute.CanonicalID(text)
		n.lenience |= lenience
		return id, nil
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
	case TypeString:
		if number, ok := value.(json.Number); ok {
			n.lenience |= LenientNumberForText
			return number.String(), nil
		}
		if isText && !n.stored && !p.takes(text) {
			return nil, p.notVisible()
		}
		if isText {
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
