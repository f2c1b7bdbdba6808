package protocol

import (
	"net/http"
	"strings"

	"github.com/tenantry/tenantry/scimserver/directory"
)

// Values of the preference return (RFC 7240 section 4.2).
const (
	returnMinimal        = "minimal"
	returnRepresentation = "representation"
)

// wrote answers a POST, PUT or PATCH that has been carried out. The client may prefer to see the resource or not to (RFC 7240, RFC 7644
// section 3.5.2); without a preference, POST and PUT show it and PATCH does not: a group's members need not be read for one that was added.
func (s *Server) wrote(r *request, written directory.Resource, shown *view, want directory.Related) error {
	status, show := http.StatusOK, r.http.Method != http.MethodPatch
	if r.http.Method == http.MethodPost {
		status = http.StatusCreated
	}
	preferred := preferredReturn(r.http.Header.Values("Prefer"))
	switch {
	case preferred == returnRepresentation:
		show = true
	case shown.chosen:
		show, preferred = true, "" // RFC 7644 section 3.5.2: the answer has what the client chose
	case preferred == returnMinimal:
		show = false
	}
	a := &answer{request: r, status: status, version: directory.Version(written.Version)}
	if preferred != "" {
		a.applied = "return=" + preferred
	}
	if show {
		err := s.send(a, shown, &written, want)
		if err == nil || r.context().Err() != nil {
			return err
		}
		// The write has been carried out, so an error would be a lie: the client reads the resource when it can be shown again.
		r.log().Info("the answer to a write does not show the resource", "reason", s.describe(err, r.log).Detail)
		a.applied = ""
	}
	a.headers()
	if status != http.StatusCreated {
		status = http.StatusNoContent
	}
	sendNothing(r.out, status)
	return nil
}

// preferredReturn reads the preference return in the lines of the header Prefer (RFC 7240 section 2), "" where there is none or one with
// another value. Of a preference that is repeated the first counts. Other preferences, and what is none, are passed over.
func preferredReturn(lines []string) string {
	for _, line := range lines {
		for _, preference := range outsideQuotes(line, ',') {
			name, value, _ := strings.Cut(outsideQuotes(preference, ';')[0], "=")
			if !strings.EqualFold(strings.Trim(name, blanks), "return") {
				continue
			}
			switch value = unquoted(strings.Trim(value, blanks)); {
			case strings.EqualFold(value, returnMinimal):
				return returnMinimal
			case strings.EqualFold(value, returnRepresentation):
				return returnRepresentation
			}
			return ""
		}
	}
	return ""
}

// blanks may stand around the parts of a header (RFC 9110 section 5.6.3).
const blanks = " \t"

// outsideQuotes splits a header at each separator outside of quoted strings (RFC 9110 section 5.6.4).
func outsideQuotes(header string, separator byte) (parts []string) {
	start, quoted := 0, false
	for i := 0; i < len(header); i++ {
		switch c := header[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts, start = append(parts, header[start:i]), i+1
		}
	}
	return append(parts, header[start:])
}

// unquoted is the text of a token or of a quoted string; of a string that has no end, the text as it is, which is no token.
func unquoted(word string) string {
	inner, opened := strings.CutPrefix(word, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !opened || !closed {
		return word
	}
	var text strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		text.WriteByte(inner[i])
	}
	return text.String()
}
