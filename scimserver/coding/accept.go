// Package coding sends answers in the content coding gzip (RFC 9110 section 8.4.1.3, RFC 1952) to the clients that ask for it.
package coding

import (
	"net/http"
	"strings"
)

// Gzip is the name of the coding.
const Gzip = "gzip"

// MinSize is how many bytes an answer has at least that is worth compressing. Look-ups, single resources and what writes are answered have
// less: they fit into a packet or three, and arrive no sooner for being smaller.
const MinSize = 4 << 10

// Chosen reports whether an answer of so many bytes, or -1 where there are more than can be told, is to be sent in gzip (RFC 9110 section
// 12.5.3): the client has to name it, by itself or by *, and to like it no less than the answer as it is. A client that refuses the
// answer as it is gets a small one in gzip too. An element that cannot be read counts as none.
func Chosen(request http.Header, size int) bool {
	lines := request["Accept-Encoding"]
	if len(lines) == 0 {
		return false
	}
	gzip, identity, rest := unnamed, unnamed, unnamed
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			coding, weight := weighed(element)
			switch {
			case weight == unnamed:
			case strings.EqualFold(coding, Gzip), strings.EqualFold(coding, "x-gzip"):
				gzip = weight
			case strings.EqualFold(coding, "identity"):
				identity = weight
			case coding == "*":
				rest = weight
			}
		}
	}
	if gzip == unnamed {
		gzip = rest
	}
	if identity == unnamed {
		identity = rest
	}
	switch {
	case gzip <= 0:
		return false
	case identity == 0:
		return true
	default:
		return gzip >= identity && (size < 0 || size >= MinSize)
	}
}

// unnamed is the weight of a coding that the client does not name. It may be sent as it is all the same, and not in gzip.
const unnamed = -1

// weighed reads an element of the list: a coding, and its weight in thousandths (RFC 9110 section 12.4.2), 1000 where none is given.
func weighed(element string) (coding string, weight int) {
	coding, parameter, given := strings.Cut(element, ";")
	coding = strings.Trim(coding, blanks)
	if !given {
		return coding, 1000
	}
	name, value, _ := strings.Cut(strings.Trim(parameter, blanks), "=")
	if !strings.EqualFold(name, "q") {
		return coding, unnamed
	}
	return coding, thousandths(value)
}

// thousandths reads a qvalue: 0 or 1, and up to three digits behind a point.
func thousandths(value string) int {
	whole, fraction, _ := strings.Cut(value, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 || strings.Trim(fraction, "0123456789") != "" {
		return unnamed
	}
	weight := int(whole[0]-'0') * 1000
	for i, unit := 0, 100; i < len(fraction); i, unit = i+1, unit/10 {
		weight += int(fraction[i]-'0') * unit
	}
	if weight > 1000 {
		return unnamed
	}
	return weight
}

// blanks may stand around the parts of a header (RFC 9110 section 5.6.3).
const blanks = " \t"
