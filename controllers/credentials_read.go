package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// cachedSecret returns the metadata of a Secret that the tenant controls, or nil.
func (r *ProvisioningTenantReconciler) cachedSecret(ctx context.Context, s *scope, name string) (*metav1.PartialObjectMetadata, error) {
	secret, err := r.anyCachedSecret(ctx, s, name)
	if secret == nil || !metav1.IsControlledBy(secret, s.tenant) {
		return nil, err
	}
	return secret, nil
}

// anyCachedSecret returns the metadata of a Secret, controlled or not, or nil where the cache has none.
func (r *ProvisioningTenantReconciler) anyCachedSecret(ctx context.Context, s *scope, name string) (*metav1.PartialObjectMetadata, error) {
	secret := apply.SecretMetadata()
	err := r.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the metadata of Secret %q: %w", name, err)
	}
	return secret, nil
}

// madeAgain tells whether the cache has a Secret of the name that nobody controls: a person made it, with the labels of the tenant.
func (r *ProvisioningTenantReconciler) madeAgain(ctx context.Context, s *scope, name string) (bool, error) {
	secret, err := r.anyCachedSecret(ctx, s, name)
	return secret != nil && metav1.GetControllerOf(secret) == nil && desired.Labelled(secret, s.tenant.Name), err
}

// liveSecret reads a Secret that the tenant controls, or returns nil if there is none. A Secret that nobody controls is the tenant's too if it holds
// a credential that is in use; or if it has the tenant's labels and either takes the place of one that was deleted or holds a credential. Its
// values are accepted or refused as if they had been put into the Secret before. verifier is the verifier Secret, nil where there is none.
func (r *ProvisioningTenantReconciler) liveSecret(ctx context.Context, s *scope, name string, verifier *corev1.Secret) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", name, err)
	}
	if credentials.IsTenants(s.tenant, secret, desired.Labelled(secret, s.tenant.Name), verifier) {
		s.owner.TakeBack(secret)
	}
	return secret, s.owner.Guard(metadataOf(secret), nil)
}

// metadataOf is what is known of a Secret without its data; nil for none.
func metadataOf(secret *corev1.Secret) *metav1.PartialObjectMetadata {
	if secret == nil {
		return nil
	}
	metadata := apply.SecretMetadata()
	metadata.ObjectMeta = secret.ObjectMeta
	return metadata
}

// acceptedElsewhere tells whether another tenant in the cache has a credential with this fingerprint.
func (r *ProvisioningTenantReconciler) acceptedElsewhere(ctx context.Context, s *scope, fingerprint string) (bool, error) {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.List(ctx, secrets); err != nil {
		return false, fmt.Errorf("list the metadata of the Secrets of tenants: %w", err)
	}
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		tenant := metav1.GetControllerOf(secret) // labels anybody may have put there
		if !isTenant(tenant) || tenant.UID == s.tenant.UID || secret.Name != desired.VerifierName(tenant.Name) {
			continue
		}
		for _, mark := range token.Marks(secret.Annotations) {
			if mark.Fingerprint == fingerprint || token.FingerprintOf(mark.PreviousSHA256) == fingerprint {
				return true, nil
			}
		}
	}
	return false, nil
}
