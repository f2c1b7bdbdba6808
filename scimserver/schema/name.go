package schema

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// FoldName returns the form of a name under which it is looked up and unique: neither case counts, nor width, nor whether a
// letter with a mark is one character or two. It is what RFC 7644 section 5 asks for, the mapping of PRECIS' profile
// UsernameCaseMapped (RFC 8265 section 3.3), without what that profile refuses: people have names with a blank or in two
// directions too. Names that are equal by Fold are equal, so FoldName(Fold(s)) is FoldName(s); FoldName(FoldName(s)) is too.
//
// A name in normalization form C without wide or narrow letters has the key that Fold gives it, which older servers wrote.
func FoldName(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return Fold(norm.NFC.String(foldLetters(norm.NFD.String(foldLetters(width.Fold.String(s))))))
		}
	}
	return Fold(s)
}

// foldLetters is Fold with the letter iota in the place of U+0345, which stands for all that differ from it only in case and is
// a mark: behind a letter it would join it.
func foldLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if r = foldRune(r); r == combiningIota {
			return 'ι'
		}
		return r
	}, s)
}

const combiningIota = '\u0345'
