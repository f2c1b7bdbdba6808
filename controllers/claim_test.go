package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// The server holds the mark in the directory, which is still the former tenant's, against the adoption.
func TestAnAdoptionStandsWhileTheEntraTenantIDIsCorrected(t *testing.T) {
	t.Parallel()
	const mistyped, right = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	tenant := contoso(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra = &v1alpha1.Entra{TenantID: mistyped} })
	mark := ownership.Volume{Identity: ownership.Of(tenant), AdoptedFrom: "elsewhere/fabrikam/" + right}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: "customers", Name: "contoso-data", UID: "uid-claim", Annotations: map[string]string{desired.AnnotationOwner: mark.Encode()},
	}}
	tenant.Spec.Entra.TenantID = right
	s := &scope{tenant: tenant}
	if err := s.judgeClaim(claim); err != nil {
		t.Fatal(err)
	}
	if owner := s.storage.claim.Owner; owner.Identity != ownership.Of(tenant) || owner.AdoptedFrom != mark.AdoptedFrom || s.adoptedFrom() != mark.AdoptedFrom {
		t.Errorf("the claim is marked %+v, and the server is told %q", owner, s.adoptedFrom())
	}
}
