package patch

import (
	"maps"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// Apply returns current with the operations of a parsed request applied in their order, all or none. It never modifies
// current, but the result shares with it what did not change. A group's members are applied like any other attribute;
// a store that keeps them as rows uses Request.SplitMembers.
//
// A value path that matches no element creates it where the filter tells how it looks
// (emails[type eq "work"].value); otherwise the error is an *schema.Error noTarget. Unassigning a required attribute or
// changing an immutable one is the error mutability.
func Apply(rt *schema.ResourceType, current schema.Object, ops []Operation) (schema.Object, error) {
	if len(ops) == 0 {
		return current, nil
	}
	d := document{rt, maps.Clone(current)}
	if d.object == nil {
		d.object = schema.Object{}
	}
	for _, op := range ops {
		if err := d.apply(op); err != nil {
			return nil, err
		}
	}
	if err := rt.CheckRequired(d.object); err != nil && rt.CheckRequired(current) == nil {
		return nil, schema.Errorf(schema.IsMutability, "%s and cannot be removed", err)
	}
	if err := rt.CheckImmutable(current, d.object); err != nil {
		return nil, err
	}
	return d.object, nil
}

// document is a resource that is being patched. Its outermost object is its own; what is nested is shared with the
// original and is copied before it is changed.
type document struct {
	rt     *schema.ResourceType
	object schema.Object
}

func (d document) apply(op Operation) error {
	before := op.Path.Get(d.object)
	var after any
	var err error
	switch {
	case op.Path.Element != nil || op.Path.Attribute.MultiValued:
		after, err = d.elements(op, before)
	case op.Op == Remove && op.Path.Sub == nil:
	case op.Op == Remove:
		after, err = d.without(op, before)
	case op.Path.Attribute.Type == schema.TypeComplex:
		after, err = d.merged(op, before)
	default:
		after = op.Value
	}
	if err != nil {
		return err
	}
	d.set(op.Path.Path, after)
	return nil
}

// set puts the value of a whole attribute in its place; nil unassigns it.
func (d document) set(p schema.Path, value any) {
	parent := d.object
	extension := p.Schema != nil && p.Schema.IsExtension()
	if extension {
		values, _ := parent[p.Schema.ID].(schema.Object)
		if values = maps.Clone(values); values == nil {
			values = schema.Object{}
		}
		parent = values
	}
	if value == nil {
		delete(parent, p.Attribute.Name)
	} else {
		parent[p.Attribute.Name] = value
	}
	if !extension {
		return
	}
	if len(parent) == 0 {
		delete(d.object, p.Schema.ID)
	} else {
		d.object[p.Schema.ID] = parent
	}
}

// without returns an element, or a complex value, without the sub-attribute of the operation; nil if nothing is left.
func (d document) without(op Operation, before any) (any, error) {
	object, ok := before.(schema.Object)
	if !ok || object[op.Path.Sub.Name] == nil {
		return before, nil
	}
	object = maps.Clone(object)
	delete(object, op.Path.Sub.Name)
	return d.element(op.Path, object)
}

// merged returns an element, or a complex value, with the operation's value put in. Sub-attributes that it does not have
// stay, except those that the server derived from the old value.
func (d document) merged(op Operation, before any) (any, error) {
	changes, whole := op.Value.(schema.Object)
	if op.Path.Sub != nil {
		changes = schema.Object{op.Path.Sub.Name: op.Value}
	} else if !whole { // an element that is a simple value
		return op.Value, nil
	}
	object, _ := before.(schema.Object)
	if object = maps.Clone(object); object == nil {
		object = make(schema.Object, len(changes))
	}
	maps.Copy(object, changes)
	return d.element(op.Path, object)
}

// element holds a changed element, or complex value, against the rules of a whole resource; nil if it says nothing.
func (d document) element(path filter.Path, object schema.Object) (any, error) {
	p := path.Path
	p.Sub = nil
	element, _, err := d.rt.NormalizeElement(p, object)
	return element, err
}

// elements applies an operation to a multi-valued attribute, or to a complex one with a filter, which is then treated as
// an array of one.
func (d document) elements(op Operation, before any) (any, error) {
	current, isArray := before.([]any)
	if !isArray && before != nil {
		current = []any{before}
	}
	var after []any
	var err error
	switch {
	case op.Path.Element != nil || op.Path.Sub != nil:
		after, err = d.selected(op, current)
	case op.Op == Add:
		after, err = d.added(op, current)
	case op.Op == Replace:
		after, _ = op.Value.([]any)
	case op.Value != nil:
		after = removed(op, current)
	}
	if err != nil || len(after) == 0 {
		return nil, err
	}
	if !op.Path.Attribute.MultiValued {
		if len(after) > 1 {
			return nil, noTarget(op.Path)
		}
		return after[0], nil
	}
	return after, op.Path.CheckCount(len(after))
}

// added appends the operation's values, except that one which is there already takes over what the new one says.
func (d document) added(op Operation, current []any) ([]any, error) {
	values, _ := op.Value.([]any)
	after := slices.Grow(slices.Clone(current), len(values))
	for _, value := range values {
		i := slices.IndexFunc(after, func(element any) bool { return isSame(op.Path.Path, element, value) })
		if i < 0 {
			i = len(after)
			after = append(after, value)
		} else {
			element, err := d.merged(Operation{Add, op.Path, value}, after[i])
			if err != nil {
				return nil, err
			}
			after[i] = element
		}
		makePrimary(after, i)
	}
	return after, nil
}

// removed leaves out the elements that the operation's values name.
func removed(op Operation, current []any) []any {
	values, _ := op.Value.([]any)
	return slices.DeleteFunc(slices.Clone(current), func(element any) bool {
		return slices.ContainsFunc(values, func(value any) bool { return isSame(op.Path.Path, element, value) })
	})
}

// selected applies an operation to the elements that the path selects.
func (d document) selected(op Operation, current []any) ([]any, error) {
	after := make([]any, 0, len(current)+1)
	primary, matched := -1, false
	for _, element := range current {
		if op.Path.Element != nil && !filter.MatchElement(op.Path.Element, element) {
			after = append(after, element)
			continue
		}
		matched = true
		changed, err := d.changed(op, element)
		if err != nil {
			return nil, err
		}
		if changed == nil {
			continue
		}
		if primary < 0 && isPrimary(changed) {
			primary = len(after)
		}
		after = append(after, changed)
	}
	if !matched && op.Op != Remove {
		element, err := d.created(op)
		if err != nil {
			return nil, err
		}
		if element != nil {
			primary = len(after)
			after = append(after, element)
		}
	}
	if primary >= 0 {
		makePrimary(after, primary)
	}
	return after, nil
}

// changed applies an operation to one selected element; nil removes it.
func (d document) changed(op Operation, element any) (any, error) {
	switch {
	case op.Op == Remove && op.Path.Sub == nil:
		return nil, nil
	case op.Op == Remove:
		return d.without(op, element)
	case op.Op == Replace && op.Path.Sub == nil: // the whole element, which stays one that the filter selects
		selected := schema.Object{}
		if !describe(op.Path.Element, selected) {
			clear(selected)
		}
		return d.merged(op, selected)
	}
	return d.merged(op, element)
}

// created makes the element that the path's filter describes, with the operation's value.
func (d document) created(op Operation) (any, error) {
	element := schema.Object{}
	if op.Path.Element != nil && !describe(op.Path.Element, element) {
		return nil, noTarget(op.Path)
	}
	return d.merged(op, element)
}

// describe puts what a conjunction of equalities says about an element into it. ok is false for any other filter.
func describe(f filter.Filter, element schema.Object) (ok bool) {
	switch f := f.(type) {
	case filter.And:
		for _, term := range f.Terms {
			if !describe(term, element) {
				return false
			}
		}
		return true
	case filter.Compare:
		if f.Op != filter.Eq {
			return false
		}
		if f.Path.Sub == nil {
			return true
		}
		said, value := element[f.Path.Sub.Name], f.Value.Any()
		element[f.Path.Sub.Name] = value
		return said == nil || said == value
	}
	return false
}

func noTarget(path filter.Path) *schema.Error {
	return schema.Errorf(schema.NoTarget, "no value of %s matches the filter of the path", path.Attribute.Name)
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

func equalValues(p schema.Path, a, b any) bool {
	x, isText := a.(string)
	y, alsoText := b.(string)
	if isText && alsoText && !p.Leaf().CaseExact {
		return strings.EqualFold(x, y)
	}
	return schema.Equal(a, b)
}

func isPrimary(element any) bool {
	object, ok := element.(schema.Object)
	return ok && object["primary"] == true
}

// makePrimary takes primary from all other elements if the i-th has it (RFC 7644 section 3.5.2).
func makePrimary(elements []any, i int) {
	if !isPrimary(elements[i]) {
		return
	}
	for j, element := range elements {
		if object, ok := element.(schema.Object); ok && j != i && isPrimary(object) {
			demoted := maps.Clone(object)
			demoted["primary"] = false
			elements[j] = demoted
		}
	}
}
