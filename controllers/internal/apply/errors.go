package apply

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOwnerGone says that the owner was deleted while its children were being made.
var ErrOwnerGone = errors.New("the owner is gone")

// ErrUnseen says that there is an object that the cache did not know when what is wanted was found.
var ErrUnseen = errors.New("the cache is behind")

// NotOursError says that an object of someone else has the name of a child. It was left untouched.
type NotOursError struct {
	Kind, Namespace, Name string
	// Controller is the kind and name of the object that controls it, "" for none.
	Controller string
	// Labelled says that it has the labels of a child all the same.
	Labelled bool
}

func (e *NotOursError) Error() string {
	switch {
	case e.Controller != "":
		return fmt.Sprintf("%s %q is controlled by %s, and not by this tenant. Where a tool made it so by mistake, take its owner references away, and the "+
			"operator takes it up: kubectl patch %s %s -n %s --type merge -p '{\"metadata\":{\"ownerReferences\":null}}'.",
			e.Kind, e.Name, e.Controller, strings.ToLower(e.Kind), e.Name, e.Namespace)
	case e.Kind == "PersistentVolumeClaim":
		return fmt.Sprintf("%s %q exists and does not have the labels of this tenant. Do not delete it where a directory may be on it: "+
			"give it the labels, and the operator looks whose that is.", e.Kind, e.Name)
	case e.Labelled && e.Kind == "Secret":
		return fmt.Sprintf("Secret %q has the labels of this tenant, was not applied by the operator, and does not hold what its annotation says. "+
			"Keep a copy of a token in it, delete it, and put that token into the one that the operator makes.", e.Name)
	case e.Labelled:
		return fmt.Sprintf("%s %q has the labels of this tenant, and was not applied by the operator: a restore may have made it. "+
			"Delete it, and the operator makes it again.", e.Kind, e.Name)
	}
	return fmt.Sprintf("%s %q exists and does not belong to this tenant: rename or delete it", e.Kind, e.Name)
}

// GoingError says that the name of a child is still taken by an object that is being deleted.
type GoingError struct {
	Kind, Name string
	// Finalizers hold it.
	Finalizers []string
}

func (e *GoingError) Error() string {
	if len(e.Finalizers) == 0 {
		return fmt.Sprintf("%s %q is being deleted", e.Kind, e.Name)
	}
	return fmt.Sprintf("%s %q is being deleted, and is there until whatever set these finalizers takes them away: %s",
		e.Kind, e.Name, strings.Join(e.Finalizers, ", "))
}

// IsTaken tells of an error whether somebody else's object, or one that is being deleted, has the name.
func IsTaken(err error) bool {
	_, strangers := errors.AsType[*NotOursError](err)
	_, going := errors.AsType[*GoingError](err)
	return strangers || going
}
