package controllers

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// resolve looks up what the spec refers to, and claims the host. When it returns nil, ports, userDefaults, storage and exposure of the scope are as
// they should be.
func (r *ProvisioningTenantReconciler) resolve(ctx context.Context, s *scope) error {
	var err error
	if s.ports, err = r.Ports.now(ctx); err != nil {
		return err
	}
	if err := r.resolveDefaults(ctx, s); err != nil {
		return err
	}
	if err := r.resolveStorage(ctx, s); err != nil {
		return err
	}
	if err := r.resolveExposure(ctx, s); err != nil {
		return err
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
	return &problem.Stalled{
		Condition: v1alpha1.ConditionSchemaInEffect, Reason: v1alpha1.ReasonSchemaContradictsData,
		Message: fmt.Sprintf("spec.schema.extensions[%q]: %s.", first.ID, first.Message),
	}
}
