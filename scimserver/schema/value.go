package schema

import (
	"bytes"
	"encoding/json"
)

// valid is JSON that json.Valid has found to be so, and how far it was read.
type valid struct {
	data []byte
	at   int
}

// value reads the next value: what json.Decoder makes of it with UseNumber, in half the time.
func (v *valid) value() any {
	switch v.next() {
	case '{':
		object := Object{}
		for v.in('}') {
			name := v.text()
			v.next()
			v.at++ // the colon
			object[name] = v.value()
		}
		return object
	case '[':
		array := []any{}
		for v.in(']') {
			array = append(array, v.value())
		}
		return array
	case '"':
		return v.text()
	case 't':
		v.at += len("true")
		return true
	case 'f':
		v.at += len("false")
		return false
	case 'n':
		v.at += len("null")
		return nil
	default:
		return v.number()
	}
}

// next is the next byte that is no white space.
func (v *valid) next() byte {
	for {
		switch c := v.data[v.at]; c {
		case ' ', '\t', '\r', '\n':
			v.at++
		default:
			return c
		}
	}
}

// in goes behind the bracket that opens an object or an array, or behind a comma in it, to what follows. It returns false, and goes behind the
// bracket that closes it, where nothing does.
func (v *valid) in(closing byte) bool {
	if v.next() != closing {
		v.at++
	}
	if v.next() != closing {
		return true
	}
	v.at++
	return false
}

// text reads a string.
func (v *valid) text() string {
	from := v.at + 1
	for v.at = from; ; v.at++ {
		switch v.data[v.at] {
		case '"':
			v.at++
			return string(v.data[from : v.at-1])
		case '\\':
			return v.escaped(from - 1)
		}
	}
}

// escaped reads a string with escapes, which few are.
func (v *valid) escaped(from int) (s string) {
	for ; v.data[v.at] != '"'; v.at++ {
		if v.data[v.at] == '\\' {
			v.at++
		}
	}
	v.at++
	_ = json.Unmarshal(v.data[from:v.at], &s) // it is valid
	return s
}

func (v *valid) number() json.Number {
	from := v.at
	for v.at < len(v.data) && bytes.IndexByte([]byte("+-.0123456789Ee"), v.data[v.at]) >= 0 {
		v.at++
	}
	return json.Number(v.data[from:v.at])
}
