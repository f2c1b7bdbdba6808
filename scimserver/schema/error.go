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
	// Attribute is the path of the attribute that is wrong, without a filter, "" where it is not one or the schemas do not have it.
	Attribute string
}

func (e *Error) Error() string { return e.Detail }

// Errorf returns an *Error. The arguments must be attribute names, numbers and the like, not values. It is about the first of them that is a
// Path, or about what an *Error among them is about.
func Errorf(scimType, format string, args ...any) *Error {
	e := &Error{ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		switch arg := arg.(type) {
		case *Error:
			return e.About(arg.Attribute)
		case interface{ path() string }:
			return e.About(arg.path())
		}
	}
	return e
}

// About says which attribute is wrong.
func (e *Error) About(attribute string) *Error {
	e.Attribute = attribute
	return e
}
