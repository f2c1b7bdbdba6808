package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const (
	// MaxBulkOperations is how many operations a bulk request can have.
	MaxBulkOperations = 1000
	// MaxBulkWork is how much work they can be together, as patch.MaxWork counts it; each byte of a resource that is changed
	// counts one more, and each member that is read ten. The answer can still be sent then.
	MaxBulkWork = 20 * patch.MaxWork

	bulkRequestSchema  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseSchema = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

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
	plan, err := planBulk(message)
	if err != nil {
		return err
	}
	s.metrics.quirks(plan.quirks)
	r.charge(len(plan.operations) - 1)

	job := &bulkJob{bulkPlan: plan, server: s, request: r, budget: patch.NewBudget(s.bulkWork)}
	failed := 0
	for _, unit := range plan.units {
		if err := r.context().Err(); err != nil {
			return err
		}
		failed += job.run(unit)
		if plan.most > 0 && failed >= plan.most {
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

type bulkJob struct {
	bulkPlan

	server  *Server
	request *request
	budget  *patch.Budget
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

// id returns what a reference by bulkId stands for: the id or URL of the resource, or nil while there is none.
func (j *bulkJob) id(bulkID string, isURL bool) any {
	to, known := j.creates[bulkID]
	if !known || j.operations[to].id == "" {
		return nil
	}
	op := &j.operations[to]
	if isURL {
		return j.server.location(j.request, op.kind, op.id)
	}
	return op.id
}

// perform carries out one operation of a unit. In a circle it leaves out what it refers to and is not there yet.
func (j *bulkJob) perform(op *bulkOperation, unit []int) error {
	s, r := j.server, j.request
	if j.budget.Exceeded() {
		return tooMuchWork()
	}
	if err := s.enabled(r, op.kind); err != nil {
		return err
	}
	for _, i := range op.refers {
		if j.operations[i].err != nil && !slices.Contains(unit, i) {
			return &Error{Status: http.StatusConflict, Detail: "an operation that this one refers to by bulkId failed"}
		}
	}
	data, named := op.resolve(j.id)
	target := directory.Target{Kind: op.kind, ID: named, Budget: j.budget}
	if op.version != "" {
		target.If.Match = parseVersions(op.version)
	}
	var written directory.Resource
	var err error
	switch op.method {
	case http.MethodPost:
		if data, err = s.canonical(op.kind, data); err == nil {
			written, err = s.directory.Create(r.context(), r.caller, op.kind, data)
		}
	case http.MethodPut:
		written, err = s.put(r, target, data)
	case http.MethodPatch:
		written, err = j.patch(target, data)
	default:
		err = s.directory.Delete(r.context(), r.caller, target)
		written.ID = named
	}
	switch {
	case errors.Is(err, patch.ErrBudget):
		return tooMuchWork()
	case err != nil:
		return err
	}
	if len(unit) == 1 { // a circle is noted when it is closed
		s.noted(r, &written)
	}
	op.id, op.current = written.ID, written.Version
	return nil
}

// tooMuchWork is the answer to the operation that is more work than is left, and to all after it (RFC 7644 section 3.7.4).
func tooMuchWork() error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge,
		Detail: "this operation and those before it are more work than one bulk request can ask for; send it and those after it in another",
	}
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
		arrived, err := s.canonical(op.kind, data)
		var written directory.Resource
		if err == nil {
			// It is still the resource's arrival, at which null is as good as no mention: what arrived names the values alone.
			target := directory.Target{Kind: op.kind, ID: op.id, Budget: j.budget}
			written, err = s.directory.Replace(r.context(), r.caller, target, arrived, s.directory.Type(op.kind).Named(arrived))
		}
		if err == nil {
			s.noted(r, &written)
		}
		if op.err, op.current = err, written.Version; errors.Is(err, patch.ErrBudget) {
			op.err = tooMuchWork()
		}
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
	if op.kind == 0 || isHeldBack(op.err) {
		return
	}
	failure := directory.Failure{
		Caller: j.request.caller, Kind: op.kind, Outcome: outcome(answerTo(op.err)), Attribute: directory.Wrong(op.kind, op.err),
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
		answer := s.describe(op.err, r.log)
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
