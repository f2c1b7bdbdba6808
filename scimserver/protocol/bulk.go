package protocol

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// MaxBulkOperations is how many operations a bulk request can have.
	MaxBulkOperations = 1000

	bulkResponseSchema = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
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

// bulkResult is how an operation is reported (RFC 7644 section 3.7). Of a success nothing more is told: the client that
// wants to see the resource reads it.
type bulkResult struct {
	Location string        `json:"location,omitempty"`
	Method   string        `json:"method,omitempty"`
	BulkID   string        `json:"bulkId,omitempty"`
	Version  string        `json:"version,omitempty"`
	Status   string        `json:"status"`
	Response schema.Object `json:"response,omitempty"`
}

// bulk carries out a bulk request (RFC 7644 section 3.7). Each operation is atomic and durable by itself; what fails
// changes nothing and stops no other, unless the client set failOnErrors.
func (s *Server) bulk(r *request) error {
	message, err := r.object()
	if err != nil {
		return err
	}
	list, ok := member(message, "Operations").([]any)
	if !ok {
		return schema.Errorf(schema.InvalidSyntax, "a bulk request has an array Operations")
	}
	if len(list) > MaxBulkOperations {
		return &Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("a bulk request can have at most %d operations (maxOperations); split it", MaxBulkOperations),
		}
	}
	most, err := failOnErrors(message)
	if err != nil {
		return err
	}
	s.limits.charge(r.settings, r.caller.Client, s.now(), len(list))

	job := &bulkJob{server: s, request: r, operations: make([]bulkOperation, len(list)), creates: map[string]int{}}
	failed := 0
	for _, unit := range job.order(list) {
		if err := r.context().Err(); err != nil {
			return err
		}
		failed += job.run(unit)
		if most > 0 && failed >= most {
			break
		}
	}
	results := []bulkResult{}
	for i := range job.operations {
		if op := &job.operations[i]; op.attempted {
			results = append(results, job.result(op))
		}
	}
	write(r.out, http.StatusOK, map[string]any{"schemas": []string{bulkResponseSchema}, "Operations": results})
	return nil
}

// failOnErrors is after how many failures the rest is left alone, 0 for never.
func failOnErrors(message schema.Object) (int, error) {
	value := member(message, "failOnErrors")
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

// member returns a value of a message, whose keys are read in any case.
func member(message schema.Object, name string) any {
	if value, ok := message[name]; ok {
		return value
	}
	for _, key := range slices.Sorted(maps.Keys(message)) {
		if strings.EqualFold(key, name) {
			return message[key]
		}
	}
	return nil
}

type bulkJob struct {
	server     *Server
	request    *request
	operations []bulkOperation
	creates    map[string]int // the POST that has a bulkId
}

// order reads the operations and returns them in the order in which they can be carried out. What is wrong with one stays
// with it.
func (j *bulkJob) order(list []any) [][]int {
	for i, value := range list {
		op := &j.operations[i]
		if op.err = op.read(value); op.method != http.MethodPost || op.bulkID == "" {
			continue
		}
		if _, taken := j.creates[op.bulkID]; taken {
			op.err = schema.Errorf(schema.InvalidValue, "the bulkId is that of an earlier operation; each POST needs its own")
			continue
		}
		j.creates[op.bulkID] = i
	}
	refers := make([][]int, len(list))
	for i := range j.operations {
		op := &j.operations[i]
		if op.err != nil {
			continue
		}
		op.resolve(func(bulkID string) any {
			to, known := j.creates[bulkID]
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
	method, _ := member(message, "method").(string)
	op.method = strings.ToUpper(method)
	op.bulkID, _ = member(message, "bulkId").(string)
	op.version, _ = member(message, "version").(string)
	op.data, _ = member(message, "data").(schema.Object)
	path, _ := member(message, "path").(string)
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
	case op.version != "" && parseVersions(op.version) == nil:
		return schema.Errorf(schema.InvalidValue, `the version of an operation is that of meta.version, such as W/"3"`)
	}
	return nil
}

// resolve returns the operation's data and what its path names, with the references by bulkId replaced.
func (op *bulkOperation) resolve(replace func(bulkID string) any) (data schema.Object, named string) {
	named = op.named
	if name, is := strings.CutPrefix(op.named, bulkPrefix); is {
		named, _ = replace(name).(string)
	}
	if op.data == nil {
		return nil, named
	}
	data, _ = referenced("", op.data, replace).(schema.Object)
	if op.method == http.MethodPatch {
		changes, _ := member(data, "Operations").([]any)
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

// run carries out operations that belong together, nearly always one, and returns how many failed.
func (j *bulkJob) run(unit []int) (failed int) {
	circle := len(unit) > 1 || slices.Contains(j.operations[unit[0]].refers, unit[0])
	for _, i := range unit {
		op := &j.operations[i]
		op.attempted = true
		if op.err == nil && (!circle || !j.anyFailed(unit)) {
			op.err = j.perform(op, unit)
		}
	}
	if circle {
		j.close(unit)
	}
	for _, i := range unit {
		if op := &j.operations[i]; op.err != nil {
			failed++
			j.failed(op)
		}
	}
	return failed
}

// id returns what a reference by bulkId stands for: the id of the resource, or nil while there is none.
func (j *bulkJob) id(bulkID string) any {
	if to, known := j.creates[bulkID]; known && j.operations[to].id != "" {
		return j.operations[to].id
	}
	return nil
}

// perform carries out one operation of a unit. In a circle it leaves out what it refers to and is not there yet.
func (j *bulkJob) perform(op *bulkOperation, unit []int) error {
	s, r := j.server, j.request
	if err := s.enabled(r, op.kind); err != nil {
		return err
	}
	for _, i := range op.refers {
		if j.operations[i].err != nil && !slices.Contains(unit, i) {
			return &Error{Status: http.StatusConflict, Detail: "an operation that this one refers to by bulkId failed"}
		}
	}
	data, named := op.resolve(j.id)
	target := directory.Target{Kind: op.kind, ID: named}
	if op.version != "" {
		target.If.Match = parseVersions(op.version)
	}
	var written directory.Resource
	var err error
	switch op.method {
	case http.MethodPost:
		written, err = s.directory.Create(r.context(), r.caller, op.kind, data)
	case http.MethodPut:
		written, err = s.directory.Replace(r.context(), r.caller, target, data)
	case http.MethodPatch:
		written, err = j.patch(target, data)
	default:
		err = s.directory.Delete(r.context(), r.caller, target)
		written.ID = named
	}
	if err != nil {
		return err
	}
	op.id, op.current = written.ID, written.Version
	return nil
}

func (j *bulkJob) patch(target directory.Target, data schema.Object) (directory.Resource, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return directory.Resource{}, fmt.Errorf("encode a PATCH of a bulk request: %w", err)
	}
	parsed, err := patch.Parse(j.server.directory.Type(target.Kind), body)
	if err != nil {
		return directory.Resource{}, err
	}
	j.server.metrics.quirks(parsed.Quirks)
	return j.server.directory.Patch(j.request.context(), j.request.caller, target, parsed)
}

// close gives resources that refer to each other, and were all created without, their references. Where that cannot be
// done for one of them, none of them stays.
func (j *bulkJob) close(unit []int) {
	s, r := j.server, j.request
	for _, i := range unit {
		op := &j.operations[i]
		if j.anyFailed(unit) {
			break
		}
		data, _ := op.resolve(j.id)
		written, err := s.directory.Replace(r.context(), r.caller, directory.Target{Kind: op.kind, ID: op.id}, data)
		op.err, op.current = err, written.Version
	}
	if !j.anyFailed(unit) {
		return
	}
	for _, i := range unit {
		op := &j.operations[i]
		if op.id != "" {
			if err := s.directory.Delete(r.context(), r.caller, directory.Target{Kind: op.kind, ID: op.id}); err != nil && op.err == nil {
				op.err = err
			}
		}
		if op.err == nil {
			op.err = &Error{Status: http.StatusConflict, Detail: "an operation that refers to this one, and this one to it, failed"}
		}
	}
}

func (j *bulkJob) anyFailed(unit []int) bool {
	return slices.ContainsFunc(unit, func(i int) bool { return j.operations[i].err != nil })
}

// failed records an operation that failed, if it can be told what it was about.
func (j *bulkJob) failed(op *bulkOperation) {
	if op.kind == 0 {
		return
	}
	failure := directory.Failure{
		Caller: j.request.caller, Kind: op.kind, Outcome: outcome(j.server.describe(op.err, logr.Discard())),
		Operation: map[string]string{
			http.MethodPost: directory.OperationCreate, http.MethodPut: directory.OperationReplace,
			http.MethodPatch: directory.OperationPatch, http.MethodDelete: directory.OperationDelete,
		}[op.method],
	}
	if !strings.HasPrefix(op.named, bulkPrefix) {
		failure.ID = op.named
	}
	j.server.directory.Failed(failure)
}

func (j *bulkJob) result(op *bulkOperation) bulkResult {
	s, r := j.server, j.request
	result := bulkResult{Method: op.method, BulkID: op.bulkID}
	if op.err != nil {
		if op.method != http.MethodPost && op.kind != 0 && op.named != "" && !strings.HasPrefix(op.named, bulkPrefix) {
			result.Location = s.location(r, op.kind, op.named)
		}
		answer := s.describe(op.err, s.log.WithValues("requestID", r.caller.RequestID))
		result.Status, result.Response = strconv.Itoa(answer.Status), answer.body(r.caller.RequestID)
		return result
	}
	result.Location = s.location(r, op.kind, op.id)
	switch op.method {
	case http.MethodPost:
		result.Status = strconv.Itoa(http.StatusCreated)
	case http.MethodDelete:
		result.Status = strconv.Itoa(http.StatusNoContent)
		return result
	default:
		result.Status = strconv.Itoa(http.StatusOK)
	}
	result.Version = directory.Version(op.current)
	return result
}
