package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// handedOut are the Secrets that hand out the wanted credentials, by name, as read has them. A Secret that read does not find is missing.
func handedOut[S any](tenant *v1alpha1.ProvisioningTenant, read func(name string) (*S, error)) (map[string]*S, error) {
	found := map[string]*S{}
	for _, name := range handingOut(tenant) {
		secret, err := read(name)
		if err != nil {
			return nil, err
		}
		if secret != nil {
			found[name] = secret
		}
	}
	return found, nil
}

// handingOut are the names of the Secrets that hand out the wanted credentials.
func handingOut(tenant *v1alpha1.ProvisioningTenant) []string {
	var names []string
	for _, credential := range token.Wanted(tenant) {
		if name, _ := credential.Secret(tenant.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

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
	return secret != nil && metav1.GetControllerOf(secret) == nil && labelledFor(secret, s.tenant.Name), err
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
	if holdsOneOf(secret, inUse(s.tenant, verifier)) ||
		labelledFor(secret, s.tenant.Name) && (verifier != nil || provesItself(secret) || holdsToken(secret)) {
		s.owner.TakeBack(secret)
	}
	return secret, s.owner.Guard(metadataOf(secret), nil)
}

// isInTheWay tells of an error of liveSecret that there is somebody else's Secret, or one that is being deleted.
func isInTheWay(err error) bool {
	_, strangers := errors.AsType[*apply.NotOursError](err)
	_, going := errors.AsType[*apply.GoingError](err)
	return strangers || going
}

// inUse are the fingerprints of what clients of the tenant may use, but for what ends by itself: as the verifier Secret tells, or the status
// where that is lost or spoiled.
func inUse(tenant *v1alpha1.ProvisioningTenant, verifier *corev1.Secret) map[string]bool {
	found := map[string]bool{}
	if verifier != nil {
		if set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey]); err == nil && len(set.Verifiers) > 0 {
			for _, one := range set.Verifiers {
				found[one.Fingerprint()] = one.NotAfter.IsZero()
			}
			return found
		}
	}
	if told := tenant.Status.Credentials; told != nil && told.Fingerprint != "" {
		found[told.Fingerprint] = true
	}
	return found
}

// holdsOneOf tells whether a Secret holds a credential with one of these fingerprints, or its hash.
func holdsOneOf(secret *corev1.Secret, fingerprints map[string]bool) bool {
	for fingerprint := range held(secret) {
		if fingerprints[fingerprint] {
			return true
		}
	}
	return false
}

// held are the fingerprints of what a Secret holds, as it is or hashed.
func held(secret *corev1.Secret) map[string]bool {
	found := map[string]bool{}
	for _, value := range secret.Data {
		found[token.Fingerprint(strings.TrimSpace(string(value)))] = true
	}
	if set, err := token.Decode(secret.Data[v1alpha1.VerifierKey]); err == nil {
		for _, verifier := range set.Verifiers {
			found[verifier.Fingerprint()] = true
		}
	}
	return found
}

// holdsToken tells whether a Secret holds a token that Tenantry issued, to whomever.
func holdsToken(secret *corev1.Secret) bool {
	for _, value := range secret.Data {
		if token.Check(strings.TrimSpace(string(value))) == nil {
			return true
		}
	}
	return false
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

// provesItself tells whether a Secret holds what its annotation says that was issued, one credential at least. A tool that restored it
// may have kept nothing else by which to tell, and the token that Entra has must not be lost.
func provesItself(secret *corev1.Secret) bool {
	held, proved := held(secret), false
	for _, mark := range token.Marks(secret.Annotations) {
		if mark.Fingerprint == "" || mark.Ended != "" || mark.Refused != "" {
			continue // it tells of requests, or of what nobody issued
		}
		if !held[mark.Fingerprint] {
			return false
		}
		proved = true
	}
	return proved
}
