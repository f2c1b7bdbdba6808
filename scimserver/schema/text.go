package schema

import (
	"strings"
	"unicode"
)

// Visible tells whether a text has a character that people can see.
func Visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return !isInvisible(r) })
}

// isInvisible tells whether a character shows nothing: a blank, a control, a format, and what Unicode says is left out where
// no font has it.
func isInvisible(r rune) bool {
	const blankBraille = '\u2800' // a pattern without a dot
	return r == blankBraille || unicode.In(r,
		unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// takes tells whether a text can be the value of an attribute that is required.
func (p Path) takes(text string) bool {
	leaf := p.Leaf()
	return !leaf.Required || leaf.Type != TypeString || Visible(text)
}

func (p Path) notVisible() *Error { return Errorf(InvalidValue, "%s needs a visible character", p) }
