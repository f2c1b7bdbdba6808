package patch

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// labels are what operations say of an element that is not there yet: its type, and whether it is primary (see
// schema.Attribute.IsUnassigned). They wait beside the resource for an operation of the same request that makes the
// element, because clients send a value and its labels by an operation each, in any order:
//
//	emails[type eq "work"].primary = true     waits, and takes primary from no other e-mail
//	emails[type eq "work"].value = "a@x"      makes the element with both, which now is the primary one
//
// Labels whose element never comes are dropped.
type labels struct {
	attribute *schema.Attribute
	element   schema.Object
	// primary is the last operation that made it the primary one, never if none did since another element became that.
	primary int
}

const never = -1

// waiting returns the first labels of the path's attribute that its filter selects, any without a filter; nil for none.
func (d *document) waiting(path filter.Path) (*labels, error) {
	if err := d.spend(len(d.labels) * (1 + comparisons(path.Element))); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.labels, func(l *labels) bool { return l.isSelected(path) })
	if i < 0 {
		return nil, nil
	}
	return d.labels[i], nil
}

func (l *labels) isSelected(path filter.Path) bool {
	return l.attribute == path.Attribute && (path.Element == nil || filter.MatchElement(path.Element, l.element))
}

// label keeps the labels that an operation would have made an element of, in the place of those that were waiting.
func (d *document) label(op Operation, waiting *labels, element schema.Object) {
	primary := d.primarySince(op, waiting, element)
	if waiting == nil {
		waiting = &labels{attribute: op.Path.Attribute}
		d.labels = append(d.labels, waiting)
	}
	waiting.element, waiting.primary = element, primary
}

// primarySince tells which operation made an element, or what is said of one, the primary one; never for none. It has
// taken primary from others even if the element is not primary any more.
func (d *document) primarySince(op Operation, waiting *labels, element any) int {
	switch {
	case makesPrimary(op), waiting == nil && isPrimary(element):
		return d.operation
	case waiting == nil:
		return never
	}
	return waiting.primary
}

// labelled returns a value that an operation adds, with the labels that were waiting for one of its type, and these.
func (d *document) labelled(path schema.Path, value any) (element any, waiting *labels, err error) {
	given, ok := value.(schema.Object)
	if !ok || len(d.labels) == 0 {
		return value, nil, nil
	}
	if err := d.spend(len(d.labels)); err != nil {
		return nil, nil, err
	}
	path.Sub = path.Attribute.Sub("type")
	i := slices.IndexFunc(d.labels, func(l *labels) bool {
		return l.attribute == path.Attribute && equalValues(path, l.element["type"], given["type"])
	})
	if i < 0 {
		return value, nil, nil
	}
	waiting = d.labels[i]
	d.labels = slices.Delete(d.labels, i, i+1)
	maps.Copy(waiting.element, given)
	return waiting.element, waiting, nil
}

// unlabel removes labels as a Remove removes elements. The error is that of spend.
func (d *document) unlabel(op Operation) error {
	if err := d.spend(len(d.labels) * (1 + comparisons(op.Path.Element))); err != nil {
		return err
	}
	d.labels = slices.DeleteFunc(d.labels, func(l *labels) bool {
		if !l.isSelected(op.Path) {
			return false
		}
		if op.Path.Sub != nil {
			delete(l.element, op.Path.Sub.Name)
		}
		return op.Path.Sub == nil || len(l.element) == 0
	})
	return nil
}

// makePrimary takes primary from all elements but the i-th, which an operation made the primary one (RFC 7644 section
// 3.5.2), and from the labels that were given it before.
func (d *document) makePrimary(path filter.Path, elements []any, i, since int) {
	for _, l := range d.labels {
		if l.attribute != path.Attribute || l.primary >= since {
			continue
		}
		if l.primary = never; isPrimary(l.element) {
			l.element["primary"] = false
		}
	}
	for j, element := range elements {
		if object, ok := element.(schema.Object); ok && j != i && isPrimary(object) {
			demoted := maps.Clone(object)
			demoted["primary"] = false
			elements[j] = demoted
		}
	}
}

// makesPrimary tells whether an operation says of an element that it is the primary one.
func makesPrimary(op Operation) bool {
	return isPrimary(op.Value) || op.Path.Sub != nil && op.Path.Sub.Name == "primary" && op.Value == true
}

func isPrimary(element any) bool {
	object, ok := element.(schema.Object)
	return ok && object["primary"] == true
}

// labelsOnly returns a value for elements that a filter selects if it has labels for them and nothing else, nil otherwise
// (see labels). As an element of its own it would be none.
func (p *parser) labelsOnly(path filter.Path, value any) schema.Object {
	object, ok := value.(schema.Object)
	if !ok || path.Element == nil || path.Sub != nil {
		return nil
	}
	labels := make(schema.Object, len(object))
	for key, value := range object {
		sub := path
		if sub.Sub = path.Attribute.Sub(key); sub.Sub == nil || sub.ReadOnly() {
			return nil
		}
		label, err := p.normalize(sub, value)
		if err != nil || label == nil {
			return nil
		}
		labels[sub.Sub.Name] = label
	}
	if len(labels) == 0 || !path.Attribute.IsUnassigned(labels) {
		return nil
	}
	return labels
}

// emitLabels says the labels of the elements, one by one, and leaves what else they have.
func (p *parser) emitLabels(op Op, path filter.Path, labels schema.Object) error {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		path.Sub = path.Attribute.Sub(name)
		if err := p.append(Operation{op, path, labels[name]}); err != nil {
			return err
		}
	}
	return nil
}
