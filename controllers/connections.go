package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// connection is a connection Secret that was there. It is looked for again after recheckSecrets, or up to half as long again.
type connection struct {
	// name of the Secret and its key.
	name string
	due  time.Time
}

// requireConnection looks for the Secret with the connection URL. Once it was found for this generation it is looked for now and then while the
// server works with it: nothing tells the operator that somebody else's Secret went.
func (r *ProvisioningTenantReconciler) requireConnection(ctx context.Context, s *scope, arrived bool) error {
	before := s.before(v1alpha1.ConditionStorageReady)
	found := before.ObservedGeneration == s.tenant.Generation &&
		(before.Reason == v1alpha1.ReasonConfigured || before.Reason == v1alpha1.ReasonMoving)
	if found && (!arrived || r.remembersConnection(s)) {
		return nil
	}
	err := r.lookForConnection(ctx, s)
	if err == nil && arrived {
		r.rememberConnection(s)
	}
	return err
}

// lookForConnection returns a *Waiting where there is no connection URL.
func (r *ProvisioningTenantReconciler) lookForConnection(ctx context.Context, s *scope) error {
	ref := s.tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	missing := func(format string, args ...any) error {
		return &Waiting{
			Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing, After: r.recheckSecrets() / 2,
			Message: fmt.Sprintf(format, args...),
		}
	}
	exists, has, err := r.lookForKey(ctx, s, ref.Name, ref.Key)
	switch {
	case err != nil:
		return err
	case !exists:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef does not exist: "+
			"create it with the connection URL under the key %s.", ref.Name, ref.Key)
	case !has:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef has no key %s: put the connection URL there.", ref.Name, ref.Key)
	}
	return nil
}

// remembersConnection tells whether the tenant's connection Secret counts as there, and has the tenant looked at again in time. An operator that has
// just started believes the status, because it would otherwise read the metadata of a Secret for each tenant at once. It looks again where
// the status says that the Secret is missing, and where no server is available, because a missing Secret may be the reason.
func (r *ProvisioningTenantReconciler) remembersConnection(s *scope) bool {
	if s.before(v1alpha1.ConditionStorageInEffect).Reason == v1alpha1.ReasonConnectionSecretMissing ||
		s.before(v1alpha1.ConditionServerAvailable).Status != metav1.ConditionTrue {
		return false
	}
	known, now := s.memory.connection, r.Options.Clock.Now()
	if known == (connection{}) {
		r.rememberConnection(s)
		return true
	}
	if known.name != desired.Connection(s.tenant) || !now.Before(known.due) {
		return false
	}
	s.outcome.at(known.due, now)
	return true
}

// rememberConnection takes note that the tenant's connection Secret is there, and has the tenant looked at again in time.
func (r *ProvisioningTenantReconciler) rememberConnection(s *scope) {
	now := r.Options.Clock.Now()
	next := now.Add(wait.Jitter(r.recheckSecrets(), 0.5))
	s.memory.connection = connection{desired.Connection(s.tenant), next}
	s.outcome.at(next, now)
}
