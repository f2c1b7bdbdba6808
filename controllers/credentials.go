package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// issueCredentials sees to it that there is every credential that the spec wants and no other, none older than it may be, and
// that the server has their hashes. A settled tenant is recognised by the metadata of both Secrets in the cache; only where something is
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
	if ok, err := r.settled(s, credentials, verifier); err != nil || ok {
		if ok {
			var held map[string]string
			if credentials != nil {
				held = credentials.Annotations
			}
			r.foundCredentials(s, credentials != nil, held, verifier.Annotations)
		}
		return err
	}
	return classify(r.restoreCredentials(ctx, s), v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonRejected)
}

// settled tells from metadata whether both Secrets are as they should be and nothing is due. credentials is nil where the
// Secret is gone.
func (r *ProvisioningTenantReconciler) settled(s *scope, credentials, verifier *metav1.PartialObjectMetadata) (bool, error) {
	if verifier == nil {
		return false, nil
	}
	issued, wanted := desired.Marks(verifier.Annotations), token.Wanted(s.tenant)
	if len(issued) != len(wanted) {
		return false, nil
	}
	before := desired.ObeyedBy(verifier.Annotations)
	rotations, obeyed, invalid := rotations(s.tenant, wanted, before)
	if obeyed != before {
		return false, nil
	}
	now := r.Options.Clock.Now()
	for _, credential := range wanted {
		mark, ok := issued[credential.Key]
		rotation := rotations[credential.Key]
		if !ok || rotation.due(mark.IssuedAt, now) || rotation.ended || mark.Previous != "" && rotation.over(mark.PreviousNotAfter, now) {
			return false, nil
		}
	}
	if intact, err := apply.OwnsData(verifier, v1alpha1.VerifierKey); err != nil || !intact {
		return false, err
	}
	s.fail(invalid)
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
	set, wanted := verifiersIn(verifiers), token.Wanted(s.tenant)
	before := set.Obeyed
	if credentials != nil && desired.ObeyedBy(credentials.Annotations).Rotate == s.tenant.Annotations[v1alpha1.RotateAnnotation] {
		// A crash came between the two Secrets: the new credential is there already.
		before.Rotate = s.tenant.Annotations[v1alpha1.RotateAnnotation]
	}
	rotations, obeyed, invalid := rotations(s.tenant, wanted, before)
	s.fail(invalid)
	issuer := issuer{credentials, set.Verifiers, rotations, r.Options.Random, r.Options.Clock.Now()}
	result, err := issuer.issue(wanted)
	if err != nil {
		return err
	}
	var annotations map[string]string
	if result.revoked || verifiers != nil && obeyed.EndTokens != set.Obeyed.EndTokens {
		// Before all else, so that nothing that fails below keeps a revoked credential valid, or an access token that was ended.
		ended := set.Obeyed
		ended.EndTokens = obeyed.EndTokens
		if annotations, err = s.applyVerifiers(ctx, result.kept, ended); err != nil {
			return err
		}
	}
	exists := credentials != nil || result.holds()
	var held map[string]string
	if exists {
		want, err := desired.Credentials(s.tenant, result.issued, obeyed, s.tenantURL)
		if err != nil {
			return err
		}
		held = want.Annotations // Apply fills want with the answer
		if _, err := s.owner.Apply(ctx, apply.Secret(want)); err != nil {
			return err
		}
	}
	if !result.revoked || len(result.kept) < len(result.issued) || obeyed != set.Obeyed {
		if annotations, err = s.applyVerifiers(ctx, result.issued, obeyed); err != nil {
			return err
		}
	}
	for _, cause := range result.causes {
		r.Metrics.rotated(cause)
	}
	r.foundCredentials(s, exists, held, annotations)
	return nil
}

// applyVerifiers applies the verifier Secret and returns the annotations that it was given.
func (s *scope) applyVerifiers(ctx context.Context, issued []desired.Issued, obeyed token.Obeyed) (map[string]string, error) {
	want, err := desired.Verifier(s.tenant, issued, obeyed)
	if err != nil {
		return nil, err
	}
	annotations := want.Annotations // Apply fills want with the answer
	_, err = s.owner.Apply(ctx, apply.Secret(want))
	return annotations, err
}

// foundCredentials tells about the credentials what the annotations of both Secrets say, and when to look at them again.
func (r *ProvisioningTenantReconciler) foundCredentials(s *scope, secretExists bool, held, issued map[string]string) {
	wanted, marks, now := token.Wanted(s.tenant), desired.Marks(issued), r.Options.Clock.Now()
	rotations, _, _ := rotations(s.tenant, wanted, desired.ObeyedBy(issued))
	for _, credential := range wanted {
		s.outcome.at(rotations[credential.Key].next(marks[credential.Key], now), now)
	}
	mark, rotation := marks[v1alpha1.CredentialsTokenKey], rotations[v1alpha1.CredentialsTokenKey]
	s.credentials = &v1alpha1.CredentialsStatus{
		Fingerprint: mark.Fingerprint,
		IssuedAt:    timeOf(mark.IssuedAt), PreviousExpiresAt: timeOf(mark.PreviousNotAfter),
	}
	if rotation.interval > 0 {
		s.credentials.ExpiresAt = timeOf(mark.IssuedAt.Add(rotation.interval + rotation.overlap))
	}
	name := desired.CredentialsName(s.tenant.Name)
	if secretExists {
		s.credentials.SecretName = name
	}
	_, holdsToken := desired.Marks(held)[v1alpha1.CredentialsTokenKey]
	s.found(credentialsReady(name, secretExists, holdsToken, mark, now))
}

// credentialsReady says how the Secret Token is doing, which mark tells of.
func credentialsReady(secret string, secretExists, holdsToken bool, mark desired.Mark, now time.Time) metav1.Condition {
	reason, message := v1alpha1.ReasonIssued, "Secret %s holds the Secret Token."
	switch {
	case !secretExists:
		reason, message = v1alpha1.ReasonCopied, "Secret %s was deleted, as one may after copying. The token stays valid."
	case !holdsToken:
		message = "Secret %s holds what was issued since it was deleted. The Secret Token that was copied stays valid."
	case mark.PreviousNotAfter.IsZero():
	case now.Before(warnFrom(mark)):
		reason, message = v1alpha1.ReasonRotated, "Secret %s holds the new Secret Token."
	default:
		reason, message = v1alpha1.ReasonPreviousExpiring, "Secret %s holds the new Secret Token."
	}
	message = fmt.Sprintf(message, secret)
	if !mark.PreviousNotAfter.IsZero() {
		message += fmt.Sprintf(" The one before is valid until %s: paste the new one into Microsoft Entra ID before that.",
			mark.PreviousNotAfter.Format(time.RFC3339))
	}
	return conditions.True(v1alpha1.ConditionCredentialsReady, reason, message)
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
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
