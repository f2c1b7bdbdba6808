package directory

import (
	"fmt"
	"strings"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Target is the resource that a request is about, and what must hold of it.
type Target struct {
	Kind store.Kind
	ID   string
	// If must hold of the resource in the transaction that reads or changes it.
	If Precondition
	// Budget is what the change is charged to, where it is one of several that a client asks for at once; nil where it is not.
	Budget *patch.Budget
}

// Precondition is what a client demands of a resource's version (RFC 7644 section 3.14, RFC 9110 section 13.1). The zero
// value demands nothing and always holds.
type Precondition struct {
	// Match demands one of these versions.
	Match Versions
	// NoneMatch demands none of these versions.
	NoneMatch Versions
}

// Versions is a set of versions; nil means that none was given. It holds entity tags as Version writes them, with or
// without W/, or AnyVersion.
type Versions []string

// AnyVersion stands for whatever version the resource has.
const AnyVersion = "*"

// PreconditionError says that a Precondition does not hold. Nothing was changed.
type PreconditionError struct {
	// Version is the resource's present version as an entity tag.
	Version string
	// Unchanged is set where the resource has a version that it should not have, which tells a reader that what it has
	// is current.
	Unchanged bool
}

func (e *PreconditionError) Error() string {
	if e.Unchanged {
		return fmt.Sprintf("If-None-Match does not hold: the resource has the version %s", e.Version)
	}
	return fmt.Sprintf("If-Match does not hold: the resource has the version %s; read it again and decide anew", e.Version)
}

func (p Precondition) demands() bool { return p.Match != nil || p.NoneMatch != nil }

// Check returns a *PreconditionError unless p holds of a version. Match comes first (RFC 9110 section 13.2.2).
func (p Precondition) Check(version int64) error {
	if !p.demands() {
		return nil
	}
	tag := Version(version)
	switch {
	case p.Match != nil && !p.Match.contain(tag):
		return &PreconditionError{Version: tag}
	case p.NoneMatch != nil && p.NoneMatch.contain(tag):
		return &PreconditionError{Version: tag, Unchanged: true}
	}
	return nil
}

// contain compares weakly: every version of ours is weak, because two answers of one version can differ in what was
// asked for, and the strong comparison that RFC 9110 has for If-Match would then never hold. RFC 7644 section 3.14 shows
// weak tags in If-Match.
func (v Versions) contain(tag string) bool {
	for _, one := range v {
		if one == AnyVersion || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
