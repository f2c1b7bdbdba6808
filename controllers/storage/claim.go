package storage

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// recheckExpansion costs a write that is refused each time.
const recheckExpansion = 5 * time.Minute

// claimTaken says why the tenant may not work with a claim that is not its own. A claim that an owner of before takes with it goes for good, and
// with it the directory that the tenant was served from.
func claimTaken(tenant *v1alpha1.ProvisioningTenant, err error) error {
	if _, going := errors.AsType[*apply.GoingError](err); going && directoryID(tenant) != "" {
		return claimTerminating(desired.DataName(tenant.Name))
	}
	return problem.Classify(err, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected)
}

func claimTerminating(name string) error {
	return &problem.Waiting{
		Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonClaimTerminating, After: problem.RecheckGoing,
		Message: fmt.Sprintf("Volume claim %s is being deleted, and the directory on it goes when no pod uses it any more. "+
			"That cannot be taken back: while the server runs, export the directory.", name),
	}
}

// directoryID is the directory that the tenant was served from last, "" for none.
func directoryID(tenant *v1alpha1.ProvisioningTenant) string {
	if tenant.Status.Directory == nil {
		return ""
	}
	return tenant.Status.Directory.ID
}

// missingDirectory is the directory that condition StorageReady says is missing, "" for none. It is missing although status.directory was lost
// since, which an edit or an older CustomResourceDefinition does and no server is there to mend.
func missingDirectory(tenant *v1alpha1.ProvisioningTenant) string {
	told := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionStorageReady)
	if told == nil || told.Reason != v1alpha1.ReasonDirectoryMissing {
		return ""
	}
	_, missing, _ := strings.Cut(told.Message, annotate(ownership.Anew("")))
	return strings.TrimSuffix(missing, ".")
}

// countsNobody tells whether the tenant's server has reported neither users nor groups, or nothing yet.
func countsNobody(tenant *v1alpha1.ProvisioningTenant) bool {
	counted := tenant.Status.Directory
	return counted == nil || counted.ObservedTime != nil && counted.Users == 0 && counted.Groups == 0
}

// judgeClaim decides what the volume claim should be, or why the tenant may not work with the one that is there. The claim is nil where there is none.
func judgeClaim(tenant *v1alpha1.ProvisioningTenant, claim *corev1.PersistentVolumeClaim) Decision {
	if claim == nil {
		if missing := cmp.Or(directoryID(tenant), missingDirectory(tenant)); missing != "" && !adopts(tenant, ownership.Anew(missing)) {
			return Decision{Refused: &problem.Stalled{
				Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonDirectoryMissing, Recheck: problem.RecheckConflict,
				Message: fmt.Sprintf("Volume claim %s is gone, and directory %s with it. Restore the claim; or to begin with an empty directory, %s",
					desired.DataName(tenant.Name), missing, annotate(ownership.Anew(missing))),
			}}
		}
		return Decision{Claim: desired.NewClaim(tenant)}
	}
	if claim.DeletionTimestamp != nil {
		return Decision{Found: claim, Refused: claimTerminating(claim.Name)}
	}
	owner, refused := ownerOf(tenant, claim)
	if refused != nil {
		return Decision{Found: claim, Refused: refused}
	}
	d := Decision{Found: claim, Claim: presentClaim(tenant, claim)}
	d.Claim.Owner = owner
	if mark, marked := ownership.DecodeVolume(claim.Annotations[desired.AnnotationOwner]); !marked || mark.UID != owner.UID {
		d.TakesUp = takesUp(claim, mark, marked)
	}
	return d
}

// ownerOf returns whose the claim is from now on, or why it stays another's.
func ownerOf(tenant *v1alpha1.ProvisioningTenant, claim *corev1.PersistentVolumeClaim) (ownership.Volume, error) {
	identity := ownership.Of(tenant)
	mark, marked := ownership.DecodeVolume(claim.Annotations[desired.AnnotationOwner])
	switch {
	case !marked:
		return ownership.Volume{Identity: identity}, nil
	case identity.Owns(mark.Identity):
		owner := ownership.Volume{Identity: identity.Over(mark.Identity)}
		if mark.UID == owner.UID {
			owner.AdoptedFrom = mark.AdoptedFrom
		}
		return owner, nil
	case mark.UID == identity.UID && countsNobody(tenant):
		// The ID may have been mistyped. The server knows whether anything was ever written.
		return ownership.Volume{Identity: identity, AdoptedFrom: mark.AdoptedFrom}, nil
	}
	// The directory by its own id, where that is known; and where no server has told it, by the claim.
	adoption := ownership.Adoption(mark.Identity, cmp.Or(directoryID(tenant), string(claim.UID)))
	if adopts(tenant, adoption) {
		return ownership.Volume{Identity: identity, AdoptedFrom: mark.Path()}, nil
	}
	message := fmt.Sprintf("Volume claim %s, %s, is of tenant %s, and not of %s. Nothing of it is read. Give this tenant another name; "+
		"or to hand over to it the directory with its users and groups, %s", claim.Name, sizeAndAge(claim), mark.Identity, identity, annotate(adoption))
	if mark.UID == identity.UID {
		message = fmt.Sprintf("Volume claim %s holds what Entra tenant %s has provisioned, and spec.identityProvider.entra.tenantID is %s now. "+
			"It is not served, so that nobody reads the people of another organisation. Set spec.identityProvider.entra.tenantID back; "+
			"or to hand over the directory with its users and groups, %s", claim.Name, mark.EntraTenantID, identity.EntraTenantID, annotate(adoption))
	}
	return ownership.Volume{}, &problem.Stalled{
		Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonForeignDirectory, Message: message,
	}
}

// adopts tells whether annotation adopt-directory has that value.
func adopts(tenant *v1alpha1.ProvisioningTenant, value string) bool {
	return ownership.Asks(tenant.Annotations[v1alpha1.AdoptDirectoryAnnotation], value)
}

func annotate(value string) string {
	return "annotate the ProvisioningTenant with " + v1alpha1.AdoptDirectoryAnnotation + ": " + value
}

// takesUp tells of a claim that was there before, in words for an event.
func takesUp(claim *corev1.PersistentVolumeClaim, mark ownership.Volume, marked bool) string {
	from := ""
	if marked {
		from = fmt.Sprintf(", which tenant %s left behind", mark.Identity)
	}
	return fmt.Sprintf("Takes up volume claim %s, %s%s. The directory on it is served on.", claim.Name, sizeAndAge(claim), from)
}

func sizeAndAge(claim *corev1.PersistentVolumeClaim) string {
	return fmt.Sprintf("of %s and from %s", claim.Spec.Resources.Requests.Storage(), claim.CreationTimestamp.UTC().Format(time.RFC3339))
}

// presentClaim is the claim that a tenant has, as it should be. Of one that is there nothing can change but its size, and that only
// once it is bound, and only upwards. So a claim that was restored with another class or access mode is taken as it is.
func presentClaim(tenant *v1alpha1.ProvisioningTenant, claim *corev1.PersistentVolumeClaim) *desired.Claim {
	present := desired.Claim{Size: sizeOf(claim)}
	if wanted := tenant.Spec.Storage.SQLite.Size; wanted.Cmp(present.Size) > 0 && claim.Status.Phase == corev1.ClaimBound {
		present.Size = wanted
	}
	// A field that was applied once is applied as it is: leaving it out would take it away.
	if apply.Manages(claim, "f:accessModes") {
		present.AccessModes = claim.Spec.AccessModes
	}
	if apply.Manages(claim, "f:storageClassName") {
		present.StorageClass = ptr.Deref(claim.Spec.StorageClassName, "")
	}
	return &present
}

// KeepsSize tells what becomes of a claim that the API server did not take with that error. Where it refuses to let the claim grow, KeepsSize returns
// the decision with the size that the claim has, and a *problem.Stalled that says so; otherwise the decision as it is, and nil.
func (d Decision) KeepsSize(err error) (Decision, error) {
	refused := problem.Classify(err, v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonExpansionRefused)
	stalled, isStalled := errors.AsType[*problem.Stalled](refused)
	if !isStalled || stalled.Reason != v1alpha1.ReasonExpansionRefused || d.Found == nil || d.Claim.Size.Cmp(sizeOf(d.Found)) <= 0 {
		return d, nil
	}
	size, smaller := sizeOf(d.Found), *d.Claim
	smaller.Size, d.Claim = size, &smaller
	return d, &problem.Stalled{
		Condition: stalled.Condition, Reason: stalled.Reason, Recheck: recheckExpansion,
		Message: fmt.Sprintf("Volume claim %s stays at %s, because it cannot grow: %s. Set spec.storage.sqlite.size back to %s, or let its "+
			"StorageClass allow expansion.", d.Found.Name, size.String(), strings.TrimSuffix(problem.FirstLine(problem.APIWords(err)), "."), size.String()),
	}
}

// sizeOf is the size that a claim asks for.
func sizeOf(claim *corev1.PersistentVolumeClaim) resource.Quantity {
	return claim.Spec.Resources.Requests[corev1.ResourceStorage]
}
