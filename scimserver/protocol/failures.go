package protocol

import (
	"net/http"

	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// recorded makes an endpoint where a request that fails to change something leaves its trace in the provisioning log. That
// of a person does not, whoever signs in at Entra being one: what they may not do is counted in the metrics.
func (s *Server) recorded(kind store.Kind, operation string, handle func(*request) error) endpoint {
	change := writes(handle)
	change.counts = cycle.Counts{Requests: 1}
	switch operation {
	case directory.OperationCreate:
		change.counts.Creates = 1
	case directory.OperationDelete:
		change.counts.Deletes = 1
	default:
		change.counts.Updates = 1
	}
	change.failed = func(r *request, err error) {
		if r.user != nil {
			return
		}
		s.directory.Failed(directory.Failure{
			Caller: r.caller, Kind: kind, ID: r.http.PathValue("id"), Operation: operation,
			Outcome: outcome(answerTo(err)), Attribute: directory.Wrong(kind, err),
		})
	}
	return change
}

// outcome is what the provisioning log calls an answer: its scimType, or a word for its status. It has no value that a
// client sent.
func outcome(answer *Error) string {
	switch {
	case answer.canceled:
		return directory.OutcomeCanceled
	case answer.ScimType != "":
		return answer.ScimType
	}
	switch answer.Status {
	case http.StatusForbidden:
		return directory.OutcomeForbidden
	case http.StatusNotFound:
		return directory.OutcomeNotFound
	case http.StatusConflict:
		return directory.OutcomeConflict
	case http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return directory.OutcomePreconditionFailed
	case http.StatusRequestEntityTooLarge:
		return directory.OutcomeTooLarge
	case http.StatusUnsupportedMediaType:
		return directory.OutcomeUnsupportedMediaType
	case http.StatusTooManyRequests:
		return directory.OutcomeTooManyRequests
	case http.StatusServiceUnavailable:
		return directory.OutcomeUnavailable
	case http.StatusRequestTimeout:
		return directory.OutcomeTimeout
	}
	if answer.Status >= http.StatusInternalServerError {
		return directory.OutcomeInternalError
	}
	return directory.OutcomeBadRequest
}
