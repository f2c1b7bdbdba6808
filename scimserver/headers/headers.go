// Package headers reads and writes the HTTP headers that both of a server's ports treat alike: content codings, repetition, caching and sniffing.
package headers

import (
	"net/http"
	"strings"
)

// Uncoded is the value of Accept-Encoding in an answer to a body that has a content coding (RFC 9110 section 12.5.3).
const Uncoded = "identity"

// HasCoding reports whether a request's body has a content coding, such as gzip, without whose decoding it means something else. The
// server decodes none: it answers 415 with Accept-Encoding (RFC 9110 section 15.5.16).
func HasCoding(request http.Header) bool {
	for _, list := range request.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(list, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, Uncoded) {
				return true
			}
		}
	}
	return false
}

// Once reports whether a request has no more than one line of a header, as one that is no list must (RFC 9110 section 5.3). Of two, a proxy
// before the server may have looked at the other. The name is in its canonical form.
func Once(request http.Header, name string) bool { return len(request[name]) <= 1 }

// Protected gives every answer of a handler two headers. A directory's data, its errors and tokens are for one client, so no
// cache may store them (RFC 9111 section 5.2.2.5), and no browser may take them for another media type.
func Protected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
