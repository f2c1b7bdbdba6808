package protocol

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// target is the resource that the request's path names, with the preconditions of its headers.
func (r *request) target(kind store.Kind) (directory.Target, error) {
	condition, err := r.precondition()
	return directory.Target{Kind: kind, ID: r.http.PathValue("id"), If: condition}, err
}

// precondition reads the preconditions of the request's headers (RFC 7644 section 3.14).
// If-Modified-Since and If-Unmodified-Since are ignored, as RFC 9110 section 13.1.3 has it where no Last-Modified is sent.
func (r *request) precondition() (condition directory.Precondition, err error) {
	if condition.Match, err = versions(r.http, "If-Match"); err != nil {
		return condition, err
	}
	condition.NoneMatch, err = versions(r.http, "If-None-Match")
	return condition, err
}

// reading is what a request that reads one resource shows of it, and its target. The groups of a user change without the user's version, so an
// answer that holds them is sent whatever version the client has.
func (s *Server) reading(r *request, kind store.Kind) (*view, directory.Target, error) {
	target, err := r.target(kind)
	if err != nil {
		return nil, target, err
	}
	shown, err := s.view(r, kind)
	if err == nil && shown.wants.Groups {
		target.If.NoneMatch = nil
	}
	return shown, target, err
}

// unlessUnchanged answers a request that reads where err says that the client has what it asks for, and returns every other error.
func unlessUnchanged(r *request, err error) error {
	if unmet := (*directory.PreconditionError)(nil); errors.As(err, &unmet) && unmet.Unchanged {
		r.out.Header().Set("ETag", unmet.Version)
		r.out.WriteHeader(http.StatusNotModified)
		return nil
	}
	return err
}

// versions reads a header that lists entity tags; nil if it was not sent. What cannot be read is refused: to ignore it
// would be to change a resource against the client's condition.
func versions(r *http.Request, header string) (directory.Versions, error) {
	lines := r.Header.Values(header)
	if len(lines) == 0 {
		return nil, nil
	}
	found := parseVersions(strings.Join(lines, ","))
	if found == nil {
		return nil, &Error{
			Status: http.StatusBadRequest, ScimType: "invalidValue",
			Detail: header + ` must be * or a list of versions such as W/"3", as they stand in meta.version`,
		}
	}
	return found, nil
}

// parseVersions returns nil for what is neither * nor a list of entity tags with at least one (RFC 9110 section 8.8.3).
func parseVersions(list string) directory.Versions {
	if strings.TrimSpace(list) == directory.AnyVersion {
		return directory.Versions{directory.AnyVersion}
	}
	const between = ", \t"
	var found directory.Versions
	for rest := strings.TrimLeft(list, between); rest != ""; rest = strings.TrimLeft(rest, between) {
		quoted, opened := strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`)
		opaque, after, closed := strings.Cut(quoted, `"`)
		if !opened || !closed || after != "" && !strings.ContainsAny(after[:1], between) {
			return nil
		}
		found, rest = append(found, `"`+unsuffixed(opaque)+`"`), after
	}
	return found
}

// unsuffixed takes off what a proxy that compresses adds to a tag: Apache a hyphen and the coding, Jetty two hyphens. They pass
// the tag on as it is when the client sends it back. A version of ours is a number, so that nothing else is meant.
func unsuffixed(opaque string) string {
	number, coding, _ := strings.Cut(opaque, "-")
	switch strings.TrimPrefix(coding, "-") {
	case "gzip", "br", "zstd", "deflate":
		if number != "" && strings.Trim(number, "0123456789") == "" {
			return number
		}
	}
	return opaque
}
