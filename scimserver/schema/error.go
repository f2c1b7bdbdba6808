package schema

import "fmt"

// The scimType values of RFC 7644 section 3.12 that a request's content can cause.
const (
	InvalidFilter = "invalidFilter"
	InvalidPath   = "invalidPath"
	InvalidSyntax = "invalidSyntax"
	InvalidValue  = "invalidValue"
	IsMutability  = "mutability"
	NoTarget      = "noTarget"
	TooMany       = "tooMany"
)

// Error is what is wrong with a client's request. Detail names the attribute and what would be accepted, and never
// repeats a value: values can be personal data.
type Error struct {
	ScimType string
	Detail   string
}

func (e *Error) Error() string { return e.Detail }

// Errorf returns an *Error. The arguments must be attribute names, numbers and the like, not values.
func Errorf(scimType, format string, args ...any) *Error {
	return &Error{ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
}
