package desired

import (
	"path"

	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	volumeData     = "data"
	volumeDatabase = "database"
	// volumeAuthorities has the platform's own certificate authorities.
	volumeAuthorities = "authorities"

	// settingsSize bounds what a server without a volume of its own keeps on its node: the last known good settings.
	settingsSize = "64Mi"
	// secretMode lets the server's group read, which the kubelet gives the files to.
	secretMode = int32(0o440)
)

// SchemaName is the schema of a database that keeps a tenant's directory.
func SchemaName(namespace, name string) string { return v1alpha1.DatabaseSchema(namespace, name) }

// usesDatabase tells whether the server needs the connection URL.
func usesDatabase(t Tenant) bool { return t.Engine == v1alpha1.StoragePostgreSQL }

// databaseArgs tell which database and schema keep the directory.
func databaseArgs(t Tenant) []string {
	return []string{
		"--database-url-file=" + path.Join(v1alpha1.DatabasePath, t.Resource.Spec.Storage.PostgreSQL.ConnectionSecretRef.Key),
		"--database-schema=" + SchemaName(t.Resource.Namespace, t.Resource.Name),
	}
}

// settingsVolume keeps the last known good settings of a server that has its directory in a database.
func settingsVolume() *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(volumeData).
		WithEmptyDir(corev1ac.EmptyDirVolumeSource().WithSizeLimit(resource.MustParse(settingsSize)))
}

// claimVolume is the tenant's volume.
func claimVolume(t Tenant) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(volumeData).WithPersistentVolumeClaim(
		corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(DataName(t.Resource.Name)))
}

// databaseVolume is the whole Secret with the connection URL, for certificates may be in it too. The kubelet brings its files
// up to date when it changes.
func databaseVolume(t Tenant) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(volumeDatabase).WithSecret(corev1ac.SecretVolumeSource().
		WithSecretName(t.Resource.Spec.Storage.PostgreSQL.ConnectionSecretRef.Name).
		WithDefaultMode(secretMode))
}

func databaseMount() *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(volumeDatabase).WithMountPath(v1alpha1.DatabasePath).WithReadOnly(true)
}
