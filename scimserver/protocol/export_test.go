package protocol

import (
	"net/url"
	"time"

	"github.com/tenantry/tenantry/scimserver/cursor"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
)

// BulkOperation is what the plan of a bulk request says of one operation.
type BulkOperation struct {
	Refers []int // the operations that it refers to
	Err    error // what is wrong with it
	// Resolved is its data and what its path names, with each reference by bulkId replaced by id.
	Resolved func(id string) (data schema.Object, named string)
}

// PlanBulk reads the body of a bulk request, and returns its operations and the order in which they can be carried out.
func PlanBulk(body []byte) (operations []BulkOperation, units [][]int, err error) {
	message, err := schema.Decode(body)
	if err != nil {
		return nil, nil, err
	}
	plan, err := planBulk(message)
	if err != nil {
		return nil, nil, err
	}
	for i := range plan.operations {
		op := &plan.operations[i]
		operations = append(operations, BulkOperation{op.refers, op.err, func(id string) (schema.Object, string) {
			return op.resolve(func(string, bool) any { return id })
		}})
	}
	return operations, plan.units, nil
}

// PreferredReturn reads the preference return of a request's Prefer headers.
func PreferredReturn(lines []string) string { return preferredReturn(lines) }

// SetBulkWork sets what the operations of a bulk request may be together, in place of MaxBulkWork.
func (s *Server) SetBulkWork(work int) { s.bulkWork = work }

// Place reads a cursor that was made with this sealer.
func (s *Server) Place(text string, sealer *cursor.Sealer, about []byte) error {
	_, err := s.place(text, sealer, about)
	return err
}

// SetPace sets how fast a body has to arrive.
func (s *Server) SetPace(first, chunk, whole time.Duration) {
	s.limits.pace = pace{first, chunk, whole}
}

// Due is when so many bytes of a body have to be there, by the pace that servers have.
func Due(bytes int) time.Duration { return defaultPace().due(bytes) }

// Description describes the tenant's endpoints as GET /openapi.json does. Two of one version are the same.
func (s *Server) Description(current *settings.Snapshot, base string) (document []byte, version int64, err error) {
	d, err := s.describeTenant(&request{settings: current, base: base})
	if err != nil {
		return nil, 0, err
	}
	return d.document, d.version, nil
}

// Held is how many places and how many bytes of large bodies are taken.
func (s *Server) Held() (places, bytes int64) {
	places, _ = s.limits.places.Held()
	bytes, _ = s.limits.bodies.Held()
	return places, bytes
}

// SetAnswers divides other room for answers, for which nobody waits.
func (s *Server) SetAnswers(d share.Division) *share.Pool {
	refused := s.limits.answers.refused
	s.limits.answers = newAnswers(d)
	s.limits.answers.wait, s.limits.answers.refused = 0, refused
	return s.limits.answers.Pool
}

// WaitForRoom sets how long requests wait for room.
func (s *Server) WaitForRoom(wait time.Duration) { s.limits.answers.wait = wait }

// SetPortion sets how many bytes of resources are read together.
func (s *Server) SetPortion(bytes int) {
	s.limits.answers.first, s.limits.answers.portion = bytes, bytes
}

// TakeStrangers takes all places that strangers can have.
func (s *Server) TakeStrangers() (release func()) {
	held, _ := s.limits.places.TryTake(share.Client{}, Places().Strangers)
	return held.Release
}

// ParseQuery reads the query of a URL.
func ParseQuery(raw string) (url.Values, error) { return parseQuery(raw) }

// CleanPath cleans the escaped path of a URL.
func CleanPath(escaped string) string { return cleanPath(escaped) }

// ReferencedInPath replaces references by bulkId in the path of an operation.
func ReferencedInPath(path string, id func(bulkID string) any) string {
	return referencedInPath(path, func(bulkID string, _ bool) any { return id(bulkID) })
}

// OutcomeOf is what the provisioning log calls an answer.
func OutcomeOf(answer *Error) string { return outcome(answer) }

// SetWaits sets how long a second of the parameter wait takes, how often a request that waits looks for what another replica wrote, and how
// long it waits for more changes after the first.
func (s *Server) SetWaits(second, poll, gather time.Duration) { s.waits = waits{second, poll, gather} }

// Waiting is how many requests wait for a change.
func (s *Server) Waiting() int64 {
	held, _ := s.limits.waiting.Held()
	return held
}
