package v1alpha1

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What holds where neither a tenant nor its class says anything.
const (
	DefaultRequestsPerSecond = 200
	DefaultBurst             = 400
	DefaultProvisioningLog   = 720 * time.Hour
	DefaultCABundleKey       = "ca-bundle.crt"
)

// DefaultSize of a volume.
func DefaultSize() resource.Quantity { return resource.MustParse("1Gi") }

// SetDefaults fills in what holds where a spec says nothing, for the operator and the SCIM server, which call it on each tenant that they read.
// The API server does not fill these in: nobody could tell then what a tenant asked for, and a class of tenants would have nothing to decide.
func (s *ProvisioningTenantSpec) SetDefaults() {
	s.Exposure.Type = cmp.Or(s.Exposure.Type, ExposureIngress)
	s.Storage.Type = cmp.Or(s.Storage.Type, StorageSQLite)
	if s.Storage.SQLite.Size.IsZero() {
		s.Storage.SQLite.Size = DefaultSize()
	}
	s.Retention.ProvisioningLog = metav1.Duration{Duration: cmp.Or(s.Retention.ProvisioningLog.Duration, DefaultProvisioningLog)}
	s.RateLimit.RequestsPerSecond = cmp.Or(s.RateLimit.RequestsPerSecond, new(int32(DefaultRequestsPerSecond)))
	s.RateLimit.Burst = cmp.Or(s.RateLimit.Burst, new(int32(DefaultBurst)))
	s.DeletionPolicy = cmp.Or(s.DeletionPolicy, DeletionPolicyRetain)
}

// FollowClass puts what a class decided of the rate limit and the retention in the place of what the spec says, for the SCIM server, which has no
// right to read classes. The operator writes it in status.class: what a tenant asks for beyond the bounds of its class is not in effect.
func (t *ProvisioningTenant) FollowClass() {
	if class := t.Status.Class; class != nil {
		t.Spec.RateLimit, t.Spec.Retention = class.RateLimit, class.Retention
	}
}
