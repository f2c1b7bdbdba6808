package protocol

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// bulkPrefix begins a reference to a resource that another operation of the same request creates (RFC 7644 section
// 3.7.2).
const bulkPrefix = "bulkId:"

// replacement returns what takes the place of a reference by bulkId: an id, or the URL of a resource.
type replacement func(bulkID string, isURL bool) any

// referenced returns value with each reference by bulkId replaced by what replace returns for it; nil leaves out the
// reference together with the object that holds it. References stand where ids of resources do: as value or $ref, or
// bare as manager or members. Elsewhere a text that looks like one is a text. value itself stays as it is.
func referenced(key string, value any, replace replacement) any {
	switch v := value.(type) {
	case string:
		isURL := attributeName(key) == "$ref"
		if isURL {
			v = v[strings.LastIndexByte(v, '/')+1:]
		}
		name, is := strings.CutPrefix(v, bulkPrefix)
		if !is || !holdsReference(key) {
			return value
		}
		return replace(name, isURL)
	case []any:
		list := make([]any, 0, len(v))
		for _, element := range v {
			if became := referenced(key, element, replace); became != nil || element == nil {
				list = append(list, became)
			}
		}
		return list
	case schema.Object:
		object := make(schema.Object, len(v))
		for name, member := range v {
			object[name] = referenced(name, member, replace)
			if member != nil && object[name] == nil && holdsReference(name) {
				if _, bare := member.(string); bare && isSubAttribute(name) {
					return nil
				}
			}
		}
		return object
	}
	return value
}

// attributeName is what stands behind the URN and the dot of a name, in lower case.
func attributeName(name string) string {
	return strings.ToLower(name[strings.LastIndexAny(name, ":.")+1:])
}

func holdsReference(name string) bool {
	switch attributeName(name) {
	case "value", "$ref", "manager", "members":
		return true
	}
	return false
}

func isSubAttribute(name string) bool {
	name = strings.ToLower(name)
	return name == "value" || name == "$ref"
}

// referencedInPath does the same for the path of a PATCH operation, such as members[value eq "bulkId:anna"]. The value can
// stand in any quotes that a filter is read with, and in none.
func referencedInPath(path string, replace replacement) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(path, bulkPrefix)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		opening, _ := utf8.DecodeLastRuneInString(before)
		if unicode.IsSpace(opening) && strings.Count(out.String(), `"`)%2 != 0 { // within a text
			opening = utf8.RuneError
		}
		end := max(0, strings.IndexFunc(rest, closesReference(opening)))
		written := bulkPrefix + rest[:end]
		if end > 0 {
			if id, ok := replace(rest[:end], false).(string); ok {
				written = id
			}
		}
		out.WriteString(written)
		path = rest[end:]
	}
}

// closesReference tells what ends a reference behind a quote, or behind the blank before a value without quotes. Nothing
// ends what begins within a text.
func closesReference(opening rune) func(rune) bool {
	return func(r rune) bool {
		switch {
		case opening == '"':
			return r == '"'
		case unicode.Is(unicode.Quotation_Mark, opening):
			return unicode.Is(unicode.Quotation_Mark, r)
		case unicode.IsSpace(opening):
			return unicode.IsSpace(r) || r == ')' || r == ']'
		}
		return false
	}
}

// units puts operations in the order in which they can be carried out: each behind those that it refers to, and otherwise
// as they were sent. Those that refer to each other in a circle are one unit. refers lists, for each operation, the
// others that it refers to. This is Tarjan's algorithm, which finds the circles in exactly that order.
func units(refers [][]int) [][]int {
	t := tarjan{refers: refers, index: make([]int, len(refers)), low: make([]int, len(refers)), waiting: make([]bool, len(refers))}
	for i := range refers {
		if t.index[i] == 0 {
			t.visit(i)
		}
	}
	return t.found
}

type tarjan struct {
	refers     [][]int
	index, low []int // from 1 on; 0 is not yet visited
	waiting    []bool
	stack      []int
	visited    int
	found      [][]int
}

func (t *tarjan) visit(i int) {
	t.visited++
	t.index[i], t.low[i], t.waiting[i] = t.visited, t.visited, true
	position := len(t.stack)
	t.stack = append(t.stack, i)
	for _, j := range t.refers[i] {
		if t.index[j] == 0 {
			t.visit(j)
			t.low[i] = min(t.low[i], t.low[j])
		} else if t.waiting[j] {
			t.low[i] = min(t.low[i], t.index[j])
		}
	}
	if t.low[i] < t.index[i] {
		return
	}
	unit := append([]int(nil), t.stack[position:]...)
	t.stack = t.stack[:position]
	for _, j := range unit {
		t.waiting[j] = false
	}
	t.found = append(t.found, unit)
}
