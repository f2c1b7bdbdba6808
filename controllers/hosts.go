package controllers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// A Lease in the operator's namespace says who holds a host, because everything in a tenant's own namespace, its status
// included, can be written by the people there. The states of a Lease:
//
//	holderIdentity                           renewTime, leaseDurationSeconds
//	NAMESPACE/NAME/UID of the tenant         none                                   the tenant holds the host
//	that of the tenant which held it last    when it let go, and for how long       the host is reserved for its namespace
//
// When the time is over the Lease is deleted.
const (
	// leaseHostAnnotation has the host of a Lease whose name is too short for it.
	leaseHostAnnotation = v1alpha1.GroupName + "/host"
	leasePrefix         = "host."
)

// holder is the tenant that a Lease names.
type holder struct {
	types.NamespacedName
	uid types.UID
}

func holderOf(tenant *v1alpha1.ProvisioningTenant) holder {
	return holder{client.ObjectKeyFromObject(tenant), tenant.UID}
}

func (h holder) identity() string { return h.Namespace + "/" + h.Name + "/" + string(h.uid) }

// parseHolder returns the zero holder for an identity that is none of a tenant's.
func parseHolder(identity string) holder {
	parts := strings.Split(identity, "/")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return holder{}
	}
	return holder{types.NamespacedName{Namespace: parts[0], Name: parts[1]}, types.UID(parts[2])}
}

// hostRecord is what a Lease says about a host.
type hostRecord struct {
	host string
	// holder is zero where there is no Lease, or one that says nothing of use.
	holder holder
	// since is when the holder took the host.
	since time.Time
	// until is when a host that was let go is free for every namespace; zero while the holder has it.
	until time.Time
	// byOthers tells whether another than the operator wrote it: a tool that restores the Lease of an earlier day, or a person.
	byOthers bool
}

// held tells whether the holder has the host: it did not let go of it.
func (r hostRecord) held() bool { return r.holder != holder{} && r.until.IsZero() }

// readLease reads a Lease; nil says nothing about any host.
func readLease(lease *coordinationv1.Lease) hostRecord {
	if lease == nil {
		return hostRecord{}
	}
	record := hostRecord{host: lease.Annotations[leaseHostAnnotation], holder: parseHolder(ptr.Deref(lease.Spec.HolderIdentity, ""))}
	if leaseName(record.host) != lease.Name {
		record.host = strings.TrimPrefix(lease.Name, leasePrefix) // somebody took the annotation off
	}
	if at := lease.Spec.AcquireTime; at != nil {
		record.since = at.Time
	}
	if at, seconds := lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds; at != nil && seconds != nil {
		record.until = at.Add(time.Duration(*seconds) * time.Second)
	}
	record.byOthers = writtenByOthers(lease, record.since)
	return record
}

// writtenByOthers tells whether another manages what the Lease says, or the Lease is younger than that. A tool may restore an object with the
// managed fields that it had.
func writtenByOthers(lease *coordinationv1.Lease, since time.Time) bool {
	const skew = time.Minute // between the clocks of the operator and the API server
	return lease.CreationTimestamp.After(since.Add(skew)) || slices.ContainsFunc(lease.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager != apply.FieldManager && entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:spec"`))
	})
}

// leaseName is the name of the Lease of a host. No two hosts have one name, and none has that of the lease by which operators elect
// a leader.
func leaseName(host string) string {
	if name := leasePrefix + host; len(name) <= validation.DNS1123SubdomainMaxLength {
		return name
	}
	sum := sha256.Sum256([]byte(host))
	return "host-" + hex.EncodeToString(sum[:])
}

// hold makes the Lease say that the tenant has the host from now on, and that the operator wrote so.
func hold(lease *coordinationv1.Lease, host string, by holder, now time.Time) {
	mark(lease, host)
	if lease.ResourceVersion != "" {
		// An update takes over only the fields that it changes.
		lease.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: apply.FieldManager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: coordinationv1.SchemeGroupVersion.String(),
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:holderIdentity":{}}}`),
		}}
		if now.Before(lease.CreationTimestamp.Time) {
			now = lease.CreationTimestamp.Time
		}
	}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: new(by.identity()), AcquireTime: &metav1.MicroTime{Time: now}}
}

// mark puts the labels on the Lease by which the operator finds it.
func mark(lease *coordinationv1.Lease, host string) {
	metav1.SetMetaDataLabel(&lease.ObjectMeta, v1alpha1.LeaseLabel, v1alpha1.LeaseOfHost)
	metav1.SetMetaDataLabel(&lease.ObjectMeta, desired.ManagedByLabel, desired.ManagedBy)
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, leaseHostAnnotation, host)
}

// reserve makes the Lease say that its holder let go of the host now.
func reserve(lease *coordinationv1.Lease, reservation time.Duration, now time.Time) {
	lease.Spec.RenewTime = &metav1.MicroTime{Time: now}
	lease.Spec.LeaseDurationSeconds = new(int32(reservation / time.Second))
}

// claimant is a tenant that asks for a host.
type claimant struct {
	holder
	created time.Time
	// routed tells whether the tenant has a route for the host. The people of its namespace may have made that, so it counts for nothing
	// while a Lease of the operator's says whose the host is.
	routed bool
}

// compareAge orders claimants by age, and those of one second by namespace and name.
func compareAge(a, b claimant) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// verdict is what a tenant may do with the host that it claims.
type verdict int

const (
	hostKept     verdict = iota // it is the tenant's
	hostFree                    // it is free for the tenant, which must write the Lease
	hostAnothers                // it is another's
)

// decision is a verdict, and where the tenant waits, why.
type decision struct {
	verdict
	// by is for whom the tenant waits.
	by holder
	// until is when a host that by let go is free; zero where that is not known.
	until time.Time
	// reserved tells that by had the host and let go of it or is gone, claimed that it is older and has not taken it yet, and contested
	// that both have a route for it.
	reserved, claimed, contested bool
}

// judge says whose a host is. gone tells whether the tenant that the Lease names exists no more; rivals are the others that claim the
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
// was restored, and is older than the route. What the operator wrote is believed, because people can make a route.
func judge(me claimant, record hostRecord, gone bool, rivals []claimant, now time.Time) decision {
	known := record.holder != holder{} && (record.until.IsZero() || now.Before(record.until))
	if known && record.byOthers && (gone || !record.held()) {
		known = !me.routed && !slices.ContainsFunc(rivals, func(rival claimant) bool { return rival.routed })
	}
	switch {
	case known && record.holder == me.holder:
		if record.held() {
			return decision{verdict: hostKept}
		}
		return decision{verdict: hostFree}
	case known && record.held() && !gone:
		return decision{verdict: hostAnothers, by: record.holder}
	case known && record.holder.Namespace != me.Namespace:
		return decision{verdict: hostAnothers, by: record.holder, until: record.until, reserved: true}
	}
	for _, rival := range slices.SortedFunc(slices.Values(rivals), compareAge) {
		switch {
		case known && rival.Namespace != me.Namespace:
		case !known && rival.routed && me.routed:
			return decision{verdict: hostAnothers, by: rival.holder, contested: true}
		case !known && rival.routed != me.routed:
			if rival.routed {
				return decision{verdict: hostAnothers, by: rival.holder, claimed: true}
			}
		case compareAge(rival, me) < 0:
			return decision{verdict: hostAnothers, by: rival.holder, claimed: true}
		}
	}
	return decision{verdict: hostFree}
}
