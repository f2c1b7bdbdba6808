package hosts

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

func TestALeaseSaysWhoseAHostIsAndUntilWhen(t *testing.T) {
	by, now := asking(1, "customers", "contoso").Holder, time.Unix(1000, 0)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: LeaseName("a.test")}}
	Hold(lease, "a.test", by, now)
	if got, want := ReadLease(lease), (Record{Host: "a.test", Holder: by, since: now}); got != want || !got.Held() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	Reserve(lease, time.Hour, now)
	if got, want := ReadLease(lease), (Record{Host: "a.test", Holder: by, since: now, Until: now.Add(time.Hour)}); got != want || got.Held() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	Hold(lease, "a.test", by, now)
	if !ReadLease(lease).Held() {
		t.Error("a host that was taken again is still reserved")
	}
	// Edited by hand.
	lease.Annotations = nil
	if got := ReadLease(lease).Host; got != "a.test" {
		t.Errorf("without its annotation the Lease is of host %q", got)
	}
	for _, identity := range []string{"", "x", "customers/contoso", "customers/contoso/", "/contoso/uid", "a/b/c/d"} {
		lease.Spec.HolderIdentity = &identity
		if got := ReadLease(lease); got.Holder != (Holder{}) || got.Held() {
			t.Errorf("%q is taken for %+v", identity, got.Holder)
		}
	}
	hold := func(change func(*coordinationv1.LeaseSpec)) bool {
		half := NewLease("", "a.test", by, now)
		change(&half.Spec)
		return ReadLease(half).Held()
	}
	if !hold(func(s *coordinationv1.LeaseSpec) { s.RenewTime = &metav1.MicroTime{Time: now} }) ||
		!hold(func(s *coordinationv1.LeaseSpec) { s.LeaseDurationSeconds = new(int32(60)) }) {
		t.Error("a half of what says that a host is reserved says so")
	}
	if record := ReadLease(&coordinationv1.Lease{}); record != (Record{}) {
		t.Errorf("an empty Lease says %+v", record)
	}
	if ReadLease(nil).Held() {
		t.Error("no Lease says that a host is held")
	}
}

func TestOfALeaseTheOperatorKnowsWhetherAnotherWroteIt(t *testing.T) {
	made := time.Unix(100000, 0)
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	own := entry(apply.FieldManager, `{"f:spec":{"f:acquireTime":{}}}`)
	for name, test := range map[string]struct {
		fields  []metav1.ManagedFieldsEntry
		created time.Time
		want    bool
	}{
		"as the operator wrote it":             {[]metav1.ManagedFieldsEntry{own}, made, false},
		"with a label of another":              {[]metav1.ManagedFieldsEntry{own, entry("kubectl-label", `{"f:metadata":{"f:labels":{"f:x":{}}}}`)}, made, false},
		"with a holder of another":             {[]metav1.ManagedFieldsEntry{own, entry("kubectl-patch", `{"f:spec":{"f:holderIdentity":{}}}`)}, made, true},
		"created by another":                   {[]metav1.ManagedFieldsEntry{entry("velero-server", `{"f:metadata":{},"f:spec":{"f:holderIdentity":{}}}`)}, made, true},
		"created again, with the fields of it": {[]metav1.ManagedFieldsEntry{own}, made.Add(time.Hour), true},
		"by a clock that is behind":            {[]metav1.ManagedFieldsEntry{own}, made.Add(10 * time.Second), false},
	} {
		lease := &coordinationv1.Lease{}
		Hold(lease, "a.test", asking(1, "customers", "contoso").Holder, made)
		lease.ManagedFields, lease.CreationTimestamp = test.fields, metav1.Time{Time: test.created}
		if got := ReadLease(lease).byOthers; got != test.want {
			t.Errorf("%s: another wrote it: %v", name, got)
		}
	}
}

func TestEachHostHasALeaseOfItsOwn(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 62)+".", 4)
	if longest := long[:248]; LeaseName(longest) != "host."+longest {
		t.Errorf("the longest host that fits has Lease %s", LeaseName(longest))
	}
	seen := map[string]string{"operator.provisioning.tenantry.dev": "the election of a leader"}
	for _, host := range []string{"a.test", "host.a.test", "operator.provisioning.tenantry.dev", long + "a", long + "b", "host-" + strings.Repeat("0", 58)} {
		name := LeaseName(host)
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 || seen[name] != "" {
			t.Errorf("host %s has Lease %s, like %q: %v", host, name, seen[name], wrong)
		}
		seen[name] = host
		if got := ReadLease(NewLease("tenantry-system", host, asking(1, "a", "me").Holder, time.Unix(1000, 0))).Host; got != host {
			t.Errorf("the Lease of host %s is read as that of %s", host, got)
		}
	}
}

func TestALeaseThatIsWrittenOverSaysThatTheOperatorWroteIt(t *testing.T) {
	t.Parallel()
	me, now := asking(1, "customers", "contoso").Holder, time.Unix(1000, 0)
	lease := NewLease("tenantry-system", "a.test", me, now)
	if lease.Namespace != "tenantry-system" || lease.Name != LeaseName("a.test") || lease.ManagedFields != nil ||
		lease.Labels[desired.ManagedByLabel] != desired.ManagedBy {
		t.Errorf("a new Lease is %+v", lease.ObjectMeta)
	}
	lease.ResourceVersion, lease.CreationTimestamp = "1", metav1.Time{Time: now.Add(-time.Hour)}
	if Hold(lease, "a.test", me, now); !ReadLease(lease).since.Equal(now) {
		t.Errorf("one of before is held since %v", ReadLease(lease).since)
	}
	// The API server made it later than by the operator's clock, and somebody restored it since.
	lease.CreationTimestamp = metav1.Time{Time: now.Add(time.Hour)}
	lease.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "velero-server", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:holderIdentity":{}}}`)}}
	if !ReadLease(lease).byOthers {
		t.Fatal("it looks like one of the operator's")
	}
	Hold(lease, "a.test", me, now)
	if record := ReadLease(lease); record.byOthers || record.since.Before(lease.CreationTimestamp.Time) {
		t.Errorf("afterwards it is %+v", record)
	}
}

func TestALeaseThatTheCacheDidNotHaveIsWrittenWhereItIsFreeOrLostItsLabel(t *testing.T) {
	t.Parallel()
	me, other, now := asking(1, "a", "me").Holder, asking(1, "b", "other").Holder, time.Unix(1000, 0)
	for name, test := range map[string]struct {
		verdict  Verdict
		labelled bool
		holder   Holder
		want     bool
	}{
		"another was faster":                   {Taken, true, other, false},
		"another has it, and the label is off": {Taken, false, other, true},
		"it is mine, and the label is off":     {Kept, false, other, true},
		"it is free":                           {Free, true, me, true},
		"it is free, and the label is off":     {Free, false, me, true},
	} {
		lease := NewLease("tenantry-system", "a.test", other, now)
		if !test.labelled {
			lease.Labels = nil
		}
		if got := HoldFound(lease, "a.test", Decision{Verdict: test.verdict}, me, now); got != test.want {
			t.Errorf("%s: it is to be written: %v", name, got)
		}
		if record := ReadLease(lease); record.Holder != test.holder || lease.Labels[v1alpha1.LeaseLabel] != v1alpha1.LeaseOfHost {
			t.Errorf("%s: it is %+v with the labels %v", name, record, lease.Labels)
		}
	}
}
