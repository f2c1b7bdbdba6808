package hosts

import (
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// Fate is what is to become of the Lease of a host.
type Fate int

const (
	// Stays says that the Lease stays as it is.
	Stays Fate = iota
	// Reserved says that the Lease is to say that its holder let go now.
	Reserved
	// Deleted says that the Lease is to be deleted.
	Deleted
)

// Fate says what becomes of the Lease. present is the tenant that has the holder's name now, without a UID where there is none, and uses tells whether
// that claims or routes the host. gone tells whether the tenant that the Lease names exists no more.
//
//	the host is                                        its Lease
//	held by the present tenant, which uses it          stays
//	held by the present tenant, which does not         reserves it, or is deleted where nothing is reserved
//	held by another, which is there                    stays
//	held by another, which is gone                     reserves it, or is deleted where nothing is reserved
//	reserved, for a while yet                          stays
//	reserved, and the time is over                     is deleted
func (r Record) Fate(present Holder, uses, gone bool, reservation time.Duration, now time.Time) Fate {
	switch {
	case r.Held() && r.Holder == present && uses,
		r.HeldByAnother(present) && !gone,
		!r.Held() && now.Before(r.Until):
		return Stays
	case r.Held() && reservation > 0:
		return Reserved
	default:
		return Deleted
	}
}

// Lost tells whether a route of the tenant's for the host takes requests from another tenant, now or as soon as another takes the host: another has
// the host, or this tenant let go of it and somebody restored the route since. A host that is reserved for the namespace of a tenant that is gone
// is not lost, because the tenant may be made again. published tells whether the tenant publishes a URL of the route, and gone whether the tenant
// that the Lease names exists no more.
func (r Record) Lost(tenant Holder, published, gone bool) bool {
	switch {
	case r.Holder == Holder{}:
		return false
	case r.Held():
		return r.Holder != tenant && !gone
	default:
		return !published && (tenant.UID != "" || r.Holder.Namespace != tenant.Namespace)
	}
}

// HeldBy is the host that the tenant has though it asks for another one now: the one that it publishes, or the last that it took; ""
// where it has none.
func HeldBy(tenant *v1alpha1.ProvisioningTenant, records []Record) string {
	var last Record
	for _, record := range records {
		if !record.Held() || record.Holder != HolderOf(tenant) {
			continue
		}
		if desired.TenantURL(tenant, record.Host) == tenant.Status.TenantURL {
			return record.Host
		}
		if last.Host == "" || record.since.After(last.since) {
			last = record
		}
	}
	return last.Host
}
