package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// issueCredentials sees to it that there is every credential that the spec wants and no other, none older than it may be, and
// that the server has their hashes. A settled tenant is recognised by the metadata of its Secrets in the cache; only where something is
// missing or different are the Secrets read.
//
// The Secrets that hand credentials out are written first and the verifier Secret is derived from them, so a crash in between loses no
// token. A person may delete them after copying: each stays deleted until a new credential is to be handed over.
func (r *ProvisioningTenantReconciler) issueCredentials(ctx context.Context, s *scope) error {
	if s.held {
		return nil
	}
	handed, err := handedOut(s.tenant, func(name string) (*metav1.PartialObjectMetadata, error) { return r.cachedSecret(ctx, s, name) })
	if err != nil {
		return err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	if err != nil {
		return err
	}
	settled, err := r.settled(ctx, s, handed, verifier)
	if err != nil {
		return err
	}
	if settled {
		told := credentialsTold{
			accepted: token.Marks(verifier.Annotations), handed: map[string]token.Mark{}, ended: token.Ended(verifier.Annotations),
			blocked: s.memory.lookout.blocked, secretExists: handed[desired.CredentialsName(s.tenant.Name)] != nil,
		}
		for _, secret := range handed {
			maps.Copy(told.handed, token.Marks(secret.Annotations))
		}
		r.reportCredentials(s, told)
		return nil
	}
	err = aboutSecrets(s.tenant, r.restoreCredentials(ctx, s, nil))
	if now := r.Options.Clock.Now(); err != nil && requestWaits(s.tenant, handed, verifier, now) {
		s.found(unobeyed(err))
		s.outcome.at(now.Add(requestRetry), now)
	}
	return err
}

// aboutSecrets gives an error about a Secret with credentials its type.
func aboutSecrets(tenant *v1alpha1.ProvisioningTenant, err error) error {
	stranger, isStrangers := errors.AsType[*apply.NotOursError](err)
	err = classify(err, v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonRejected)
	stalled, ok := err.(*Stalled) //nolint:errorlint // one that was classified before says all
	switch {
	case !ok:
	case isStrangers:
		stalled.Message = strangersSecret(tenant, stranger)
	default:
		stalled.Message += ". Where the Secret was made immutable, or has another type, delete it: credentials that were handed out stay valid, " +
			"and the operator makes it again from what the other Secrets hold when it is needed."
	}
	return err
}

// deniedError says that the API server denies a Secret as it should be that hands credentials out.
type deniedError struct{ *Stalled }

func (e *deniedError) Unwrap() error { return e.Stalled }

// restoreCredentials reads all Secrets live and writes what is missing or different. denied are those that the API server denied, by name.
func (r *ProvisioningTenantReconciler) restoreCredentials(ctx context.Context, s *scope, denied map[string]error) error {
	verifier, err := r.liveSecret(ctx, s, desired.VerifierName(s.tenant.Name), nil)
	if err != nil {
		return err
	}
	blocked := map[string]error{}
	maps.Copy(blocked, denied)
	handed, err := handedOut(s.tenant, func(name string) (*corev1.Secret, error) {
		secret, err := r.liveSecret(ctx, s, name, verifier)
		if isInTheWay(err) {
			blocked[name] = err
			return nil, nil
		}
		return secret, err
	})
	if err != nil {
		return err
	}
	wanted := token.Wanted(s.tenant)
	issuer := r.issuer(ctx, s, handed, blocked, verifier)
	unwanted := issuer.forgetEnded(wanted)
	issued, causes, err := issuer.issue(wanted)
	if err != nil {
		return err
	}
	// Without a Secret Token nobody can sign in. Where the verifiers are lost too, the Secret in the way may be all that still has it.
	withoutToken := issuer.withoutToken(issued[0])
	if withoutToken != nil && !issuer.known {
		return withoutToken
	}
	verifiers, marks := verifiersOf(issued), map[string]token.Mark{}
	for _, one := range issued {
		marks[one.Key] = one.Mark()
	}
	if ended := issuer.tokensEnded(); ended != (token.Obeyed{}) {
		marks[v1alpha1.AccessTokensCredential] = token.Mark{Obeyed: ended}
	}

	// 1. Credentials that end, before all else: nothing that fails below keeps it valid.
	live := metadataOf(verifier)
	still, meanwhile := issuer.withdrawn(verifiers)
	const tokens = v1alpha1.AccessTokensCredential
	meanwhile[tokens] = marks[tokens]
	if len(still) < len(issuer.accepted.Verifiers) || issuer.known && marks[tokens] != issuer.marks[tokens] {
		if live, err = s.applyVerifier(ctx, still, meanwhile, issuer.ended, live); err != nil {
			return err
		}
	}
	// 2. Credentials are handed out before the server accepts them: nobody is let in who was given nothing.
	there, now, err := r.handOut(ctx, s, issued, marks[tokens].Obeyed, handed, blocked)
	if err != nil {
		return err
	}
	if len(now) > 0 {
		// Once more without them: what clients use stays valid, and nothing else is kept back.
		maps.Copy(blocked, now)
		return r.restoreCredentials(ctx, s, blocked)
	}
	if err := r.emptyReaders(ctx, s, unwanted, verifier, blocked); err != nil {
		return err
	}
	issuer.keepEnded(marks, meanwhile)
	// 3. All that the server accepts.
	if _, err = s.applyVerifier(ctx, verifiers, marks, issuer.ended, live); err != nil {
		return err
	}
	for _, cause := range causes {
		r.Metrics.rotated(cause)
	}
	if withoutToken != nil {
		return withoutToken
	}
	told := credentialsTold{
		accepted: marks, handed: map[string]token.Mark{}, ended: issuer.ended, blocked: blocked,
		secretExists: there[desired.CredentialsName(s.tenant.Name)],
	}
	for _, one := range issued {
		if mark, holds := one.HandedMark(); holds {
			told.handed[one.Key] = mark
		}
	}
	if slices.ContainsFunc(handingOut(s.tenant), func(name string) bool { return !there[name] }) {
		pause := r.recheckSecrets()
		if told.waits(s.tenant, issuer.asked) {
			pause = min(pause, requestRetry)
		}
		r.looked(s, pause, blocked)
	} else {
		s.memory.lookout = lookout{}
	}
	r.reportCredentials(s, told)
	return nil
}

// issuer knows the Secrets as they were read.
func (r *ProvisioningTenantReconciler) issuer(
	ctx context.Context, s *scope, handed map[string]*corev1.Secret, blocked map[string]error, verifier *corev1.Secret,
) *issuer {
	i := &issuer{
		tenant: s.tenant, handed: handed, blocked: blocked, marks: map[string]token.Mark{}, random: r.Options.Random, now: r.Options.Clock.Now(),
		elsewhere: func(fingerprint string) (bool, error) { return r.acceptedElsewhere(ctx, s, fingerprint) },
	}
	if told := s.tenant.Status.Credentials; told != nil {
		i.ended = told.Ended
	}
	if verifier != nil {
		i.know(verifier)
	}
	wanted := token.Wanted(s.tenant)
	obeyed := map[string]token.Obeyed{v1alpha1.AccessTokensCredential: i.obeyed(v1alpha1.AccessTokensCredential)}
	for _, credential := range wanted {
		obeyed[credential.Key] = i.obeyed(credential.Key)
	}
	i.asked = requestsOf(s.tenant, wanted, obeyed, i.now)
	i.asked.hold(s.tenant, wanted, blocked)
	return i
}

// handOut applies the Secrets that hand credentials out and are not blocked, where there is one or something to hand over. It returns the names
// of those that are there now, and those that the API server denied, by name.
func (r *ProvisioningTenantReconciler) handOut(
	ctx context.Context, s *scope, issued []desired.Issued, tokensEnded token.Obeyed, handed map[string]*corev1.Secret, blocked map[string]error,
) (there map[string]bool, denied map[string]error, err error) {
	there, denied = map[string]bool{}, map[string]error{}
	for _, one := range issued {
		name, _ := one.Secret(s.tenant.Name)
		there[name] = there[name] || handed[name] != nil || one.Plaintext != ""
	}
	if name := desired.CredentialsName(s.tenant.Name); there[name] && blocked[name] == nil {
		want, err := desired.Credentials(s.tenant, issued, tokensEnded, s.handedURL())
		if err == nil {
			err = s.applyHanding(ctx, name, want, handed[name], denied)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, one := range issued {
		name, _ := one.Secret(s.tenant.Name)
		if one.Reader == "" || !there[name] || blocked[name] != nil {
			continue
		}
		ends := rotationOf(s.tenant, one.Credential, requests{}).ends(one.Verifier.IssuedAt)
		want, err := desired.ReaderCredentials(s.tenant, one, s.handedURL(), ends)
		if err == nil {
			err = s.applyHanding(ctx, name, want, handed[name], denied)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return there, denied, nil
}

// applyHanding applies a Secret that hands credentials out over the version that was read. Where the API server does not take it, that is no error:
// it is added to denied by its name.
func (s *scope) applyHanding(
	ctx context.Context, name string, want *corev1ac.SecretApplyConfiguration, live *corev1.Secret, denied map[string]error,
) error {
	_, err := s.owner.ApplySecret(ctx, want, metadataOf(live))
	if stalled, ok := errors.AsType[*Stalled](aboutSecrets(s.tenant, err)); ok {
		denied[name] = &deniedError{stalled}
		return nil
	}
	return err
}

// emptyReaders takes from the Secrets of readers what they hand out that the spec does not want. One that the API server denies is added to denied.
func (r *ProvisioningTenantReconciler) emptyReaders(
	ctx context.Context, s *scope, unwanted []token.Credential, verifier *corev1.Secret, denied map[string]error,
) error {
	for _, one := range unwanted {
		if one.Reader == "" {
			continue
		}
		name, _ := one.Secret(s.tenant.Name)
		there, err := r.liveSecret(ctx, s, name, verifier)
		switch {
		case err == nil && there == nil, isInTheWay(err):
			continue
		case err != nil:
			return err
		}
		want, err := desired.EmptiedReader(s.tenant, name)
		if err == nil {
			err = s.applyHanding(ctx, name, want, there, denied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyVerifier applies the verifier Secret over the version that is live, and returns the metadata of what is there then.
func (s *scope) applyVerifier(
	ctx context.Context, verifiers []token.Verifier, marks map[string]token.Mark, ended []v1alpha1.EndedCredential,
	live *metav1.PartialObjectMetadata,
) (*metav1.PartialObjectMetadata, error) {
	maps.DeleteFunc(marks, func(_ string, mark token.Mark) bool { return mark == token.Mark{} })
	want, err := desired.Verifier(s.tenant, verifiers, marks, ended)
	if err != nil {
		return nil, err
	}
	return s.owner.ApplySecret(ctx, want, live)
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
