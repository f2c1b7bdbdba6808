package storage

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Connection is a connection Secret that was there, as the operator remembers it; zero where it was not looked for yet.
type Connection struct {
	// Name of the Secret and its key, as desired.Connection has them.
	Name string
	// Due is when to look for it again.
	Due time.Time
}

// Counts reports whether the tenant's connection Secret counts as there without a look. Once it was found for this generation it is looked for
// now and then while the server works with it, which arrived tells: nothing tells the operator that somebody else's Secret went. An operator that
// has just started believes the status, because it would otherwise read the metadata of a Secret for each tenant at once. It looks again where
// the status says that the Secret is missing, and where no server is available, because a missing Secret may be the reason.
func (c Connection) Counts(tenant *v1alpha1.ProvisioningTenant, arrived bool, now time.Time) bool {
	told := tenant.Status.Conditions
	switch ready := conditions.Of(told, v1alpha1.ConditionStorageReady); {
	case ready.ObservedGeneration != tenant.Generation, ready.Reason != v1alpha1.ReasonConfigured && ready.Reason != v1alpha1.ReasonMoving:
		return false
	case !arrived:
		return true
	case conditions.Of(told, v1alpha1.ConditionStorageInEffect).Reason == v1alpha1.ReasonConnectionSecretMissing,
		conditions.Of(told, v1alpha1.ConditionServerAvailable).Status != metav1.ConditionTrue:
		return false
	}
	return c == (Connection{}) || c.Name == desired.Connection(tenant) && now.Before(c.Due)
}

// ConnectionMissing says that there is no connection URL where spec.storage.postgresql says: it returns a *problem.Waiting, or nil where the Secret
// exists and has the key. recheck is when to look again.
func ConnectionMissing(tenant *v1alpha1.ProvisioningTenant, exists, hasKey bool, recheck time.Duration) error {
	ref := tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	missing := func(format string, args ...any) error {
		return &problem.Waiting{
			Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing, After: recheck,
			Message: fmt.Sprintf(format, args...),
		}
	}
	switch {
	case !exists:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef does not exist: "+
			"create it with the connection URL under the key %s.", ref.Name, ref.Key)
	case !hasKey:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef has no key %s: put the connection URL there.", ref.Name, ref.Key)
	}
	return nil
}
