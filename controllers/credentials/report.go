package credentials

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
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// recheckElsewhere is when to look again whether another tenant still has a credential that was refused because of that.
const recheckElsewhere = 5 * time.Minute

// ReplacedTold is for how long it is told that a credential ended in whose place another was put, where nobody knows whether that is in use.
const ReplacedTold = 24 * time.Hour

// Told is what the Secrets of a tenant tell, by the key of the credential.
type Told struct {
	// Accepted is what the verifier Secret tells, and Handed what the Secrets tell that hand credentials out.
	Accepted, Handed map[string]token.Mark
	// Ended are the credentials that somebody asked to end.
	Ended []v1alpha1.EndedCredential
	// Blocked says by the name of a Secret that hands credentials out why it cannot be written. The Secret Token is accepted all the same.
	Blocked map[string]error
	// SecretExists tells whether there is a credentials Secret.
	SecretExists bool
}

// Ready says how the credentials are doing: the worst first. It is False only where nobody is known to get in, because the Secret Token
// that the server accepts may be in nobody's hands. letIn tells whether a client that provisions is let in.
func Ready(tenant *v1alpha1.ProvisioningTenant, told Told, letIn bool, now time.Time) metav1.Condition {
	const condition = v1alpha1.ConditionCredentialsReady
	secret, mark := desired.CredentialsName(tenant.Name), told.Accepted[v1alpha1.CredentialsTokenKey]
	holdsToken := told.Handed[v1alpha1.CredentialsTokenKey] != token.Mark{}
	hindered, blockade := blockades(tenant, told)
	if refused := refusals(tenant, told); refused != "" {
		switch {
		case told.Handed[v1alpha1.CredentialsTokenKey].Refused == "":
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
	case !told.SecretExists:
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
func refusals(tenant *v1alpha1.ProvisioningTenant, told Told) string {
	var sentences []string
	for _, key := range slices.Sorted(maps.Keys(told.Handed)) {
		if why := told.Handed[key].Refused; why != "" {
			secret, at := token.ByKey(key, tenant.Name).Secret(tenant.Name)
			sentences = append(sentences, fmt.Sprintf("Secret %s has under %s a value that the server does not accept: %s.", secret, at, why))
			stays := "What the server accepted before is lost, so it accepts nothing in its place."
			if fingerprint := told.Accepted[key].Fingerprint; fingerprint != "" {
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
func lost(tenant *v1alpha1.ProvisioningTenant, told Told) string {
	var sentences []string
	for _, key := range slices.Sorted(maps.Keys(told.Handed)) {
		mark := told.Handed[key]
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
func replacements(tenant *v1alpha1.ProvisioningTenant, told Told, now time.Time) string {
	var sentences []string
	for _, credential := range token.Wanted(tenant) {
		mark, isToken := told.Accepted[credential.Key], credential.Key == v1alpha1.CredentialsTokenKey
		switch secret, at := credential.Secret(tenant.Name); {
		case mark.Replaced == "", isToken && usedSince(tenant, mark.IssuedAt), !isToken && !now.Before(mark.IssuedAt.Add(ReplacedTold)):
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

// Changes are when something about the credentials changes by itself, and when to look again whether it did; the zero time for never.
func (told Told) Changes(tenant *v1alpha1.ProvisioningTenant, asked Requests, now time.Time) []time.Time {
	moments := []time.Time{asked.Next}
	for _, credential := range token.Wanted(tenant) {
		mark := told.Accepted[credential.Key]
		moments = append(moments, RotationOf(tenant, credential, Requests{}).Next(mark, now))
		if mark.Replaced != "" && credential.Key != v1alpha1.CredentialsTokenKey {
			moments = append(moments, mark.IssuedAt.Add(ReplacedTold))
		}
		if told.Handed[credential.Key].Refused == RefusedElsewhere {
			moments = append(moments, now.Add(recheckElsewhere))
		}
	}
	return moments
}

// Status is what the status of the tenant says of the credentials.
func (told Told) Status(tenant *v1alpha1.ProvisioningTenant) *v1alpha1.CredentialsStatus {
	wanted := token.Wanted(tenant)
	mark, secretToken := told.Accepted[v1alpha1.CredentialsTokenKey], wanted[0]
	status := &v1alpha1.CredentialsStatus{
		Fingerprint: mark.Fingerprint, IssuedAt: timeOf(mark.IssuedAt), PreviousExpiresAt: timeOf(mark.PreviousNotAfter),
		ExpiresAt: timeOf(Ends(tenant, secretToken, mark.IssuedAt)),
		Ended:     told.Ended,
	}
	if before := tenant.Status.Credentials; before != nil {
		status.Ended = token.JoinEnded(before.Ended, told.Ended)
	}
	for _, credential := range wanted {
		if mark := told.Accepted[credential.Key]; mark.Fingerprint != "" {
			status.Issued = append(status.Issued, v1alpha1.IssuedCredential{
				Key: credential.Key, Fingerprint: mark.Fingerprint, IssuedAt: timeOf(mark.IssuedAt),
			})
		}
	}
	if told.SecretExists {
		status.SecretName = desired.CredentialsName(tenant.Name)
	}
	return status
}

// Denied says that the API server denies a Secret as it should be that hands credentials out.
type Denied struct{ *problem.Stalled }

func (e *Denied) Unwrap() error { return e.Stalled }

// unissued are the keys of the credentials that are not issued before their Secrets can be written.
func (told Told) unissued(tenant *v1alpha1.ProvisioningTenant) []string {
	var keys []string
	for _, credential := range token.Wanted(tenant) {
		if name, _ := credential.Secret(tenant.Name); told.Blocked[name] != nil && told.Accepted[credential.Key].Fingerprint == "" {
			keys = append(keys, credential.Key)
		}
	}
	return keys
}

// Waits tells whether a credential is not issued, or a request not obeyed, before a Secret can be written.
func (told Told) Waits(tenant *v1alpha1.ProvisioningTenant, asked Requests) bool {
	return asked.held != "" || len(told.unissued(tenant)) > 0
}

// blockades says which Secrets cannot be written, with the reason of the first, and which credentials are not issued before they can. Its sentences
// go behind others; both are "" where there are none.
func blockades(tenant *v1alpha1.ProvisioningTenant, told Told) (reason, sentences string) {
	names := slices.Sorted(maps.Keys(told.Blocked))
	if len(names) == 0 {
		return "", ""
	}
	sentences = fmt.Sprintf(" No new credential can be handed out in Secret %s, and those that were handed out stay valid.", strings.Join(names, ", "))
	if waiting := told.unissued(tenant); waiting != nil {
		sentences += " Not issued yet: " + strings.Join(waiting, ", ") + "."
	}
	for at, name := range names {
		why, sentence := hindrance(tenant, told.Blocked[name])
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
		return v1alpha1.ReasonNameConflict, StrangersSecret(tenant, stranger)
	}
	if denied, ok := errors.AsType[*Denied](err); ok {
		return denied.Reason, denied.Message
	}
	return v1alpha1.ReasonProgressing, err.Error() + "."
}

// StrangersSecret says what to do about a Secret with a name of the tenant's that is not the tenant's. It may be all that still has a token.
func StrangersSecret(tenant *v1alpha1.ProvisioningTenant, stranger *apply.NotOursError) string {
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
