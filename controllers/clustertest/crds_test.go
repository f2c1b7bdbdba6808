package clustertest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
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
	for _, kind := range []string{"provisioningtenants", "provisioningtenantclasses", "userdefaults"} {
		name := kind + "." + v1alpha1.GroupName
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

// A CRD of an older version lacks a field, for as long as nobody applies the right one. It has no t.Parallel, because it is every tenant's.
func TestAnOlderCRDIsToldOnceWithTheWayOut(t *testing.T) { //nolint:paralleltest // see above
	w := newWorld(t)
	registry := prometheus.NewPedanticRegistry()
	options := testenv.Options(entra.URL)
	options.Registerer = registry
	log := &buffer{}
	own, err := cluster.StartOperator(t.Context(), options, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	const name = "provisioningtenants." + v1alpha1.GroupName
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	definition.SetName(name)
	change := func(patch string) {
		t.Helper()
		if err := w.Patch(t.Context(), definition, client.RawPatch(types.JSONPatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
	}
	const counted = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/directory/properties/memberships"
	told := func(text string, times int, missing string) func() string {
		return func() string {
			if got := strings.Count(log.String(), text); got != times {
				return fmt.Sprintf("it was told %d times", got)
			}
			metric := ""
			if missing != "" {
				metric = `# HELP tenantry_crd_missing_fields Fields that a CRD of the cluster lacks because it is older than the operator, for each that lacks some.
# TYPE tenantry_crd_missing_fields gauge
tenantry_crd_missing_fields{crd="` + name + `"} ` + missing + "\n"
			}
			if err := testutil.GatherAndCompare(registry, strings.NewReader(metric), "tenantry_crd_missing_fields"); err != nil {
				return err.Error()
			}
			return ""
		}
	}
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(definition), definition); err != nil {
		t.Fatal(err)
	}
	field, found, err := unstructured.NestedMap(definition.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any),
		"schema", "openAPIV3Schema", "properties", "status", "properties", "directory", "properties", "memberships")
	if err != nil || !found {
		t.Fatalf("the CRD has no %s (%v)", counted, err)
	}
	content, err := json.Marshal(field)
	if err != nil {
		t.Fatal(err)
	}
	change(`[{"op":"remove","path":"` + counted + `"}]`)
	w.eventually("the older CRD is told", told("drops status.directory.memberships: kubectl apply --server-side -f "+
		"config/crd/bases/provisioning.tenantry.dev_provisioningtenants.yaml of this version", 1, "1"))
	change(`[{"op":"add","path":"` + counted + `","value":` + string(content) + `}]`)
	w.eventually("that the right one is there is told", told("The CRDs of the cluster have all fields", 1, ""))
	if err := own.Stop(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "is older than this operator\""); got != 1 {
		t.Errorf("the older CRD was told by %d lines, want one", got)
	}
}
