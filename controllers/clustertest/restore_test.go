package clustertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// backup is everything of the tenants in a namespace, as a tool reads it.
func (w *world) backup() (objects []*unstructured.Unstructured) {
	w.Helper()
	lists := append(childLists(), &corev1.PersistentVolumeClaimList{}, &v1alpha1.ProvisioningTenantList{})
	for _, list := range lists {
		if err := w.List(w.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.Fatal(err)
		}
		each(w, list, func(object client.Object) {
			_, isTenant := object.(*v1alpha1.ProvisioningTenant)
			if object.GetLabels()[v1alpha1.TenantLabel] == "" && !isTenant {
				return
			}
			gvk, err := apiutil.GVKForObject(object, w.Scheme())
			if err != nil {
				w.Fatal(err)
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err != nil {
				w.Fatal(err)
			}
			saved := &unstructured.Unstructured{Object: content}
			saved.SetGroupVersionKind(gvk)
			objects = append(objects, saved)
		})
	}
	return objects
}

// destroy deletes everything of the tenants in the namespace, finalizers and all, as the end of a namespace does.
func (w *world) destroy(objects []*unstructured.Unstructured) {
	w.Helper()
	byTenantFirst := slices.Clone(objects)
	slices.Reverse(byTenantFirst) // or the operator would make again what goes
	for _, object := range byTenantFirst {
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(object.GroupVersionKind())
		there.SetNamespace(object.GetNamespace())
		there.SetName(object.GetName())
		if err := client.IgnoreNotFound(w.Delete(w.Context(), there, client.GracePeriodSeconds(0), client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
			w.Fatal(err)
		}
		removeFinalizers(w, there)
		gone(w, there, object.GetName())
	}
}

// restoreOrder is Velero's for the kinds of a tenant: claims, Secrets and accounts before all others, which follow by their names.
func restoreOrder(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	rank := func(o *unstructured.Unstructured) string {
		for i, kind := range []string{"PersistentVolumeClaim", "ServiceAccount", "Secret"} {
			if o.GetKind() == kind {
				return fmt.Sprint(i)
			}
		}
		return strings.ToLower(o.GetKind())
	}
	ordered := slices.Clone(objects)
	slices.SortStableFunc(ordered, func(a, b *unstructured.Unstructured) int { return strings.Compare(rank(a), rank(b)) })
	return ordered
}

// lostAndRestored deletes all that there is of a tenant and restores it as Velero does, and waits until the tenant is ready.
func (w *world) lostAndRestored(tenant *v1alpha1.ProvisioningTenant) {
	w.Helper()
	saved := w.backup()
	w.destroy(saved)
	for _, object := range restoreOrder(saved) {
		w.restore(object, true)
	}
	w.until(tenant, ready)
	w.owned(tenant)
}

// restore creates an object as Velero does: without what it strips (resetMetadata and resetStatus in pkg/restore/restore.go), with its labels,
// and with the managed fields of before where fields says so, which it puts back by a patch.
func (w *world) restore(saved *unstructured.Unstructured, fields bool) *unstructured.Unstructured {
	w.Helper()
	object := saved.DeepCopy()
	for _, field := range []string{"generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences", "managedFields"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(object.Object, "status")
	if object.GetKind() == "Service" {
		unstructured.RemoveNestedField(object.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(object.Object, "spec", "clusterIPs")
	}
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["velero.io/backup-name"], labels["velero.io/restore-name"] = "daily", "daily-20261130"
	object.SetLabels(labels)
	if err := w.Create(w.Context(), object, client.FieldOwner("velero-server")); err != nil {
		w.Fatalf("restore %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	if fields {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"managedFields": saved.GetManagedFields()}})
		if err != nil {
			w.Fatal(err)
		}
		if err := w.Patch(w.Context(), object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("velero-server")); err != nil {
			w.Fatalf("give %s %s its managed fields: %v", object.GetKind(), object.GetName(), err)
		}
	}
	return object
}

// tokenOf is what a person has pasted into Entra.
func (w *world) tokenOf(tenant *v1alpha1.ProvisioningTenant) string {
	w.Helper()
	return string(get(w, &corev1.Secret{}, tenant.Name+"-credentials").Data["token"])
}

// owned checks that the tenant controls all its children, and that the claim is as it was.
func (w *world) owned(tenant *v1alpha1.ProvisioningTenant) {
	w.Helper()
	for _, list := range childLists() {
		if err := w.List(w.Context(), list, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.TenantLabel}); err != nil {
			w.Fatal(err)
		}
		each(w, list, func(object client.Object) {
			if owner := controller(object); owner != tenant.UID {
				w.Errorf("%T %s is owned by %q, and would stay when the tenant goes", object, object.GetName(), owner)
			}
		})
	}
}

func TestATenantThatVeleroRestoredIsReadyWithTheTokenOfBefore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.ProvisioningTenant){
		"as it comes": func(*v1alpha1.ProvisioningTenant) {},
		"with all that a tenant may have": func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
			p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
			p.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant := create(w, w.tenant(change))
			w.until(tenant, ready)
			secrets := map[string]*corev1.Secret{}
			for _, object := range w.backup() {
				if object.GetKind() == "Secret" {
					secrets[object.GetName()] = get(w, &corev1.Secret{}, object.GetName())
				}
			}
			w.lostAndRestored(tenant)
			for name, before := range secrets {
				now := get(w, &corev1.Secret{}, name)
				for key, value := range before.Data {
					if string(now.Data[key]) != string(value) {
						t.Errorf("Secret %s has another %s than before", name, key)
					}
				}
			}
			if len(secrets) < 2 {
				t.Errorf("%d Secrets were in the backup", len(secrets))
			}
		})
	}
}

// A tenant whose class changed has a route under the other name. Beside one that nobody knows of, the host would have two.
func TestARouteOfTheOtherNameThatVeleroRestoredIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	class := func(name string) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: name}
		}
	}
	tenant := create(w, w.tenant(class("first")))
	w.until(tenant, ready)
	edit(w, tenant, class("second"))
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	w.lostAndRestored(tenant)
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	host := "new." + w.namespace + ".example.com"
	edit(w, tenant, withHost(host))
	w.until(tenant, ready)
	w.eventually("the Ingress follows the host", func() string {
		if got := get(w, &networkingv1.Ingress{}, "contoso-scim-2").Spec.Rules[0].Host; got != host {
			return "it has " + got
		}
		return ""
	})
}

// Tools that put no managed fields back: what holds a token proves by it whose it is, and nothing else is worth keeping.
func TestWhatAnotherToolRestoredIsToldAndItsTokenStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	annotate(w, tenant, rotateTokens, asked(1))
	for _, name := range []string{"contoso-credentials", "contoso-verifier"} {
		w.eventually("Secret "+name+" tells that access tokens were ended", func() string {
			if marks := get(w, &corev1.Secret{}, name).Annotations[v1alpha1.CredentialsAnnotation]; !strings.Contains(marks, v1alpha1.AccessTokensCredential) {
				return marks
			}
			return ""
		})
	}
	before := w.tokenOf(tenant)
	saved := w.backup()
	w.destroy(saved)
	var others []client.Object
	for _, object := range restoreOrder(saved) {
		if there := w.restore(object, false); there.GetKind() != "Secret" && there.GetKind() != "PersistentVolumeClaim" && there.GetKind() != "ProvisioningTenant" {
			others = append(others, there)
		}
	}
	w.until(tenant, "CredentialsReady=True/Issued", "ServerAvailable=False/NameConflict", "Stalled=True/NameConflict")
	if got, want := message(tenant, "ServerAvailable"), " has the labels of this tenant, and was not applied by the operator: a restore may have made it. Delete it, and the operator makes it again."; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
	for _, object := range others {
		if err := w.Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			t.Fatal(err)
		}
	}
	w.until(tenant, ready) // at once, and not with the next look of its own accord
	w.owned(tenant)
	if w.tokenOf(tenant) != before {
		t.Error("the token is another than before")
	}
}

func TestChildrenThatWereLeftBehindAreTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	before := w.tokenOf(tenant)
	// kubectl delete --cascade=orphan: the garbage collector takes the owner off, and then the finalizer "orphan" from the tenant.
	if err := w.Delete(t.Context(), tenant, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	for _, list := range childLists() {
		if err := w.List(t.Context(), list, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.TenantLabel}); err != nil {
			t.Fatal(err)
		}
		each(w, list, func(object client.Object) {
			patch := client.MergeFrom(object.DeepCopyObject().(client.Object))
			object.SetOwnerReferences(nil)
			if err := w.Patch(t.Context(), object, patch, client.FieldOwner("kube-controller-manager")); err != nil {
				t.Fatal(err)
			}
		})
	}
	removeFinalizers(w, tenant)
	gone(w, &v1alpha1.ProvisioningTenant{}, "contoso")
	service := get(w, &corev1.Service{}, "contoso-scim")

	// Nothing leads to the server any more that is not wanted, although the Ingress of before has no owner.
	again := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Type = v1alpha1.ExposureNone }))
	w.until(again, ready)
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	w.owned(again)
	if now := get(w, &corev1.Service{}, "contoso-scim"); now.UID != service.UID {
		t.Error("the Service was made again, and clients were not served meanwhile")
	}
	if w.tokenOf(again) != before {
		t.Error("the token is another than before")
	}
}

// Labels alone can be written by anybody.
func TestAnObjectWithLabelsLikeOursIsAStrangersWhereTheOperatorDidNotApplyIt(t *testing.T) {
	t.Parallel()
	labels := map[string]string{v1alpha1.TenantLabel: "contoso", "app.kubernetes.io/managed-by": "tenantry-operator"}
	for name, stranger := range map[string]client.Object{
		"Service": &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}},
		"Secret":  &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "contoso-credentials"}, StringData: map[string]string{"token": "theirs"}},
		"Secret with marks of another": &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "contoso-credentials", Annotations: map[string]string{
				"provisioning.tenantry.dev/credentials": `{"token":{"fingerprint":"0123456789abcdef","issuedAt":"2026-11-30T06:00:00Z"}}`,
			}},
			StringData: map[string]string{"token": "theirs"},
		},
		"verifier with marks of another": &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "contoso-verifier", Annotations: map[string]string{
				"provisioning.tenantry.dev/credentials": `{"token":{"fingerprint":"0123456789abcdef","issuedAt":"2026-11-30T06:00:00Z"}}`,
			}},
			StringData: map[string]string{"verifiers.json": `{"verifiers":[]}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stranger.SetNamespace(w.namespace)
			stranger.SetLabels(labels)
			create(w, stranger)
			before := stranger.GetResourceVersion()
			tenant := create(w, w.tenant())
			w.until(tenant, "Ready=False/NameConflict", "Stalled=True/NameConflict")
			if got := message(tenant, "Stalled"); strings.Contains(got, "Keep a copy of a token in it") != (strings.HasPrefix(got, "Secret")) {
				t.Errorf("a token that nobody else has would be lost by %q", got)
			}
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(stranger), stranger); err != nil || stranger.GetResourceVersion() != before {
				t.Errorf("it was changed: %v, %+v", err, stranger)
			}
		})
	}
}

func TestTheClaimOfTheRestoreInTheDocumentsIsTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict, claims := client.WithFieldValidation(w.Client, "Strict"), 0
	for _, object := range w.recipes("backup.md") {
		if object.GetKind() == "PersistentVolumeClaim" {
			claims++
			object.SetNamespace(w.namespace)
			if err := strict.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
	if claims != 1 {
		t.Fatalf("docs/backup.md has %d claims", claims)
	}
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.StorageClassName = "ours" }))
	w.until(tenant, ready)
	if claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); claim.Spec.DataSource == nil || claim.Spec.DataSource.Name != "contoso" {
		t.Errorf("the claim is another: %+v", claim.Spec)
	}
}

// As docs/storage.md says: until the status tells of Retain, the volume would go with the tenant.
func TestTheStatusTellsWhichDeletionPolicyIsInEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyRetain, v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain} {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DeletionPolicy = policy })
		w.eventually("the status has "+string(policy), func() string {
			now := get(w, &v1alpha1.ProvisioningTenant{}, "contoso")
			owner := controller(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"))
			if now.Status.Storage.DeletionPolicy == v1alpha1.DeletionPolicyRetain && owner != "" && policy == v1alpha1.DeletionPolicyRetain {
				t.Fatal("the status has Retain while the claim would go with the tenant")
			}
			if now.Status.Storage.DeletionPolicy != policy {
				return string(now.Status.Storage.DeletionPolicy)
			}
			return ""
		})
	}
	if owner := controller(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")); owner != "" {
		t.Errorf("the claim is owned by %s", owner)
	}
}
