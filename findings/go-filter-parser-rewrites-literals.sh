#!/usr/bin/env bash
# The Go filter parser of scim2 hands on other values than the filter holds: escapes stay in, and long integers change.
#
# "EXAMPLE\\anna" keeps both backslashes, "\u00e9" is a syntax error unless its hex digits are capital letters, and an
# integer goes through a floating-point number, so from 17 digits on the last ones change.
# Why it matters: JSON libraries write lower-case hex, Windows account names have a backslash, and there are directories
# that number people with 18 digits; the look-up finds nobody, or somebody else. Tenantry's filters read strings as JSON
# does and compare numbers by their digits.
# Seen with github.com/scim2/filter-parser/v2 v2.3.1. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export GOWORK=off GOFLAGS=-mod=mod
go mod init finding
go get github.com/scim2/filter-parser/v2@v2.3.1
cat >main.go <<'END'
package main

import (
	"fmt"

	filter "github.com/scim2/filter-parser/v2"
)

func main() {
	for _, literal := range []string{
		`"Anna \"Ann\" Ek"`, `"EXAMPLE\\anna"`, `"Ren\u00E9"`, `"Ren\u00e9"`, `9007199254740992`, `9007199254740993`,
	} {
		expression, err := filter.ParseFilter([]byte("externalId eq " + literal))
		if err != nil {
			fmt.Println(literal, "is refused:", err)
			continue
		}
		fmt.Println(literal, "has the value", expression.(*filter.AttributeExpression).CompareValue)
	}
}
END
go run . | tee seen

diff -u --label expected --label seen - seen <<'END'
"Anna \"Ann\" Ek" has the value Anna \"Ann\" Ek
"EXAMPLE\\anna" has the value EXAMPLE\\anna
"Ren\u00E9" has the value Ren\u00E9
"Ren\u00e9" is refused: parse conflict [00:001]: expected op.Or or[func func func func] but got "ex"
9007199254740992 has the value 9007199254740992
9007199254740993 has the value 9007199254740992
END
