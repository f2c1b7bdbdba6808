package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/tenantry/tenantry/controllers/desired"
)

// serverDeployment returns the server's Deployment, or nil where there is none.
func (r *ProvisioningTenantReconciler) serverDeployment(ctx context.Context, s *scope) (*appsv1.Deployment, error) {
	var deployment appsv1.Deployment
	err := r.Get(ctx, s.serverKey(), &deployment)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get the Deployment: %w", err)
	}
	return &deployment, nil
}

// hasServer tells whether the tenant has a server of its own.
func (r *ProvisioningTenantReconciler) hasServer(ctx context.Context, s *scope) (bool, error) {
	deployment, err := r.serverDeployment(ctx, s)
	return err == nil && deployment != nil && s.owner.Owns(deployment, nil), err
}

// ranBefore tells whether the tenant has had a server or credentials.
func (r *ProvisioningTenantReconciler) ranBefore(ctx context.Context, s *scope) (bool, error) {
	if has, err := r.hasServer(ctx, s); err != nil || has {
		return has, err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	return verifier != nil, err
}
