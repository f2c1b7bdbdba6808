package protocol

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// normalised cleans the path before it is routed: an administrator may paste the Tenant URL with a slash at its end, and
// the mux would answer a doubled slash with a redirect, which Entra does not follow. A path that leads nowhere goes to nowhere.
func normalised(next, nowhere http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		clean := cleanPath(escaped)
		switch clean {
		case "":
			nowhere.ServeHTTP(w, r)
			return
		case v1alpha1.BasePath:
			clean += "/"
		}
		if clean != escaped {
			r = r.Clone(r.Context())
			r.URL.Path, _ = url.PathUnescape(clean) // it is valid, or cleanPath would not return it
			r.URL.RawPath = clean
		}
		if r.RequestURI == "*" { // which the mux would answer by itself, with no SCIM error
			r.RequestURI = r.URL.Path
		}
		next.ServeHTTP(w, r)
	})
}

// cleanPath resolves the dots and doubled slashes of an escaped path that stand there literally. Escaped ones are part of a segment (RFC
// 3986 section 2.2), and must not lead to another resource when it is decoded: a path that has them leads nowhere, and the result
// is "". So does one with an escape that no id of ours has: a backslash, the character U+0000, and what is not UTF-8.
func cleanPath(escaped string) string {
	for segment := range strings.SplitSeq(escaped, "/") {
		text, err := url.PathUnescape(segment)
		isDots := text != segment && (text == "." || text == "..")
		if err != nil || isDots || strings.ContainsAny(text, "/\\\x00") || !utf8.ValidString(text) {
			return ""
		}
	}
	return path.Clean("/" + escaped)
}

// whereInstead says where a client may find what it looked for at a path that leads nowhere.
func whereInstead(path string) string {
	below, inside := strings.CutPrefix(path, v1alpha1.BasePath+"/")
	switch {
	case !inside:
		return "; a Tenant URL ends with " + v1alpha1.BasePath + ", and the endpoints are below that"
	case "/"+below == v1alpha1.LogPath, "/"+below == v1alpha1.ExportPath, "/"+below == v1alpha1.ImportPath:
		return "; /" + below + " is at the server's admin port, which no Tenant URL leads to"
	default:
		return "; those of this server are listed in /ResourceTypes"
	}
}
