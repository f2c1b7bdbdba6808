package protocol

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const errorSchema = "urn:ietf:params:scim:api:messages:2.0:Error"

// Error is an answer that is no success (RFC 7644 section 3.12).
type Error struct {
	// Status is the HTTP status code.
	Status int
	// ScimType is the keyword of RFC 7644 table 9, "" for none.
	ScimType string
	// Detail says what was wrong and what would be accepted.
	Detail string
	// RetryAfter is the header of that name, in seconds, "" for none.
	RetryAfter string

	// unexpected marks the answer to an error that has no other: a bug of ours.
	unexpected bool
	// canceled marks the answer that nobody reads, because the client has hung up.
	canceled bool
	// heldBack marks the answer to what the tenant's spec holds back, which is no failure of the client.
	heldBack bool
}

func (e *Error) Error() string { return e.Detail }

// describe finds the answer to an error, and logs what the client cannot do anything about: an outage of the storage when it begins.
func (s *Server) describe(err error, log requestLog) *Error {
	answer := answerTo(err)
	switch {
	case errors.Is(err, store.ErrBusy):
		return busy("too many lists that take long are worked on: filter by one attribute with eq or sw, or try again later")
	case errors.Is(err, directory.ErrSchemasChanged):
		return &Error{Status: http.StatusServiceUnavailable, RetryAfter: "1", Detail: err.Error() + "; nothing was written; send the request again"}
	case errors.Is(err, store.ErrUncertain):
		s.metrics.uncertain.Inc()
		if s.uncertain.Failed(s.now()) {
			log().Error(err, "changes are not acknowledged, because they might get lost", "metric", uncertainMetric)
		}
	case errors.Is(err, store.ErrUnwritable):
		if s.unwritable.Failed(s.now()) {
			log().Error(err, "the storage takes no changes; reads go on")
		}
	case errors.Is(err, store.ErrUnavailable):
		if s.storage.Failed(s.now()) {
			log().Error(err, "the storage is unavailable")
		}
	case answer.unexpected:
		log().Error(err, "a request failed")
	}
	return answer
}

// answerTo finds the answer to an error. The client is told no more of what it cannot do anything about than when to try again.
func answerTo(err error) *Error {
	var answer *Error
	var content *schema.Error
	var unmet *directory.PreconditionError
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &content):
		return &Error{Status: http.StatusBadRequest, ScimType: content.ScimType, Detail: content.Detail}
	case errors.As(err, &unmet):
		return &Error{Status: http.StatusPreconditionFailed, Detail: err.Error()}
	case errors.Is(err, directory.ErrUniqueness):
		return &Error{Status: http.StatusConflict, ScimType: directory.OutcomeUniqueness, Detail: err.Error()}
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Detail: "no resource has this id; it may have been deleted"}
	case errors.Is(err, store.ErrUncertain):
		return &Error{
			Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable,
			Detail: "the directory could not make the change final; whether the change happened is not known",
		}
	case errors.Is(err, store.ErrUnwritable):
		return &Error{
			Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable,
			Detail: "the directory takes no changes for now; nothing was changed",
		}
	case errors.Is(err, store.ErrUnavailable):
		return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: "the directory is unavailable; nothing was changed"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{
			Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable,
			Detail: "the request was given up before it was carried out", canceled: errors.Is(err, context.Canceled),
		}
	default:
		return &Error{
			Status: http.StatusInternalServerError, Detail: "internal error; the operator of this server finds it by the request id", unexpected: true,
		}
	}
}

func writeError(w http.ResponseWriter, e *Error, requestID string) {
	if e.RetryAfter != "" {
		w.Header().Set("Retry-After", e.RetryAfter)
	}
	write(w, e.Status, e.body(requestID))
}

// body is the error as RFC 7644 section 3.12 has it. The request id stands in the detail, because no member of an error
// is meant for it.
func (e *Error) body(requestID string) schema.Object {
	body := schema.Object{
		"schemas": []any{errorSchema},
		"status":  strconv.Itoa(e.Status),
		"detail":  e.Detail + " (request " + requestID + ")",
	}
	if e.ScimType != "" {
		body["scimType"] = e.ScimType
	}
	return body
}
