package controllers

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/storage"
)

// resolveStorage finds where the directory is and what the next step to where it should be is.
func (r *ProvisioningTenantReconciler) resolveStorage(ctx context.Context, s *scope) (err error) {
	state := storage.State{Tenant: s.tenant}
	if state.Claim, state.Taken, err = s.claimFrom(ctx, r); err == nil && state.PastCache() {
		state.Claim, state.Taken, err = s.claimFrom(ctx, r.Live)
	}
	if err != nil {
		return err
	}
	if storage.WantsDatabase(s.tenant) {
		state.Connection = r.requireConnection(ctx, s, state.Arrived())
	}
	s.storage = storage.Decide(state)
	s.fail(s.storage.Refused)
	if s.storage.Moves {
		return r.resolveMove(ctx, s)
	}
	return nil
}

// resolveMove finds the step of a move that has not ended. It finds out what would keep the move from beginning before the server
// stops for it.
func (r *ProvisioningTenantReconciler) resolveMove(ctx context.Context, s *scope) (err error) {
	var move storage.Move
	if move.Copy, err = r.job(ctx, s, desired.MoveName(s.tenant.Name)); err != nil {
		return err
	}
	if move.Connect, err = r.job(ctx, s, desired.ConnectName(s.tenant.Name)); err != nil {
		return err
	}
	if move.Copy == nil && !s.storage.Waits(move) {
		s.storage = s.storage.Hindered(r.mayMove(ctx, s))
	}
	if s.storage.Waits(move) {
		return nil
	}
	deployment, err := r.serverDeployment(ctx, s)
	if err != nil {
		return err
	}
	move.Running = observed.Running(deployment)
	s.storage = s.storage.Continue(s.tenant, move)
	return nil
}

// mayMove returns what is in the way of the Jobs, or nil.
func (r *ProvisioningTenantReconciler) mayMove(ctx context.Context, s *scope) error {
	t := s.desired(r.Options)
	for _, job := range []func(desired.Tenant) (apply.Child, error){connectChild, moveChild} {
		child, err := job(t)
		if err == nil {
			err = s.owner.MayWrite(ctx, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// connectChild is the Job that tries the connection before a move.
func connectChild(t desired.Tenant) (apply.Child, error) {
	connect, err := desired.Connect(t)
	if err != nil {
		return apply.Child{}, err
	}
	return apply.New(connect, &batchv1.Job{}).Once(), nil
}

// moveChild is the Job that moves the directory. Its pod cannot be changed once it is there.
func moveChild(t desired.Tenant) (apply.Child, error) {
	move, err := desired.Move(t)
	if err != nil {
		return apply.Child{}, err
	}
	return apply.New(move, &batchv1.Job{}).Once(), nil
}

// job returns a Job of the tenant, or nil where there is none.
func (r *ProvisioningTenantReconciler) job(ctx context.Context, s *scope, name string) (*batchv1.Job, error) {
	var job batchv1.Job
	err := r.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, &job)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get Job %q: %w", name, err)
	case !s.owner.Owns(&job, nil):
		return nil, nil
	}
	return &job, nil
}
