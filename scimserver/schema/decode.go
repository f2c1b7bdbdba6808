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
	d := decoder{json.NewDecoder(bytes.NewReader(data))}
	d.UseNumber()
	value, err := d.value(0)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = Errorf(InvalidSyntax, "the body must be one JSON object; something follows it")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		if own := (*Error)(nil); errors.As(err, &own) {
			return nil, own
		}
		return nil, Errorf(InvalidSyntax, "the body is not valid JSON (near byte %d)", d.InputOffset())
	}
	object, ok := value.(Object)
	if !ok {
		return nil, Errorf(InvalidSyntax, "the body must be a JSON object")
	}
	return object, nil
}

type decoder struct{ *json.Decoder }

func (d decoder) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth >= MaxDepth {
		if _, opens := token.(json.Delim); opens {
			return nil, Errorf(InvalidSyntax, "the body nests more than %d levels", MaxDepth)
		}
	}
	switch token {
	case json.Delim('{'):
		return d.object(depth + 1)
	case json.Delim('['):
		return d.array(depth + 1)
	}
	return token, nil
}

func (d decoder) object(depth int) (any, error) {
	object := Object{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		if _, twice := object[key]; twice {
			return nil, Errorf(InvalidSyntax, "an object of the body has the same key twice (near byte %d)", d.InputOffset())
		}
		if object[key], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func (d decoder) array(depth int) (any, error) {
	array := []any{}
	for d.More() {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := d.Token()
	return array, err
}
