package protocol

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/filter"
)

// parameterNames are the parameters of RFC 7644 section 3.4.2 and RFC 9865, in the order in which errors name them.
var parameterNames = []string{ //nolint:gochecknoglobals // a list that nothing writes
	"filter", "attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "cursor",
}

// parseQuery reads the query of a URL strictly. A parameter that cannot be understood is an *Error that names it: a server that left it
// out would lose a filter and return everybody. The result has the names as the RFC spells them. Parameters of other names are left
// out. Only & separates parameters (a semicolon is part of a value), and + is a blank.
func parseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for parameter := range strings.SplitSeq(raw, "&") {
		encodedName, encodedValue, _ := strings.Cut(parameter, "=")
		name, err := parameterName(decoded(encodedName))
		switch {
		case err != nil:
			return nil, err
		case name == "":
			if err := separatedOtherwise(encodedValue); err != nil {
				return nil, err
			}
			continue
		}
		value, err := url.QueryUnescape(encodedValue)
		if err != nil || !utf8.ValidString(value) {
			return nil, misunderstood(name, "must be percent-encoded UTF-8; a percent sign is written %25")
		}
		if err := addParameter(query, name, value); err != nil {
			return nil, err
		}
	}
	return query, nil
}

// separatedOtherwise is the error for a known parameter in the value of an unknown one, behind ; or a second ?, as in x=1;filter=… A
// proxy may make two parameters of it, and a client that wrote it means two.
func separatedOtherwise(encodedValue string) error {
	for _, part := range strings.Split(strings.ReplaceAll(encodedValue, ";", "?"), "?")[1:] {
		name, _, assigned := strings.Cut(part, "=")
		known, err := parameterName(decoded(name))
		switch {
		case !assigned:
		case err != nil:
			return err
		case known != "":
			return misunderstood(known, "must stand behind & where it is not the first parameter")
		}
	}
	return nil
}

// decoded returns a parameter's name without its escapes, as it came where one of them is none.
func decoded(name string) string {
	if text, err := url.QueryUnescape(name); err == nil {
		return text
	}
	return name
}

// parameterName returns the RFC's spelling of a parameter's name, which counts in any case, and "" for one that the RFC does not have.
// A name with a known one among other characters is an error: amp;filter, ?filter, $filter, filter%3D and filter[userName] mean a filter.
func parameterName(name string) (string, error) {
	name = strings.TrimSpace(name)
	words := strings.FieldsFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '-' && c != '.'
	})
	for _, known := range parameterNames {
		isKnown := func(word string) bool { return strings.EqualFold(word, known) }
		switch {
		case isKnown(name):
			return known, nil
		case slices.ContainsFunc(words, isKnown):
			return "", misunderstood(known, "must be the parameter's whole name, with = behind it and & between parameters")
		}
	}
	return "", nil
}

// addParameter adds the value of a parameter, which the parameter may have one of unless it lists attributes. Of such a list, each name
// is a value of its own.
func addParameter(query url.Values, name, value string) error {
	list := name == "attributes" || name == "excludedAttributes"
	switch {
	case name == "filter" && strings.TrimSpace(value) == "":
		return misunderstood(name, "must not be blank; leave it out to list everything")
	case query.Has(name) && !list:
		return misunderstood(name, "must be given once")
	case !list && name != "sortBy":
		query.Add(name, value)
		return nil
	}
	length := len(value)
	for _, chosen := range query[name] {
		length += len(chosen)
	}
	if length > MaxChoice {
		return tooManyNames(name)
	}
	names := filter.SplitPaths(value)
	if slices.ContainsFunc(names, isNoAttribute) {
		return misunderstood(name, "must be names of attributes such as userName or name.familyName, with & before the next parameter")
	}
	if !list {
		names = []string{value}
	}
	if query[name] = append(query[name], names...); len(query[name]) > MaxChosen {
		return tooManyNames(name)
	}
	return nil
}

func tooManyNames(name string) *Error {
	const must = "must be at most %d names of attributes with at most %d bytes in all; the URN of a schema names all of its attributes"
	return misunderstood(name, fmt.Sprintf(must, MaxChosen, MaxChoice))
}

// isNoAttribute tells whether a text has a character that the name of no attribute has, whatever stands in brackets (emails[type eq
// "work"].value). Such a character begins a parameter that would be lost, as in userName?filter=… or userName;count=5. A name that no schema
// has may be in a list.
func isNoAttribute(text string) bool {
	name, brackets, _ := strings.Cut(text, "[")
	if closing := strings.LastIndexByte(brackets, ']'); closing >= 0 { // half a bracket is refused by schema.ResourceType.Projection
		name += brackets[closing+1:]
	}
	return name == "" || strings.ContainsFunc(strings.TrimSpace(name), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_$.:/+#*!~@]", c)
	})
}

// unfiltered makes a handler refuse a filter, because it would not apply it: nobody shall take an answer for a filtered one.
func unfiltered(handle func(*request) error) func(*request) error {
	return func(r *request) error {
		if r.query.Has("filter") {
			return misunderstood("filter", "is not applied here: send it with a GET of the Tenant URL, /Users or /Groups, or to /.search")
		}
		return handle(r)
	}
}

// misunderstood is the answer to a parameter that cannot be understood. what follows the parameter's name in the detail.
func misunderstood(name, what string) *Error {
	scimType := "invalidValue"
	if name == "filter" {
		scimType = "invalidFilter"
	}
	return &Error{Status: http.StatusBadRequest, ScimType: scimType, Detail: name + " " + what}
}
