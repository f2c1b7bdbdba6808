package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// keptByTools are annotations of the claim that keep tools from deleting it which think that it is theirs: because somebody wrote it
// into Git to restore a directory, and took it out again. Each is read from the object in the cluster.
func keptByTools() map[string]string {
	return map[string]string{
		"argocd.argoproj.io/sync-options":    "Prune=false,Delete=false",
		"argocd.argoproj.io/compare-options": "IgnoreExtraneous", // an Application is not out of sync because of it
		"kustomize.toolkit.fluxcd.io/prune":  "disabled",
		"helm.sh/resource-policy":            "keep",
	}
}

// AnnotationOwner on a volume claim says whose it is, as ownership.Volume writes it: a name alone is given to the next tenant that wants it.
const AnnotationOwner = v1alpha1.GroupName + "/owner"

// Claim is what the volume claim follows from beside the spec.
type Claim struct {
	// Size that the claim asks for.
	Size resource.Quantity
	// AccessModes and StorageClass of the volume. Where they are empty they stay as somebody else has set them, or get the default.
	AccessModes  []corev1.PersistentVolumeAccessMode
	StorageClass string
	// Owner is whose the claim is.
	Owner ownership.Volume
}

// NewClaim is the claim of a tenant that has none.
func NewClaim(tenant *v1alpha1.ProvisioningTenant) *Claim {
	spec := tenant.Spec.Storage.SQLite
	return &Claim{
		Size: spec.Size, StorageClass: spec.StorageClassName, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Owner: ownership.Volume{Identity: ownership.Of(tenant)},
	}
}

// DataClaim is the claim for the volume of the directory. Under deletionPolicy Retain it has no owner, so that garbage
// collection leaves it; its labels and its mark say whose it is, and the tenant takes it up again when it is made again.
// After its directory moved to PostgreSQL it stays, with a mark.
func DataClaim(t Tenant) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(t.Claim.AccessModes...).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: t.Claim.Size}))
	if t.Claim.StorageClass != "" {
		spec.WithStorageClassName(t.Claim.StorageClass)
	}
	claim := corev1ac.PersistentVolumeClaim(DataName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithAnnotations(keptByTools()).
		WithAnnotations(map[string]string{AnnotationOwner: t.Claim.Owner.Encode()}).
		WithSpec(spec)
	if t.Moved {
		claim.WithAnnotations(map[string]string{AnnotationMovedTo: string(v1alpha1.StoragePostgreSQL)})
	}
	if t.Resource.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete {
		claim.WithOwnerReferences(owner(t.Resource))
	}
	return claim
}
