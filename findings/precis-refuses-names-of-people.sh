#!/usr/bin/env bash
# The profile by which RFC 7644 section 5 compares user names refuses names of ordinary people.
#
# UsernameCaseMapped (RFC 8265) refuses a blank, a typographic apostrophe, a ligature, and Arabic digits or a Hebrew
# name with a digit in front; a refused name is not even equal to itself. A Greek name in capitals differs from the same
# name in small letters, because sigma has another form at the end of a word.
# Why it matters: a SCIM server that takes a refusal for 400 locks these people out. Tenantry's server refuses no name
# that the profile refuses, and compares all in one way.
# Seen with golang.org/x/text v0.43.0. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export GOWORK=off GOFLAGS=-mod=mod
go mod init finding
go get golang.org/x/text@v0.43.0
cat >main.go <<'END'
package main

import (
	"fmt"

	"golang.org/x/text/secure/precis"
)

func main() {
	usernames := precis.UsernameCaseMapped
	for _, c := range []struct{ about, name string }{
		{"an address", "Anna.Ek@example.com"},
		{"a blank", "Anna Ek"},
		{"an apostrophe", "O'Brien"},
		{"a typographic apostrophe", "O\u2019Brien"},
		{"a ligature", "\uFB01ona"},
		{"Arabic digits", "\u0661\u0662\u0663"},
		{"Hebrew before a digit", "\u05D3\u05E0\u05D41"},
		{"a digit before Hebrew", "1\u05D3\u05E0\u05D4"},
	} {
		key, err := usernames.CompareKey(c.name)
		same := usernames.Compare(c.name, c.name)
		fmt.Printf("%s, %+q: key %+q, error %v, equal to itself %t\n", c.about, c.name, key, err, same)
	}
	for _, c := range []struct{ about, a, b string }{
		{"full width", "\uFF21nna", "anna"},
		{"sigma at the end", "ΝΙΚΟΣ", "νικος"},
		{"capital sharp s", "GRO\u1E9E", "groß"},
		{"two letters for it", "GROSS", "groß"},
	} {
		fmt.Printf("%s, %s and %s: equal %t\n", c.about, c.a, c.b, usernames.Compare(c.a, c.b))
	}
}
END
go run . | tee seen

diff -u --label expected --label seen - seen <<'END'
an address, "Anna.Ek@example.com": key "anna.ek@example.com", error <nil>, equal to itself true
a blank, "Anna Ek": key "", error precis: disallowed rune encountered, equal to itself false
an apostrophe, "O'Brien": key "o'brien", error <nil>, equal to itself true
a typographic apostrophe, "O\u2019Brien": key "", error precis: disallowed rune encountered, equal to itself false
a ligature, "\ufb01ona": key "", error precis: disallowed rune encountered, equal to itself false
Arabic digits, "\u0661\u0662\u0663": key "", error bidirule: failed Bidi Rule, equal to itself false
Hebrew before a digit, "\u05d3\u05e0\u05d41": key "\u05d3\u05e0\u05d41", error <nil>, equal to itself true
a digit before Hebrew, "1\u05d3\u05e0\u05d4": key "", error bidirule: failed Bidi Rule, equal to itself false
full width, Ａnna and anna: equal true
sigma at the end, ΝΙΚΟΣ and νικος: equal false
capital sharp s, GROẞ and groß: equal true
two letters for it, GROSS and groß: equal false
END
