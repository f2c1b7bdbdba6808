package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// MaxDepth bounds how deeply arrays and objects of a request may be nested.
const MaxDepth = 16

// Decode reads one JSON object. Numbers stay as they are written. The error is an *Error invalidSyntax: no JSON object,
// something behind it, the same key twice, text that is not UTF-8, or nesting beyond MaxDepth.
func Decode(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, Errorf(InvalidSyntax, "the body must be UTF-8")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, Errorf(InvalidSyntax, "the request has no body; it must be a JSON object")
	}
	depth, members := outline(data)
	if depth > MaxDepth {
		return nil, Errorf(InvalidSyntax, "the body nests more than %d levels", MaxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		offset := int64(len(data))
		if cause := (*json.SyntaxError)(nil); errors.As(err, &cause) {
			offset = cause.Offset
		}
		return nil, Errorf(InvalidSyntax, "the body is not valid JSON (near byte %d)", offset)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, Errorf(InvalidSyntax, "the body must be one JSON object; something follows it")
	}
	object, ok := value.(Object)
	if !ok {
		return nil, Errorf(InvalidSyntax, "the body must be a JSON object")
	}
	if countMembers(object) != members {
		return nil, Errorf(InvalidSyntax, "an object of the body has the same key twice")
	}
	return object, nil
}

// outline measures the nesting of a JSON text and counts the members of its objects: each has one colon outside of
// strings. Decoding keeps only the last of two members with the same key, so that then some are missing.
func outline(data []byte) (depth, members int) {
	level, inString := 0, false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString && c == '\\':
			i++
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
	return depth, members
}

func countMembers(value any) (n int) {
	switch v := value.(type) {
	case Object:
		n = len(v)
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
