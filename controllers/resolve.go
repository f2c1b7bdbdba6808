package controllers

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// resolve looks up what the spec refers to. When it returns nil, host, gateways, tenantURL, userDefaults and storage of the scope
// are as they should be.
func (r *ProvisioningTenantReconciler) resolve(ctx context.Context, s *scope) error {
	if err := r.resolveDefaults(ctx, s); err != nil {
		return err
	}
	if err := r.resolveStorage(ctx, s); err != nil {
		return err
	}
	problem, err := r.resolveHost(ctx, s)
	if err != nil {
		return err
	}
	if problem != nil {
		s.fail(problem)
		return nil
	}
	if refused := refusedSchemas(s.tenant); refused != nil {
		s.fail(refused)
	}
	return nil
}

// refusedSchemas returns why the tenant's server does not follow a declared schema, or nil. The server reports again when
// the declaration changed, so what is said here may be of the one before for some seconds.
func refusedSchemas(tenant *v1alpha1.ProvisioningTenant) error {
	if tenant.Status.Directory == nil || len(tenant.Status.Directory.RefusedSchemas) == 0 {
		return nil
	}
	first := tenant.Status.Directory.RefusedSchemas[0]
	return &Stalled{
		Condition: v1alpha1.ConditionSchemaInEffect, Reason: v1alpha1.ReasonSchemaContradictsData,
		Message: fmt.Sprintf("spec.schema.extensions[%q]: %s.", first.ID, first.Message),
	}
}

// resolveHost finds the host and the Tenant URL, or the problem with them. A tenant with such a problem gets everything
// but a route, so that it serves at once when the problem is solved.
func (r *ProvisioningTenantReconciler) resolveHost(ctx context.Context, s *scope) (*Stalled, error) {
	stalled := func(reason, format string, args ...any) *Stalled {
		return &Stalled{Condition: v1alpha1.ConditionAccepted, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	spec := s.tenant.Spec
	switch spec.Storage.Type {
	case v1alpha1.StorageSQLite, v1alpha1.StoragePostgreSQL, "":
	default:
		return stalled(v1alpha1.ReasonUnsupported,
			"spec.storage.type %q is of a newer version: upgrade the operator or choose SQLite or PostgreSQL.", spec.Storage.Type), nil
	}
	host := claimedHost(s.tenant, r.Options.BaseDomain)
	switch spec.Exposure.Type {
	case v1alpha1.ExposureIngress, v1alpha1.ExposureGateway, "":
		if host == "" {
			return stalled(v1alpha1.ReasonHostMissing, "Set spec.exposure.host: the operator has no base domain from which to make one."), nil
		}
	case v1alpha1.ExposureNone:
		// Without a host the Tenant URL is that of the Service.
	default:
		return stalled(v1alpha1.ReasonUnsupported,
			"spec.exposure.type %q is of a newer version: upgrade the operator or choose Ingress, Gateway or None.", spec.Exposure.Type), nil
	}
	gateways := parents(s.tenant, r.Options.Gateway)
	if spec.Exposure.Type == v1alpha1.ExposureGateway && len(gateways) == 0 {
		return stalled(v1alpha1.ReasonGatewayMissing, "Set spec.exposure.gateway.parentRefs: the operator has no Gateway for all tenants."), nil
	}
	if host != "" {
		var claims v1alpha1.ProvisioningTenantList
		if err := r.List(ctx, &claims, client.MatchingFields{hostIndex: host}); err != nil {
			return nil, fmt.Errorf("list the tenants that claim the host: %w", err)
		}
		if winner := oldest(claims.Items); winner != nil && older(winner, s.tenant) < 0 {
			return stalled(v1alpha1.ReasonHostTaken, "Host %s belongs to the older tenant %s/%s: choose another in spec.exposure.host.",
				host, winner.Namespace, winner.Name), nil
		}
	}
	s.tenantURL = desired.TenantURL(s.tenant, host)
	if spec.Exposure.Type != v1alpha1.ExposureNone {
		s.host = host
	}
	if spec.Exposure.Type == v1alpha1.ExposureGateway {
		s.gateways = gateways
	}
	return nil, nil
}

// parents are the Gateways that a tenant names, each with its namespace, or else the operator's.
func parents(tenant *v1alpha1.ProvisioningTenant, otherwise types.NamespacedName) []v1alpha1.GatewayReference {
	var named []v1alpha1.GatewayReference
	if gateway := tenant.Spec.Exposure.Gateway; gateway != nil {
		for _, parent := range gateway.ParentRefs {
			parent.Namespace = cmp.Or(parent.Namespace, tenant.Namespace)
			named = append(named, parent)
		}
	}
	if len(named) == 0 && otherwise.Name != "" {
		named = append(named, v1alpha1.GatewayReference{Namespace: otherwise.Namespace, Name: otherwise.Name})
	}
	return named
}

// claimedHost is the host that a tenant asks for; empty if it asks for none.
func claimedHost(tenant *v1alpha1.ProvisioningTenant, baseDomain string) string {
	exposure := tenant.Spec.Exposure
	if exposure.Host != "" || exposure.Type == v1alpha1.ExposureNone || baseDomain == "" {
		return exposure.Host
	}
	return tenant.Name + "." + baseDomain
}

// oldest returns the tenant that keeps a host which all of these claim, or nil if there are none.
func oldest(claims []v1alpha1.ProvisioningTenant) *v1alpha1.ProvisioningTenant {
	var winner *v1alpha1.ProvisioningTenant
	for i := range claims {
		if winner == nil || older(&claims[i], winner) < 0 {
			winner = &claims[i]
		}
	}
	return winner
}

// older orders tenants by age, and those of one second by namespace and name.
func older(a, b *v1alpha1.ProvisioningTenant) int {
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}
