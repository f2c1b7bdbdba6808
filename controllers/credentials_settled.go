package controllers

import (
	"context"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// settled tells from metadata whether all Secrets are as they should be and nothing is due. handed are those that hand credentials out, by
// name; one that is gone is missing.
func (r *ProvisioningTenantReconciler) settled(
	ctx context.Context, s *scope, handed map[string]*metav1.PartialObjectMetadata, verifier *metav1.PartialObjectMetadata,
) (bool, error) {
	if verifier == nil {
		return false, nil
	}
	wanted, accepted, now := token.Wanted(s.tenant), token.Marks(verifier.Annotations), r.Options.Clock.Now()
	blocked := s.memory.lookout.blocked
	asked := credentials.RequestsOf(s.tenant, wanted, credentials.Obeyed(accepted), now)
	if asked.Hold(s.tenant, wanted, blocked); asked.Pending() {
		return false, nil
	}
	if told := s.tenant.Status.Credentials; told != nil && credentials.ForgetsAny(token.Ended(verifier.Annotations), told.Ended) {
		return false, nil
	}
	for key, mark := range accepted {
		if known := credentials.Has(wanted, key) || key == v1alpha1.AccessTokensCredential; !known || mark.Ended != "" {
			return false, nil
		}
	}
	for _, credential := range wanted {
		mark, ok := accepted[credential.Key]
		name, _ := credential.Secret(s.tenant.Name)
		if mark.Fingerprint == "" && handed[name] == nil && blocked[name] != nil && credential.Key != v1alpha1.CredentialsTokenKey {
			ok, mark.Copied = true, true // it is not issued before its Secret can be written, and no Secret holds it
		}
		if !ok || mark.Fingerprint != "" && blocked[name] == nil && credentials.RotationOf(s.tenant, credential, asked).Due(mark.IssuedAt, now) ||
			mark.PreviousSHA256 != "" && !now.Before(mark.PreviousNotAfter) {
			return false, nil
		}
		if told := credentials.IssuedBefore(s.tenant, credential.Key); told != nil && told.Fingerprint != mark.Fingerprint &&
			mark.Fingerprint != "" && mark.IssuedAt.Before(told.IssuedAt.Time) {
			return false, nil // an older state was put back
		}
		if ok, err := r.handedMatches(ctx, s, handed[name], credential, mark); err != nil || !ok {
			return false, err
		}
		if ok, err := s.readerIntact(handed[name], credential, mark); err != nil || !ok {
			return false, err
		}
	}
	if ok, err := s.credentialsIntact(handed[desired.CredentialsName(s.tenant.Name)], accepted); err != nil || !ok {
		return false, err
	}
	if ok, err := apply.Intact(verifier, desired.Labels(s.tenant.Name), tellingAnnotations(verifier), v1alpha1.VerifierKey); err != nil || !ok {
		return false, err
	}
	return r.stillGone(ctx, s, handed)
}

// handedMatches tells whether a Secret holds the credential that the server accepts, or a value that was refused and would be again, or nothing
// of it where that is known: a Secret that is gone from the cache may only have lost its label, and a key that the operator does not own may
// be back.
func (r *ProvisioningTenantReconciler) handedMatches(
	ctx context.Context, s *scope, secret *metav1.PartialObjectMetadata, credential token.Credential, accepted token.Mark,
) (bool, error) {
	if secret == nil {
		name, _ := credential.Secret(s.tenant.Name)
		again, err := r.madeAgain(ctx, s, name)
		return accepted.Copied && !again, err
	}
	mark, told := token.Marks(secret.Annotations)[credential.Key]
	switch {
	case !told && accepted.Copied:
		_, key := credential.Secret(s.tenant.Name)
		there, err := apply.HasData(secret, key)
		return !there, err
	case mark == token.Mark{} || accepted.Copied:
		return mark == token.Mark{} && accepted.Copied, nil
	case mark.Refused == credentials.RefusedElsewhere:
		return r.acceptedElsewhere(ctx, s, mark.Fingerprint)
	default:
		return mark.Refused != "" || mark == accepted, nil
	}
}

// credentialsIntact tells whether the credentials Secret is as it was applied, and says what it should. It is where it was deleted.
func (s *scope) credentialsIntact(secret *metav1.PartialObjectMetadata, accepted map[string]token.Mark) (bool, error) {
	if secret == nil {
		return true, nil
	}
	marks := token.Marks(secret.Annotations)
	const ended = v1alpha1.AccessTokensCredential
	if marks[ended] != accepted[ended] || secret.Annotations[desired.AnnotationTenantURL] != s.exposure.HandedURL() {
		return false, nil
	}
	keys := slices.Collect(maps.Keys(desired.PublicData(s.tenant, s.exposure.HandedURL())))
	for key := range marks {
		if _, wanted := accepted[key]; !wanted {
			return false, nil
		}
		if key != ended {
			keys = append(keys, key)
		}
	}
	return apply.Intact(secret, desired.Labels(s.tenant.Name), tellingAnnotations(secret), keys...)
}

// readerIntact tells the same of the Secret of a reader. It is where the credential is not a reader's.
func (s *scope) readerIntact(secret *metav1.PartialObjectMetadata, credential token.Credential, accepted token.Mark) (bool, error) {
	if credential.Reader == "" || secret == nil {
		return true, nil
	}
	data := desired.ReaderData(s.tenant, s.exposure.HandedURL(), credentials.Ends(s.tenant, credential, accepted.IssuedAt))
	public, err := desired.PublicMark(data)
	if err != nil || secret.Annotations[desired.AnnotationPublic] != public {
		return false, err
	}
	keys := slices.Collect(maps.Keys(data))
	if _, holds := token.Marks(secret.Annotations)[credential.Key]; holds {
		_, key := credential.Secret(s.tenant.Name)
		keys = append(keys, key)
	}
	return apply.Intact(secret, desired.Labels(s.tenant.Name), tellingAnnotations(secret), keys...)
}

// tellingAnnotations are those with which the operator tells what is in a Secret. Whether they say what they should is looked at elsewhere.
func tellingAnnotations(secret *metav1.PartialObjectMetadata) map[string]string {
	annotations := map[string]string{v1alpha1.CredentialsAnnotation: secret.Annotations[v1alpha1.CredentialsAnnotation]}
	for _, name := range []string{desired.AnnotationTenantURL, desired.AnnotationPublic, v1alpha1.EndedAnnotation} {
		if value, ok := secret.Annotations[name]; ok {
			annotations[name] = value
		}
	}
	return annotations
}
