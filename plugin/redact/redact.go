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
	taken  how = iota // only its length
	asText            // what Text leaves of it
	whole             // as it is
)

// Learn takes notice of the names in an object, and of what will not be shown of it.
func (r *Redactor) Learn(object map[string]any) {
	rules := rulesFor(object)
	walk(object, nil, func(path []string, value string) any {
		switch rules.how(path) {
		case whole:
			r.Know(value)
		case taken:
			if object["kind"] != "Event" { // whose message is a sentence, of which Event judges
				r.Hide(value)
			}
		case asText:
		}
		return value
	})
}

// Object returns what may be shown of an object of Kubernetes. Numbers and booleans stay: no kind here has a person's data in one.
func (r *Redactor) Object(object map[string]any) map[string]any {
	rules := rulesFor(object)
	shown, _ := walk(object, nil, func(path []string, value string) any {
		switch {
		case path[len(path)-1] == list && len(path) > 1 && path[len(path)-2] == "args":
			return r.argument(value)
		case rules.how(path) == whole:
			return value
		case rules.how(path) == asText:
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
			copied[i] = walk(inner, append(slices.Clone(path), list), replace)
		}
		return copied
	case string:
		return replace(path, value)
	default:
		return value
	}
}
