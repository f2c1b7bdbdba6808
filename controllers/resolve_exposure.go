package controllers

import (
	"context"
	"errors"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// resolveExposure finds the host, the Tenant URL and the route, or the problem with them. A tenant with such a problem keeps the host and
// the route that it has. A tenant that has neither is told by conditions Accepted and Exposed, and nothing is made for it before it has a host.
func (r *ProvisioningTenantReconciler) resolveExposure(ctx context.Context, s *scope) error {
	if err := r.findRoutes(ctx, s); err != nil {
		return err
	}
	if err := r.resolveHost(ctx, s); err != nil {
		s.fail(err) // and the tenant stays as it is
		s.exposure.Hosts.Undecided = true
	}
	if s.exposure.WithoutHost() {
		return r.withoutHost(ctx, s)
	}
	if refused := s.exposure.Hosts.Problems(); refused != nil {
		s.fail(problem.About(v1alpha1.ConditionExposureInEffect, refused))
	}
	unrouted := s.exposure.Choose(r.Options.Gateway)
	t := s.desired(r.Options)
	if exposure.Kind(t) == exposure.KindIngress && t.IngressClass == "" {
		s.fail(r.resolveClass(ctx, s))
		t = s.desired(r.Options)
	}
	s.exposure.NameRoute(t)
	if err := s.exposure.KeepOld(exposure.Kind(t), r.lost(ctx, s)); err != nil {
		return err
	}
	if unrouted != nil {
		s.tell(s.exposure.Unrouted(unrouted))
	}
	return nil
}

// resolveHost claims the hosts that the spec asks for. Where the tenant cannot have the main one, the claims say why, and the host that
// it has all the same, "" for none.
func (r *ProvisioningTenantReconciler) resolveHost(ctx context.Context, s *scope) (err error) {
	host, has := hosts.Main(s.tenant, r.Options.BaseDomain), false
	if s.exposure.Hosts.Problem = hosts.Unclaimed(s.tenant, host); s.exposure.Hosts.Problem == nil && host != "" {
		has, s.exposure.Hosts.Problem, err = r.claimHost(ctx, s, host)
	}
	r.claimAdditional(ctx, s)
	main := host
	if err != nil || s.exposure.Hosts.Problem != nil && !has {
		var errHeld error
		main, errHeld = r.heldHost(ctx, s.tenant)
		if err != nil {
			s.exposure.Hosts.Add(host, r.keepsHost(ctx, s, host), nil)
		}
		err = errors.Join(err, errHeld)
	}
	s.exposure.Hosts.Settle(main)
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
		s.exposure.Hosts.Add(host, has, refused)
	}
}

// keepsHost tells whether the tenant goes on with a host of which it could not be found out whose it is: it does where it has a route for it.
// No host is let go of meanwhile.
func (r *ProvisioningTenantReconciler) keepsHost(ctx context.Context, s *scope, host string) bool {
	s.exposure.Hosts.Unsure = true
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
	if err := s.exposure.KeepOld("", r.lost(ctx, s)); err != nil {
		return err
	}
	s.tell(s.exposure.HoldBack(ran))
	return nil
}
