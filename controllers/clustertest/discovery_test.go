package clustertest

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// applicationRole is what config/rbac has for applications.
func (w *world) applicationRole() *unstructured.Unstructured {
	w.Helper()
	objects, err := testenv.ReadObjects(filepath.Join("..", "..", "config", "rbac", "personas.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetName() == "tenantry-application" })
	if at < 0 {
		w.Fatal("config/rbac has no role for applications")
	}
	role := objects[at]
	role.SetName(w.namespace + "-application") // for this test alone
	return create(w, role)
}

// as is a client with the rights of a ServiceAccount in the namespace.
func (w *world) as(account string) client.WithWatch {
	w.Helper()
	c, err := client.NewWithWatch(cluster.AsServiceAccount(w.namespace, account), client.Options{Scheme: w.Scheme()})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func TestAnApplicationIsToldOfEveryTenantAndOfNothingElse(t *testing.T) {
	t.Parallel()
	w, elsewhere := newWorld(t), newWorld(t)
	role := w.applicationRole()
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: w.namespace, Name: "portal"}}
	create(w, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-portal"}, Subjects: subject,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.GetName()},
	})
	portal := w.as("portal")

	// A watch that begins with what is there is what an informer does.
	var tenants v1alpha1.ProvisioningTenantList
	w.eventually("the application lists tenants of all namespaces", func() string {
		if err := portal.List(t.Context(), &tenants); err != nil {
			return err.Error()
		}
		return ""
	})
	news, err := portal.Watch(t.Context(), &tenants)
	if err != nil {
		t.Fatal(err)
	}
	defer news.Stop()
	tenant := create(elsewhere, elsewhere.tenant())
	published := untilPublished(t, news, elsewhere.namespace)
	if want := "https://" + elsewhere.namespace + ".example.com/scim/v2"; published.Status.TenantURL != want {
		t.Errorf("the Tenant URL is %q, want %q", published.Status.TenantURL, want)
	}
	if published.Spec.Entra() == nil || published.Spec.Entra().TenantID != knownEntraTenant {
		t.Errorf("the Entra tenant is %+v", published.Spec.Entra())
	}
	elsewhere.until(tenant, ready)
	if err := portal.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Error(err)
	}

	key := client.ObjectKey{Namespace: elsewhere.namespace, Name: "contoso-credentials"}
	for what, ask := range map[string]func() error{
		"get a Secret":  func() error { return portal.Get(t.Context(), key, &corev1.Secret{}) },
		"list Secrets":  func() error { return portal.List(t.Context(), &corev1.SecretList{}) },
		"list defaults": func() error { return portal.List(t.Context(), &v1alpha1.UserDefaultsList{}) },
		"change a spec": func() error {
			return portal.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"displayName":"x"}}`)))
		},
		"write a status":  func() error { return reportUsers(t.Context(), portal, tenant) },
		"delete a tenant": func() error { return portal.Delete(t.Context(), tenant.DeepCopy()) },
		"make a tenant":   func() error { return portal.Create(t.Context(), w.tenant()) },
		"list pods":       func() error { return portal.List(t.Context(), &corev1.PodList{}) },
	} {
		if err := ask(); !apierrors.IsForbidden(err) {
			t.Errorf("the application can %s: %v", what, err)
		}
	}
}

// untilPublished follows a watch until it tells the URL of the tenant in the namespace.
func untilPublished(t *testing.T, news apiwatch.Interface, namespace string) *v1alpha1.ProvisioningTenant {
	t.Helper()
	enough := time.After(patience)
	for {
		select {
		case event := <-news.ResultChan():
			tenant, ok := event.Object.(*v1alpha1.ProvisioningTenant)
			if !ok {
				t.Fatalf("the watch tells of %T", event.Object)
			}
			if tenant.Namespace == namespace && tenant.Status.TenantURL != "" {
				return tenant
			}
		case <-enough:
			t.Fatal("the watch tells of no URL")
		}
	}
}

func TestAnApplicationMayBeToldOfTheTenantsOfOneNamespaceAlone(t *testing.T) {
	t.Parallel()
	w, elsewhere := newWorld(t), newWorld(t)
	role := w.applicationRole()
	create(w, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "portal"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: w.namespace, Name: "portal"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.GetName()},
	})
	create(w, w.tenant())
	create(elsewhere, elsewhere.tenant())
	portal := w.as("portal")
	var tenants v1alpha1.ProvisioningTenantList
	w.eventually("the application lists the tenants of its namespace", func() string {
		if err := portal.List(t.Context(), &tenants, client.InNamespace(w.namespace)); err != nil {
			return err.Error()
		}
		return ""
	})
	if len(tenants.Items) != 1 {
		t.Errorf("it sees %d tenants, want 1", len(tenants.Items))
	}
	for what, options := range map[string][]client.ListOption{"of all namespaces": nil, "of another one": {client.InNamespace(elsewhere.namespace)}} {
		if err := portal.List(t.Context(), &tenants, options...); !apierrors.IsForbidden(err) {
			t.Errorf("the application can list the tenants %s: %v", what, err)
		}
	}
}
