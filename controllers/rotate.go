package controllers

import (
	"fmt"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

const (
	// defaultOverlap is a week: time enough for an administrator who is asked to paste a new token.
	defaultOverlap = 7 * 24 * time.Hour
	// warnBefore is how long before its end a token that others may still use is warned of.
	warnBefore = 24 * time.Hour
)

// rotation is when one credential is to be replaced, and what becomes of the one before.
type rotation struct {
	// interval is the age at which it is replaced; 0 for never.
	interval time.Duration
	// overlap is how long the credential before stays valid.
	overlap time.Duration
	// asked is that someone asked for a new one now, and ended that the one before is to end now.
	asked, ended bool
}

// rotations are when each of the wanted credentials is to be replaced, by its key, and the requests that will have been obeyed
// then. The error is a *Stalled and speaks of an annotation, which is not obeyed then; what the spec says counts all the same.
func rotations(tenant *v1alpha1.ProvisioningTenant, wanted []token.Credential, before token.Obeyed) (map[string]rotation, token.Obeyed, error) {
	found := make(map[string]rotation, len(wanted))
	for _, credential := range wanted {
		said := credential.Rotation(tenant)
		r := rotation{overlap: defaultOverlap}
		if said.RotationInterval != nil {
			r.interval = said.RotationInterval.Duration
			r.overlap = min(r.overlap, r.interval/2)
		}
		if said.Overlap != nil {
			r.overlap = said.Overlap.Duration
		}
		found[credential.Key] = r
	}
	rotate, revoke := tenant.Annotations[v1alpha1.RotateAnnotation], tenant.Annotations[v1alpha1.RevokeAnnotation]
	asked, ended := rotate != "" && rotate != before.Rotate, revoke != "" && revoke != before.Revoke
	if !asked && !ended {
		return found, before, nil
	}
	key := tenant.Annotations[v1alpha1.CredentialAnnotation]
	if key == "" {
		key = v1alpha1.CredentialsTokenKey
	}
	if key == v1alpha1.AccessTokensCredential && !ended {
		after := before
		after.Rotate, after.EndTokens = rotate, rotate
		return found, after, nil
	}
	r, ok := found[key]
	if !ok {
		return found, before, invalidRequest("Annotation %s: the tenant has no credential %q. Name one that it has, such as %s.",
			v1alpha1.CredentialAnnotation, key, v1alpha1.CredentialsTokenKey)
	}
	if text, ok := tenant.Annotations[v1alpha1.RotateOverlapAnnotation]; ok && asked {
		overlap, err := time.ParseDuration(text)
		if err != nil || overlap < 0 {
			return found, before, invalidRequest("Annotation %s: %q is no duration such as 24h or 0s. Nothing was rotated.",
				v1alpha1.RotateOverlapAnnotation, text)
		}
		r.overlap = overlap
	}
	r.asked, r.ended = asked, ended
	found[key] = r
	after := before
	if asked {
		after.Rotate = rotate
	}
	if ended {
		after.Revoke = revoke
	}
	return found, after, nil
}

func invalidRequest(format string, args ...any) error {
	return &Stalled{
		Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonInvalidRequest, Message: fmt.Sprintf(format, args...),
	}
}

// due tells whether a credential that was issued then is to be replaced now.
func (r rotation) due(issuedAt, now time.Time) bool {
	return r.asked || r.interval > 0 && !now.Before(issuedAt.Add(r.interval))
}

// cause of a rotation that is due.
func (r rotation) cause() string {
	if r.asked {
		return "request"
	}
	return "age"
}

// ends is when a credential that was issued then ends by itself; the zero time for never.
func (r rotation) ends(issuedAt time.Time) time.Time {
	if r.interval == 0 || issuedAt.IsZero() {
		return time.Time{}
	}
	return issuedAt.Add(r.interval + r.overlap)
}

// over tells whether the credential before, which is valid until notAfter, is to end now.
func (r rotation) over(notAfter, now time.Time) bool {
	return r.ended || !now.Before(notAfter)
}

// next is when something about a credential changes by itself; the zero time for never.
func (r rotation) next(mark desired.Mark, now time.Time) time.Time {
	var next time.Time
	for _, at := range []time.Time{expiry(mark.IssuedAt, r.interval), warnFrom(mark), mark.PreviousNotAfter} {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// expiry is that age after a moment; the zero time where the age is 0.
func expiry(from time.Time, age time.Duration) time.Time {
	if age == 0 || from.IsZero() {
		return time.Time{}
	}
	return from.Add(age)
}

// warnFrom is when the end of the credential before is near: a day ahead, or a quarter of the overlap where that is less.
func warnFrom(mark desired.Mark) time.Time {
	if mark.PreviousNotAfter.IsZero() {
		return time.Time{}
	}
	return mark.PreviousNotAfter.Add(-min(warnBefore, mark.PreviousNotAfter.Sub(mark.IssuedAt)/4))
}
