package controllers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// The volume claim outlives its tenant, so it is judged before anything works with it:
//
//	claim                                                  then
//	none, and the status names no directory                one is made
//	none, where the status names a directory, or did       DirectoryMissing, until one is restored or an empty one adopted
//	somebody else's                                        NameConflict
//	the tenant's own, or without a mark                    it is used, and marked
//	with another Entra tenant ID, namespace or name        ForeignDirectory, until adopted; of a tenant whose ID was edited and whose server
//	                                                       has counted nobody, the server decides
//	being deleted                                          ClaimTerminating: a restart of the server would end what is left of it
//
// The mark on the claim is what is known before a server runs. That in the directory decides: see package owner of the server. An adoption
// satisfies both, because the operator tells the server in the status from whom the claim was adopted.

// claimKey names the volume claim.
func (s *scope) claimKey() client.ObjectKey {
	return client.ObjectKey{Namespace: s.tenant.Namespace, Name: desired.DataName(s.tenant.Name)}
}

// findClaim returns the tenant's volume claim, or nil where there is none. A look past the cache tells where that has none that should be
// there, and before the status says that the claim is retained.
func (r *ProvisioningTenantReconciler) findClaim(ctx context.Context, s *scope) (*corev1.PersistentVolumeClaim, error) {
	before := s.tenant.Status.Storage
	if before != nil && before.DeletionPolicy == v1alpha1.DeletionPolicyDelete && s.tenant.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete {
		return claimFrom(ctx, r.Live, s)
	}
	claim, err := claimFrom(ctx, r, s)
	if claim == nil && (err != nil && isTaken(err) || err == nil && len(s.tenant.Status.Conditions) > 0) {
		return claimFrom(ctx, r.Live, s)
	}
	return claim, err
}

// claimFrom returns the tenant's volume claim, or nil where there is none. The error is one of isTaken where it is not the tenant's.
func claimFrom(ctx context.Context, from client.Reader, s *scope) (*corev1.PersistentVolumeClaim, error) {
	var claim corev1.PersistentVolumeClaim
	err := from.Get(ctx, s.claimKey(), &claim)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get the volume claim: %w", err)
	case s.owner.Owns(&claim, retainedFor(s.tenant.Name)):
		return &claim, nil
	}
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: claim.ObjectMeta}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
	return nil, s.owner.Guard(metadata, nil)
}

// isTaken tells whether an error says that the name of an object is taken.
func isTaken(err error) bool {
	var stranger *apply.NotOursError
	var going *apply.GoingError
	return errors.As(err, &stranger) || errors.As(err, &going)
}

// claimTaken says why the tenant may not work with a claim that is not its own. One that an owner of before takes with it goes for good, and
// with it the directory that the tenant was served from.
func (s *scope) claimTaken(err error) error {
	if _, going := errors.AsType[*apply.GoingError](err); going && directoryID(s.tenant) != "" {
		return claimTerminating(s.claimKey().Name)
	}
	return problem.Classify(err, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected)
}

func claimTerminating(name string) error {
	return &Waiting{
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

// judgeClaim finds what the volume claim should be, or returns why the tenant may not work with the one that is there. It is nil where there
// is none.
func (s *scope) judgeClaim(claim *corev1.PersistentVolumeClaim) error {
	s.storage.found = claim
	if claim == nil {
		if missing := cmp.Or(directoryID(s.tenant), missingDirectory(s.tenant)); missing != "" && !s.adopts(ownership.Anew(missing)) {
			return &Stalled{
				Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonDirectoryMissing, Recheck: problem.RecheckConflict,
				Message: fmt.Sprintf("Volume claim %s is gone, and directory %s with it. Restore the claim; or to begin with an empty directory, %s",
					s.claimKey().Name, missing, annotate(ownership.Anew(missing))),
			}
		}
		s.storage.claim = desired.NewClaim(s.tenant)
		return nil
	}
	if claim.DeletionTimestamp != nil {
		return claimTerminating(claim.Name)
	}
	owner, refused := s.ownerOf(claim)
	if refused != nil {
		return refused
	}
	s.storage.claim = presentClaim(s.tenant, claim)
	s.storage.claim.Owner = owner
	if mark, marked := ownership.DecodeVolume(claim.Annotations[desired.AnnotationOwner]); !marked || mark.UID != owner.UID {
		s.storage.takesUp = takesUp(claim, mark, marked)
	}
	return nil
}

// ownerOf returns whose the claim is from now on, or why it stays another's.
func (s *scope) ownerOf(claim *corev1.PersistentVolumeClaim) (ownership.Volume, error) {
	tenant := ownership.Of(s.tenant)
	mark, marked := ownership.DecodeVolume(claim.Annotations[desired.AnnotationOwner])
	switch {
	case !marked:
		return ownership.Volume{Identity: tenant}, nil
	case tenant.Owns(mark.Identity):
		owner := ownership.Volume{Identity: tenant.Over(mark.Identity)}
		if mark.UID == owner.UID {
			owner.AdoptedFrom = mark.AdoptedFrom
		}
		return owner, nil
	case mark.UID == tenant.UID && countsNobody(s.tenant):
		// The ID may have been mistyped. The server knows whether anything was ever written.
		return ownership.Volume{Identity: tenant, AdoptedFrom: mark.AdoptedFrom}, nil
	}
	// The directory by its own id, where that is known; and where no server has told it, by the claim.
	id := directoryID(s.tenant)
	if id == "" {
		id = string(claim.UID)
	}
	adoption := ownership.Adoption(mark.Identity, id)
	if s.adopts(adoption) {
		return ownership.Volume{Identity: tenant, AdoptedFrom: mark.Path()}, nil
	}
	message := fmt.Sprintf("Volume claim %s, %s, is of tenant %s, and not of %s. Nothing of it is read. Give this tenant another name; "+
		"or to hand over to it the directory with its users and groups, %s", claim.Name, sizeAndAge(claim), mark.Identity, tenant, annotate(adoption))
	if mark.UID == tenant.UID {
		message = fmt.Sprintf("Volume claim %s holds what Entra tenant %s has provisioned, and spec.identityProvider.entra.tenantID is %s now. "+
			"It is not served, so that nobody reads the people of another organisation. Set spec.identityProvider.entra.tenantID back; "+
			"or to hand over the directory with its users and groups, %s", claim.Name, mark.EntraTenantID, tenant.EntraTenantID, annotate(adoption))
	}
	return ownership.Volume{}, &Stalled{Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonForeignDirectory, Message: message}
}

// adopts tells whether annotation adopt-directory has that value.
func (s *scope) adopts(value string) bool {
	return ownership.Asks(s.tenant.Annotations[v1alpha1.AdoptDirectoryAnnotation], value)
}

func annotate(value string) string {
	return "annotate the ProvisioningTenant with " + v1alpha1.AdoptDirectoryAnnotation + ": " + value
}

// adoptedFrom is what the status tells the server: from whom the volume was adopted, until a directory is served.
func (s *scope) adoptedFrom() string {
	if s.storage.claim == nil || directoryID(s.tenant) != "" {
		return ""
	}
	return s.storage.claim.Owner.AdoptedFrom
}

// effectivePolicy is what becomes of the volume claim when the tenant is deleted now.
func (s *scope) effectivePolicy() v1alpha1.DeletionPolicy {
	if s.tenant.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete || s.storage.found != nil && metav1.GetControllerOf(s.storage.found) != nil {
		return v1alpha1.DeletionPolicyDelete
	}
	return v1alpha1.DeletionPolicyRetain
}

// presentClaim is the claim that a tenant has, as it should be. Of one that is there nothing can change but its size, and that only
// once it is bound, and only upwards. So a claim that was restored with another class or access mode is taken as it is.
func presentClaim(tenant *v1alpha1.ProvisioningTenant, claim *corev1.PersistentVolumeClaim) *desired.Claim {
	present := desired.Claim{Size: claim.Spec.Resources.Requests[corev1.ResourceStorage]}
	if wanted := tenant.Spec.Storage.SQLite.Size; wanted.Cmp(present.Size) > 0 && claim.Status.Phase == corev1.ClaimBound {
		present.Size = wanted
	}
	// A field that was applied once is applied as it is: leaving it out would take it away.
	if hasApplied(claim, "f:accessModes") {
		present.AccessModes = claim.Spec.AccessModes
	}
	if hasApplied(claim, "f:storageClassName") {
		present.StorageClass = ptr.Deref(claim.Spec.StorageClassName, "")
	}
	return &present
}

// applyClaim applies the volume claim. Where the API server refuses to let it grow it keeps its size, and all else of it is as it should be.
func (r *ProvisioningTenantReconciler) applyClaim(ctx context.Context, s *scope, child apply.Child) (int64, error) {
	generation, err := s.owner.Apply(ctx, child)
	if refused := problem.Classify(err, v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonExpansionRefused); refused != nil && s.grows() {
		var stalled *Stalled
		if errors.As(refused, &stalled) && stalled.Reason == v1alpha1.ReasonExpansionRefused {
			size := s.storage.found.Spec.Resources.Requests[corev1.ResourceStorage]
			s.fail(&Stalled{
				Condition: stalled.Condition, Reason: stalled.Reason, Recheck: recheckExpansion,
				Message: fmt.Sprintf("Volume claim %s stays at %s, because it cannot grow: %s. Set spec.storage.sqlite.size back to %s, or let its "+
					"StorageClass allow expansion.", s.storage.found.Name, size.String(), strings.TrimSuffix(problem.FirstLine(problem.APIWords(err)), "."), size.String()),
			})
			s.storage.claim.Size = size
			generation, err = s.owner.Apply(ctx, claimChild(s.desired(r.Options), s.storage.found))
		}
	}
	if err == nil && s.storage.takesUp != "" {
		r.Events.Eventf(s.tenant, nil, corev1.EventTypeNormal, "VolumeTakenUp", "Reconcile", "%s", s.storage.takesUp)
	}
	return generation, err
}

// claimChild is the volume claim; found is the one that was judged, or nil.
func claimChild(t desired.Tenant, found *corev1.PersistentVolumeClaim) apply.Child {
	claim := desired.DataClaim(t)
	if found != nil {
		claim.WithUID(found.UID) // and no other: one that went meanwhile must not come back without what was on it
	}
	child := apply.New(claim, &corev1.PersistentVolumeClaim{}).Adopting(retainedFor(t.Resource.Name))
	switch {
	case t.Engine == v1alpha1.StoragePostgreSQL:
		return child.Existing() // it may be deleted any moment: the directory has left it
	case found == nil:
		return child.Absent() // whose one that is there would be was not judged
	}
	return child
}

// grows tells whether the claim is to be larger than it is.
func (s *scope) grows() bool {
	return s.storage.found != nil && s.storage.claim.Size.Cmp(s.storage.found.Spec.Resources.Requests[corev1.ResourceStorage]) > 0
}

// observeSize tells how the claim that is there differs from spec.storage.sqlite.
func (s *scope) observeSize(claim *corev1.PersistentVolumeClaim) {
	wanted := s.tenant.Spec.Storage.SQLite.Size
	asked, there := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	class := ptr.Deref(claim.Spec.StorageClassName, "")
	switch {
	case claim.Name == "" || s.has(v1alpha1.ConditionStorageInEffect):
	case wanted.Cmp(asked) > 0 && claim.Status.Phase != corev1.ClaimBound:
		s.found(conditions.False(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonClaimPending,
			fmt.Sprintf("Volume claim %s asks for %s, and for %s when it is bound.", claim.Name, asked.String(), wanted.String())))
	case !there.IsZero() && there.Cmp(asked) < 0:
		s.found(conditions.False(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonProgressing,
			fmt.Sprintf("The volume of claim %s grows from %s to %s. If this lasts, kubectl describe pvc -n %s %s tells why.",
				claim.Name, there.String(), asked.String(), claim.Namespace, claim.Name)))
	case wanted.Cmp(asked) < 0:
		s.found(conditions.True(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonInEffect,
			fmt.Sprintf("Volume claim %s stays at %s, which is more than spec.storage.sqlite.size: volumes cannot shrink.", claim.Name, asked.String())))
	case s.tenant.Spec.Storage.SQLite.StorageClassName != "" && class != s.tenant.Spec.Storage.SQLite.StorageClassName:
		s.found(conditions.True(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonInEffect,
			fmt.Sprintf("Volume claim %s was there with class %q, and a claim cannot change its class.", claim.Name, class)))
	}
}

// hasApplied tells whether the operator manages a field, of which no other has the name.
func hasApplied(object metav1.Object, field string) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return apply.IsOwn(entry) && entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"`+field+`"`))
	})
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
