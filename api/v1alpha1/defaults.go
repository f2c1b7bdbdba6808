package v1alpha1

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SetDefaults fills in what holds where a spec says nothing, for the operator and the SCIM server, which call it on each tenant that they read.
// The API server does not fill these in: nobody could tell then what a tenant asked for, and a class of tenants would have nothing to decide.
func (s *ProvisioningTenantSpec) SetDefaults() {
	s.Exposure.Type = cmp.Or(s.Exposure.Type, ExposureIngress)
	s.Storage.Type = cmp.Or(s.Storage.Type, StorageSQLite)
	if s.Storage.SQLite.Size.IsZero() {
		s.Storage.SQLite.Size = resource.MustParse("1Gi")
	}
	s.Retention.ProvisioningLog = metav1.Duration{Duration: cmp.Or(s.Retention.ProvisioningLog.Duration, 720*time.Hour)}
	s.RateLimit.RequestsPerSecond = cmp.Or(s.RateLimit.RequestsPerSecond, new(int32(200)))
	s.RateLimit.Burst = cmp.Or(s.RateLimit.Burst, new(int32(400)))
	s.DeletionPolicy = cmp.Or(s.DeletionPolicy, DeletionPolicyRetain)
}
