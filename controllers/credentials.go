package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// issueCredentials sees to it that there is every credential that the spec wants and no other, and that the server has
// their hashes. A settled tenant is recognised by the metadata of both Secrets in the cache; only where something is
// missing are the Secrets read.
//
// The credentials Secret is written first and the verifier Secret is derived from it, so a crash in between loses no
// token. A person may delete the credentials Secret after copying: it stays deleted until a new credential is to be handed over.
func (r *ProvisioningTenantReconciler) issueCredentials(ctx context.Context, s *scope) error {
	credentials, err := r.cachedSecret(ctx, s, desired.CredentialsName(s.tenant.Name))
	if err != nil {
		return err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	if ok, err := settled(s, credentials, verifier); err != nil || ok {
		if ok {
			var held map[string]string
			if credentials != nil {
				held = credentials.Annotations
			}
			s.foundCredentials(credentials != nil, held, verifier.Annotations)
		}
		return err
	}
	return classify(r.restoreCredentials(ctx, s), v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonRejected)
}

// settled tells from metadata whether both Secrets are as they should be. credentials is nil where the Secret is gone.
func settled(s *scope, credentials, verifier *metav1.PartialObjectMetadata) (bool, error) {
	if verifier == nil {
		return false, nil
	}
	issued, wanted := desired.Marks(verifier.Annotations), token.Wanted(s.tenant)
	if len(issued) != len(wanted) {
		return false, nil
	}
	for _, credential := range wanted {
		if _, ok := issued[credential.Key]; !ok {
			return false, nil
		}
	}
	if intact, err := apply.OwnsData(verifier, v1alpha1.VerifierKey); err != nil || !intact {
		return false, err
	}
	if credentials == nil {
		// Not seen where it was before: it may have been deleted, or only have lost its label. A look will tell.
		before := meta.FindStatusCondition(s.tenant.Status.Conditions, v1alpha1.ConditionCredentialsReady)
		return before != nil && before.Reason == v1alpha1.ReasonCopied, nil
	}
	keys := slices.Collect(maps.Keys(desired.PublicData(s.tenant, s.tenantURL)))
	for key, mark := range desired.Marks(credentials.Annotations) {
		if issued[key] != mark {
			return false, nil
		}
		keys = append(keys, key)
	}
	intact, err := apply.OwnsData(credentials, keys...)
	return intact && credentials.Annotations[desired.AnnotationTenantURL] == s.tenantURL, err
}

// restoreCredentials reads both Secrets live and writes what is missing or different.
func (r *ProvisioningTenantReconciler) restoreCredentials(ctx context.Context, s *scope) error {
	credentials, err := r.liveSecret(ctx, s, desired.CredentialsName(s.tenant.Name))
	if err != nil {
		return err
	}
	verifiers, err := r.liveSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	result, err := issue(token.Wanted(s.tenant), credentials, verifiers, r.Options.Random, r.Options.Clock.Now())
	if err != nil {
		return err
	}
	var annotations map[string]string
	if result.revoked {
		// Before all else, so that nothing that fails below keeps a revoked credential valid.
		if annotations, err = s.applyVerifiers(ctx, result.kept); err != nil {
			return err
		}
	}
	exists := credentials != nil || result.holds()
	var held map[string]string
	if exists {
		want, err := desired.Credentials(s.tenant, result.issued, s.tenantURL)
		if err != nil {
			return err
		}
		held = want.Annotations // Apply fills want with the answer
		if _, err := s.owner.Apply(ctx, apply.Secret(want)); err != nil {
			return err
		}
	}
	if !result.revoked || len(result.kept) < len(result.issued) {
		if annotations, err = s.applyVerifiers(ctx, result.issued); err != nil {
			return err
		}
	}
	s.foundCredentials(exists, held, annotations)
	return nil
}

// applyVerifiers applies the verifier Secret and returns the annotations that it was given.
func (s *scope) applyVerifiers(ctx context.Context, issued []desired.Issued) (map[string]string, error) {
	want, err := desired.Verifier(s.tenant, issued)
	if err != nil {
		return nil, err
	}
	annotations := want.Annotations // Apply fills want with the answer
	_, err = s.owner.Apply(ctx, apply.Secret(want))
	return annotations, err
}

// foundCredentials tells about the credentials what the annotations of both Secrets say.
func (s *scope) foundCredentials(secretExists bool, held, issued map[string]string) {
	name := desired.CredentialsName(s.tenant.Name)
	mark := desired.Marks(issued)[v1alpha1.CredentialsTokenKey]
	s.credentials = &v1alpha1.CredentialsStatus{Fingerprint: mark.Fingerprint}
	if !mark.IssuedAt.IsZero() {
		s.credentials.IssuedAt = &metav1.Time{Time: mark.IssuedAt}
	}
	if !secretExists {
		s.found(conditions.True(v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonCopied,
			fmt.Sprintf("Secret %s was deleted, as one may after copying. The token stays valid.", name)))
		return
	}
	s.credentials.SecretName = name
	message := "Secret %s holds the Secret Token."
	if _, ok := desired.Marks(held)[v1alpha1.CredentialsTokenKey]; !ok {
		message = "Secret %s holds what was issued since it was deleted. The Secret Token that was copied stays valid."
	}
	s.found(conditions.True(v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonIssued, fmt.Sprintf(message, name)))
}

// cachedSecret returns the metadata of a Secret that the tenant controls, or nil.
func (r *ProvisioningTenantReconciler) cachedSecret(ctx context.Context, s *scope, name string) (*metav1.PartialObjectMetadata, error) {
	secret := apply.SecretMetadata()
	err := r.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) || err == nil && !metav1.IsControlledBy(secret, s.tenant) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the metadata of Secret %q: %w", name, err)
	}
	return secret, nil
}

// liveSecret reads a Secret that the tenant controls, or returns nil if there is none.
func (r *ProvisioningTenantReconciler) liveSecret(ctx context.Context, s *scope, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", name, err)
	}
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret, s.owner.Guard(metadata, nil)
}
