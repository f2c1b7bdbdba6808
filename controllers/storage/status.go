package storage

import (
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// Status returns what the status of the tenant says of the storage, nil where nothing is known of it yet. The reports of servers and Jobs there
// stays for as long as it is fresh.
func (d Decision) Status(tenant *v1alpha1.ProvisioningTenant, now time.Time) *v1alpha1.StorageStatus {
	status := tenant.Status.Storage.DeepCopy()
	switch d.Engine {
	case v1alpha1.StorageSQLite:
		status = &v1alpha1.StorageStatus{Type: d.Engine, AdoptedFrom: d.adoptedFrom(tenant), DeletionPolicy: d.policy(tenant)}
	case v1alpha1.StoragePostgreSQL:
		status = &v1alpha1.StorageStatus{
			Type: d.Engine, Schema: desired.SchemaName(tenant.Namespace, tenant.Name), DeletionPolicy: d.policy(tenant),
		}
	}
	if status != nil {
		status.Problem = serverProblem(tenant, now).DeepCopy()
		status.ConnectionProblem = d.connectionProblem(tenant, now).DeepCopy()
	}
	return status
}

// adoptedFrom is what the status tells the server: from whom the volume was adopted, until a directory is served.
func (d Decision) adoptedFrom(tenant *v1alpha1.ProvisioningTenant) string {
	if d.Claim == nil || directoryID(tenant) != "" {
		return ""
	}
	return d.Claim.Owner.AdoptedFrom
}

// serverProblem is what a server reports of its storage, nil where none does.
func serverProblem(tenant *v1alpha1.ProvisioningTenant, now time.Time) *v1alpha1.StorageProblem {
	if tenant.Status.Storage == nil {
		return nil
	}
	return fresh(tenant.Status.Storage.Problem, now)
}

// connectionProblem is what the Job reports that tries the connection, or servers that go on without a connection URL; nil where none does.
func (d Decision) connectionProblem(tenant *v1alpha1.ProvisioningTenant, now time.Time) *v1alpha1.StorageProblem {
	if tenant.Status.Storage == nil || d.Step != StepConnecting && d.Engine == v1alpha1.StorageSQLite {
		return nil
	}
	return fresh(tenant.Status.Storage.ConnectionProblem, now)
}

// fresh returns a problem, but nil for one that was reported too long ago: it is of a pod that is gone.
func fresh(reported *v1alpha1.StorageProblem, now time.Time) *v1alpha1.StorageProblem {
	if reported == nil || now.Sub(reported.ObservedTime.Time) >= v1alpha1.StorageProblemLifetime {
		return nil
	}
	return reported
}

// effectOf says what a problem keeps a server from, as the beginning of a message.
func effectOf(reason string) string {
	switch reason {
	case v1alpha1.ReasonVolumeFull, v1alpha1.ReasonVolumeReadOnly, v1alpha1.ReasonDatabaseFull:
		return "Look-ups are answered, and changes are answered 503: "
	}
	return "The server cannot use its storage: "
}
