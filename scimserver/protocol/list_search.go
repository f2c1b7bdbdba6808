package protocol

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const searchSchema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// search is a query whose parameters stand in the body (RFC 7644 section 3.4.3), so that filters, which hold personal
// data, stay out of URLs. From here on it is the same as one by GET.
func (s *Server) search(query func(*request) error) func(*request) error {
	return func(r *request) error {
		body, err := r.object()
		if err != nil {
			return err
		}
		parameters, err := searchParameters(body)
		if err != nil {
			return err
		}
		s.metrics.quirks(searchQuirks(body))
		r.query = parameters
		return query(r)
	}
}

// searchKind is search among the resources of one kind.
func (s *Server) searchKind(r *request, kind store.Kind) error {
	return s.search(func(r *request) error { return s.list(r, kind) })(r)
}

// searchParameters reads a SearchRequest. Names are read in any case (RFC 7643 section 2.1), null is as good as absent, and
// attributes that no query has are passed over.
func searchParameters(body map[string]any) (url.Values, error) {
	parameters := url.Values{}
	for key, value := range body {
		if value == nil {
			continue
		}
		switch name := strings.ToLower(key); name {
		case "schemas":
			if !isOf(body, searchSchema) {
				return nil, invalidValue("the schemas of a search must be [\"" + searchSchema + "\"]")
			}
		case "attributes", "excludedattributes":
			names, ok := texts(value)
			if !ok {
				return nil, invalidValue(searchNames[name] + " must be an array of attribute names")
			}
			parameters[searchNames[name]] = names
		case "filter", "sortby", "sortorder", "cursor":
			text, ok := value.(string)
			if !ok {
				return nil, invalidValue(searchNames[name] + " must be a string")
			}
			parameters.Set(searchNames[name], text)
		case "startindex", "count":
			number, ok := value.(json.Number)
			if !ok {
				return nil, invalidValue(searchNames[name] + " must be an integer")
			}
			parameters.Set(searchNames[name], number.String())
		}
	}
	return parameters, nil
}

// searchQuirks are the accommodations that a SearchRequest needs.
func searchQuirks(body map[string]any) (quirks []string) {
	if !isOf(body, searchSchema) {
		quirks = append(quirks, schema.QuirkMissingSchemas)
	}
	for _, name := range []string{"attributes", "excludedAttributes"} {
		if text(body, name) != "" {
			return append(quirks, schema.QuirkSingleValue)
		}
	}
	return quirks
}

// texts reads an array of strings, or one string that stands for an array of one.
func texts(value any) ([]string, bool) {
	if text, ok := value.(string); ok {
		return []string{text}, true
	}
	array, ok := value.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, len(array))
	for i := range array {
		if out[i], ok = array[i].(string); !ok {
			return nil, false
		}
	}
	return out, true
}

// searchNames are the parameters of a query by their names in lower case.
var searchNames = map[string]string{ //nolint:gochecknoglobals // a list that nothing writes
	"attributes": "attributes", "excludedattributes": "excludedAttributes", "filter": "filter", "sortby": "sortBy",
	"sortorder": "sortOrder", "cursor": "cursor", "startindex": "startIndex", "count": "count",
}
