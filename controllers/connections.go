package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/storage"
)

// requireConnection looks for the Secret with the connection URL, unless it counts as there. It returns a *problem.Waiting where there is no URL. arrived
// tells whether the directory is in the database: then the tenant is looked at again in time, after recheckSecrets or up to half as long again.
func (r *ProvisioningTenantReconciler) requireConnection(ctx context.Context, s *scope, arrived bool) error {
	known, now := s.memory.connection, r.Options.Clock.Now()
	if !known.Counts(s.tenant, arrived, now) {
		ref := s.tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
		exists, hasKey, err := r.lookForKey(ctx, s, ref.Name, ref.Key)
		if err == nil {
			err = storage.ConnectionMissing(s.tenant, exists, hasKey, r.recheckSecrets()/2)
		}
		if err != nil {
			return err
		}
		known = storage.Connection{}
	}
	if !arrived {
		return nil
	}
	if known == (storage.Connection{}) {
		known = storage.Connection{Name: desired.Connection(s.tenant), Due: now.Add(wait.Jitter(r.recheckSecrets(), 0.5))}
		s.memory.connection = known
	}
	s.outcome.at(known.Due, now)
	return nil
}
