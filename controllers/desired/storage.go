package desired

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

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

// DataClaim is the claim for the volume of the directory. Under deletionPolicy Retain it has no owner, so that garbage
// collection leaves it; its labels say whose it is, and a tenant of the same name takes it up again.
// After its directory moved to PostgreSQL it stays, with a mark.
func DataClaim(t Tenant) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: t.StorageSize}))
	if class := t.Resource.Spec.Storage.SQLite.StorageClassName; class != "" {
		spec.WithStorageClassName(class)
	}
	claim := corev1ac.PersistentVolumeClaim(DataName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithAnnotations(keptByTools()).
		WithSpec(spec)
	if t.Moved {
		claim.WithAnnotations(map[string]string{AnnotationMovedTo: string(v1alpha1.StoragePostgreSQL)})
	}
	if t.Resource.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete {
		claim.WithOwnerReferences(owner(t.Resource))
	}
	return claim
}
