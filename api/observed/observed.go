// Package observed says what Deployments and Leases of Tenantry tell. The operator acts on it, and the plugin shows it.
package observed

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// RolledOut tells whether all that the Deployment wants is available and nothing else runs.
func RolledOut(d *appsv1.Deployment) bool {
	status, want := d.Status, ptr.Deref(d.Spec.Replicas, 1)
	return status.ObservedGeneration >= d.Generation && status.UpdatedReplicas >= want &&
		status.AvailableReplicas >= want && status.Replicas <= status.UpdatedReplicas
}

// Running tells whether the Deployment has pods, or may soon have. d is nil where there is none.
func Running(d *appsv1.Deployment) bool {
	return d != nil && (ptr.Deref(d.Spec.Replicas, 1) > 0 || d.Status.ObservedGeneration < d.Generation || d.Status.Replicas > 0)
}

// Upgrading tells whether a server holds one of the places of an upgrade: it was changed by one and is not rolled out since. A rollout that
// somebody paused says nothing of the upgrade.
func Upgrading(d *appsv1.Deployment) bool {
	return d.Annotations[v1alpha1.UpgradeAnnotation] != "" && !RolledOut(d) && !d.Spec.Paused
}

// Leads tells whether somebody holds a lease that was renewed in time, or a little later, as the clocks of two nodes differ.
func Leads(lease coordinationv1.LeaseSpec, now time.Time) bool {
	if ptr.Deref(lease.HolderIdentity, "") == "" || lease.RenewTime == nil {
		return false
	}
	return now.Sub(lease.RenewTime.Time) < 2*time.Duration(ptr.Deref(lease.LeaseDurationSeconds, 0))*time.Second
}
