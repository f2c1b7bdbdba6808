package filter

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// valueFor gives a literal the kind of value that the attribute has.
func valueFor(path schema.Path, op Op, text string) (Value, error) {
	leaf := path.Leaf().Type
	partial := op == Co || op == Sw || op == Ew
	ordered := op == Gt || op == Ge || op == Lt || op == Le
	switch {
	case leaf == schema.TypeBoolean:
		if b, ok := schema.ParseBoolean(text); ok && !partial && !ordered {
			return Value{Kind: Boolean, Bool: b}, nil
		}
		return Value{}, invalid("%s can be compared with eq or ne, and with true or false", path)
	case leaf == schema.TypeBinary && ordered:
		return Value{}, invalid("%s can be compared with eq or ne", path)
	case leaf == schema.TypeInteger || leaf == schema.TypeDecimal:
		if schema.IsNumber(text) && !partial {
			return Value{Kind: Number, Text: text}, nil
		}
		return Value{}, invalid("%s can be compared with eq, ne, gt, ge, lt or le, and with a number", path)
	case leaf == schema.TypeDateTime && !partial:
		if t, ok := schema.ParseDateTime(text); ok {
			return Value{Kind: DateTime, Text: text, Time: t}, nil
		}
		return Value{}, invalid("%s can be compared with a dateTime such as 2026-01-31T12:00:00Z", path)
	case path.ByID() && path.Leaf().Name == "value" && (op == Eq || op == Ne):
		text, _ = path.Attribute.CanonicalID(text)
	}
	return Value{Kind: String, Text: text}, nil
}

// literal reads a JSON string, a text in other quotes, or a bare word up to the next space or closing bracket.
func (p *parser) literal() (text string, quoted bool, err error) {
	p.skipSpace()
	opening, _ := utf8.DecodeRuneInString(p.s[p.pos:])
	switch {
	case opening == '"':
		text, err = p.jsonString()
		quoted = true
	case closers(opening) != "":
		text, err = p.inOtherQuotes()
		quoted = true
	default:
		text, err = p.bare()
	}
	if err == nil && strings.IndexByte(text, 0) >= 0 { // which no stored value can contain and no database takes
		err = invalid("the character U+0000 cannot be compared")
	}
	return text, quoted, err
}

func (p *parser) jsonString() (string, error) {
	start := p.pos
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch p.s[p.pos] {
		case '\\':
			p.pos++
		case '"':
			p.pos++
			return unescaped(p.s[start:p.pos], start)
		}
	}
	return "", invalid("the quoted value at byte %d has no closing quote", start)
}

// unescaped is the text of a JSON string that was read at a byte of the filter.
func unescaped(literal string, start int) (text string, err error) {
	data := []byte(literal)
	if json.Unmarshal(data, &text) != nil {
		return "", invalid("the quoted value at byte %d is not a JSON string", start)
	}
	if !schema.IsText(data) {
		return "", invalid("the quoted value at byte %d has an unpaired surrogate: an escape from \\uD800 to \\uDFFF without its counterpart", start)
	}
	return text, nil
}

// bare reads a word without quotes, and refuses what was meant as a quote or a separator, as in &quot;ID&quot; and ID; and {ID}: as
// a part of the text it would equal nothing that is stored, and a removal of what equals it would remove nothing and succeed.
func (p *parser) bare() (string, error) {
	start := p.pos
	for p.pos < len(p.s) && !isSpace(p.s[p.pos]) && p.s[p.pos] != ')' && p.s[p.pos] != ']' && p.s[p.pos] != '"' {
		p.pos++
	}
	word := p.s[start:p.pos]
	if word == "" {
		return "", p.expected("a value")
	}
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	if isQuote(first) || isQuote(last) || likeQuote(first) || likeQuote(last) {
		return "", mismatched(start)
	}
	if strings.ContainsFunc(word, outsideWords) {
		return "", invalid("the value at byte %d has a character that needs quotes; %s", start, inDoubleQuotes)
	}
	return word, nil
}

// outsideWords tells whether a character cannot be of a value without quotes. Those that can are what ids, e-mail addresses, dates, numbers,
// URNs, base64 and names such as O'Brien are made of.
func outsideWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-@+:/#='’", r)
}

// likeQuote tells whether a letter looks like an apostrophe: U+02BC and its neighbours, U+02EE.
func likeQuote(r rune) bool { return 'ʹ' <= r && r <= 'ʿ' || r == 'ˮ' }

// inOtherQuotes reads what clients put between single or typographic quotes (schema.QuirkSingleQuotes). The text ends at
// the first quote of the opening one's kind before a space, a closing bracket or the end, so that 'O'Brien' is one, and has
// the escapes of a JSON string and that of its own quote.
//
// Any other quote inside stands within a word or is escaped. Without that rule, a quote that was forgotten or mistaken for
// another would make one text of two terms: 'a" or title eq 'b'.
func (p *parser) inOtherQuotes() (string, error) {
	start := p.pos
	before, opening := runeAt(p.s, start)
	closing := closers(before)
	literal := []byte{'"'}
	for p.pos += opening; p.pos < len(p.s); {
		r, size := runeAt(p.s, p.pos)
		after, sizeAfter := runeAt(p.s, p.pos+size)
		switch {
		case r == '\\':
			r, size = after, size+sizeAfter
			if isQuote(r) && r != '"' { // JSON has no escape for it
				literal = utf8.AppendRune(literal, r)
			} else {
				literal = append(literal, p.s[p.pos:p.pos+size]...)
			}
		case strings.ContainsRune(closing, r) && strings.ContainsRune(ending, after):
			p.pos += size
			p.lenience |= schema.LenientQuotes
			return unescaped(string(append(literal, '"')), start)
		case isQuote(r) && (bounds(before) || bounds(after)):
			return "", invalid("a quote within the value at byte %d is not escaped; %s", start, inDoubleQuotes)
		case r == '"':
			literal = append(literal, '\\', '"')
		default:
			literal = append(literal, p.s[p.pos:p.pos+size]...)
		}
		before = r
		p.pos += size
	}
	return "", mismatched(start)
}

// ending are the characters that can stand behind a value.
const ending = " \t\r\n)]"

// runeAt is the character at a byte of s, and its length; a space of no length at the end.
func runeAt(s string, i int) (r rune, size int) {
	if i == len(s) {
		return ' ', 0
	}
	return utf8.DecodeRuneInString(s[i:])
}

// closers are the quotes that can close what a quote opens: countries differ in which stands where. There are none for
// what opens no text in other than double quotes.
func closers(opening rune) string {
	for _, kind := range [...]string{"'", "‘’‚‛", "“”„‟", "«»", "‹›"} {
		if strings.ContainsRune(kind, opening) {
			return kind
		}
	}
	return ""
}

func isQuote(r rune) bool {
	return unicode.Is(unicode.Quotation_Mark, r) || r == '`' || r == '´'
}

// bounds tells whether a quote next to the character is not within a word.
func bounds(r rune) bool {
	return isQuote(r) || strings.ContainsRune("([", r) || strings.ContainsRune(ending, r)
}

const inDoubleQuotes = `values stand in double quotes, as in type eq "work"`

func mismatched(start int) error {
	return invalid("the quotes of the value at byte %d do not match; %s", start, inDoubleQuotes)
}
