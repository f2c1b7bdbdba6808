package controllers

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// observeConnecting returns what keeps a move from beginning: what the Job that tries the connection reports, or why its pod does not run.
func (r *ProvisioningTenantReconciler) observeConnecting(ctx context.Context, s *scope) error {
	ref := s.tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	stays := fmt.Sprintf("The directory stays on its volume, and the tenant goes on with it, "+
		"until the database that Secret %s names under key %s can be used: ", ref.Name, ref.Key)
	waiting := func(reason, message string) error {
		return &Waiting{Condition: v1alpha1.ConditionStorageInEffect, Reason: reason, Message: message}
	}
	now := r.Options.Clock.Now()
	if problem := s.connectionProblem(now); problem != nil {
		s.outcome.at(problem.ObservedTime.Add(v1alpha1.StorageProblemLifetime), now)
		return waiting(problem.Reason, stays+problem.Message)
	}
	found, err := r.podsCause(ctx, s, "Job")
	if err != nil {
		return err
	}
	r.recheckCause(s, v1alpha1.ConditionStorageInEffect)
	if found != nil {
		return waiting(found.Reason, stays+found.Message)
	}
	return waiting(v1alpha1.ReasonProgressing, fmt.Sprintf(
		"Job %s tries the connection to the database. The tenant goes on with its volume until there is one.", desired.ConnectName(s.tenant.Name)))
}

// observeMoving tells how the move is going while no server runs.
func (r *ProvisioningTenantReconciler) observeMoving(ctx context.Context, s *scope) error {
	name := desired.MoveName(s.tenant.Name)
	job, err := r.job(ctx, s, name)
	if err != nil {
		return err
	}
	reason, message := v1alpha1.ReasonMoving,
		fmt.Sprintf("The directory is being moved to PostgreSQL by Job %s. Clients are answered 503 until it is there.", name)
	if s.storage.step == moveCopying && job != nil {
		found, err := r.podsCause(ctx, s, "Job")
		if err != nil {
			return err
		}
		r.recheckCause(s, v1alpha1.ConditionStorageReady)
		switch {
		case found != nil && found.Reason != v1alpha1.ReasonServerCrashing:
			reason, message = found.Reason, "The directory cannot be moved to PostgreSQL yet: "+found.Message
		case job.Status.Failed > 0:
			message = fmt.Sprintf("%s Attempt %d has failed, and there is another. Why it failed: kubectl logs -n %s job/%s.",
				message, job.Status.Failed, job.Namespace, name)
		}
	}
	s.found(conditions.False(v1alpha1.ConditionStorageReady, reason, message))
	return nil
}
