package controllers

import (
	"context"
	"fmt"
	"time"

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

// issueCredentials sees to it that there is a token and that the server has its hash. A settled tenant is recognised by
// the metadata of both Secrets in the cache; only where something is missing are the Secrets read.
//
// The credentials Secret is written first and the verifier Secret is derived from it, so a crash in between loses no
// token. A person may delete the credentials Secret after copying: it stays deleted while there is a verifier.
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
			s.foundCredentials(credentials != nil, verifier.Annotations)
		}
		return err
	}
	return classify(r.restoreCredentials(ctx, s), v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonRejected)
}

// settled tells from metadata whether both Secrets are as they should be. credentials is nil where the Secret is gone.
func settled(s *scope, credentials, verifier *metav1.PartialObjectMetadata) (bool, error) {
	if verifier == nil || verifier.Annotations[desired.AnnotationFingerprint] == "" {
		return false, nil
	}
	if intact, err := apply.OwnsData(verifier, v1alpha1.VerifierKey); err != nil || !intact {
		return false, err
	}
	if credentials == nil {
		// Not seen where it was before: it may have been deleted, or only have lost its label. A look will tell.
		before := meta.FindStatusCondition(s.tenant.Status.Conditions, v1alpha1.ConditionCredentialsReady)
		return before != nil && before.Reason == v1alpha1.ReasonCopied, nil
	}
	keys := []string{v1alpha1.CredentialsTokenKey}
	if s.tenantURL != "" {
		keys = append(keys, v1alpha1.CredentialsTenantURLKey)
	}
	intact, err := apply.OwnsData(credentials, keys...)
	return intact &&
		credentials.Annotations[desired.AnnotationTenantURL] == s.tenantURL &&
		credentials.Annotations[desired.AnnotationFingerprint] == verifier.Annotations[desired.AnnotationFingerprint], err
}

// restoreCredentials reads both Secrets live and writes what is missing or different.
func (r *ProvisioningTenantReconciler) restoreCredentials(ctx context.Context, s *scope) error {
	credentials, err := r.liveSecret(ctx, s, desired.CredentialsName(s.tenant.Name))
	if err != nil {
		return err
	}
	verifierSecret, err := r.liveSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	plaintext, issuedAt := tokenIn(credentials)
	verifier, hasVerifier := verifierIn(verifierSecret)
	switch {
	case plaintext != "":
		// The credentials Secret is the source; the verifier follows from it.
		if hasVerifier && verifier.Fingerprint() == token.Fingerprint(plaintext) {
			issuedAt = verifier.IssuedAt
		}
		verifier = token.NewVerifier(plaintext, token.RoleProvisioner, issuedAt)
	case hasVerifier:
		// Copied and deleted, or spoiled by hand. The token that was copied stays valid.
	default:
		if plaintext, err = token.New(r.Options.Random); err != nil {
			return err
		}
		verifier = token.NewVerifier(plaintext, token.RoleProvisioner, r.Options.Clock.Now())
	}
	if plaintext != "" {
		want := desired.Credentials(s.tenant, plaintext, verifier.IssuedAt, s.tenantURL)
		if _, err := s.owner.Apply(ctx, apply.Secret(want)); err != nil {
			return err
		}
	}
	want, err := desired.Verifier(s.tenant, verifier)
	if err != nil {
		return err
	}
	annotations := want.Annotations // Apply fills want with the answer
	if _, err := s.owner.Apply(ctx, apply.Secret(want)); err != nil {
		return err
	}
	s.foundCredentials(plaintext != "" || credentials != nil, annotations)
	return nil
}

// foundCredentials tells about the token what the annotations of the verifier Secret say.
func (s *scope) foundCredentials(secretExists bool, annotations map[string]string) {
	name := desired.CredentialsName(s.tenant.Name)
	s.credentials = &v1alpha1.CredentialsStatus{Fingerprint: annotations[desired.AnnotationFingerprint]}
	if issuedAt, err := time.Parse(time.RFC3339, annotations[desired.AnnotationIssuedAt]); err == nil {
		s.credentials.IssuedAt = &metav1.Time{Time: issuedAt}
	}
	if !secretExists {
		s.found(conditions.True(v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonCopied,
			fmt.Sprintf("Secret %s was deleted, as one may after copying. The token stays valid.", name)))
		return
	}
	s.credentials.SecretName = name
	s.found(conditions.True(v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonIssued,
		fmt.Sprintf("Secret %s holds the Secret Token.", name)))
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

// tokenIn returns the token in a credentials Secret and when it was issued, or nothing if there is none to rely on.
func tokenIn(secret *corev1.Secret) (plaintext string, issuedAt time.Time) {
	if secret == nil {
		return "", time.Time{}
	}
	plaintext = string(secret.Data[v1alpha1.CredentialsTokenKey])
	if token.Check(plaintext) != nil {
		return "", time.Time{}
	}
	issuedAt, err := time.Parse(time.RFC3339, secret.Annotations[desired.AnnotationIssuedAt])
	if err != nil {
		issuedAt = secret.CreationTimestamp.Time
	}
	return plaintext, issuedAt
}

// verifierIn returns the verifier in a verifier Secret, if there is one to rely on.
func verifierIn(secret *corev1.Secret) (token.Verifier, bool) {
	if secret == nil {
		return token.Verifier{}, false
	}
	set, err := token.Decode(secret.Data[v1alpha1.VerifierKey])
	if err != nil || len(set.Verifiers) == 0 {
		return token.Verifier{}, false
	}
	return set.Verifiers[0], true
}
