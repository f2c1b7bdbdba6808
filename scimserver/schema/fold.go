package schema

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the form of s under which case does not count. It is the only case folding of the server: keys, names
// and comparisons of attributes with caseExact false all use it, and Fold(a) == Fold(b) exactly when
// strings.EqualFold(a, b).
//
// Each character is replaced by one representative of the characters that differ from it only in case (Unicode simple
// folding): the ASCII lower-case letter if there is one, else the one with the smallest code point. Unicode never takes
// a character out of such a set, and the small code points are assigned, so stored keys stay valid when tables grow.
// Nothing else is changed: no normalisation, no trimming, no locale.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	if smallest < utf8.RuneSelf { // U+017F and U+212A fold to s and k
		return unicode.ToLower(smallest)
	}
	return smallest
}

// equalNames compares attribute names and URNs, which are ASCII and never case-sensitive (RFC 7643 section 2.1).
func equalNames(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
