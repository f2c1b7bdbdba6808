package clustertest

import (
	"fmt"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// The kinds themselves are deleted, and with them every tenant, and applied again, while the operator runs. It has no t.Parallel, so no
// other test of the package has a tenant meanwhile.
func TestWhereTheCRDsAreDeletedAndAppliedAgainTenantsWorkAgain(t *testing.T) { //nolint:paralleltest // see above
	w := newWorld(t)
	definitions := envtest.CRDInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfPathMissing: true}
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	uid := tenant.UID

	if err := envtest.UninstallCRDs(cluster.Config, definitions); err != nil {
		t.Fatal(err)
	}
	// The API server deletes what is of a kind before the kind, and takes no other of that name until then.
	for _, name := range []string{"provisioningtenants." + v1alpha1.GroupName, "userdefaults." + v1alpha1.GroupName} {
		definition := &metav1.PartialObjectMetadata{}
		definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		w.eventually("the kind is gone", func() string {
			err := w.Get(t.Context(), client.ObjectKey{Name: name}, definition)
			if apierrors.IsNotFound(err) {
				return ""
			}
			return fmt.Sprintf("%s is still there (%v)", name, err)
		})
	}
	if _, err := envtest.InstallCRDs(cluster.Config, definitions); err != nil {
		t.Fatal(err)
	}
	// As garbage collection does, which nobody runs here.
	for _, owned := range []client.Object{
		&corev1.ServiceAccount{}, &corev1.Service{}, &corev1.Secret{}, &appsv1.Deployment{}, &rbacv1.Role{}, &rbacv1.RoleBinding{},
		&networkingv1.Ingress{}, &networkingv1.NetworkPolicy{}, &policyv1.PodDisruptionBudget{},
	} {
		err := w.DeleteAllOf(t.Context(), owned, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.TenantLabel: "contoso"})
		if err != nil {
			t.Fatal(err)
		}
	}
	again := w.tenant()
	w.eventually("the tenant is applied again", func() string {
		again.ObjectMeta = metav1.ObjectMeta{Namespace: again.Namespace, Name: again.Name}
		if err := w.Create(t.Context(), again); err != nil {
			return err.Error()
		}
		return ""
	})
	w.until(again, ready)
	if again.UID == uid {
		t.Error("the tenant is the one before")
	}
	if now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); now.UID != claim.UID {
		t.Error("the tenant has another volume than before")
	}
}
