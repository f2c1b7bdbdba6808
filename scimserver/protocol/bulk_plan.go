package protocol

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// bulkOperation is one operation of a bulk request and what came of it.
type bulkOperation struct {
	method, bulkID string
	kind           store.Kind
	named          string // what stands behind the endpoint in the path: an id, or a reference by bulkId
	version        string
	data           schema.Object
	refers         []int // the operations that it refers to

	attempted bool
	err       error
	id        string // of the resource, once there is one
	current   int64  // the resource's version afterwards, 0 when it is gone
}

// bulkPlan is a bulk request, read and put in order.
type bulkPlan struct {
	operations []bulkOperation
	creates    map[string]int // the POST that has a bulkId
	units      [][]int        // the operations in the order in which they can be carried out
	most       int            // after how many failures the rest is left alone, 0 for never
	quirks     []string
}

// planBulk reads a bulk request. What is wrong with one operation stays with it; the error is about the request as a whole.
func planBulk(message schema.Object) (bulkPlan, error) {
	operations, _ := schema.Member(message, "Operations")
	list, ok := operations.([]any)
	if !ok {
		return bulkPlan{}, schema.Errorf(schema.InvalidSyntax, "a bulk request has an array Operations")
	}
	if len(list) > MaxBulkOperations {
		return bulkPlan{}, &Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("a bulk request can have at most %d operations (maxOperations); split it", MaxBulkOperations),
		}
	}
	most, err := failOnErrors(message)
	if err != nil {
		return bulkPlan{}, err
	}
	p := bulkPlan{operations: make([]bulkOperation, len(list)), creates: map[string]int{}, most: most}
	p.units = p.order(list)
	if !isOf(message, bulkRequestSchema) {
		p.quirks = append(p.quirks, schema.QuirkMissingSchemas)
	}
	if slices.ContainsFunc(list, hasLowerMethod) {
		p.quirks = append(p.quirks, quirkMethodCase)
	}
	return p, nil
}

// isOf tells whether a message says that it is of the schema.
func isOf(message schema.Object, urn string) bool {
	value, _ := schema.Member(message, "schemas")
	urns, _ := texts(value)
	return slices.ContainsFunc(urns, func(one string) bool { return strings.EqualFold(one, urn) })
}

func hasLowerMethod(operation any) bool {
	message, _ := operation.(schema.Object)
	method := text(message, "method")
	return method != strings.ToUpper(method)
}

// failOnErrors is after how many failures the rest is left alone, 0 for never.
func failOnErrors(message schema.Object) (int, error) {
	value, _ := schema.Member(message, "failOnErrors")
	if value == nil {
		return 0, nil
	}
	if number, ok := value.(json.Number); ok {
		if n, err := strconv.Atoi(number.String()); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, schema.Errorf(schema.InvalidValue, "failOnErrors accepts a number of errors such as 1, or 0 to go on whatever fails")
}

// order reads the operations and returns them in the order in which they can be carried out. What is wrong with one stays
// with it.
func (p *bulkPlan) order(list []any) [][]int {
	for i, value := range list {
		op := &p.operations[i]
		if op.err = op.read(value); op.method != http.MethodPost || op.bulkID == "" {
			continue
		}
		if _, taken := p.creates[op.bulkID]; taken {
			op.err = schema.Errorf(schema.InvalidValue, "the bulkId is that of an earlier operation; each POST needs its own")
			continue
		}
		p.creates[op.bulkID] = i
	}
	refers := make([][]int, len(list))
	for i := range p.operations {
		op := &p.operations[i]
		if op.err != nil {
			continue
		}
		op.resolve(func(bulkID string, _ bool) any {
			to, known := p.creates[bulkID]
			if !known {
				op.err = schema.Errorf(schema.InvalidValue, "no POST of this request has the bulkId that the operation refers to")
			} else if !slices.Contains(op.refers, to) {
				op.refers = append(op.refers, to)
			}
			return bulkPrefix + bulkID
		})
		refers[i] = op.refers
	}
	return units(refers)
}

// read takes an operation apart.
func (op *bulkOperation) read(value any) error {
	message, ok := value.(schema.Object)
	if !ok {
		return schema.Errorf(schema.InvalidSyntax, "each of the Operations is an object")
	}
	method, path := text(message, "method"), text(message, "path")
	op.method, op.bulkID = strings.ToUpper(method), text(message, "bulkId")
	data, _ := schema.Member(message, "data")
	op.data, _ = data.(schema.Object)
	switch {
	case method == "":
		return schema.Errorf(schema.InvalidSyntax, "an operation needs a method: POST, PUT, PATCH or DELETE")
	case !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, op.method):
		op.method = ""
		return schema.Errorf(schema.InvalidValue, "the method of an operation is POST, PUT, PATCH or DELETE")
	case path == "":
		return schema.Errorf(schema.InvalidSyntax, "an operation needs a path such as /Users, or /Users and an id")
	}
	endpoint, named, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch endpoint {
	case "Users":
		op.kind = store.User
	case "Groups":
		op.kind = store.Group
	default:
		return schema.Errorf(schema.InvalidValue, "the path of an operation begins with /Users or /Groups")
	}
	op.named = named
	switch {
	case op.method == http.MethodPost && named != "":
		return schema.Errorf(schema.InvalidValue, "the path of a POST is /Users or /Groups, without an id")
	case op.method == http.MethodPost && op.bulkID == "":
		return schema.Errorf(schema.InvalidSyntax, "a POST needs a bulkId, by which the answer names the resource that it made")
	case op.method != http.MethodPost && named == "":
		return schema.Errorf(schema.InvalidValue, "the path of a %s ends with an id, or with bulkId: and the bulkId of a POST", op.method)
	case op.method != http.MethodDelete && op.data == nil:
		return schema.Errorf(schema.InvalidSyntax, "a %s needs data: the object that would be the body of the request", op.method)
	}
	return op.readVersion(message)
}

// readVersion reads the version that the resource must have. It refuses an unknown key where there is none: the key was meant for it, and
// without it the operation would undo what the client has not seen.
func (op *bulkOperation) readVersion(message schema.Object) error {
	given, _ := schema.Member(message, "version")
	version, isText := given.(string)
	if op.version = version; given != nil && !isText || version != "" && parseVersions(version) == nil {
		return schema.Errorf(schema.InvalidValue, `the version of an operation is that of meta.version, such as W/"3"`)
	}
	key := schema.UnknownKey(message, "method", "path", "bulkId", "version", "data")
	if key == "" || version != "" || op.method == http.MethodPost {
		return nil
	}
	return schema.Errorf(schema.InvalidSyntax, "an operation has method, path, bulkId, version and data; this one lacks a version and has %s", key)
}

// text is a member of a message that is a string, "" for any other.
func text(message schema.Object, name string) string {
	value, _ := schema.Member(message, name)
	s, _ := value.(string)
	return s
}

// resolve returns the operation's data and what its path names, with the references by bulkId replaced.
func (op *bulkOperation) resolve(replace replacement) (data schema.Object, named string) {
	named = op.named
	if name, is := strings.CutPrefix(op.named, bulkPrefix); is {
		named, _ = replace(name, false).(string)
	}
	if op.data == nil {
		return nil, named
	}
	data, _ = referenced("", op.data, replace).(schema.Object)
	if op.method == http.MethodPatch {
		operations, _ := schema.Member(data, "Operations")
		changes, _ := operations.([]any)
		for _, change := range changes {
			if object, ok := change.(schema.Object); ok {
				for key, value := range object {
					if path, is := value.(string); is && strings.EqualFold(key, "path") {
						object[key] = referencedInPath(path, replace)
					}
				}
			}
		}
	}
	return data, named
}
