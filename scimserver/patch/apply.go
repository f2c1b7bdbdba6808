package patch

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// Apply returns current with the operations of a parsed request applied in their order, all or none. It never modifies
// current, but the result shares with it what did not change. A group's members are applied like any other attribute;
// a store that keeps them as rows uses Request.SplitMembers. The quirks are the accommodations that only the resource
// shows the need of.
//
// A value path that matches no element creates it where the filter tells how it looks
// (emails[type eq "work"].value); otherwise the error is an *schema.Error noTarget. Unassigning a required attribute or
// changing an immutable one is the error mutability, and operations that together are more than MaxWork are tooMany.
func Apply(rt *schema.ResourceType, current schema.Object, ops []Operation) (next schema.Object, quirks []string, err error) {
	return (*Budget)(nil).Apply(rt, current, ops)
}

// Apply is the function of that name at the expense of a budget. The error can also be ErrBudget.
func (b *Budget) Apply(rt *schema.ResourceType, current schema.Object, ops []Operation) (next schema.Object, quirks []string, err error) {
	if len(ops) == 0 {
		return current, nil, nil
	}
	d := document{rt: rt, object: maps.Clone(current), budget: b}
	if d.object == nil {
		d.object = schema.Object{}
	}
	for i, op := range ops {
		d.operation = i
		if err := d.apply(op); err != nil {
			return nil, nil, err
		}
	}
	if err := rt.CheckRequired(d.object); err != nil && rt.CheckRequired(current) == nil {
		return nil, nil, schema.Errorf(schema.IsMutability, "%s and cannot be removed", err)
	}
	if d.made {
		quirks = []string{QuirkMissingTarget}
	}
	return d.object, quirks, nil
}

// document is a resource that is being patched. Its outermost object is its own; what is nested is shared with the
// original and is copied before it is changed.
type document struct {
	rt     *schema.ResourceType
	object schema.Object
	work   int // see MaxWork
	budget *Budget
	made   bool // whether a value was made that the path of an operation did not find

	operation int // the number of the one that is being applied
	labels    []*labels
}

func (d *document) apply(op Operation) error {
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
	// RFC 7644 section 3.5.2: each operation by itself must be allowed, whatever later ones do.
	if err := op.Path.CheckImmutable(before, after); err != nil {
		return err
	}
	extension := op.Path.Schema != nil && op.Path.Schema.IsExtension() // which can be removed as a whole
	if after == nil && before != nil && op.Path.Attribute.Required && !extension {
		return isRequired(op.Path.Path)
	}
	d.set(op.Path.Path, after)
	return nil
}

// set puts the value of a whole attribute in its place; nil unassigns it.
func (d *document) set(p schema.Path, value any) {
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
func (d *document) without(op Operation, before any) (any, error) {
	object, ok := before.(schema.Object)
	if !ok || object[op.Path.Sub.Name] == nil {
		return before, nil
	}
	object = maps.Clone(object)
	delete(object, op.Path.Sub.Name)
	if op.Path.Sub.Required && !op.Path.Attribute.IsUnassigned(object) {
		return nil, isRequired(op.Path.Path)
	}
	return d.element(op.Path, before, object)
}

func isRequired(p schema.Path) *schema.Error {
	return schema.Errorf(schema.IsMutability, "%s is required and cannot be removed", p)
}

// merged returns an element, or a complex value, with the operation's value put in. Sub-attributes that it does not have
// stay, except those that the server derived from the old value.
func (d *document) merged(op Operation, before any) (any, error) {
	object, isObject := over(op, before)
	if !isObject {
		return op.Value, nil
	}
	return d.element(op.Path, before, object)
}

// over is what merged makes before any rule is looked at; isObject is false for an element that is a simple value.
func over(op Operation, before any) (object schema.Object, isObject bool) {
	changes, isObject := op.Value.(schema.Object)
	if op.Path.Sub != nil {
		changes = schema.Object{op.Path.Sub.Name: op.Value}
	} else if !isObject {
		return nil, false
	}
	object, _ = before.(schema.Object)
	if object = maps.Clone(object); object == nil {
		object = make(schema.Object, len(changes))
	}
	maps.Copy(object, changes)
	return object, true
}

// element holds a changed element, or complex value, against the rules of a whole resource; nil if it says nothing. An
// address that had nothing but labels says no less with others.
func (d *document) element(path filter.Path, before any, object schema.Object) (any, error) {
	if path.Attribute.IsUnassigned(object) {
		was, _ := before.(schema.Object)
		if len(was) == 0 || len(object) == 0 || !path.Attribute.IsUnassigned(was) || path.Attribute.Sub("value") != nil {
			return nil, nil
		}
	}
	p := path.Path
	p.Sub = nil
	element, _, err := d.rt.NormalizeElement(p, object)
	return element, err
}

// elements applies an operation to a multi-valued attribute, or to a complex one with a filter, which is then treated as
// an array of one.
func (d *document) elements(op Operation, before any) (any, error) {
	current, isArray := before.([]any)
	if !isArray && before != nil {
		current = []any{before}
	}
	var after []any
	var err error
	if op.Op == Add && op.Path.Element == nil && op.Path.Sub != nil && op.Path.Sub.Name == "value" {
		// One more value: to put it into all that are there would take those away (RFC 7644 section 3.5.2.1).
		op.Path.Sub, op.Value = nil, []any{schema.Object{"value": op.Value}}
	}
	switch {
	case op.Path.Element != nil || op.Path.Sub != nil:
		after, err = d.selected(op, current)
	case op.Op == Add:
		after, err = d.added(op, current)
	case op.Op == Replace:
		after, _ = op.Value.([]any)
		err = d.unlabel(op)
	case op.Value != nil:
		after, err = d.removed(op, current)
	default:
		err = d.unlabel(op)
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

// selected applies an operation to the elements that the path selects.
func (d *document) selected(op Operation, current []any) ([]any, error) {
	var named []any // of a Remove, which alone has several
	if op.Op == Remove {
		named, _ = op.Value.([]any)
	}
	if err := d.spend(len(current) * (1 + comparisons(op.Path.Element) + len(named))); err != nil {
		return nil, err
	}
	after := make([]any, 0, len(current)+1)
	primary, matched := -1, false
	for _, element := range current {
		if op.Path.Element != nil && !filter.MatchElement(op.Path.Element, element) || named != nil && !isAmong(op.Path.Path, element, named) {
			after = append(after, element)
			continue
		}
		matched = true
		if err := d.spend(changeWork); err != nil {
			return nil, err
		}
		changed, err := d.changed(op, element)
		if err != nil {
			return nil, err
		}
		if changed == nil {
			continue
		}
		if primary < 0 && makesPrimary(op) {
			primary = len(after)
		}
		after = append(after, changed)
	}
	switch {
	case primary >= 0:
		d.makePrimary(op.Path, after, primary, d.operation)
	case named != nil:
	case op.Op == Remove:
		return after, d.unlabel(op)
	case !matched:
		return d.created(op, after)
	}
	return after, nil
}

// changed applies an operation to one selected element; nil removes it.
func (d *document) changed(op Operation, element any) (any, error) {
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

// created appends the element that the path's filter describes, with the operation's value and the labels that wait for
// it, unless that is labels alone.
func (d *document) created(op Operation, elements []any) ([]any, error) {
	described := schema.Object{}
	if op.Path.Element != nil && !describe(op.Path.Element, described) {
		return nil, noTarget(op.Path)
	}
	waiting, err := d.waiting(op.Path)
	if err != nil {
		return nil, err
	}
	if waiting != nil {
		maps.Copy(described, waiting.element)
	}
	if said, isObject := over(op, described); isObject && op.Path.Attribute.IsUnassigned(said) {
		d.label(op, waiting, said)
		return elements, nil
	}
	element, err := d.merged(op, described)
	if err != nil {
		return nil, err
	}
	d.made = d.made || op.Path.Element != nil
	elements = append(elements, element)
	d.labels = slices.DeleteFunc(d.labels, func(l *labels) bool { return l == waiting })
	if primary := d.primarySince(op, waiting, element); primary != never {
		d.makePrimary(op.Path, elements, len(elements)-1, primary)
	}
	return elements, nil
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
	return schema.Errorf(schema.NoTarget, "no value of %s matches the filter of the path", path.Attribute.Name).About(path.Path.String())
}
