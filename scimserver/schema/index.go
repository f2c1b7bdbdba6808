package schema

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// MaxKey is the greatest length of an index key in bytes. Longer values share a key with others that begin alike, so
// whoever finds them by key has to compare them again.
const MaxKey = 512

// Key is one entry of the attribute index.
type Key struct {
	Path string // Path.String() of the attribute
	Key  string // what Path.Key gives for the value
}

type indexedPath struct {
	path Path
	name string
}

// Indexed tells whether IndexKeys has the values that the path reaches: nearly all that a client can compare, so that
// few filters have to read resources that they do not find. What the store keeps as columns and rows of its own is not among them.
func (p Path) Indexed() bool {
	leaf := p.Leaf()
	switch {
	case p.Schema == nil:
		return p.Attribute.Name == "externalId"
	case p.Attribute.rows, p.Attribute.rare:
		return false
	default:
		return leaf.Type != TypeComplex && leaf.Type != TypeBinary && leaf.Returned != ReturnedNever
	}
}

// IndexKeys returns the index entries of a canonical object, each once.
func (rt *ResourceType) IndexKeys(obj Object) []Key {
	keys := make([]Key, 0, 16)
	for _, x := range rt.indexed {
		first := len(keys)
		add := func(value any) {
			key, ok := x.path.Key(value)
			if ok && !slices.ContainsFunc(keys[first:], func(k Key) bool { return k.Key == key }) {
				keys = append(keys, Key{x.name, key})
			}
		}
		eachElement(x.path.Get(obj), func(element any) { eachElement(x.path.inElement(element), add) })
	}
	return keys
}

func eachElement(value any, do func(any)) {
	if elements, ok := value.([]any); ok {
		for _, e := range elements {
			do(e)
		}
		return
	}
	do(value)
}

// Key returns the index key of one value at p: a text as Attribute.Fold gives it, a boolean as "true" or
// "false", a number and a dateTime in one form for equal values, cut to MaxKey bytes at a character's end. Equal values
// have equal keys. ok is false for what has no key.
func (p Path) Key(value any) (key string, ok bool) {
	switch v := value.(type) {
	case string:
		leaf := p.Leaf()
		if leaf.Type == TypeDateTime {
			t, ok := ParseDateTime(v)
			return t.Format("2006-01-02T15:04:05.000000000Z"), ok
		}
		return truncate(leaf.Fold(v)), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	case json.Number:
		return truncate(numberKey(v.String())), true
	}
	return "", false
}

func truncate(s string) string {
	if len(s) <= MaxKey {
		return s
	}
	end := MaxKey
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
