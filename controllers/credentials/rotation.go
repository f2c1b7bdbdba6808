package credentials

import (
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// defaultOverlap is a week: time enough for an administrator who is asked to paste a new token.
	defaultOverlap = 7 * 24 * time.Hour
	// warnBefore is how long before its end a token that others may still use is warned of.
	warnBefore = 24 * time.Hour
)

// Rotation is when one credential is to be replaced, and what becomes of the one before.
type Rotation struct {
	// interval is the age at which it is replaced; 0 for never.
	interval time.Duration
	// overlap is how long the credential before stays valid as the spec has it, and overlapNow in a rotation that is due now.
	overlap, overlapNow time.Duration
	// replace is that someone asked for a new one. revoke is that someone asked to end the one before, and revokeReplaced that it was asked
	// after the new one, so that it speaks of the present credential.
	replace, revoke, revokeReplaced bool
}

// RotationOf is what the spec says about a credential, and what was asked.
func RotationOf(tenant *v1alpha1.ProvisioningTenant, credential token.Credential, asked Requests) Rotation {
	said, r := credential.Rotation(tenant), Rotation{overlap: defaultOverlap}
	if said.RotationInterval != nil {
		r.interval = said.RotationInterval.Duration
		r.overlap = min(r.overlap, r.interval/2)
	}
	if said.Overlap != nil {
		r.overlap = said.Overlap.Duration
	}
	rotate, replace := asked.rotate[credential.Key]
	r.overlapNow = r.overlap
	if rotate.Overlap != nil {
		r.overlapNow = *rotate.Overlap
	}
	revoke, revokes := asked.revoke[credential.Key]
	r.replace, r.revoke = replace, revokes
	r.revokeReplaced = replace && revokes && revoke.At.After(rotate.At)
	return r
}

// Due tells whether a credential that was issued then is to be replaced now.
func (r Rotation) Due(issuedAt, now time.Time) bool {
	return r.replace || r.interval > 0 && !now.Before(issuedAt.Add(r.interval))
}

// cause of a rotation that is due.
func (r Rotation) cause() string {
	if r.replace {
		return "request"
	}
	return "age"
}

// Ends is when a credential that was issued then ends by itself; the zero time for never.
func (r Rotation) Ends(issuedAt time.Time) time.Time {
	if r.interval == 0 {
		return time.Time{}
	}
	return expiry(issuedAt, r.interval+r.overlap)
}

// Next is when something about a credential changes by itself; the zero time for never.
func (r Rotation) Next(mark token.Mark, now time.Time) time.Time {
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
func warnFrom(mark token.Mark) time.Time {
	if mark.PreviousNotAfter.IsZero() {
		return time.Time{}
	}
	return mark.PreviousNotAfter.Add(-min(warnBefore, mark.PreviousNotAfter.Sub(mark.IssuedAt)/4))
}
