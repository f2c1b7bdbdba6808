package redact

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	pieces = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|[^\s"]+`)
	// word is one of a language, an identifier of a program, or several lower-case ones with hyphens.
	word = regexp.MustCompile(`^(?:[A-Za-z]{1,24}(?:'[a-z]{1,2})?|[A-Za-z][a-z]{0,19}(?:-[a-z]{1,20}){1,4})$`)
	// number is an amount, a duration or a size.
	number = regexp.MustCompile(`^[+-]?(?:\d{1,9}(?:[.,]\d{1,9})?(?:ns|µs|ms|s|m|h|d|%|[KMGT]i?B?|th|st)?|(?:\d{1,6}(?:\.\d{1,9})?(?:h|m|s|ms))+)$`)
	// release is a version of a program or of a kind.
	release = regexp.MustCompile(`^(?:v\d{1,4}(?:\.\d{1,4}){0,2}(?:-[a-z]{1,10}[.\d]{0,6})?|dev\+[0-9a-f]{12})$`)
	// field is the path of a field of our kinds.
	field = regexp.MustCompile(`^(?:spec|status|metadata)(?:\.[A-Za-z]{1,40}(?:\[\d*\])?)+$`)
	// domain is a name of Kubernetes and of ours.
	domain = regexp.MustCompile(`^(?:[a-z0-9.-]{0,60}\.)?(?:kubernetes\.io|k8s\.io|tenantry\.dev)$`)
	// sqlState is one of a class that PostgreSQL or the standard defines (appendix A of its manual).
	sqlState = regexp.MustCompile(`^(?:0[0-389ABFLPZ]|10|2[0-8BDF]|3[489BDF]|4[024]|5[34578]|72|F0|HV|P0|XX)[0-9A-Z]{3}$`)
	// listener is an address of all interfaces.
	listener = regexp.MustCompile(`^:\d{1,5}$`)
	// bytes is an amount of memory.
	bytes = regexp.MustCompile(`^\d{1,19}(?:[KMGT]iB|B)?$`)
	// uid is one of an object, or of a run of the operator for one.
	uid = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// digest is a hash of the operator's or of a Deployment's controller, or the chart and its version.
	digest = regexp.MustCompile(`^(?:[0-9a-f]{16}|[bcdfghjklmnpqrstvwxz2-9]{1,10}|tenantry-\d{1,4}(?:\.\d{1,4}){2}(?:-[a-z]{1,10}[.\d]{0,6})?)$`)
	// request is the id that the server gives a request.
	request = regexp.MustCompile(`^[A-Z2-7]{16}$`)
)

// opening and closing are the marks of a sentence at the beginning and the end of a piece, and marks those that are no brackets.
const opening, closing, marks = `([{<'*→`, `)]}>'*` + marks, `.,;:!?`

// jargon are words with digits and signs.
var jargon = []string{ //nolint:gochecknoglobals // a table
	"x509", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "TLS1.2", "TLS1.3", "SHA-256", "IPv4", "IPv6", "v1alpha1", "v1beta1", "OAuth2", "utf8",
	"-n", "-l", "-p", "--type", "--patch", "--previous", "--overlap", "--credential", "--overwrite", // flags in the commands of our messages
	"&&", "-", "—", "–", "=", "==", "|", "/", "+", "->", "→", "0x",
}

// confidential are words behind which a secret follows.
var confidential = []string{ //nolint:gochecknoglobals // a table
	"password", "passwd", "pwd", "secret", "token", "bearer", "basic", "authorization", "apikey", "api-key", "key", "cookie",
	"user", "username", "email", "name",
}

// Text returns what may be shown of a text: words, amounts, times, fields of our kinds, private addresses and names that are known. Of what stands in
// quotes only the latter stays, because values are quoted. A name of a person that stands without quotes passes for a word.
func (r *Redactor) Text(text string) string {
	var before []string
	return pieces.ReplaceAllStringFunc(r.strike(text), func(piece string) string {
		led, state := confidentialBefore(before), stateBefore(before)
		before = append(before, piece)
		if strings.HasPrefix(piece, `"`) {
			if inner := strings.Trim(piece, `"`); len(piece) > 1 && (inner == "" || inner == mark || r.known[inner] || exact(inner)) {
				return piece
			}
			return `"` + mark + `"`
		}
		if whole := strings.TrimRight(piece, marks); !led && strings.HasPrefix(whole, "[") && isAddress(whole) { // the bracket is its own
			return r.core(whole) + piece[len(whole):]
		}
		core := strings.TrimLeft(piece, opening)
		head := piece[:len(piece)-len(core)]
		core = strings.TrimRight(core, closing)
		tail := piece[len(head)+len(core):]
		switch {
		case strings.Contains(piece, mark), core == "":
			return around(piece)
		case led && !r.known[core]:
			return head + mark + tail
		case state && sqlState.MatchString(core):
			return piece
		default:
			return head + r.core(core) + tail
		}
	})
}

// around leaves of a piece out of which something was taken nothing but that.
func around(piece string) string {
	if strings.Contains(piece, mark) {
		return mark
	}
	return piece
}

// stateBefore tells whether the pieces before announce an SQLSTATE, as our texts and the driver's do.
func stateBefore(pieces []string) bool {
	said := strings.Join(pieces[max(0, len(pieces)-3):], " ")
	return said == "the database answered" || said == "the pooler answered" || strings.HasSuffix(said, " (SQLSTATE")
}

// confidentialBefore tells whether the last of the pieces before announces a secret.
func confidentialBefore(pieces []string) bool {
	if len(pieces) == 0 {
		return false
	}
	piece := pieces[len(pieces)-1]
	name := strings.ToLower(strings.TrimRight(strings.TrimLeft(piece, opening), ":="))
	announces := strings.HasSuffix(piece, ":") || strings.HasSuffix(piece, "=")
	return slices.Contains(confidential, name) && (announces || name == "bearer" || name == "basic")
}

// core is what may be shown of a piece without the marks of a sentence around it.
func (r *Redactor) core(text string) string {
	switch {
	case r.known[text], word.MatchString(text), exact(text):
		return text
	case strings.Contains(text, "@"), strings.Contains(text, "://"):
		return mark
	case isAddress(text):
		if there, err := netip.ParseAddrPort(text); err == nil {
			return fmt.Sprintf("%s:%d", mark, there.Port())
		}
		return mark
	}
	at := strings.IndexAny(text, "=:/,|")
	if at < 0 {
		return mark
	}
	left, sign, right := text[:at], text[at:at+1], text[at+1:]
	secret := slices.Contains(confidential, strings.ToLower(left))
	if sign == "=" || sign == ":" && secret { // what is assigned is a value, and no word
		if right == "" || r.known[right] || !secret && exact(right) {
			return r.core(left) + sign + right
		}
		return r.core(left) + sign + mark
	}
	parts := []string{left, right}
	for i, part := range parts {
		if part != "" {
			parts[i] = r.core(part)
		}
	}
	return strings.Join(parts, sign)
}

// exact tells whether a text can be nothing but an amount, a time, a field, a private address or a name of Kubernetes.
func exact(text string) bool {
	if slices.Contains(jargon, text) || number.MatchString(text) || release.MatchString(text) || field.MatchString(text) || domain.MatchString(text) {
		return true
	}
	if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return true
	}
	at := address(text)
	return at.IsPrivate() || at.IsLoopback() || at.IsUnspecified()
}

// measured tells whether a text can be nothing but an amount, a time, or where one of our programs listens.
func measured(text string) bool { return exact(text) || listener.MatchString(text) }

func isAddress(text string) bool { return address(text).IsValid() }

// address is the IP address in a text that is one, with a port or without.
func address(text string) netip.Addr {
	if there, err := netip.ParseAddrPort(text); err == nil {
		return there.Addr()
	}
	at, _ := netip.ParseAddr(text)
	return at
}
