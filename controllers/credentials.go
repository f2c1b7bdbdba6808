package controllers

import (
	"context"
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// issueCredentials sees to it that there is every credential that the spec wants and no other, none older than it may be, and
// that the server has their hashes. A settled tenant is recognised by the metadata of its Secrets in the cache; only where something is
// missing or different are the Secrets read.
//
// The Secrets that hand credentials out are written first and the verifier Secret is derived from them, so a crash in between loses no
// token. A person may delete them after copying: each stays deleted until a new credential is to be handed over.
func (r *ProvisioningTenantReconciler) issueCredentials(ctx context.Context, s *scope) error {
	if s.exposure.Held {
		return nil
	}
	handed, err := credentials.HandedOut(s.tenant, func(name string) (*metav1.PartialObjectMetadata, error) { return r.cachedSecret(ctx, s, name) })
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
		told := credentials.Told{
			Accepted: token.Marks(verifier.Annotations), Handed: map[string]token.Mark{}, Ended: token.Ended(verifier.Annotations),
			Blocked: s.memory.lookout.blocked, SecretExists: handed[desired.CredentialsName(s.tenant.Name)] != nil,
		}
		for _, secret := range handed {
			maps.Copy(told.Handed, token.Marks(secret.Annotations))
		}
		r.reportCredentials(s, told)
		return nil
	}
	err = aboutSecrets(s.tenant, r.restoreCredentials(ctx, s, nil))
	if now := r.Options.Clock.Now(); err != nil && credentials.Waiting(s.tenant, handed, verifier, now) {
		s.found(unobeyed(err))
		s.outcome.at(now.Add(requestRetry), now)
	}
	return err
}

// aboutSecrets gives an error about a Secret with credentials its type.
func aboutSecrets(tenant *v1alpha1.ProvisioningTenant, err error) error {
	stranger, isStrangers := errors.AsType[*apply.NotOursError](err)
	isInvalid := apierrors.IsInvalid(err)
	err = problem.Classify(err, v1alpha1.ConditionCredentialsReady, v1alpha1.ReasonRejected)
	stalled, ok := err.(*problem.Stalled) //nolint:errorlint // one that was classified before says all
	switch {
	case !ok:
	case isStrangers:
		stalled.Message = credentials.StrangersSecret(tenant, stranger)
	case isInvalid:
		stalled.Message += ". Where the Secret was made immutable, or has another type, delete it: credentials that were handed out stay valid, " +
			"and the operator makes it again from what the other Secrets hold when it is needed."
	}
	return err
}

// restoreCredentials reads all Secrets live and writes what is missing or different. denied are those that the API server denied, by name.
func (r *ProvisioningTenantReconciler) restoreCredentials(ctx context.Context, s *scope, denied map[string]error) error {
	verifier, err := r.liveSecret(ctx, s, desired.VerifierName(s.tenant.Name), nil)
	if err != nil {
		return err
	}
	blocked := map[string]error{}
	maps.Copy(blocked, denied)
	handed, err := credentials.HandedOut(s.tenant, func(name string) (*corev1.Secret, error) {
		secret, err := r.liveSecret(ctx, s, name, verifier)
		if apply.IsTaken(err) {
			blocked[name] = err
			return nil, nil
		}
		return secret, err
	})
	if err != nil {
		return err
	}
	decision, err := credentials.Decide(credentials.State{
		Tenant: s.tenant, Verifier: verifier, Handed: handed, Blocked: blocked, Random: r.Options.Random, Now: r.Options.Clock.Now(),
		Elsewhere: func(fingerprint string) (bool, error) { return r.acceptedElsewhere(ctx, s, fingerprint) },
	})
	if err != nil {
		return err
	}
	// Without a Secret Token nobody can sign in. Where the verifiers are lost too, the Secret in the way may be all that still has it.
	if decision.WithoutToken != nil && !decision.Known {
		return decision.WithoutToken
	}
	// 1. Credentials that end, before all else: nothing that fails below keeps it valid.
	live := metadataOf(verifier)
	if decision.Withdraws != nil {
		if live, err = s.applyVerifier(ctx, *decision.Withdraws, decision.Ended, live); err != nil {
			return err
		}
	}
	// 2. Credentials are handed out before the server accepts them: nobody is let in who was given nothing.
	there, now, err := r.handOut(ctx, s, decision, handed, blocked)
	if err != nil {
		return err
	}
	if len(now) > 0 {
		// Once more without them: what clients use stays valid, and nothing else is kept back.
		maps.Copy(blocked, now)
		return r.restoreCredentials(ctx, s, blocked)
	}
	if err := r.emptyReaders(ctx, s, decision.Unwanted, verifier, blocked); err != nil {
		return err
	}
	decision.Denied(blocked)
	// 3. All that the server accepts.
	if _, err = s.applyVerifier(ctx, decision.Accepts, decision.Ended, live); err != nil {
		return err
	}
	for _, cause := range decision.Causes {
		r.Metrics.rotated(cause)
	}
	if decision.WithoutToken != nil {
		return decision.WithoutToken
	}
	told := credentials.Told{
		Accepted: decision.Accepts.Marks, Handed: map[string]token.Mark{}, Ended: decision.Ended, Blocked: blocked,
		SecretExists: there[desired.CredentialsName(s.tenant.Name)],
	}
	for _, one := range decision.Issued {
		if mark, holds := one.HandedMark(); holds {
			told.Handed[one.Key] = mark
		}
	}
	if slices.ContainsFunc(credentials.HandingOut(s.tenant), func(name string) bool { return !there[name] }) {
		pause := r.recheckSecrets()
		if told.Waits(s.tenant, decision.Asked) {
			pause = min(pause, requestRetry)
		}
		r.looked(s, pause, blocked)
	} else {
		s.memory.lookout = lookout{}
	}
	r.reportCredentials(s, told)
	return nil
}

// handOut applies the Secrets that hand credentials out and are not blocked, where there is one or something to hand over. It returns the names
// of those that are there now, and those that the API server denied, by name.
func (r *ProvisioningTenantReconciler) handOut(
	ctx context.Context, s *scope, decision *credentials.Decision, handed map[string]*corev1.Secret, blocked map[string]error,
) (there map[string]bool, denied map[string]error, err error) {
	there, denied = map[string]bool{}, map[string]error{}
	for _, one := range decision.Issued {
		name, _ := one.Secret(s.tenant.Name)
		there[name] = there[name] || handed[name] != nil || one.Plaintext != ""
	}
	if name := desired.CredentialsName(s.tenant.Name); there[name] && blocked[name] == nil {
		want, err := desired.Credentials(s.tenant, decision.Issued, decision.TokensEnded, s.exposure.HandedURL())
		if err == nil {
			err = s.applyHanding(ctx, name, want, handed[name], denied)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, one := range decision.Issued {
		name, _ := one.Secret(s.tenant.Name)
		if one.Reader == "" || !there[name] || blocked[name] != nil {
			continue
		}
		ends := credentials.Ends(s.tenant, one.Credential, one.Verifier.IssuedAt)
		want, err := desired.ReaderCredentials(s.tenant, one, s.exposure.HandedURL(), ends)
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
	if stalled, ok := errors.AsType[*problem.Stalled](aboutSecrets(s.tenant, err)); ok {
		denied[name] = &credentials.Denied{Stalled: stalled}
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
		case err == nil && there == nil, apply.IsTaken(err):
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
	ctx context.Context, verifiers credentials.Verifiers, ended []v1alpha1.EndedCredential, live *metav1.PartialObjectMetadata,
) (*metav1.PartialObjectMetadata, error) {
	maps.DeleteFunc(verifiers.Marks, func(_ string, mark token.Mark) bool { return mark == token.Mark{} })
	want, err := desired.Verifier(s.tenant, verifiers.Accepted, verifiers.Marks, ended)
	if err != nil {
		return nil, err
	}
	return s.owner.ApplySecret(ctx, want, live)
}

// reportCredentials tells the status about the credentials, and when to look at them again.
func (r *ProvisioningTenantReconciler) reportCredentials(s *scope, told credentials.Told) {
	wanted, now := token.Wanted(s.tenant), r.Options.Clock.Now()
	asked := credentials.RequestsOf(s.tenant, wanted, credentials.Obeyed(told.Accepted), now)
	asked.Hold(s.tenant, wanted, told.Blocked)
	s.outcome.at(s.memory.lookout.next, now)
	waits := told.Waits(s.tenant, asked)
	for _, err := range told.Blocked {
		if denied, ok := errors.AsType[*credentials.Denied](err); ok && waits {
			s.outcome.at(now.Add(requestRetry), now)
		} else if ok && denied.Recheck > 0 {
			s.outcome.at(now.Add(denied.Recheck), now)
		}
	}
	for _, moment := range told.Changes(s.tenant, asked, now) {
		s.outcome.at(moment, now)
	}
	client := provisioningHealthy(s.tenant)
	letIn := client.Status == metav1.ConditionTrue || client.Reason == v1alpha1.ReasonRequestsFailing
	s.credentials = told.Status(s.tenant)
	s.found(credentials.Ready(s.tenant, told, letIn, now))
	s.found(asked.Condition())
}
