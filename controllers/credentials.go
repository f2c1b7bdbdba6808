package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
// that the server has their hashes. A settled tenant is recognised by the metadata of its Secrets in the cache; only where something is
// missing are the Secrets read.
//
// The Secrets that hand credentials out are written first and the verifier Secret is derived from them, so a crash in between loses no
// token. A person may delete them after copying: each stays deleted until a new credential is to be handed over.
func (r *ProvisioningTenantReconciler) issueCredentials(ctx context.Context, s *scope) error {
	handed, err := secretsOf(ctx, s, r.cachedSecret)
	if err != nil {
		return err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	if ok, err := r.settled(s, handed, verifier); err != nil || ok {
		if ok {
			credentials := handed[desired.CredentialsName(s.tenant.Name)]
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

// secretsOf are the Secrets that hand out the wanted credentials, by name, as read has them. One that read does not find is missing.
func secretsOf[S any](
	ctx context.Context, s *scope, read func(ctx context.Context, s *scope, name string) (*S, error),
) (map[string]*S, error) {
	found := map[string]*S{}
	for _, credential := range token.Wanted(s.tenant) {
		name, _ := credential.Secret(s.tenant.Name)
		if _, done := found[name]; done {
			continue
		}
		secret, err := read(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if secret != nil {
			found[name] = secret
		}
	}
	return found, nil
}

// settled tells from metadata whether all Secrets are as they should be and nothing is due. handed are those that hand credentials out, by
// name; one that is gone is missing.
func (r *ProvisioningTenantReconciler) settled(
	s *scope, handed map[string]*metav1.PartialObjectMetadata, verifier *metav1.PartialObjectMetadata,
) (bool, error) {
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
		if !ok || mark.Fingerprint == "" || rotation.due(mark.IssuedAt, now) || rotation.ended ||
			mark.Previous != "" && rotation.over(mark.PreviousNotAfter, now) {
			return false, nil
		}
		if intact, err := s.readerIntact(handed, credential, mark, rotation); err != nil || !intact {
			return false, err
		}
	}
	if intact, err := apply.OwnsData(verifier, v1alpha1.VerifierKey); err != nil || !intact {
		return false, err
	}
	s.fail(invalid)
	credentials := handed[desired.CredentialsName(s.tenant.Name)]
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

// readerIntact tells whether the Secret of a reader is as it should be. It is where the credential is not a reader's, and where the Secret was
// deleted after copying.
func (s *scope) readerIntact(
	handed map[string]*metav1.PartialObjectMetadata, credential token.Credential, mark desired.Mark, rotation rotation,
) (bool, error) {
	name, key := credential.Secret(s.tenant.Name)
	secret := handed[name]
	if credential.Reader == "" || secret == nil {
		return true, nil
	}
	data := desired.ReaderData(s.tenant, s.tenantURL, rotation.ends(mark.IssuedAt))
	public, err := desired.PublicMark(data)
	if err != nil || secret.Annotations[desired.AnnotationPublic] != public {
		return false, err
	}
	keys := slices.Collect(maps.Keys(data))
	if held, ok := desired.Marks(secret.Annotations)[credential.Key]; ok {
		if held != mark {
			return false, nil
		}
		keys = append(keys, key)
	}
	return apply.OwnsData(secret, keys...)
}

// restoreCredentials reads all Secrets live and writes what is missing or different.
func (r *ProvisioningTenantReconciler) restoreCredentials(ctx context.Context, s *scope) error {
	handed, err := secretsOf(ctx, s, r.liveSecret)
	if err != nil {
		return err
	}
	verifiers, err := r.liveSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	set, wanted := verifiersIn(verifiers), token.Wanted(s.tenant)
	before := set.Obeyed
	if asked := s.askedOf(wanted, handed); asked != nil && desired.ObeyedBy(asked.Annotations).Rotate == s.tenant.Annotations[v1alpha1.RotateAnnotation] {
		// A crash came between the two Secrets: the new credential is there already.
		before.Rotate = s.tenant.Annotations[v1alpha1.RotateAnnotation]
	}
	rotations, obeyed, invalid := rotations(s.tenant, wanted, before)
	s.fail(invalid)
	ended := s.forgetEnded(verifiers, wanted, handed)
	issuer := issuer{s.tenant.Name, handed, set.Verifiers, rotations, r.Options.Random, r.Options.Clock.Now()}
	result, err := issuer.issue(wanted)
	if err != nil {
		return err
	}
	var annotations map[string]string
	if result.revoked || verifiers != nil && obeyed.EndTokens != set.Obeyed.EndTokens {
		// Before all else, so that nothing that fails below keeps a revoked credential valid, or an access token that was ended.
		first := set.Obeyed
		first.EndTokens = obeyed.EndTokens
		if annotations, err = s.applyVerifiers(ctx, result.kept, ended, first); err != nil {
			return err
		}
	}
	exists := handed[desired.CredentialsName(s.tenant.Name)] != nil || result.holds()
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
	if err := r.applyReaders(ctx, s, result.issued, ended, handed, rotations, obeyed); err != nil {
		return err
	}
	if !result.revoked || len(result.kept) < len(result.issued) || len(ended) > 0 || obeyed != set.Obeyed {
		if annotations, err = s.applyVerifiers(ctx, result.issued, nil, obeyed); err != nil {
			return err
		}
	}
	for _, cause := range result.causes {
		r.Metrics.rotated(cause)
	}
	r.foundCredentials(s, exists, held, annotations)
	return nil
}

// asks tells whether the annotations of the tenant speak of the credential.
func (s *scope) asks(credential token.Credential) bool {
	return credential.Key == cmp.Or(s.tenant.Annotations[v1alpha1.CredentialAnnotation], v1alpha1.CredentialsTokenKey)
}

// askedOf is the Secret with the credential that the annotations speak of, or nil.
func (s *scope) askedOf(wanted []token.Credential, handed map[string]*corev1.Secret) *corev1.Secret {
	at := slices.IndexFunc(wanted, s.asks)
	if at < 0 {
		return nil
	}
	name, _ := wanted[at].Secret(s.tenant.Name)
	return handed[name]
}

// forgetEnded returns what the server takes no more, or is not to take, because it was taken from the spec, as long as the verifier Secret knows
// of it. It forgets that the Secrets which hand credentials out still hold such a one: where the credential is wanted again it is made anew, or
// whoever had it would be let in again.
func (s *scope) forgetEnded(verifiers *corev1.Secret, wanted []token.Credential, handed map[string]*corev1.Secret) (ended []desired.Ended) {
	if verifiers == nil {
		return nil
	}
	marks := desired.Marks(verifiers.Annotations)
	for _, key := range slices.Sorted(maps.Keys(marks)) {
		credential := token.Credential{Key: key}
		if reader, isReader := strings.CutPrefix(key, v1alpha1.CredentialsReaderPrefix); isReader {
			credential.Reader = reader
		}
		fingerprint := marks[key].Ended
		if fingerprint == "" {
			if slices.ContainsFunc(wanted, func(c token.Credential) bool { return c.Key == key }) {
				continue
			}
			fingerprint = marks[key].Fingerprint
		}
		ended = append(ended, desired.Ended{Credential: credential, Fingerprint: fingerprint})
		name, at := credential.Secret(s.tenant.Name)
		if secret := handed[name]; secret != nil && token.Fingerprint(plaintextIn(secret, at)) == fingerprint {
			delete(secret.Data, at)
		}
	}
	return ended
}

// applyReaders applies the Secret of each reader that has one or is to get one, and empties those of readers that are gone.
func (r *ProvisioningTenantReconciler) applyReaders(
	ctx context.Context, s *scope, issued []desired.Issued, ended []desired.Ended, handed map[string]*corev1.Secret,
	rotations map[string]rotation, obeyed token.Obeyed,
) error {
	for _, one := range issued {
		name, _ := one.Secret(s.tenant.Name)
		if one.Reader == "" || one.Plaintext == "" && handed[name] == nil {
			continue
		}
		said := obeyed
		if there := handed[name]; there != nil && !s.asks(one.Credential) {
			said = desired.ObeyedBy(there.Annotations) // or each request would change the Secret of every reader
		}
		want, err := desired.ReaderCredentials(s.tenant, one, said, s.tenantURL, rotations[one.Key].ends(one.Verifier.IssuedAt))
		if err != nil {
			return err
		}
		if _, err := s.owner.Apply(ctx, apply.Secret(want)); err != nil {
			return err
		}
	}
	for _, one := range ended {
		name, _ := one.Secret(s.tenant.Name)
		if one.Reader == "" || slices.ContainsFunc(issued, func(i desired.Issued) bool { return i.Key == one.Key }) {
			continue
		}
		if there, err := r.liveSecret(ctx, s, name); err != nil || there == nil {
			if err != nil {
				return err
			}
			continue
		}
		want, err := desired.EmptiedReader(s.tenant, name)
		if err != nil {
			return err
		}
		if _, err := s.owner.Apply(ctx, apply.Secret(want).Existing()); err != nil {
			return err
		}
	}
	return nil
}

// applyVerifiers applies the verifier Secret and returns the annotations that it was given.
func (s *scope) applyVerifiers(
	ctx context.Context, issued []desired.Issued, ended []desired.Ended, obeyed token.Obeyed,
) (map[string]string, error) {
	want, err := desired.Verifier(s.tenant, issued, ended, obeyed)
	if err != nil {
		return nil, err
	}
	annotations := want.Annotations // Apply fills want with the answer
	_, err = s.owner.Apply(ctx, apply.Secret(want))
	return annotations, err
}

// foundCredentials tells about the credentials what the annotations of the credentials Secret and of the verifier Secret say, and when to look at them again.
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
	s.credentials.ExpiresAt = timeOf(rotation.ends(mark.IssuedAt))
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
