package clustertest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// controller is the UID of what owns an object of the tenant; there is no garbage collection here, so owners are what
// can be tested.
func controller(object client.Object) types.UID {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID
	}
	return ""
}

func TestTheDeletionPolicyDecidesWhetherTheVolumeGoesWithTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	if owner := controller(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")); owner != "" {
		t.Errorf("under Retain the claim is owned by %s and would be deleted", owner)
	}
	for _, step := range []struct {
		policy v1alpha1.DeletionPolicy
		owner  types.UID
	}{{v1alpha1.DeletionPolicyDelete, tenant.UID}, {v1alpha1.DeletionPolicyRetain, ""}} {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DeletionPolicy = step.policy })
		w.until(tenant, ready)
		if owner := controller(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")); owner != step.owner {
			t.Errorf("under %s the claim is owned by %q, want %q", step.policy, owner, step.owner)
		}
	}
	for name, object := range map[string]client.Object{"contoso-credentials": &corev1.Secret{}, "contoso-verifier": &corev1.Secret{}, "contoso-scim": &corev1.ServiceAccount{}} {
		if owner := controller(get(w, object, name)); owner != tenant.UID {
			t.Errorf("%T %s is owned by %q and would stay behind", object, name, owner)
		}
	}
}

func TestATenantThatIsAppliedAgainFindsItsRetainedVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	if err := w.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	gone(w, &v1alpha1.ProvisioningTenant{}, "contoso")

	// While garbage collection has not come yet, the new tenant waits and touches nothing.
	again := create(w, w.tenant())
	w.until(again, "Ready=False/Progressing", "Reconciling=True/Progressing")
	if owner := controller(get(w, &corev1.Service{}, "contoso-scim")); owner != tenant.UID {
		t.Errorf("the Service of the tenant before is now owned by %q", owner)
	}
	w.collectGarbage(tenant.UID)
	w.until(again, ready)
	if now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); now.UID != claim.UID {
		t.Error("the tenant has another volume claim than before")
	}
}

func TestAVolumeGrowsAndARetainedOneThatIsLargerKeepsItsSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// A claim such as an earlier tenant left behind.
	create(w, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-data", Labels: map[string]string{
			v1alpha1.TenantLabel: "contoso", "app.kubernetes.io/managed-by": "tenantry-operator",
		}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}},
		},
	})
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	if got := claim.Spec.Resources.Requests.Storage().String(); got != "5Gi" {
		t.Errorf("the retained claim has size %s, want 5Gi: volumes cannot shrink", got)
	}
	if got, want := message(tenant, "StorageInEffect"), "Volume claim contoso-data stays at 5Gi, which is more than spec.storage.sqlite.size: volumes cannot shrink."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	// Nothing here can expand a volume, and the API server says so: the tenant is told, and serves. All else of the claim is as it should be.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Storage.SQLite.Size, p.Spec.DeletionPolicy = resource.MustParse("10Gi"), v1alpha1.DeletionPolicyDelete
	})
	w.until(tenant, ready, "StorageInEffect=False/ExpansionRefused", "Stalled=True/ExpansionRefused", "StorageReady=True/Bound")
	if got := message(tenant, "StorageInEffect"); !strings.HasPrefix(got, "Volume claim contoso-data stays at 5Gi, because it cannot grow: persistentvolumeclaims ") ||
		!strings.HasSuffix(got, ". Set spec.storage.sqlite.size back to 5Gi, or let its StorageClass allow expansion.") {
		t.Error(got)
	}
	if owner := controller(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")); owner != tenant.UID {
		t.Errorf("the claim is owned by %q", owner)
	}
	for _, size := range []string{"6Gi", "5Gi", "1Gi"} { // it may go back, half of the way too
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.Size = resource.MustParse(size) })
		if size == "6Gi" {
			w.until(tenant, ready, "StorageInEffect=False/ExpansionRefused")
			continue
		}
		w.until(tenant, ready, "StorageInEffect=True/InEffect")
	}
}

// collectGarbage deletes what an owner left behind, as the garbage collector of a whole cluster does.
func (w *world) collectGarbage(owner types.UID) {
	w.Helper()
	for _, list := range childLists() {
		if err := w.List(w.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.Fatal(err)
		}
		each(w, list, func(object client.Object) {
			if controller(object) == owner {
				if err := client.IgnoreNotFound(w.Delete(w.Context(), object)); err != nil {
					w.Fatal(err)
				}
			}
		})
	}
}
