package v1alpha1

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Defaults that hold where neither a tenant nor its class says anything.
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
	s.Retention = s.Retention.Or(Retention{ProvisioningLog: metav1.Duration{Duration: DefaultProvisioningLog}})
	s.RateLimit = s.RateLimit.Or(RateLimit{RequestsPerSecond: new(int32(DefaultRequestsPerSecond)), Burst: new(int32(DefaultBurst))})
	s.DeletionPolicy = cmp.Or(s.DeletionPolicy, DeletionPolicyRetain)
}

// Or has what otherwise says where the rate limit says nothing. It shares the numbers of both.
func (r RateLimit) Or(otherwise RateLimit) RateLimit {
	return RateLimit{cmp.Or(r.RequestsPerSecond, otherwise.RequestsPerSecond), cmp.Or(r.Burst, otherwise.Burst)}
}

// Or has what otherwise says where the retention says nothing. It shares the durations of both.
func (r Retention) Or(otherwise Retention) Retention {
	return Retention{cmp.Or(r.DeactivatedUsers, otherwise.DeactivatedUsers), cmp.Or(r.ProvisioningLog, otherwise.ProvisioningLog)}
}

// FollowClass puts what a class decided of the rate limit and the retention in the place of what the spec says, for the SCIM server, which has no
// right to read classes. The operator writes it in status.class: what a tenant asks for beyond the bounds of its class is not in effect.
func (t *ProvisioningTenant) FollowClass() {
	if class := t.Status.Class; class != nil {
		t.Spec.RateLimit, t.Spec.Retention = class.RateLimit, class.Retention
	}
}
