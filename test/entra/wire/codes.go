package wire

import (
	"fmt"
	"net/http"
)

// Code is an error code as the provisioning logs show it.
type Code string

// The codes of Microsoft's "How to analyze the provisioning logs", and the two that Test Connection and an unreachable
// host give.
const (
	InvalidCredentials  Code = "InvalidCredentials"
	HostUnreachable     Code = "WebExceptionProtocolError"
	Timeout             Code = "Timeout"
	TooManyRequests     Code = "TooManyRequests"
	InternalServerError Code = "InternalServerError"
	InsufficientRights  Code = "InsufficientRights"
	MethodNotAllowed    Code = "MethodNotAllowed"
	NotImplemented      Code = "NotImplemented"
	UnprocessableEntity Code = "UnprocessableEntity"
	EntryConflict       Code = "EntryConflict"
	InvalidAnchor       Code = "InvalidAnchor"
	// DuplicateSourceEntries: two objects of the company match the same object of the server.
	DuplicateSourceEntries Code = "DuplicateSourceEntries"
	MultipleEntries        Code = "SystemForCrossDomainIdentityManagementMultipleEntriesInResponse"
	ServiceIncompatible    Code = "SystemForCrossDomainIdentityManagementServiceIncompatible"
)

// Error is an answer, or the lack of one, that the service takes for a failure. Its text holds no token and no body of
// the request.
type Error struct {
	Code Code
	// Method and Resource ("Users", "Groups") say what was asked; Status is 0 where no answer came.
	Method, Resource string
	Status           int
	// Detail is the server's own explanation, shortened, or ours of what is wrong with its answer.
	Detail string
	// Endpoint tells that the fault lies with the whole endpoint rather than with one object: wrong credentials, a
	// look-up answered 404. It makes for quarantine at once.
	Endpoint bool
}

func (e *Error) Error() string {
	answer := "got no answer"
	if e.Status != 0 {
		answer = fmt.Sprintf("answered %d", e.Status)
	}
	return fmt.Sprintf("%s: %s /%s %s: %s", e.Code, e.Method, e.Resource, answer, e.Detail)
}

// codeOf is what a status means where it is not what was expected. The same number means different things for a
// look-up, whose address is the endpoint's, and for a request to one object.
func codeOf(status int, oneObject bool) (code Code, endpoint bool) {
	switch {
	case status == http.StatusUnauthorized:
		return InvalidCredentials, true
	case status == http.StatusNotFound && oneObject:
		return InvalidAnchor, false
	case status == http.StatusNotFound:
		return ServiceIncompatible, true
	case status == http.StatusForbidden:
		return InsufficientRights, false
	case status == http.StatusMethodNotAllowed:
		return MethodNotAllowed, false
	case status == http.StatusRequestTimeout:
		return Timeout, false
	case status == http.StatusConflict:
		return EntryConflict, false
	case status == http.StatusUnprocessableEntity:
		return UnprocessableEntity, false
	case status == http.StatusTooManyRequests:
		return TooManyRequests, false
	case status == http.StatusNotImplemented:
		return NotImplemented, false
	case status >= 500:
		return InternalServerError, false
	}
	return ServiceIncompatible, false
}
