package credentials

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// A restore of Secrets does not reach the status, so the status remembers which credentials were issued, and which somebody asked to end. An end is
// written into the verifier Secret first, with the write that ends it, because a write of the status may fail. Each makes good what the other lost.

// previous is the verifier of the credential before, of which a mark tells, unless somebody asked to end it.
func (i *issuer) previous(credential token.Credential, mark token.Mark) *token.Verifier {
	if i.hasEnded(token.FingerprintOf(mark.PreviousSHA256)) {
		return nil
	}
	return credential.Previous(mark)
}

func (i *issuer) hasEnded(fingerprint string) bool {
	return !token.EndedAt(i.ended, fingerprint).IsZero()
}

// endOnRequest remembers what was accepted of a credential before and is not any more, because somebody asked: all of it, or only what had been
// replaced before.
func (i *issuer) endOnRequest(before, after desired.Issued, all bool) {
	accepted, stay := append(slices.Clone(i.accepted.Verifiers), verifiersOf([]desired.Issued{before})...), verifiersOf([]desired.Issued{after})
	for _, verifier := range accepted {
		if asked := all || !verifier.NotAfter.IsZero(); asked && before.Matches(verifier) && !slices.ContainsFunc(stay, verifier.Same) {
			i.ended = token.JoinEnded(i.ended, []v1alpha1.EndedCredential{verifier.End(i.now)})
		}
	}
}

// forgotten is the fingerprint of a credential of which the status tells and the Secrets do not, because an older state of them was put back; "" for
// none. The status may be older than they are, as it is after a crash.
func (i *issuer) forgotten(credential token.Credential) string {
	told, mark := IssuedBefore(i.tenant, credential.Key), i.marks[credential.Key]
	value, _ := i.value(credential)
	handed := i.handedMark(credential)
	known := []string{mark.Ended, handed.Fingerprint, token.Fingerprint(strings.TrimSpace(string(value)))}
	newest := handed.IssuedAt
	for _, verifier := range i.accepted.Verifiers {
		if credential.Matches(verifier) {
			known = append(known, verifier.Fingerprint())
			newest = slices.MaxFunc([]time.Time{newest, verifier.IssuedAt}, time.Time.Compare)
		}
	}
	switch {
	case told == nil, slices.Contains(known, told.Fingerprint):
		return ""
	case newest.IsZero() && i.known, !newest.IsZero() && newest.Before(told.IssuedAt.Time):
		return told.Fingerprint
	}
	return ""
}

// IssuedBefore is what the status tells of a credential that was issued; nil for none.
func IssuedBefore(tenant *v1alpha1.ProvisioningTenant, key string) *v1alpha1.IssuedCredential {
	if tenant.Status.Credentials == nil {
		return nil
	}
	issued := tenant.Status.Credentials.Issued
	at := slices.IndexFunc(issued, func(c v1alpha1.IssuedCredential) bool { return c.Key == key })
	if at < 0 || issued[at].IssuedAt == nil {
		return nil
	}
	return &issued[at]
}

// wasServed tells of a tenant that it had a Secret Token before: a new tenant has none. The status may have lost a part.
func wasServed(tenant *v1alpha1.ProvisioningTenant) bool {
	status := &tenant.Status
	return status.Credentials != nil || meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionCredentialsReady) ||
		usedSince(tenant, time.Time{})
}

// ForgetsAny tells whether what ended is not remembered in full.
func ForgetsAny(remembered, ended []v1alpha1.EndedCredential) bool {
	return slices.ContainsFunc(ended, func(e v1alpha1.EndedCredential) bool { return token.EndedAt(remembered, e.Fingerprint).IsZero() })
}
