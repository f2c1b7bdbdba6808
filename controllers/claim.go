package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// claimKey names the volume claim.
func (s *scope) claimKey() client.ObjectKey {
	return client.ObjectKey{Namespace: s.tenant.Namespace, Name: desired.DataName(s.tenant.Name)}
}

// claimFrom returns the tenant's volume claim, or nil where there is none. taken is an error of apply.IsTaken where there is one
// that is not the tenant's.
func (s *scope) claimFrom(ctx context.Context, from client.Reader) (found *corev1.PersistentVolumeClaim, taken, err error) {
	var claim corev1.PersistentVolumeClaim
	err = from.Get(ctx, s.claimKey(), &claim)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("get the volume claim: %w", err)
	case s.owner.Owns(&claim, retainedFor(s.tenant.Name)):
		return &claim, nil, nil
	}
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: claim.ObjectMeta}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
	return nil, s.owner.Guard(metadata, nil), nil
}

// applyClaim applies the volume claim. Where the API server refuses to let it grow it keeps its size, and all else of it is as it should be.
func (r *ProvisioningTenantReconciler) applyClaim(ctx context.Context, s *scope, child apply.Child) (int64, error) {
	generation, err := s.owner.Apply(ctx, child)
	if kept, refused := s.storage.KeepsSize(err); refused != nil {
		s.fail(refused)
		s.storage = kept
		generation, err = s.owner.Apply(ctx, claimChild(s.desired(r.Options), s.storage.Found))
	}
	if err == nil && s.storage.TakesUp != "" && s.memory.takenUp != s.storage.Found.UID {
		s.memory.takenUp = s.storage.Found.UID
		r.Events.Eventf(s.tenant, nil, corev1.EventTypeNormal, "VolumeTakenUp", "Reconcile", "%s", s.storage.TakesUp)
	}
	return generation, err
}

// retainedFor recognises a volume claim that a tenant of this name left behind: by its labels, or where someone took
// them off, by who applied it.
func retainedFor(tenant string) func(metav1.Object) bool {
	return func(claim metav1.Object) bool {
		return desired.Labelled(claim, tenant) || slices.ContainsFunc(claim.GetManagedFields(), apply.IsOwn)
	}
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
