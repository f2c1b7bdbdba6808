package patch

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// values are the elements of a multi-valued attribute, with an index by which those that an operation's value names are
// found without a comparison of each with each.
type values struct {
	path     schema.Path
	elements []any
	every    []int         // the positions of all elements
	byValue  map[any][]int // and of those with a value
}

func newValues(p schema.Path, elements []any, room int) *values {
	v := &values{
		path: p, elements: make([]any, 0, len(elements)+room), every: make([]int, 0, len(elements)+room),
		byValue: make(map[any][]int, len(elements)+room),
	}
	for _, element := range elements {
		v.append(element)
	}
	return v
}

func (v *values) append(element any) (position int) {
	position = len(v.elements)
	v.elements, v.every = append(v.elements, element), append(v.every, position)
	if key, ok := v.key(element); ok {
		v.byValue[key] = append(v.byValue[key], position)
	}
	return position
}

// key is the same for all elements that have the same value; ok is false for an element without one.
func (v *values) key(element any) (key any, ok bool) {
	p, value := v.path, element
	if object, isObject := element.(schema.Object); isObject {
		if p.Sub = p.Attribute.Sub("value"); p.Sub == nil {
			return nil, false
		}
		value = object["value"]
	}
	switch value := value.(type) {
	case string:
		return p.Leaf().Fold(value), true
	case bool, json.Number:
		return value, true
	}
	return nil, false
}

// candidates are the positions of the elements that an operation's value can name, in order.
func (v *values) candidates(value any) []int {
	if key, ok := v.key(value); ok {
		return v.byValue[key]
	}
	return v.every
}

// added appends the operation's values, except that one which is there already takes over what the new one says beside
// its value and type.
func (d *document) added(op Operation, current []any) ([]any, error) {
	given, _ := op.Value.([]any)
	if err := d.spend(len(current) + len(given)); err != nil {
		return nil, err
	}
	after := newValues(op.Path.Path, current, len(given))
	for _, value := range given {
		candidates := after.candidates(value)
		if err := d.spend(len(candidates)); err != nil {
			return nil, err
		}
		added := Operation{Add, op.Path, value}
		var waiting *labels
		at := slices.IndexFunc(candidates, func(i int) bool { return isSame(op.Path.Path, after.elements[i], value) })
		if at < 0 {
			var err error
			if value, waiting, err = d.labelled(op.Path.Path, value); err != nil {
				return nil, err
			}
			at = after.append(value)
		} else {
			at = candidates[at]
			if err := d.spend(changeWork); err != nil {
				return nil, err
			}
			element, err := d.merged(Operation{Add, op.Path, inSpellingOf(after.elements[at], value)}, after.elements[at])
			if err != nil {
				return nil, err
			}
			after.elements[at] = element
		}
		if primary := d.primarySince(added, waiting, value); primary != never {
			d.makePrimary(op.Path, after.elements, at, primary)
		}
	}
	return after.elements, nil
}

// removed leaves out the elements that the operation's values name.
func (d *document) removed(op Operation, current []any) ([]any, error) {
	given, _ := op.Value.([]any)
	if err := d.spend(len(current) + len(given)); err != nil {
		return nil, err
	}
	before := newValues(op.Path.Path, current, 0)
	gone := make([]bool, len(current))
	for _, value := range given {
		candidates := before.candidates(value)
		if err := d.spend(len(candidates)); err != nil {
			return nil, err
		}
		for _, i := range candidates {
			gone[i] = gone[i] || isSame(op.Path.Path, current[i], value)
		}
	}
	after := make([]any, 0, len(current))
	for i, element := range current {
		if !gone[i] {
			after = append(after, element)
		}
	}
	return after, nil
}

// isSame tells whether an operation's value names the element: their values are equal, and their types where both have
// one; without a value, all that the operation's value has.
func isSame(p schema.Path, element, value any) bool {
	existing, ok := element.(schema.Object)
	given, alsoOK := value.(schema.Object)
	if !ok || !alsoOK {
		return equalValues(p, element, value)
	}
	p.Sub = p.Attribute.Sub("value")
	if p.Sub == nil || given["value"] == nil {
		for name, v := range given {
			p.Sub = p.Attribute.Sub(name)
			if p.Sub == nil || !equalValues(p, existing[name], v) {
				return false
			}
		}
		return true
	}
	if !equalValues(p, existing["value"], given["value"]) {
		return false
	}
	p.Sub = p.Attribute.Sub("type")
	return existing["type"] == nil || given["type"] == nil || equalValues(p, existing["type"], given["type"])
}

func isAmong(p schema.Path, element any, values []any) bool {
	return slices.ContainsFunc(values, func(value any) bool { return isSame(p, element, value) })
}

// inSpellingOf returns an operation's value with that by which it names the element as the element has it: a value that
// exists is not changed by being added again (RFC 7644 section 3.5.2.1).
func inSpellingOf(element, value any) any {
	existing, ok := element.(schema.Object)
	given, alsoOK := value.(schema.Object)
	if !ok || !alsoOK || given["value"] == nil {
		return element // all that the value says
	}
	given = maps.Clone(given)
	for _, name := range [...]string{"value", "type"} {
		if existing[name] != nil {
			given[name] = existing[name]
		}
	}
	return given
}

func equalValues(p schema.Path, a, b any) bool {
	x, isText := a.(string)
	y, alsoText := b.(string)
	if isText && alsoText {
		return p.Leaf().Same(x, y)
	}
	return schema.Equal(a, b)
}
