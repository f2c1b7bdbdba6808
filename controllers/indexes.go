package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
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
	// upgradingIndex finds the Deployments that hold a place, by the revision of the operator that upgraded them.
	upgradingIndex = "upgrading.revision"
)

func indexHost(baseDomain string) client.IndexerFunc {
	return func(object client.Object) []string {
		tenant, ok := object.(*v1alpha1.ProvisioningTenant)
		if !ok {
			return nil
		}
		claimed := hosts.All(tenant, baseDomain)
		if tenant.Spec.Exposure.Host == "" {
			claimed = append(claimed, unnamed(tenant.Name)) // its class may give it a host of any domain
		}
		return claimed
	}
}

// unnamed is by what the index finds a tenant that names no host: a host begins with its name, whatever the domain.
func unnamed(name string) string { return name + "." }

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
			return []string{rollout.OperatorOf(revision)}
		}
	}
	return nil
}

// indexRoute finds routes by their hosts.
func indexRoute(object client.Object) []string { return exposure.ReadRoute(object).Hosts }

func addIndexes(ctx context.Context, indexer client.FieldIndexer, baseDomain string) error {
	for _, kind := range controlled() {
		if err := indexer.IndexField(ctx, kind, apply.ControllerIndex, apply.IndexController(v1alpha1.TenantLabel)); err != nil {
			return fmt.Errorf("index %T by controller: %w", kind, err)
		}
	}
	if err := indexer.IndexField(ctx, &appsv1.Deployment{}, upgradingIndex, indexUpgrading); err != nil {
		return fmt.Errorf("index servers by upgrade: %w", err)
	}
	if err := indexer.IndexField(ctx, &v1alpha1.ProvisioningTenant{}, hostIndex, indexHost(baseDomain)); err != nil {
		return fmt.Errorf("index tenants by host: %w", err)
	}
	if err := indexer.IndexField(ctx, &networkingv1.Ingress{}, routeIndex, indexRoute); err != nil {
		return fmt.Errorf("index Ingresses by host: %w", err)
	}
	if err := indexer.IndexField(ctx, &coordinationv1.Lease{}, holderIndex, indexHolder); err != nil {
		return fmt.Errorf("index Leases by holder: %w", err)
	}
	if err := indexer.IndexField(ctx, &v1alpha1.UserDefaults{}, tenantIndex, indexTenant); err != nil {
		return fmt.Errorf("index defaults by tenant: %w", err)
	}
	return nil
}
