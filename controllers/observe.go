package controllers

import (
	"context"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// observe looks at how the applied objects are doing. An object that could not be applied has its condition already.
func (r *ProvisioningTenantReconciler) observe(ctx context.Context, s *scope) error {
	if len(s.children) == 0 {
		return nil
	}
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil {
		return err
	}
	if deployment != nil {
		r.Upgrades.Observe(deployment)
	}
	server := rollout.Server{Tenant: s.tenant, Applied: s.server, Deployment: deployment, Stopped: s.storage.Step.Stopped()}
	available, rolledOut := server.Conditions()
	s.fail(r.nameCause(ctx, s, server, &available))
	s.fail(r.observeStorage(ctx, s, available))
	s.found(available)
	if s.server.Done { // else RolledOut goes on to speak of the generation before, by which package rollout knows
		s.found(rolledOut)
	}
	if s.has(v1alpha1.ConditionExposed) {
		return nil
	}
	if err := r.awaitEndpoints(ctx, s); err != nil {
		return err
	}
	return r.observeRoute(ctx, s)
}
