package controllers

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// The server holds the mark in the directory, which is still the former tenant's, against the adoption.
func TestAnAdoptionStandsWhileTheEntraTenantIDIsCorrected(t *testing.T) {
	t.Parallel()
	const mistyped, right = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	tenant := contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: mistyped})
	})
	mark := ownership.Volume{Identity: ownership.Of(tenant), AdoptedFrom: "elsewhere/fabrikam/" + right}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: "customers", Name: "contoso-data", UID: "uid-claim", Annotations: map[string]string{desired.AnnotationOwner: mark.Encode()},
	}}
	tenant.Spec.Entra().TenantID = right
	s := &scope{tenant: tenant}
	if err := s.judgeClaim(claim); err != nil {
		t.Fatal(err)
	}
	if owner := s.storage.claim.Owner; owner.Identity != ownership.Of(tenant) || owner.AdoptedFrom != mark.AdoptedFrom || s.adoptedFrom() != mark.AdoptedFrom {
		t.Errorf("the claim is marked %+v, and the server is told %q", owner, s.adoptedFrom())
	}
}

// The directory is missing until it is restored or given up, although an edit of the status takes away which it is.
func TestAMissingDirectoryThatTheStatusLostIsStillMissing(t *testing.T) {
	t.Parallel()
	tenant := contoso(func(p *v1alpha1.ProvisioningTenant) { p.Status.Directory = &v1alpha1.DirectoryStatus{ID: "d5f4"} })
	judge := func() string {
		s := &scope{tenant: tenant}
		stalled, _ := errors.AsType[*Stalled](s.judgeClaim(nil))
		if stalled == nil {
			return ""
		}
		meta.SetStatusCondition(&tenant.Status.Conditions, metav1.Condition{
			Type: stalled.Condition, Status: metav1.ConditionFalse, Reason: stalled.Reason, Message: stalled.Message,
		})
		return stalled.Message
	}
	first := judge()
	tenant.Status.Directory = nil
	if second, third := judge(), judge(); first == "" || second != first || third != first {
		t.Errorf("first %q, then %q, then %q", first, second, third)
	}
	tenant.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: ownership.Anew("d5f4")}
	if got := judge(); got != "" {
		t.Errorf("it was given up, and the tenant waits: %s", got)
	}
}
