package directory

import (
	"errors"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Operations of the provisioning log.
const (
	OperationCreate   = "create"
	OperationReplace  = "replace"
	OperationPatch    = "patch"
	OperationDelete   = "delete"
	OperationDefaults = "defaults"
	OperationImport   = "import"
	// OperationUnassign is in the provisioning log where users or groups lost a reference because what it named was deleted.
	OperationUnassign = "unassign"
)

// Operations are all operations of the provisioning log.
func Operations() []string {
	return []string{
		OperationCreate, OperationReplace, OperationPatch, OperationDelete, OperationDefaults, OperationImport, OperationUnassign,
	}
}

// Outcomes of the provisioning log. Those of failures are these and the scimTypes of package schema.
const (
	OutcomeSuccess = "success"

	OutcomeUniqueness           = "uniqueness" // the scimType of RFC 7644 table 9
	OutcomeForbidden            = "forbidden"  // the client was never allowed to ask for this
	OutcomeNotFound             = "notFound"
	OutcomeConflict             = "conflict"
	OutcomePreconditionFailed   = "preconditionFailed"
	OutcomeTooLarge             = "tooLarge"
	OutcomeUnsupportedMediaType = "unsupportedMediaType"
	OutcomeTooManyRequests      = "tooManyRequests"
	OutcomeUnavailable          = "unavailable"
	OutcomeTimeout              = "timeout"  // the body did not arrive in time
	OutcomeCanceled             = "canceled" // the client hung up before the request was carried out
	OutcomeInternalError        = "internalError"
	OutcomeBadRequest           = "badRequest"
)

// OutcomeFailure is no outcome of an entry. In a LogQuery it stands for all but OutcomeSuccess.
const OutcomeFailure = "failure"

// Outcomes are all outcomes of the provisioning log.
func Outcomes() []string {
	return []string{
		OutcomeSuccess, OutcomeUniqueness, OutcomeForbidden, OutcomeNotFound, OutcomeConflict, OutcomePreconditionFailed, OutcomeTooLarge,
		OutcomeUnsupportedMediaType, OutcomeTooManyRequests, OutcomeUnavailable, OutcomeTimeout, OutcomeCanceled, OutcomeInternalError,
		OutcomeBadRequest, schema.InvalidFilter, schema.InvalidPath, schema.InvalidSyntax, schema.InvalidValue, schema.IsMutability,
		schema.NoTarget, schema.TooMany,
	}
}

// Wrong names the attribute that an error is about, by the path of its definition: no value, no filter, and no name that only the client
// knows. It is "" where the error is about none.
func Wrong(kind store.Kind, err error) (attribute string) {
	if content, ok := errors.AsType[*schema.Error](err); ok {
		return content.Attribute
	}
	if errors.Is(err, ErrUniqueness) {
		return uniqueAttribute(kind)
	}
	return ""
}
