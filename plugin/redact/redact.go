// Package redact takes out of objects, logs and metrics what a maintainer need not see: secrets, and the data of people and customers. It goes by
// lists of what may stay, so that a field which nobody thought of is taken out.
//
// A caller first tells the Redactor of all that it will show (Learn, Hide), and then has it shown: a value that is redacted in one place is redacted
// in every text, and the name of an object stays in every text.
package redact

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// mark stands in a text for what was taken out.
	mark = "[redacted]"
	// minHidden is the least length, in bytes, of a value that is looked for in texts. A shorter one would take out parts of other words.
	minHidden = 6
)

// Redactor knows what may be shown. It is not safe for concurrent use.
type Redactor struct {
	known  map[string]bool
	hidden map[string]bool
	// order has the hidden values, the longest first, and is nil where it is to be made anew.
	order []string
}

// New returns a Redactor that knows no name.
func New() *Redactor { return &Redactor{known: map[string]bool{}, hidden: map[string]bool{}} }

// Know lets names stand wherever they are found.
func (r *Redactor) Know(names ...string) {
	for _, name := range names {
		r.known[name] = true
	}
}

// Hide takes a value out of every text, whatever stands around it.
func (r *Redactor) Hide(value string) {
	if value = strings.TrimSpace(value); len(value) >= minHidden {
		r.hidden[value], r.order = true, nil
	}
}

// strike takes the hidden values out of a text.
func (r *Redactor) strike(text string) string {
	if r.order == nil {
		for value := range r.hidden {
			if !r.known[value] {
				r.order = append(r.order, value)
			}
		}
		slices.SortFunc(r.order, func(a, b string) int { return len(b) - len(a) })
	}
	for _, value := range r.order {
		text = strings.ReplaceAll(text, value, mark)
	}
	return text
}

// how a value is shown.
type how int

const (
	taken    how = iota // only its length
	asText              // what Text leaves of it
	asBytes             // as it is where it is an amount of memory
	asDigest            // as it is where it has the shape of a hash, a UID or a chart
	whole               // as it is
)

// of is how a string with that value is shown: taken, asText or whole.
func (h how) of(value string) how {
	switch {
	case h == asBytes && bytes.MatchString(value), h == asDigest && (digest.MatchString(value) || uid.MatchString(value)):
		return whole
	case h == asBytes:
		return taken
	case h == asDigest:
		return asText
	default:
		return h
	}
}

// Learn takes notice of the names in an object, and of what will not be shown of it.
func (r *Redactor) Learn(object map[string]any) {
	rules := rulesFor(object)
	walk(object, nil, func(path []string, value string) any {
		switch rules.how(path).of(value) {
		case whole:
			r.Know(value)
		case taken:
			if object["kind"] != "Event" { // whose message is a sentence, of which Event judges
				r.Hide(value)
			}
		default:
		}
		return value
	})
}

// Object returns what may be shown of an object of Kubernetes. Numbers and booleans stay: no kind here has a person's data in one.
func (r *Redactor) Object(object map[string]any) map[string]any {
	rules := rulesFor(object)
	shown, _ := walk(object, nil, func(path []string, value string) any {
		if path[len(path)-1] == list && len(path) > 1 && path[len(path)-2] == "args" {
			return r.argument(value)
		}
		switch rules.how(path).of(value) {
		case whole:
			return value
		case asText:
			return r.Text(value)
		default:
			return length(value)
		}
	}).(map[string]any)
	return shown
}

// length is what is shown of a value that is taken out.
func length(value string) string { return fmt.Sprintf("[redacted, %d bytes]", len(value)) }

// argument leaves the flag of an argument of our programs, and its value where it is no name of somebody's.
func (r *Redactor) argument(arg string) string {
	flag, value, given := strings.Cut(arg, "=")
	switch {
	case !strings.HasPrefix(flag, "-"):
		return r.Text(arg)
	case !given:
		return flag
	case slices.Contains(flags, strings.TrimLeft(flag, "-")):
		return arg
	default:
		return flag + "=" + r.Text(value)
	}
}

// list stands in a path for the elements of a list.
const list = "[]"

// walk copies a value of JSON with each string replaced. It leaves out what the API server keeps about who wrote which field.
func walk(value any, path []string, replace func(path []string, value string) any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, inner := range value {
			if key != "managedFields" {
				copied[key] = walk(inner, append(slices.Clone(path), key), replace)
			}
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = walk(inner, append(slices.Clone(path), part(path, inner)), replace)
		}
		return copied
	case string:
		return replace(path, value)
	default:
		return value
	}
}

// part stands in a path for an element of a list: the name of an environment variable, which says what its value is, and list for all others.
func part(path []string, element any) string {
	if variable, ok := element.(map[string]any); ok && len(path) > 0 && path[len(path)-1] == "env" {
		if name, ok := variable["name"].(string); ok {
			return name
		}
	}
	return list
}
