package controllers

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// resolveExposure finds the host, the Tenant URL and the route, or the problem with them. A tenant with such a problem keeps the host and
// the route that it has. A tenant that has neither is told by conditions Accepted and Exposed, and nothing is made for it before it has a host.
func (r *ProvisioningTenantReconciler) resolveExposure(ctx context.Context, s *scope) error {
	var err error
	if s.routes, err = r.ownRoutes(ctx, s); err != nil {
		return err
	}
	if err := r.resolveHost(ctx, s); err != nil {
		s.fail(err) // and the tenant stays as it is
		s.undecided = true
	}
	if s.claimed == "" && (s.problem != nil || s.undecided) {
		return r.withoutHost(ctx, s)
	}
	if problem := joined(s.problem, s.refused); problem != nil {
		s.fail(about(v1alpha1.ConditionExposureInEffect, problem))
	}
	s.tenantURL = desired.TenantURL(s.tenant, s.claimed)
	way := r.resolveWay(s)
	t := s.desired(r.Options)
	if routeKind(t) == kindIngress && t.IngressClass == "" {
		s.fail(r.resolveClass(ctx, s))
		t = s.desired(r.Options)
	}
	if kind := routeKind(t); kind != "" {
		s.routeName = routeName(kind, desired.ServerName(s.tenant.Name), t, s.routes)
	}
	if s.old, err = r.oldRoute(ctx, s, routeKind(t)); err != nil {
		return err
	}
	switch {
	case way == nil:
	case s.old != nil:
		s.fail(about(v1alpha1.ConditionExposureInEffect, way))
		s.found(s.old.kept())
	default:
		s.fail(way)
		s.found(conditions.False(v1alpha1.ConditionExposed, way.Reason, way.Message))
	}
	return nil
}

// resolveHost claims the hosts that the spec asks for. Where the tenant cannot have the main one, problem says why and claimed is the host that
// it has all the same, "" for none.
func (r *ProvisioningTenantReconciler) resolveHost(ctx context.Context, s *scope) (err error) {
	storage, host, has := s.tenant.Spec.Storage.Type, claimedHost(s.tenant, r.Options.BaseDomain), false
	switch {
	case storage != v1alpha1.StorageSQLite && storage != v1alpha1.StoragePostgreSQL && storage != "":
		s.problem = notAccepted(v1alpha1.ReasonUnsupported,
			"spec.storage.type %q is of a newer version: upgrade the operator or choose SQLite or PostgreSQL.", storage)
	case host != "":
		has, s.problem, err = r.claimHost(ctx, s, host)
	case s.tenant.Spec.Exposure.Type != v1alpha1.ExposureNone:
		s.problem = notAccepted(v1alpha1.ReasonHostMissing, "Set spec.exposure.host: the operator has no base domain from which to make one.")
	}
	r.claimAdditional(ctx, s)
	if s.claimed = host; err != nil || s.problem != nil && !has {
		var errHeld error
		s.claimed, errHeld = r.heldHost(ctx, s.tenant)
		if err != nil && r.keepsHost(ctx, s, host) {
			s.additional = append(s.additional, host)
		}
		err = errors.Join(err, errHeld)
	}
	if s.claimed == "" && s.problem != nil && len(s.additional) > 0 {
		s.claimed = s.additional[0] // whose Lease the cache may not have yet
	}
	s.additional = slices.DeleteFunc(s.additional, func(host string) bool { return host == s.claimed })
	return err
}

// claimAdditional claims the additional hosts: additional are those that the tenant has, and refused says why it has not got the others.
func (r *ProvisioningTenantReconciler) claimAdditional(ctx context.Context, s *scope) {
	for _, host := range additionalHosts(s.tenant, r.Options.BaseDomain) {
		has, problem, err := r.claimHost(ctx, s, host)
		if err != nil {
			s.fail(err)
			has = r.keepsHost(ctx, s, host)
		}
		if has {
			s.additional = append(s.additional, host)
		}
		s.refused = joined(s.refused, problem)
	}
}

// keepsHost tells whether the tenant goes on with a host of which it could not be found out whose it is: it does where it has a route for it.
// No host is let go of meanwhile.
func (r *ProvisioningTenantReconciler) keepsHost(ctx context.Context, s *scope, host string) bool {
	s.unsure = true
	routed, err := r.routed(ctx, s.tenant, host)
	s.fail(err)
	return routed
}

// withoutHost is how a tenant goes on that has no host and should have one. It keeps the server that it may have.
func (r *ProvisioningTenantReconciler) withoutHost(ctx context.Context, s *scope) error {
	ran, err := r.ranBefore(ctx, s)
	if err != nil {
		return err
	}
	s.held = !ran
	if s.old, err = r.oldRoute(ctx, s, ""); err != nil {
		return err
	}
	published := s.tenant.Status.TenantURL
	if ran && (s.undecided || s.tenant.Spec.Exposure.Type == v1alpha1.ExposureNone && published == desired.TenantURL(s.tenant, "")) {
		s.tenantURL = published // that of the Service leads to the server whatever becomes of the host
	}
	if s.problem == nil {
		return nil
	}
	s.fail(s.problem)
	s.found(conditions.False(v1alpha1.ConditionExposed, s.problem.Reason, s.problem.Message))
	if s.held && s.problem.Reason != v1alpha1.ReasonUnsupported {
		for _, conditionType := range []string{
			v1alpha1.ConditionCredentialsReady, v1alpha1.ConditionStorageReady, v1alpha1.ConditionServerAvailable, v1alpha1.ConditionRolledOut,
			v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionSchemaInEffect,
			v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ConditionRequestsObeyed,
		} {
			s.found(conditions.Unknown(conditionType, v1alpha1.ReasonWaitingForHost, "Nothing is made for the tenant before it has a host."))
		}
	}
	return nil
}

// ranBefore tells whether the tenant has had a server or credentials.
func (r *ProvisioningTenantReconciler) ranBefore(ctx context.Context, s *scope) (bool, error) {
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil || deployment != nil && s.owner.Owns(deployment, nil) {
		return true, err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	return verifier != nil, err
}

// resolveWay finds what is to route the tenant's host, or why nothing can.
func (r *ProvisioningTenantReconciler) resolveWay(s *scope) *Stalled {
	switch exposure := s.tenant.Spec.Exposure; exposure.Type {
	case v1alpha1.ExposureIngress, "":
		s.host = s.claimed
	case v1alpha1.ExposureGateway:
		gateways := parents(s.tenant, r.Options.Gateway)
		if len(gateways) == 0 {
			return notAccepted(v1alpha1.ReasonGatewayMissing, "Set spec.exposure.gateway.parentRefs: the operator has no Gateway for all tenants.")
		}
		for _, on := range gateways {
			if on.Group != v1alpha1.GatewayAPI || on.Kind != v1alpha1.KindGateway && on.Kind != v1alpha1.KindListenerSet {
				return notAccepted(v1alpha1.ReasonUnsupported,
					"spec.exposure.gateway.parentRefs: kind %q of group %q is of a newer version: upgrade the operator or choose Gateway or ListenerSet.",
					on.Kind, on.Group)
			}
		}
		s.host, s.gateways = s.claimed, gateways
	case v1alpha1.ExposureNone:
	default:
		return notAccepted(v1alpha1.ReasonUnsupported,
			"spec.exposure.type %q is of a newer version: upgrade the operator or choose Ingress, Gateway or None.", exposure.Type)
	}
	return nil
}

// parents are the Gateways that a tenant names, each with its kind and namespace, or else the operator's.
func parents(tenant *v1alpha1.ProvisioningTenant, otherwise v1alpha1.GatewayReference) []v1alpha1.GatewayReference {
	var named []v1alpha1.GatewayReference
	if gateway := tenant.Spec.Exposure.Gateway; gateway != nil {
		for _, parent := range gateway.ParentRefs {
			parent.Namespace = cmp.Or(parent.Namespace, tenant.Namespace)
			// The defaults are those of the CRD, which may be older than the operator.
			parent.Group, parent.Kind = cmp.Or(parent.Group, v1alpha1.GatewayAPI), cmp.Or(parent.Kind, v1alpha1.KindGateway)
			named = append(named, parent)
		}
	}
	if len(named) == 0 && otherwise.Name != "" {
		named = append(named, otherwise)
	}
	return named
}

// claimedHosts are all hosts that a tenant asks for.
func claimedHosts(tenant *v1alpha1.ProvisioningTenant, baseDomain string) []string {
	hosts := additionalHosts(tenant, baseDomain)
	if host := claimedHost(tenant, baseDomain); host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

// additionalHosts are the hosts that a tenant asks for besides its own, each once. The default host may be named among them.
func additionalHosts(tenant *v1alpha1.ProvisioningTenant, baseDomain string) []string {
	var hosts []string
	for _, name := range tenant.Spec.Exposure.AdditionalHosts {
		if host := CanonicalHost(string(name)); host != claimedHost(tenant, baseDomain) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// claimedHost is the host that a tenant asks for; empty if it asks for none.
func claimedHost(tenant *v1alpha1.ProvisioningTenant, baseDomain string) string {
	exposure := tenant.Spec.Exposure
	if exposure.Host != "" || exposure.Type == v1alpha1.ExposureNone || baseDomain == "" {
		return CanonicalHost(exposure.Host)
	}
	return CanonicalHost(tenant.Name + "." + baseDomain)
}
