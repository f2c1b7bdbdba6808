package hosts

import (
	"bytes"
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
	// hostAnnotation has the host of a Lease whose name is too short for it.
	hostAnnotation = v1alpha1.GroupName + "/host"
	leasePrefix    = "host."
)

// Holder is the tenant that a Lease names.
type Holder struct {
	types.NamespacedName
	UID types.UID
}

// HolderOf returns the tenant as a Lease names it.
func HolderOf(tenant *v1alpha1.ProvisioningTenant) Holder { return Holder{keyOf(tenant), tenant.UID} }

func keyOf(tenant *v1alpha1.ProvisioningTenant) types.NamespacedName {
	return types.NamespacedName{Namespace: tenant.Namespace, Name: tenant.Name}
}

func (h Holder) identity() string { return h.Namespace + "/" + h.Name + "/" + string(h.UID) }

// parseHolder returns the zero holder for an identity that is none of a tenant's.
func parseHolder(identity string) Holder {
	parts := strings.Split(identity, "/")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return Holder{}
	}
	return Holder{types.NamespacedName{Namespace: parts[0], Name: parts[1]}, types.UID(parts[2])}
}

// Record is what a Lease says about a host.
type Record struct {
	Host string
	// Holder is zero where there is no Lease, or one that says nothing of use.
	Holder Holder
	// since is when the holder took the host.
	since time.Time
	// Until is when a host that was let go is free for every namespace; zero while the holder has it.
	Until time.Time
	// byOthers tells whether another than the operator wrote it: a tool that restores the Lease of an earlier day, or a person.
	byOthers bool
}

// Held tells whether the holder has the host: it did not let go of it.
func (r Record) Held() bool { return r.Holder != Holder{} && r.Until.IsZero() }

// HeldByAnother tells whether a holder has the host that is not this tenant.
func (r Record) HeldByAnother(tenant Holder) bool { return r.Held() && r.Holder != tenant }

// ReadLease reads a Lease; nil says nothing about any host.
func ReadLease(lease *coordinationv1.Lease) Record {
	if lease == nil {
		return Record{}
	}
	record := Record{Host: lease.Annotations[hostAnnotation], Holder: parseHolder(ptr.Deref(lease.Spec.HolderIdentity, ""))}
	if LeaseName(record.Host) != lease.Name {
		record.Host = strings.TrimPrefix(lease.Name, leasePrefix) // somebody took the annotation off
	}
	if at := lease.Spec.AcquireTime; at != nil {
		record.since = at.Time
	}
	if at, seconds := lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds; at != nil && seconds != nil {
		record.Until = at.Add(time.Duration(*seconds) * time.Second)
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

// LeaseName is the name of the Lease of a host. No two hosts have one name, and none has that of the lease by which operators elect
// a leader.
func LeaseName(host string) string {
	if name := leasePrefix + host; len(name) <= validation.DNS1123SubdomainMaxLength {
		return name
	}
	sum := sha256.Sum256([]byte(host))
	return "host-" + hex.EncodeToString(sum[:])
}

// NewLease returns a Lease which says that the tenant has the host from now on.
func NewLease(namespace, host string, by Holder, now time.Time) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: LeaseName(host)}}
	Hold(lease, host, by, now)
	return lease
}

// Hold makes the Lease say that the tenant has the host from now on, and that the operator wrote so.
func Hold(lease *coordinationv1.Lease, host string, by Holder, now time.Time) {
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

// HoldFound makes a Lease that the cache did not have say what was decided by it, under the labels by which the cache selects. It tells whether
// the Lease is to be written.
func HoldFound(lease *coordinationv1.Lease, host string, decided Decision, by Holder, now time.Time) bool {
	marked := lease.Labels[v1alpha1.LeaseLabel] == v1alpha1.LeaseOfHost
	mark(lease, host)
	if decided.Verdict == Free {
		Hold(lease, host, by, now)
	}
	return decided.Verdict == Free || !marked
}

// mark puts the labels on the Lease by which the operator finds it.
func mark(lease *coordinationv1.Lease, host string) {
	metav1.SetMetaDataLabel(&lease.ObjectMeta, v1alpha1.LeaseLabel, v1alpha1.LeaseOfHost)
	metav1.SetMetaDataLabel(&lease.ObjectMeta, desired.ManagedByLabel, desired.ManagedBy)
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, hostAnnotation, host)
}

// Reserve makes the Lease say that its holder let go of the host now.
func Reserve(lease *coordinationv1.Lease, reservation time.Duration, now time.Time) {
	lease.Spec.RenewTime = &metav1.MicroTime{Time: now}
	lease.Spec.LeaseDurationSeconds = new(int32(reservation / time.Second))
}
