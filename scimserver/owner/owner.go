// Package owner decides whether a server may serve the directory that it finds where its own should be: in a schema that a connection URL
// leads to, or on a volume.
//
// Each directory has a mark that says whose it is. A server holds the mark against its settings before it reads anything else:
//
//  1. A directory of the tenant is served. One without a mark is of an earlier version, and is marked.
//  2. Another tenant's is refused, until the annotation adopt-directory names it as its mark does. One of the tenant with another Entra tenant ID
//     is taken up where nothing was ever written into it: the ID was mistyped.
//  3. Where the tenant's status names a directory and there is none, no empty one is made in its place, until the annotation says so.
//  4. A tenant that differs in its UID alone was made again. It, and one that adopts a directory, waits until no server of the former tenant
//     has renewed its hold for HeldFor: two that were told to take one directory do not take it from each other.
package owner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// RenewAfter is how old a hold is when it is renewed.
	RenewAfter = time.Minute
	// HeldFor is for how long a hold counts that is not renewed.
	HeldFor = 3 * time.Minute
)

// Store is a store.Store that was opened with a Guard. It is unavailable, with an error that is a *Refusal, while the directory that was
// found may not be served.
type Store interface {
	store.Store

	// Review looks again whose the directory is. It is to be called whenever the settings have changed, and now and then, because another
	// server may have taken the directory over.
	Review(ctx context.Context) error
}

// Identity is whose a directory is.
type Identity = ownership.Identity

// Mark is what a directory says of itself.
type Mark struct {
	// Directory is random, and made with the directory. Copies have the same.
	Directory string `json:"directory"`
	// InPlaceOf is the directory that the tenant had before, where an administrator has said so.
	InPlaceOf string `json:"inPlaceOf,omitempty"`
	Identity
}

// Encode returns the mark as it is kept.
func (m Mark) Encode() string {
	text, _ := json.Marshal(m) // strings alone
	return string(text)
}

// String names the directory and whose it is, as the annotation does that adopts it: NAMESPACE/NAME/ENTRA-TENANT-ID/DIRECTORY, without
// the third where there is none.
func (m Mark) String() string { return ownership.Adoption(m.Identity, m.Directory) }

// Claim is what a server knows of its tenant and of its directory.
type Claim struct {
	Identity
	// Known is the directory that the tenant had when it was last served, "" for none.
	Known string
	// Held is as whom this process holds the directory, the zero Identity if it does not.
	Held Identity
	// Adopt is the annotation adopt-directory.
	Adopt string
	// AdoptedVolume is the ownership.Identity.Path of the tenant whose volume claim was adopted, where the operator has seen that
	// annotation and claim agree and no directory of the tenant was served yet.
	AdoptedVolume string
	// Gone says that the ProvisioningTenant was deleted, so that it keeps nobody else from the directory, and takes it from nobody.
	Gone bool
}

// Found is what there is.
type Found struct {
	There bool   // a directory, with a mark or without
	Mark  string // as it is kept, "" for none
	// Untouched says that nothing was ever written into the directory: it has no resource, and no entry of its log.
	Untouched bool
	// Elsewhere are directories in other places, where that was looked at because there is none here.
	Elsewhere []Elsewhere
	// Seen is when the holder of the mark renewed its hold last, and Now the time, both by the clock of the engine; zero where a directory
	// cannot be open twice.
	Seen, Now time.Time
}

// Elsewhere is a directory in another place than that of a tenant.
type Elsewhere struct {
	Place string // in words for an administrator
	Mark  string // as it is kept
}

// Refusal says why a directory is not served. It is a store.ErrUnavailable.
type Refusal struct {
	Reason string // of condition StorageReady; "" where that is not concerned
	text   string
}

func (r *Refusal) Error() string { return r.text }

// Cause is the reason of condition StorageReady.
func (r *Refusal) Cause() string { return r.Reason }

// Is makes it a store.ErrUnavailable.
func (*Refusal) Is(target error) bool { return target == store.ErrUnavailable }

// ErrNoSettings says that it is not known yet whose directory is to be served.
var ErrNoSettings error = &Refusal{text: "no settings yet"}

// Verdict is what becomes of a directory that may be served.
type Verdict struct {
	Mark Mark   // that it is to have
	Note string // what an administrator should know, "" for nothing
}

// Judge decides about what was found. The error is a *Refusal.
func (c Claim) Judge(found Found) (Verdict, error) {
	c.Identity = c.Canonical()
	if !found.There || found.Mark == "" {
		return c.unmarked(found)
	}
	var mark Mark
	if err := json.Unmarshal([]byte(found.Mark), &mark); err != nil || mark.Directory == "" {
		return Verdict{}, foreign("the directory that is there has a mark which this version cannot read")
	}
	adopted := ownership.Asks(c.Adopt, mark.String()) || c.AdoptedVolume != "" && c.AdoptedVolume == mark.Canonical().Path()
	renamed := c.Namespace == mark.Namespace && c.Name == mark.Name && !c.SameEntra(mark.Identity)
	expected := c.Known == "" || c.Known == mark.Directory || c.Known == mark.InPlaceOf
	switch {
	case adopted:
	case found.Untouched && expected && renamed:
	case renamed:
		return Verdict{}, foreign("the directory that is there is of tenant %s, not of %s; "+
			"set spec.identityProvider.entra.tenantID back if that was changed, or %s; to give this other Entra tenant all that is in the directory, %s",
			mark.Identity, c.Identity, correct, annotate(mark.String()))
	case !c.Owns(mark.Identity):
		return Verdict{}, foreign("the directory that is there is of tenant %s, not of %s; %s, or to take it from that tenant, %s",
			mark.Identity, c.Identity, correct, annotate(mark.String()))
	case c.Gone && mark.UID != "" && mark.UID != c.UID:
		return Verdict{}, foreign("the directory that is there is that of another ProvisioningTenant %s, with the UID %s; the one with the UID %s was deleted",
			c.Identity, mark.UID, c.UID)
	case !expected:
		return Verdict{}, foreign("the directory that is there is %s, and that of the tenant is %s; %s, or to serve the other nevertheless, %s",
			mark.Directory, c.Known, correct, annotate(mark.String()))
	}
	if idle := found.Now.Sub(found.Seen); !found.Seen.IsZero() && idle < HeldFor && c.follows(mark) && c.Held != mark.Identity {
		return Verdict{}, foreign("the directory that is there is served for %s, whose server was last seen %s ago; it is tried again, and succeeds"+
			" when that was not seen for %s", another(mark.Identity), max(idle, 0).Truncate(time.Second), HeldFor)
	}
	return c.take(mark, expected, adopted), nil
}

// follows tells whether the tenant is another ProvisioningTenant than that of a mark, as far as their UIDs tell.
func (c Claim) follows(m Mark) bool {
	if c.Owns(m.Identity) && (c.UID == "" || m.UID == "") {
		return false
	}
	return c.UID == "" || c.UID != m.UID
}

func another(i Identity) string {
	text := "another ProvisioningTenant " + i.Namespace + "/" + i.Name
	if i.UID != "" {
		text += ", with the UID " + i.UID
	}
	return text
}

// take makes a directory the tenant's. An Entra tenant ID or a UID that the tenant lacks stays in the mark.
func (c Claim) take(mark Mark, expected, adopted bool) Verdict {
	former := mark
	owned := c.Owns(mark.Identity)
	mark.Identity = c.Over(mark.Identity)
	if !expected {
		mark.InPlaceOf = c.Known
	}
	switch {
	case !owned && !adopted:
		return Verdict{mark, "took up the directory " + former.String() + ", into which nothing was written yet, with another Entra tenant ID"}
	case !owned || !expected:
		return Verdict{mark, "adopted the directory " + former.String() + ", as the annotation says"}
	case mark != former:
		return Verdict{mark, "brought the mark of the directory up to date with the tenant"}
	}
	return Verdict{mark, ""}
}

// unmarked decides about a directory without a mark, or about making one.
func (c Claim) unmarked(found Found) (Verdict, error) {
	mark := Mark{Directory: uuid.NewString(), Identity: c.Identity}
	value, note := ownership.Anew, "made an empty directory"
	where := ""
	if other, ok := c.elsewhere(found); ok {
		c.Known, where = other.directory, "; there is one of it in "+other.Place
	}
	if found.There {
		value, note = ownership.AsItIs, "marked the directory of an earlier version as the tenant's"
	}
	switch {
	case c.Known == "":
		return Verdict{mark, note}, nil
	case ownership.Asks(c.Adopt, value(c.Known)):
		mark.InPlaceOf = c.Known
		return Verdict{mark, note + " in place of " + c.Known + ", as the annotation says"}, nil
	case found.There:
		return Verdict{}, foreign("the directory that is there has no mark that says whose it is, and that of the tenant, %s, has one; %s, or to"+
			" serve it nevertheless, %s", c.Known, correct, annotate(value(c.Known)))
	}
	return Verdict{}, &Refusal{v1alpha1.ReasonDirectoryMissing, fmt.Sprintf(
		"there is no directory where that of the tenant, %s, should be%s; %s, restore it, or to begin with an empty one, %s",
		c.Known, where, correct, annotate(value(c.Known)))}
}

type other struct {
	Elsewhere
	directory string
}

// elsewhere is the tenant's directory in another place, if one is there. Which one a tenant has that is not known to have one, its mark says.
func (c Claim) elsewhere(found Found) (other, bool) {
	for _, there := range found.Elsewhere {
		var mark Mark
		if json.Unmarshal([]byte(there.Mark), &mark) == nil && c.Owns(mark.Identity) && (c.Known == "" || c.Known == mark.Directory) {
			return other{there, mark.Directory}, true
		}
	}
	return other{}, false
}

// correct is what most who see a refusal have to do.
const correct = "correct where the storage leads"

// SameTenant tells whether a directory may be copied to the place of another. Their marks are as they are kept; the place may have none.
func SameTenant(own, there string) bool {
	var from, to Mark
	if there == "" {
		return true
	}
	if json.Unmarshal([]byte(own), &from) != nil || json.Unmarshal([]byte(there), &to) != nil {
		return false
	}
	return from.Owns(to.Identity)
}

func foreign(format string, args ...any) *Refusal {
	return &Refusal{v1alpha1.ReasonForeignDirectory, fmt.Sprintf(format, args...)}
}

func annotate(value string) string {
	return "annotate the ProvisioningTenant with " + v1alpha1.AdoptDirectoryAnnotation + ": " + value
}
