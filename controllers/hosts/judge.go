package hosts

import (
	"cmp"
	"slices"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Claimant is a tenant that asks for a host.
type Claimant struct {
	Holder
	created time.Time
	// Routed tells whether the tenant has a route for the host. The people of its namespace may have made that, so it counts for nothing
	// while a Lease of the operator's says whose the host is.
	Routed bool
}

// ClaimantOf returns the tenant as one that asks for a host and has no route for it.
func ClaimantOf(tenant *v1alpha1.ProvisioningTenant) Claimant {
	return Claimant{Holder: HolderOf(tenant), created: tenant.CreationTimestamp.Time}
}

// compareAge orders claimants by age, and those of one second by namespace and name.
func compareAge(a, b Claimant) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// Verdict is what a tenant may do with the host that it claims.
type Verdict int

const (
	// Kept says that the host is the tenant's.
	Kept Verdict = iota
	// Free says that the host is free for the tenant, for which the Lease must be written.
	Free
	// Taken says that the host is another's.
	Taken
)

// Decision is a verdict, and where the tenant waits, why.
type Decision struct {
	Verdict
	// by is for whom the tenant waits.
	by Holder
	// until is when a host that by let go is free; zero where that is not known.
	until time.Time
	// reserved tells that by had the host and let go of it or is gone, claimed that it is older and has not taken it yet, and contested
	// that both have a route for it.
	reserved, claimed, contested bool
}

// Judge says whose a host is. gone tells whether the tenant that the Lease names exists no more; rivals are the others that claim the
// host and may have it.
//
//	the Lease                                        the claimant
//	names it                                         keeps the host, or takes it again where it had let go
//	names another, which is there                    waits
//	reserves it for another namespace                waits
//	reserves it for this namespace                   takes it, if it is the oldest of the namespace
//	is missing, says nothing of use or has run out   takes it, if it is the oldest; but one with a route for the host goes before those
//	                                                 without, and of two with a route neither gets it
//
// A reservation, and a holder that is gone, say nothing of use where another than the operator wrote so and a claimant has a route: such a Lease
// was restored, and is older than the route. A Lease that the operator wrote is believed, because people can make a route.
func Judge(me Claimant, record Record, gone bool, rivals []Claimant, now time.Time) Decision {
	known := record.Holder != Holder{} && (record.Until.IsZero() || now.Before(record.Until))
	if known && record.byOthers && (gone || !record.Held()) {
		known = !me.Routed && !slices.ContainsFunc(rivals, func(rival Claimant) bool { return rival.Routed })
	}
	switch {
	case known && record.Holder == me.Holder:
		if record.Held() {
			return Decision{Verdict: Kept}
		}
		return Decision{Verdict: Free}
	case known && record.Held() && !gone:
		return Decision{Verdict: Taken, by: record.Holder}
	case known && record.Holder.Namespace != me.Namespace:
		return Decision{Verdict: Taken, by: record.Holder, until: record.Until, reserved: true}
	}
	for _, rival := range slices.SortedFunc(slices.Values(rivals), compareAge) {
		switch {
		case known && rival.Namespace != me.Namespace:
		case !known && rival.Routed && me.Routed:
			return Decision{Verdict: Taken, by: rival.Holder, contested: true}
		case !known && rival.Routed != me.Routed:
			if rival.Routed {
				return Decision{Verdict: Taken, by: rival.Holder, claimed: true}
			}
		case compareAge(rival, me) < 0:
			return Decision{Verdict: Taken, by: rival.Holder, claimed: true}
		}
	}
	return Decision{Verdict: Free}
}

// NeedsRoute tells whether the verdict may follow from whether the claimant has a route for the host.
func (r Record) NeedsRoute(rivals []Claimant) bool { return len(rivals) > 0 || r.byOthers }
