package controllers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// recheckElsewhere is when to look again whether another tenant still has a credential that was refused because of that.
const recheckElsewhere = 5 * time.Minute

// replacedTold is for how long it is told that a credential ended in whose place another was put, where nobody knows whether that is in use.
const replacedTold = 24 * time.Hour

// credentialsTold is what the Secrets of a tenant tell, by the key of the credential.
type credentialsTold struct {
	// accepted is what the verifier Secret tells, and handed what the Secrets tell that hand credentials out.
	accepted, handed map[string]token.Mark
	// ended are the credentials that somebody asked to end.
	ended []v1alpha1.EndedCredential
	// blocked says by the name of a Secret that hands credentials out why it cannot be written. The Secret Token is accepted all the same.
	blocked map[string]error
	// secretExists tells whether there is a credentials Secret.
	secretExists bool
}

// reportCredentials tells the status about the credentials, and when to look at them again.
func (r *ProvisioningTenantReconciler) reportCredentials(s *scope, told credentialsTold) {
	wanted, now := token.Wanted(s.tenant), r.Options.Clock.Now()
	asked := requestsOf(s.tenant, wanted, obeyedBy(told.accepted), now)
	asked.hold(s.tenant, wanted, told.blocked)
	s.outcome.at(asked.next, now)
	s.outcome.at(s.memory.lookout.next, now)
	waits := told.waits(s.tenant, asked)
	for _, err := range told.blocked {
		if denied, ok := errors.AsType[*deniedError](err); ok && waits {
			s.outcome.at(now.Add(requestRetry), now)
		} else if ok && denied.Recheck > 0 {
			s.outcome.at(now.Add(denied.Recheck), now)
		}
	}
	for _, credential := range wanted {
		mark := told.accepted[credential.Key]
		s.outcome.at(rotationOf(s.tenant, credential, requests{}).next(mark, now), now)
		if mark.Replaced != "" && credential.Key != v1alpha1.CredentialsTokenKey {
			s.outcome.at(mark.IssuedAt.Add(replacedTold), now)
		}
		if told.handed[credential.Key].Refused == refusedElsewhere {
			s.outcome.at(now.Add(recheckElsewhere), now)
		}
	}
	mark, secretToken := told.accepted[v1alpha1.CredentialsTokenKey], wanted[0]
	s.credentials = &v1alpha1.CredentialsStatus{
		Fingerprint: mark.Fingerprint, IssuedAt: timeOf(mark.IssuedAt), PreviousExpiresAt: timeOf(mark.PreviousNotAfter),
		ExpiresAt: timeOf(rotationOf(s.tenant, secretToken, requests{}).ends(mark.IssuedAt)),
	}
	if before := s.tenant.Status.Credentials; before != nil {
		told.ended = token.JoinEnded(before.Ended, told.ended)
	}
	s.credentials.Ended = told.ended
	for _, credential := range wanted {
		if mark := told.accepted[credential.Key]; mark.Fingerprint != "" {
			s.credentials.Issued = append(s.credentials.Issued, v1alpha1.IssuedCredential{
				Key: credential.Key, Fingerprint: mark.Fingerprint, IssuedAt: timeOf(mark.IssuedAt),
			})
		}
	}
	if told.secretExists {
		s.credentials.SecretName = desired.CredentialsName(s.tenant.Name)
	}
	s.found(credentialsReady(s.tenant, told, now))
	s.found(asked.condition())
}

// credentialsReady says how the credentials are doing: the worst first. It is False only where nobody is known to get in, because the Secret Token
// that the server accepts may be in nobody's hands.
func credentialsReady(tenant *v1alpha1.ProvisioningTenant, told credentialsTold, now time.Time) metav1.Condition {
	const condition = v1alpha1.ConditionCredentialsReady
	secret, mark := desired.CredentialsName(tenant.Name), told.accepted[v1alpha1.CredentialsTokenKey]
	holdsToken := told.handed[v1alpha1.CredentialsTokenKey] != token.Mark{}
	hindered, blockade := blockades(tenant, told)
	if refused := refusals(tenant, told); refused != "" {
		client := provisioningHealthy(tenant)
		letIn := client.Status == metav1.ConditionTrue || client.Reason == v1alpha1.ReasonRequestsFailing
		switch {
		case told.handed[v1alpha1.CredentialsTokenKey].Refused == "":
		case mark.Fingerprint == "":
			return conditions.False(condition, v1alpha1.ReasonValueRefused, refused+blockade)
		case !letIn:
			refused += " No client is known to use the Secret Token that is accepted."
			return conditions.False(condition, v1alpha1.ReasonValueRefused, refused+blockade)
		}
		return conditions.True(condition, v1alpha1.ReasonValueRefused, refused+blockade)
	}
	if lost := lost(tenant, told); lost != "" {
		return conditions.True(condition, v1alpha1.ReasonTokenLost, lost+blockade)
	}
	if replaced := replacements(tenant, told, now); replaced != "" {
		return conditions.True(condition, v1alpha1.ReasonTokenReplaced, replaced+blockade)
	}
	reason, message := v1alpha1.ReasonIssued, "Secret "+secret+" holds the Secret Token."
	switch {
	case hindered != "":
		reason, message = hindered, strings.TrimSpace(blockade)
	case !told.secretExists:
		reason, message = v1alpha1.ReasonCopied, "Secret "+secret+" was deleted, as one may after copying. The token stays valid."
	case !holdsToken:
		message = "Secret " + secret + " does not hold the Secret Token, which was deleted. The one that was copied stays valid."
	case mark.PreviousNotAfter.IsZero():
	case now.Before(warnFrom(mark)):
		reason, message = v1alpha1.ReasonRotated, "Secret "+secret+" holds the new Secret Token."
	default:
		reason, message = v1alpha1.ReasonPreviousExpiring, "Secret "+secret+" holds the new Secret Token."
	}
	if !mark.PreviousNotAfter.IsZero() {
		message += fmt.Sprintf(" The one before is valid until %s: paste the new one into Microsoft Entra ID before that.",
			mark.PreviousNotAfter.Format(time.RFC3339))
	}
	return conditions.True(condition, reason, message)
}

// refusals says which values of Secrets the server does not accept, and what it accepts in their place; "" where there are none.
func refusals(tenant *v1alpha1.ProvisioningTenant, told credentialsTold) string {
	var sentences []string
	for _, key := range slices.Sorted(maps.Keys(told.handed)) {
		if why := told.handed[key].Refused; why != "" {
			secret, at := token.ByKey(key, tenant.Name).Secret(tenant.Name)
			sentences = append(sentences, fmt.Sprintf("Secret %s has under %s a value that the server does not accept: %s.", secret, at, why))
			stays := "What the server accepted before is lost, so it accepts nothing in its place."
			if fingerprint := told.accepted[key].Fingerprint; fingerprint != "" {
				stays = "The one with the fingerprint " + fingerprint + ", which it took the place of, stays valid."
			}
			sentences = append(sentences, stays)
		}
	}
	if sentences == nil {
		return ""
	}
	return strings.Join(append(sentences, "Put back a token that was issued for it, or rotate it for a new one."), " ")
}

// lost says which credentials were lost with both Secrets that tell of each, until the new one is in use or was copied; "" where there are none.
func lost(tenant *v1alpha1.ProvisioningTenant, told credentialsTold) string {
	var sentences []string
	for _, key := range slices.Sorted(maps.Keys(told.handed)) {
		mark := told.handed[key]
		secret, _ := token.ByKey(key, tenant.Name).Secret(tenant.Name)
		switch {
		case !mark.Lost:
		case key != v1alpha1.CredentialsTokenKey:
			sentences = append(sentences, fmt.Sprintf("%s was lost with both Secrets that told of it, and a new one was issued: "+
				"clients that use the old one are locked out until they have the new one, from Secret %s.", key, secret))
		case !usedSince(tenant, mark.IssuedAt):
			sentences = append(sentences, fmt.Sprintf("The Secret Token was lost with both Secrets that told of it, and a new one was issued: "+
				"Microsoft Entra ID is locked out. Paste the new one, from Secret %s, into it: kubectl tenantry token %s -n %s prints it. "+
				"Or put the old one back there: "+`kubectl patch secret %s -n %s --type merge --patch '{"stringData":{"token":"OLD_TOKEN"}}'`,
				secret, tenant.Name, tenant.Namespace, secret, tenant.Namespace))
		}
	}
	return strings.Join(sentences, " ")
}

// replacements says which credentials ended because others were put in their place, until the present one is in use or, where that is not known, for a day;
// "" where there are none.
func replacements(tenant *v1alpha1.ProvisioningTenant, told credentialsTold, now time.Time) string {
	var sentences []string
	for _, credential := range token.Wanted(tenant) {
		mark, isToken := told.accepted[credential.Key], credential.Key == v1alpha1.CredentialsTokenKey
		switch secret, at := credential.Secret(tenant.Name); {
		case mark.Replaced == "", isToken && usedSince(tenant, mark.IssuedAt), !isToken && !now.Before(mark.IssuedAt.Add(replacedTold)):
		case isToken:
			sentences = append(sentences, fmt.Sprintf("The Secret Token with the fingerprint %s ended, because another or an older state of the Secrets "+
				"was put back. Where Microsoft Entra ID uses it, it is locked out. Paste the present one, from Secret %s, into it: "+
				"kubectl tenantry token %s -n %s prints it. Or put the one that ended back there: "+
				`kubectl patch secret %s -n %s --type merge --patch '{"stringData":{"token":"TOKEN"}}'`,
				mark.Replaced, secret, tenant.Name, tenant.Namespace, secret, tenant.Namespace))
		default:
			sentences = append(sentences, fmt.Sprintf("The credential %s with the fingerprint %s ended, because an older state of the Secrets was put back: "+
				"clients that use it are locked out until they have the present one, from Secret %s, or it was put back there under %s.",
				credential.Key, mark.Replaced, secret, at))
		}
	}
	return strings.Join(sentences, " ")
}

// unissued are the keys of the credentials that are not issued before their Secrets can be written.
func (told credentialsTold) unissued(tenant *v1alpha1.ProvisioningTenant) []string {
	var keys []string
	for _, credential := range token.Wanted(tenant) {
		if name, _ := credential.Secret(tenant.Name); told.blocked[name] != nil && told.accepted[credential.Key].Fingerprint == "" {
			keys = append(keys, credential.Key)
		}
	}
	return keys
}

// waits tells whether a credential is not issued, or a request not obeyed, before a Secret can be written.
func (told credentialsTold) waits(tenant *v1alpha1.ProvisioningTenant, asked requests) bool {
	return asked.held != "" || len(told.unissued(tenant)) > 0
}

// blockades says which Secrets cannot be written, with the reason of the first, and which credentials are not issued before they can. Its sentences
// go behind others; both are "" where there are none.
func blockades(tenant *v1alpha1.ProvisioningTenant, told credentialsTold) (reason, sentences string) {
	names := slices.Sorted(maps.Keys(told.blocked))
	if len(names) == 0 {
		return "", ""
	}
	sentences = fmt.Sprintf(" No new credential can be handed out in Secret %s, and those that were handed out stay valid.", strings.Join(names, ", "))
	if waiting := told.unissued(tenant); waiting != nil {
		sentences += " Not issued yet: " + strings.Join(waiting, ", ") + "."
	}
	for at, name := range names {
		why, sentence := hindrance(tenant, told.blocked[name])
		reason = cmp.Or(reason, why)
		if at < toldProblems {
			sentences += " " + sentence
		}
	}
	return reason, sentences
}

// hindrance says why a Secret cannot be written that is to hand credentials out, and what to do.
func hindrance(tenant *v1alpha1.ProvisioningTenant, err error) (reason, message string) {
	if stranger, ok := errors.AsType[*apply.NotOursError](err); ok {
		return v1alpha1.ReasonNameConflict, strangersSecret(tenant, stranger)
	}
	if denied, ok := errors.AsType[*deniedError](err); ok {
		return denied.Reason, denied.Message
	}
	return v1alpha1.ReasonProgressing, err.Error() + "."
}

// strangersSecret says what to do about a Secret with a name of the tenant's that is not the tenant's. It may be all that still has a token.
func strangersSecret(tenant *v1alpha1.ProvisioningTenant, stranger *apply.NotOursError) string {
	if stranger.Labelled || stranger.Controller != "" {
		return stranger.Error()
	}
	return fmt.Sprintf("Secret %q exists and does not belong to this tenant. Where it holds a token of this tenant, keep it "+
		"and give it the labels of the tenant, and what it holds is accepted or refused: kubectl label secret %s -n %s %s=%s %s=%s. "+
		"Otherwise rename or delete it.",
		stranger.Name, stranger.Name, tenant.Namespace, desired.ManagedByLabel, desired.ManagedBy, v1alpha1.TenantLabel, tenant.Name)
}

// usedSince tells whether a client that provisions was let in after that moment.
func usedSince(tenant *v1alpha1.ProvisioningTenant, moment time.Time) bool {
	activity := tenant.Status.Activity
	return activity != nil && activity.LastCycle != nil && activity.LastCycle.StartTime != nil && activity.LastCycle.StartTime.After(moment)
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}
