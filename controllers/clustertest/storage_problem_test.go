package clustertest

import (
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// troubled reports what keeps a server from its storage, as the tenant's server does; nil for nothing.
func (w *world) troubled(tenant *v1alpha1.ProvisioningTenant, problem *v1alpha1.StorageProblem) error {
	w.Helper()
	return w.reports(tenant, func(storage *v1alpha1.StorageStatus) { storage.Problem = problem })
}

// reports changes what the tenant's pods report of the storage.
func (w *world) reports(tenant *v1alpha1.ProvisioningTenant, change func(*v1alpha1.StorageStatus)) error {
	w.Helper()
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	change(after.Status.Storage)
	return w.Status().Patch(w.Context(), after, client.MergeFrom(before), client.FieldOwner("tenantry-scimserver"))
}

func TestWhatKeepsAServerFromItsStorageIsTheReasonOfStorageReady(t *testing.T) {
	t.Parallel()
	for engine, c := range map[string]struct {
		change    func(*v1alpha1.ProvisioningTenant)
		reason    string
		says      string
		otherwise string
	}{
		"SQLite":     {onVolume, v1alpha1.ReasonVolumeFull, "Look-ups are answered, and changes are answered 503: because", "StorageReady=True/Bound"},
		"PostgreSQL": {inDatabase, v1alpha1.ReasonDatabaseRefused, "The server cannot use its storage: because", "StorageReady=True/Configured"},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			create(w, w.connectionSecret())
			tenant := create(w, w.tenant(c.change))
			w.until(tenant, ready, c.otherwise)
			url := tenant.Status.TenantURL
			problem := &v1alpha1.StorageProblem{Reason: c.reason, Message: "because", Pod: "a", ObservedTime: metav1.Now()}
			for range 2 { // it comes back
				if err := w.troubled(tenant, problem); err != nil {
					t.Fatal(err)
				}
				w.until(tenant, "StorageReady=False/"+c.reason, "Ready=False/"+c.reason, "Reconciling=True/"+c.reason, "ServerAvailable=True/Available")
				if got := message(tenant, "StorageReady"); got != c.says || tenant.Status.TenantURL != url {
					t.Errorf("%s, at %s", got, tenant.Status.TenantURL)
				}
				if err := w.troubled(tenant, nil); err != nil {
					t.Fatal(err)
				}
				w.until(tenant, ready, c.otherwise)
			}

			// It is of a pod that is gone.
			problem.ObservedTime = metav1.NewTime(time.Now().Add(-v1alpha1.StorageProblemLifetime + 2*time.Second))
			if err := w.troubled(tenant, problem); err != nil {
				t.Fatal(err)
			}
			w.eventually("the operator takes it away", func() string {
				if get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name).Status.Storage.Problem != nil {
					return "it is there"
				}
				return ""
			})
			w.until(tenant, ready, c.otherwise)
		})
	}
}

// A server takes a problem away with a patch that tests whose it is.
func TestTheAPIServerKeepsTheProblemOfAnotherServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	end := func(pod string) error {
		patch := `[{"op":"test","path":"/status/storage/problem/pod","value":"` + pod + `"},{"op":"remove","path":"/status/storage/problem"}]`
		return w.Status().Patch(t.Context(), tenant, client.RawPatch(types.JSONPatchType, []byte(patch)))
	}
	if err := end("a"); !apierrors.IsInvalid(err) {
		t.Errorf("none is there: %v", err)
	}
	if err := w.troubled(tenant, &v1alpha1.StorageProblem{Reason: "VolumeFull", Pod: "a", ObservedTime: metav1.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := end("b"); !apierrors.IsInvalid(err) {
		t.Errorf("it is another's: %v", err)
	}
	w.until(tenant, "StorageReady=False/VolumeFull")
	if err := end("a"); err != nil {
		t.Error(err)
	}
	w.until(tenant, ready)
}

func TestTheAPIServerBoundsAStorageProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	for _, c := range []struct {
		problem v1alpha1.StorageProblem
		want    string
	}{
		{v1alpha1.StorageProblem{Reason: "not a reason", ObservedTime: metav1.Now()}, "status.storage.problem.reason"},
		{v1alpha1.StorageProblem{Reason: "A" + strings.Repeat("a", 64), ObservedTime: metav1.Now()}, "status.storage.problem.reason"},
		{v1alpha1.StorageProblem{Reason: "A", Message: strings.Repeat("ä", 1025), ObservedTime: metav1.Now()}, "status.storage.problem.message"},
		{v1alpha1.StorageProblem{Reason: "A"}, "status.storage.problem.observedTime"},
	} {
		refused(t, w.troubled(tenant, &c.problem), c.want)
	}
	if err := w.troubled(tenant, &v1alpha1.StorageProblem{Reason: "A", Message: strings.Repeat("ä", 1024), ObservedTime: metav1.Now()}); err != nil {
		t.Error(err)
	}
}
