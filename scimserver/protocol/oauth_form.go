package protocol

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/share"
)

// maxTokenRequest is the greatest size of a token request's body in bytes.
const maxTokenRequest = 64 << 10

// smallTokenRequest is the size up to which such a body takes no room: one with a client assertion of Entra's has two KiB.
const smallTokenRequest = 8 << 10

// formNames are the parameters of a token request (RFC 6749 sections 2.3.1 and 4.4.2, RFC 7523 section 2.2).
var formNames = []string{ //nolint:gochecknoglobals // a list that nothing writes
	"grant_type", "scope", "client_id", "client_secret", "client_assertion", "client_assertion_type",
}

// readForm reads the parameters of a token request. They stand in the body and must not stand in the URL, where logs would keep a
// secret (RFC 6749 section 2.3.1). Other parameters of the URL are the platform's and are ignored.
func (l *limits) readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, _, _ := strings.Cut(parameter, "="); slices.Contains(formNames, decoded(name)) {
			return nil, invalidRequest("the parameters of a token request stand in its body, not in its URL (RFC 6749 section 2.3.1)")
		}
	}
	if !headers.Once(r.Header, "Content-Type") {
		return nil, invalidRequest("the request has more than one header Content-Type: send one")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the Content-Type must be application/x-www-form-urlencoded")
	}
	var data []byte
	body, refused := open(w, r, maxTokenRequest)
	if refused == nil {
		var room share.Held
		defer func() { room.Release() }()
		data, refused = l.pace.read(w, r, body, smallTokenRequest, func(bytes int) *Error {
			var ok bool
			if room, ok = l.bodies.TryTake(share.Client{}, int64(min(bytes, maxTokenRequest))); !ok {
				return busy("as many large token requests are read as there can be")
			}
			return nil
		})
	}
	switch {
	case refused == nil:
	case refused.RetryAfter != "":
		return nil, refused
	default:
		return nil, &oauthError{refused.Status, "invalid_request", refused.Detail}
	}
	return parseForm(string(data))
}

// parseForm reads parameters that are form-encoded. Each must be readable, and given once (RFC 6749 section 3.2), known or not. One
// without a value counts as left out.
func parseForm(body string) (url.Values, error) {
	given := map[string]bool{}
	form := url.Values{}
	for parameter := range strings.SplitSeq(body, "&") {
		if parameter == "" {
			continue
		}
		encodedName, encodedValue, _ := strings.Cut(parameter, "=")
		name, nameErr := url.QueryUnescape(encodedName)
		value, valueErr := url.QueryUnescape(encodedValue)
		switch {
		case nameErr != nil || valueErr != nil || !utf8.ValidString(name+value):
			return nil, invalidRequest("the request's body is not form-encoded UTF-8; a percent sign is written %25")
		case given[name]:
			return nil, invalidRequest("a parameter may be given once only (RFC 6749 section 3.2)")
		}
		given[name] = true
		if value != "" {
			form.Set(name, value)
		}
	}
	return form, nil
}
