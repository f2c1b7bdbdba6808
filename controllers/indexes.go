package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/rollout"
)

const (
	// hostIndex finds tenants by the hosts that they claim, in all namespaces.
	hostIndex = "host"
	// routeIndex finds routes by their hosts, in all namespaces.
	routeIndex = "route.host"
	// holderIndex finds the Leases of hosts by the namespace and name of the tenant that they name.
	holderIndex = "holder"
	// tenantIndex finds UserDefaults by the tenant that they refer to.
	tenantIndex = "spec.tenantRef.name"
	// upgradingIndex finds the Deployments that hold a place, by the revision that they were upgraded to.
	upgradingIndex = "upgrading.revision"
)

func indexHost(baseDomain string) client.IndexerFunc {
	return func(object client.Object) []string {
		if tenant, ok := object.(*v1alpha1.ProvisioningTenant); ok {
			return hosts.All(tenant, baseDomain)
		}
		return nil
	}
}

func indexHolder(object client.Object) []string {
	if lease, ok := object.(*coordinationv1.Lease); ok {
		if by := hosts.ReadLease(lease).Holder; by != (hosts.Holder{}) {
			return []string{by.String()}
		}
	}
	return nil
}

func indexTenant(object client.Object) []string {
	if defaults, ok := object.(*v1alpha1.UserDefaults); ok {
		return []string{defaults.Spec.TenantRef.Name}
	}
	return nil
}

func indexUpgrading(object client.Object) []string {
	if d, ok := object.(*appsv1.Deployment); ok {
		if revision := rollout.HeldFor(d); revision != "" {
			return []string{revision}
		}
	}
	return nil
}
