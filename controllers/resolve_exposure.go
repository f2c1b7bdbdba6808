package controllers

import (
	"cmp"
	"context"
	"errors"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
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
		s.claims.Undecided = true
	}
	if s.claims.Main == "" && (s.claims.Problem != nil || s.claims.Undecided) {
		return r.withoutHost(ctx, s)
	}
	if refused := s.claims.Problems(); refused != nil {
		s.fail(about(v1alpha1.ConditionExposureInEffect, refused))
	}
	s.tenantURL = desired.TenantURL(s.tenant, s.claims.Main)
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

// resolveHost claims the hosts that the spec asks for. Where the tenant cannot have the main one, the claims say why, and the host that
// it has all the same, "" for none.
func (r *ProvisioningTenantReconciler) resolveHost(ctx context.Context, s *scope) (err error) {
	host, has := hosts.Main(s.tenant, r.Options.BaseDomain), false
	if s.claims.Problem = hosts.Unclaimed(s.tenant, host); s.claims.Problem == nil && host != "" {
		has, s.claims.Problem, err = r.claimHost(ctx, s, host)
	}
	r.claimAdditional(ctx, s)
	main := host
	if err != nil || s.claims.Problem != nil && !has {
		var errHeld error
		main, errHeld = r.heldHost(ctx, s.tenant)
		if err != nil {
			s.claims.Add(host, r.keepsHost(ctx, s, host), nil)
		}
		err = errors.Join(err, errHeld)
	}
	s.claims.Settle(main)
	return err
}

// claimAdditional claims the additional hosts.
func (r *ProvisioningTenantReconciler) claimAdditional(ctx context.Context, s *scope) {
	for _, host := range hosts.Additional(s.tenant, r.Options.BaseDomain) {
		has, refused, err := r.claimHost(ctx, s, host)
		if err != nil {
			s.fail(err)
			has = r.keepsHost(ctx, s, host)
		}
		s.claims.Add(host, has, refused)
	}
}

// keepsHost tells whether the tenant goes on with a host of which it could not be found out whose it is: it does where it has a route for it.
// No host is let go of meanwhile.
func (r *ProvisioningTenantReconciler) keepsHost(ctx context.Context, s *scope, host string) bool {
	s.claims.Unsure = true
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
	if ran && (s.claims.Undecided || s.tenant.Spec.Exposure.Type == v1alpha1.ExposureNone && published == desired.TenantURL(s.tenant, "")) {
		s.tenantURL = published // that of the Service leads to the server whatever becomes of the host
	}
	if s.claims.Problem == nil {
		return nil
	}
	s.fail(s.claims.Problem)
	s.found(conditions.False(v1alpha1.ConditionExposed, s.claims.Problem.Reason, s.claims.Problem.Message))
	if s.held && s.claims.Problem.Reason != v1alpha1.ReasonUnsupported {
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
		s.host = s.claims.Main
	case v1alpha1.ExposureGateway:
		gateways := parents(s.tenant, r.Options.Gateway)
		if len(gateways) == 0 {
			return problem.NotAccepted(v1alpha1.ReasonGatewayMissing, "Set spec.exposure.gateway.parentRefs: the operator has no Gateway for all tenants.")
		}
		for _, on := range gateways {
			if on.Group != v1alpha1.GatewayAPI || on.Kind != v1alpha1.KindGateway && on.Kind != v1alpha1.KindListenerSet {
				return problem.NotAccepted(v1alpha1.ReasonUnsupported,
					"spec.exposure.gateway.parentRefs: kind %q of group %q is of a newer version: upgrade the operator or choose Gateway or ListenerSet.",
					on.Kind, on.Group)
			}
		}
		s.host, s.gateways = s.claims.Main, gateways
	case v1alpha1.ExposureNone:
	default:
		return problem.NotAccepted(v1alpha1.ReasonUnsupported,
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
