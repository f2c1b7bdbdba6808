package protocol

import (
	"encoding/json"
	"fmt"
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
		for _, name := range parameterNames {
			if r.query.Has(name) {
				return misunderstood(name, "belongs into the body of a search, not into its URL")
			}
		}
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
func searchParameters(body schema.Object) (url.Values, error) {
	if schemas, _ := schema.Member(body, "schemas"); schemas != nil && !isOf(body, searchSchema) {
		return nil, invalidValue("the schemas of a search must be [\"" + searchSchema + "\"]")
	}
	query := url.Values{}
	for key, value := range body {
		if strings.EqualFold(key, searchSchema) { // as the values of an extension stand below its URN
			return nil, invalidValue("the parameters of a search stand in its body itself, not below the URN of its schema")
		}
		name, err := parameterName(key)
		if err != nil {
			return nil, err
		}
		if name == "" || value == nil {
			continue
		}
		values, must := searchValues(name, value)
		if must != "" {
			return nil, invalidValue(name + " must be " + must)
		}
		for _, one := range values {
			if err := addParameter(query, name, one); err != nil {
				return nil, err
			}
		}
	}
	return query, nil
}

// searchValues returns the values of a parameter as a URL has them, and what the value must be where it is of another type.
func searchValues(name string, value any) (values []string, must string) {
	switch name {
	case "attributes", "excludedAttributes":
		if array, _ := value.([]any); len(array) > MaxChosen {
			return nil, fmt.Sprintf("an array of at most %d attribute names", MaxChosen)
		}
		if names, ok := texts(value); ok {
			return names, ""
		}
		return nil, "an array of attribute names"
	case "startIndex", "count":
		if number, ok := value.(json.Number); ok {
			return []string{number.String()}, ""
		}
		return nil, "an integer"
	}
	if text, ok := value.(string); ok {
		return []string{text}, ""
	}
	return nil, "a string"
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
