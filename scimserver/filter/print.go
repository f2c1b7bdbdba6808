package filter

import (
	"strconv"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func (f And) String() string      { return string(appendFilter(nil, f, false)) }
func (f Or) String() string       { return string(appendFilter(nil, f, false)) }
func (f Not) String() string      { return string(appendFilter(nil, f, false)) }
func (c Compare) String() string  { return string(appendFilter(nil, c, false)) }
func (f Present) String() string  { return string(appendFilter(nil, f, false)) }
func (f Elements) String() string { return string(appendFilter(nil, f, false)) }

// appendFilter prints f; inElement is set between brackets, where names are relative.
func appendFilter(b []byte, f Filter, inElement bool) []byte {
	switch f := f.(type) {
	case And:
		return appendTerms(b, f.Terms, " and ", inElement)
	case Or:
		return appendTerms(b, f.Terms, " or ", inElement)
	case Not:
		return append(appendFilter(append(b, "not ("...), f.Term, inElement), ')')
	case Compare:
		b = append(appendPath(b, f.Path, inElement), ' ')
		b = append(append(b, f.Op...), ' ')
		return appendValue(b, f.Value)
	case Present:
		return append(appendPath(b, f.Path, inElement), " pr"...)
	case Elements:
		b = append(appendPath(b, f.Path, inElement), '[')
		return append(appendFilter(b, f.Filter, true), ']')
	}
	return b
}

func appendTerms(b []byte, terms []Filter, separator string, inElement bool) []byte {
	for i, term := range terms {
		if i > 0 {
			b = append(b, separator...)
		}
		_, or := term.(Or)
		_, and := term.(And)
		if or || and && separator == " and " {
			b = append(appendFilter(append(b, '('), term, inElement), ')')
		} else {
			b = appendFilter(b, term, inElement)
		}
	}
	return b
}

func appendPath(b []byte, p schema.Path, inElement bool) []byte {
	switch {
	case !inElement:
		return append(b, p.String()...)
	case p.Sub != nil:
		return append(b, p.Sub.Name...)
	}
	return append(b, "value"...)
}

func appendValue(b []byte, v Value) []byte {
	switch v.Kind {
	case Boolean:
		return strconv.AppendBool(b, v.Bool)
	case Number:
		return append(b, v.Text...)
	}
	return appendQuoted(b, v.Text)
}

// appendQuoted prints a JSON string, with no more escapes than it needs.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
