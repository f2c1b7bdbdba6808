package openapi

import (
	"slices"
	"strconv"
)

// mediaType is that of requests and answers (RFC 7644 section 3.1).
const mediaType = "application/scim+json"

// problem is an error that operations answer.
type problem struct{ name, meaning string }

// problems are by their HTTP status.
func problems() map[int]problem {
	return map[int]problem{
		400: {"BadRequest", "The request cannot be understood, or names what there is not."},
		401: {"Unauthorized", "There is no valid credential."},
		403: {"Forbidden", "The credential gives no access to this."},
		404: {"NotFound", "Nobody has this id."},
		409: {"Conflict", "Another resource has a value that must be unique."},
		410: {"Gone", "What changed since then cannot be told any more: read all again, and go on from the Events-Position of that."},
		412: {"PreconditionFailed", "The resource has another version than the request was meant for."},
		413: {"TooLarge", "The body is larger than allowed."},
		415: {"UnsupportedMediaType", "The body has another media type or content coding."},
		429: {"TooManyRequests", "This credential sends more requests than it may."},
		503: {"Unavailable", "Not now: nothing was changed, unless the detail says that it is not known."},
	}
}

func content(s *Schema) map[string]media { return map[string]media{mediaType: {s}} }

func named(names ...string) (parameters []*parameter) {
	for _, name := range names {
		parameters = append(parameters, &parameter{Ref: "#/components/parameters/" + name})
	}
	return parameters
}

func headers(names ...string) map[string]*header {
	out := map[string]*header{}
	for _, name := range names {
		out[name] = &header{Ref: "#/components/headers/" + name}
	}
	return out
}

// operation completes an operation with the errors that it answers: those given and those of every one.
func (d *document) operation(o *operation, errors ...int) *operation {
	for _, status := range slices.Concat(errors, []int{400, 401, 403, 429, 503}) {
		o.Responses[strconv.Itoa(status)] = &response{Ref: "#/components/responses/" + problems()[status].name}
	}
	o.Responses["default"] = &response{Ref: "#/components/responses/Failed"}
	return o
}

func ok(description string, s *Schema, with ...string) map[string]*response {
	return map[string]*response{"200": {Description: description, Headers: headers(with...), Content: content(s)}}
}

func nothing(description string, with ...string) *response {
	return &response{Description: description, Headers: headers(with...)}
}

func (d *document) body(name string) *body { return &body{true, content(d.ref(name))} }

// queryNames are the parameters of a query (RFC 7644 section 3.4.2, RFC 9865).
var queryNames = []string{ //nolint:gochecknoglobals // nothing writes it
	"filter", "attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "cursor",
}
