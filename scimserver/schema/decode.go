package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth bounds how deeply arrays and objects of a request may be nested.
const MaxDepth = 16

// Decode reads one JSON object. Numbers stay as they are written. The error is an *Error invalidSyntax: no JSON object,
// something behind it, an object with a name twice, text that is not UTF-8 or has an unpaired surrogate, or nesting beyond
// MaxDepth. Names count without regard to case, as those of attributes do (RFC 7643 section 2.1).
func Decode(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, Errorf(InvalidSyntax, "the body must be UTF-8")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, Errorf(InvalidSyntax, "the request has no body; it must be a JSON object")
	}
	depth, members, whole := outline(data)
	if depth > MaxDepth {
		return nil, Errorf(InvalidSyntax, "the body nests more than %d levels", MaxDepth)
	}
	if !whole {
		return nil, Errorf(InvalidSyntax, `a text of the body has an unpaired surrogate: each of \uD800 to \uDBFF must be followed by one of \uDC00 to \uDFFF`)
	}
	if !json.Valid(data) {
		return nil, notOneObject(data)
	}
	object, ok := (&valid{data: data}).value().(Object)
	if !ok {
		return nil, Errorf(InvalidSyntax, "the body must be a JSON object")
	}
	if countMembers(object) != members {
		return nil, givenTwiceIn(data)
	}
	return object, nil
}

// notOneObject is the error for what is no JSON text.
func notOneObject(data []byte) *Error {
	d := json.NewDecoder(bytes.NewReader(data))
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		offset := int64(len(data))
		if cause := (*json.SyntaxError)(nil); errors.As(err, &cause) {
			offset = cause.Offset
		}
		return Errorf(InvalidSyntax, "the body is not valid JSON (near byte %d)", offset)
	}
	return Errorf(InvalidSyntax, "the body must be one JSON object; something follows it")
}

// Member returns the value of a message's member, whose name is read in any case (RFC 7643 section 2.1); ok tells whether
// there is one.
func Member(message Object, name string) (value any, ok bool) {
	if value, ok = message[name]; ok {
		return value, true
	}
	for key, value := range message {
		if equalNames(key, name) {
			return value, true
		}
	}
	return nil, false
}

// UnknownKey returns the first key of a message that is none of these and has a value, as an error can name it; "" if there is none.
func UnknownKey(message Object, known ...string) string {
	for _, key := range slices.Sorted(maps.Keys(message)) {
		if message[key] == nil || slices.ContainsFunc(known, func(name string) bool { return equalNames(key, name) }) {
			continue
		}
		if key = strconv.Quote(key); !IsName(key[1 : len(key)-1]) { // which could be personal data
			key = "another key"
		}
		return key
	}
	return ""
}

// IsText tells whether the strings of a JSON text are text: UTF-8, and without an escape that is an unpaired surrogate. Decoding
// would put U+FFFD in the place of either, so that different texts become the same.
func IsText(data []byte) bool {
	_, _, whole := outline(data)
	return whole && utf8.Valid(data)
}

// outline measures the nesting of a JSON text and counts the members of its objects: each has one colon outside of
// strings. Decoding keeps only the last of two members with the same key, so that then some are missing. whole is false
// where a string has an unpaired surrogate.
func outline(data []byte) (depth, members int, whole bool) {
	level, inString := 0, false
	whole = true
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString && c == '\\':
			size, ok := escape(data[i:])
			whole = whole && ok
			i += size - 1
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			depth = max(depth, level)
		case c == '}' || c == ']':
			level--
		case c == ':':
			members++
		}
	}
	return depth, members, whole
}

// escape measures the escape at the beginning of data. What lies beyond 16 bits is written as two, a surrogate pair (RFC 8259
// section 7); whole is false for one of a pair without the other.
func escape(data []byte) (size int, whole bool) {
	const single, unit, pair = len(`\n`), len(`\u0000`), 2 * len(`\u0000`)
	first, ok := codeUnit(data)
	if !ok {
		return single, true
	}
	if !utf16.IsSurrogate(first) {
		return unit, true
	}
	second, ok := codeUnit(data[unit:])
	if !ok || utf16.DecodeRune(first, second) == unicode.ReplacementChar {
		return unit, false
	}
	return pair, true
}

// codeUnit reads an escape of the form \u00e5 at the beginning of data.
func codeUnit(data []byte) (r rune, ok bool) {
	const size = len(`\u0000`)
	if len(data) < size || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:size]), 16, 16)
	return rune(n), err == nil
}

// countMembers counts the members of all objects in value, those of one object whose names differ only in case as one.
func countMembers(value any) (n int) {
	switch v := value.(type) {
	case Object:
		n = distinct(v)
		for _, member := range v {
			n += countMembers(member)
		}
	case []any:
		for _, element := range v {
			n += countMembers(element)
		}
	}
	return n
}

func distinct(object Object) int {
	const few = 16 // so few that comparing each with each takes no time and no memory
	if len(object) > few {
		folded := make(map[string]struct{}, len(object))
		for name := range object {
			folded[Fold(name)] = struct{}{}
		}
		return len(folded)
	}
	var room [few]string
	names := room[:0]
	for name := range object {
		if !slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(name, other) }) {
			names = append(names, name)
		}
	}
	return len(names)
}

// givenTwiceIn is the error for a JSON object in which an object has a name twice.
func givenTwiceIn(data []byte) *Error {
	d := json.NewDecoder(bytes.NewReader(data))
	name, _ := repeated(d)
	if !IsName(name) { // what stands in its place could be personal data
		return Errorf(InvalidSyntax, "an object of the body has the same key twice; case does not count")
	}
	return Errorf(InvalidSyntax, "an object of the body has the key %s twice; case does not count", name)
}

// repeated finds the first name that an object of the next value has twice. The decoder's text is valid JSON.
func repeated(d *json.Decoder) (name string, found bool) {
	switch opening, _ := d.Token(); opening {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, _ := d.Token()
			name, _ := key.(string)
			folded := Fold(name)
			if seen[folded] {
				return name, true
			}
			seen[folded] = true
			if name, found := repeated(d); found {
				return name, true
			}
		}
		_, _ = d.Token()
	case json.Delim('['):
		for d.More() {
			if name, found := repeated(d); found {
				return name, true
			}
		}
		_, _ = d.Token()
	}
	return "", false
}
