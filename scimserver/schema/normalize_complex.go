package schema

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// place is where a value stands: at a path, as an element of its array or alone.
type place struct {
	Path

	index int
}

const alone = -1

// sub is the path of a sub-attribute.
func (at place) sub(name string) string {
	at.Sub = at.Attribute.Sub(name)
	return at.Path.String()
}

// String names the value, an element by its position: emails[1].
func (at place) String() string {
	if at.index == alone {
		return at.Path.String()
	}
	return fmt.Sprintf("%s[%d]", at.Path, at.index)
}

func (n *normalizer) complex(at place, in Object) (any, error) {
	out := make(Object, len(in))
	found, unknown := 0, false
	for _, sub := range at.Attribute.SubAttributes {
		if value, ok := in[sub.Name]; ok {
			found++
			if err := n.assignSub(at.Path, sub, out, value); err != nil {
				return nil, err
			}
		}
	}
	if found < len(in) {
		for _, key := range slices.Sorted(maps.Keys(in)) {
			sub := at.Attribute.Sub(key)
			switch {
			case sub == nil:
				n.lenience |= LenientUnknown
				unknown = unknown || !isEmpty(in[key])
			case sub.Name == key:
			case at.Attribute.isManagerID(key):
				if out[sub.Name] != nil {
					continue
				}
				n.lenience |= LenientManagerID
				if err := n.assignSub(at.Path, sub, out, in[key]); err != nil {
					return nil, err
				}
			default:
				n.lenience |= LenientName
				if err := n.assignSub(at.Path, sub, out, in[key]); err != nil {
					return nil, err
				}
			}
		}
	}
	if at.Attribute.byID {
		if err := n.reference(at, in, out); err != nil {
			return nil, err
		}
	}
	value := at.Attribute.Sub("value")
	lost := unknown && at.Attribute.MultiValued && value != nil && out[value.Name] == nil // under a key that was meant for it
	if at.Attribute.IsUnassigned(out) || lost {
		cleared, labelled := at.Attribute.cleared(in)
		switch {
		case cleared && !at.Attribute.rows:
			return nil, nil
		case !labelled:
			return nil, at.unusable()
		}
	}
	for _, sub := range at.Attribute.SubAttributes {
		if sub.Required && sub.Mutability != ReadOnly && out[sub.Name] == nil {
			return nil, Errorf(InvalidValue, "%s.%s is required", at, sub.Name).About(at.sub(sub.Name))
		}
	}
	return out, nil
}

func (n *normalizer) assignSub(p Path, sub *Attribute, out Object, value any) error {
	p.Sub = sub
	switch {
	case p.Attribute.byID && sub.Name == "$ref": // see reference
		return nil
	case p.ReadOnly():
		n.lenience |= LenientReadOnly
		return nil
	case p.Attribute.byID && sub.Name != "value": // follows from the id
		return nil
	}
	value, err := n.value(p, value)
	if err != nil || value == nil {
		return err
	}
	return n.assignTo(p, out, sub.Name, value)
}

// reference reads the id of a resource out of its $ref where no value names it.
func (n *normalizer) reference(at place, in, out Object) error {
	ref, given := Member(in, "$ref")
	if isEmpty(ref) || out["value"] != nil {
		if given && at.Attribute.Sub("$ref").Mutability == ReadOnly {
			n.lenience |= LenientReadOnly
		}
		return nil
	}
	id, err := n.refID(at, ref)
	if err != nil {
		return err
	}
	return n.assignSub(at.Path, at.Attribute.Sub("value"), out, id)
}

// refID returns the id that a $ref leads to.
func (n *normalizer) refID(at place, ref any) (id string, err error) {
	text, _ := ref.(string)
	id, ok := at.Attribute.IDOf(text)
	if !ok {
		return "", Errorf(InvalidValue, "%s.$ref accepts the URL of %s, such as /Users/ID", at, at.Attribute.resources()).About(at.sub("$ref"))
	}
	n.lenience |= LenientReference
	return id, nil
}

// ByID tells whether the values are resources, named by their ids.
func (p Path) ByID() bool { return p.Attribute.byID }

// IDOf returns the id of a resource that a $ref of a leads to, absolute or relative: its last two segments are the endpoint
// of a resource type and the id. Whether the resource is one of this tenant shows by its id.
func (a *Attribute) IDOf(ref string) (id string, ok bool) {
	u, err := url.Parse(ref)
	if err != nil {
		return "", false
	}
	segments := strings.Split(strings.TrimSuffix(u.EscapedPath(), "/"), "/")
	if len(segments) < 2 {
		return "", false
	}
	endpoint, last := segments[len(segments)-2], segments[len(segments)-1]
	known := slices.ContainsFunc(a.Sub("$ref").ReferenceTypes, func(name string) bool { return strings.EqualFold(endpoint, name+"s") })
	id, err = url.PathUnescape(last)
	return id, known && err == nil && id != "" && id != "." && id != ".." && utf8.ValidString(id) && !strings.ContainsAny(id, "/\x00")
}

// CanonicalID returns the id in what a client sends as the id of a resource: with blanks around it, in upper case, or the URL that
// belongs into $ref. Text of any other form comes back as it is; it is nobody's id.
func (a *Attribute) CanonicalID(text string) (id string, lenience Lenience) {
	if isUUID(text) { // as nearly all are, and one request may have many
		return text, 0
	}
	trimmed := strings.TrimSpace(text)
	if id, ok := a.IDOf(trimmed); ok {
		text, trimmed, lenience = id, id, LenientReference
	}
	if lower := strings.ToLower(trimmed); isUUID(lower) {
		return lower, lenience
	}
	return text, lenience
}

// isUUID tells whether a text has the form of a UUID in lower case.
func isUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' &&
		strings.Trim(text, "0123456789abcdef-") == "" && strings.Count(text, "-") == 4
}

// resources are what an attribute that names resources by their ids accepts, in words.
func (a *Attribute) resources() string {
	return "a " + strings.ToLower(strings.Join(a.Sub("$ref").ReferenceTypes, " or "))
}

// unusable is the error for a value of which nothing was understood that says something.
func (at place) unusable() *Error {
	a := at.Attribute
	switch {
	case a.byID:
		return Errorf(InvalidValue, "%s.value is required: the id of %s, or its URL as $ref", at, a.resources()).About(at.sub("value"))
	case a.Sub("value") != nil:
		return Errorf(InvalidValue, "%s.value is required: without it the element says nothing", at).About(at.sub("value"))
	}
	var accepted []string
	for _, sub := range a.SubAttributes {
		if sub.Mutability != ReadOnly && !a.isLabel(sub.Name) {
			accepted = append(accepted, sub.Name)
		}
	}
	return Errorf(InvalidValue, "%s needs one of %s", at, strings.Join(accepted, ", "))
}

// IsUnassigned tells whether an element of a says nothing: it is empty, or, where elements have the sub-attributes of
// RFC 7643 section 2.4, holds no more than the labels type and primary of a value that is gone.
func (a *Attribute) IsUnassigned(element Object) bool {
	for name := range element {
		if !a.isLabel(name) {
			return false
		}
	}
	return true
}

// isLabel tells whether the sub-attribute of that name says something about an element's value, and nothing by itself.
func (a *Attribute) isLabel(name string) bool {
	return (name == "type" || name == "primary") && a.MultiValued && find(a.SubAttributes, "primary") != nil
}

// cleared tells whether a client said itself that a value is none, by an empty value or because all of it is empty; labelled
// whether it sent labels alone, which of an attribute without value are all that there may be to say.
func (a *Attribute) cleared(in Object) (cleared, labelled bool) {
	if len(in) == 0 {
		return !a.MultiValued, false
	}
	value := a.Sub("value")
	labels, emptied := 0, 0
	understood := true
	for key, member := range in {
		sub := a.Sub(key)
		switch label := sub != nil && a.isLabel(sub.Name); {
		case isEmpty(member) && sub != nil && sub == value:
			return true, false
		case isEmpty(member):
			if !label {
				emptied++
			}
		case label && value == nil:
			labels++
		default:
			understood = false
		}
	}
	return understood && (labels == 0 || emptied > 0), understood && labels > 0 && emptied == 0
}

// isEmpty tells whether a client's value means that there is none.
func isEmpty(value any) bool {
	array, isArray := value.([]any)
	return value == nil || value == "" || isArray && len(array) == 0
}
