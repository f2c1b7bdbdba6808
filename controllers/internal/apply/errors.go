package apply

import (
	"errors"
	"fmt"
)

// ErrOwnerGone says that the owner was deleted while its children were being made.
var ErrOwnerGone = errors.New("the owner is gone")

// NotOursError says that an object of someone else has the name of a child. It was left untouched.
type NotOursError struct {
	Kind, Name string
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s %q exists and does not belong to this tenant: rename or delete it", e.Kind, e.Name)
}

// GoingError says that the name of a child is still taken by an object that is being deleted.
type GoingError struct {
	Kind, Name string
}

func (e *GoingError) Error() string {
	return fmt.Sprintf("%s %q is being deleted", e.Kind, e.Name)
}
