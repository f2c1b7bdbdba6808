package controllers

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// lookForKey tells whether there is a Secret of somebody else's, and whether it has a key. Its data is not read: its managed
// fields tell which keys it has.
func (r *ProvisioningTenantReconciler) lookForKey(ctx context.Context, s *scope, name, key string) (exists, has bool, err error) {
	secret, err := r.lookForSecret(ctx, s, name)
	if secret == nil {
		return false, false, err
	}
	has, err = apply.HasData(secret, key)
	return true, has, err
}

// lookForSecret returns the metadata of a Secret of somebody else's, nil where there is none.
func (r *ProvisioningTenantReconciler) lookForSecret(ctx context.Context, s *scope, name string) (*metav1.PartialObjectMetadata, error) {
	secret := apply.SecretMetadata()
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for Secret %q: %w", name, err)
	}
	return secret, nil
}

func (r *ProvisioningTenantReconciler) recheckSecrets() time.Duration {
	return cmp.Or(r.Options.RecheckSecrets, problem.RecheckConflict)
}
