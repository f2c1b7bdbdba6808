package clustertest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
	"github.com/tenantry/tenantry/test/testenv"
)

// patience is how long a test waits for what must come. No test measures it.
const patience = 60 * time.Second

var namespaces atomic.Int64

// world is a namespace for one test.
type world struct {
	*testing.T
	client.Client
	namespace string
}

// newWorld makes a namespace, and at the end of the test checks the status of everything in it.
func newWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	return newWorldIn(t, cluster, labels...)
}

// newWorldIn is newWorld in another cluster than that of most tests.
func newWorldIn(t *testing.T, cluster *testenv.Cluster, labels ...string) *world {
	t.Helper()
	// In the order of their names, which decides between two tenants of one second.
	name := fmt.Sprintf("test-%04d", namespaces.Add(1))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	for _, label := range labels {
		namespace.Labels[label] = ""
	}
	if err := cluster.Client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	w := &world{T: t, Client: cluster.Client, namespace: name}
	t.Cleanup(w.checkStatuses)
	return w
}

// startCluster starts a control plane with an operator, for the time of a test.
func startCluster(t *testing.T, settings testenv.Settings) *testenv.Cluster {
	t.Helper()
	started, err := testenv.StartWith(t.Context(), settings)
	t.Cleanup(func() {
		if err := started.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	operator, err := started.StartOperator(t.Context(), testenv.Options(entra.URL), logTo(logs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	return started
}

// checkStatuses waits until every status speaks of the present generation and then holds it against the invariants.
func (w *world) checkStatuses() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var tenants v1alpha1.ProvisioningTenantList
	var defaults v1alpha1.UserDefaultsList
	var wrong []string
	_ = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		wrong = nil
		if err := w.List(ctx, &tenants, client.InNamespace(w.namespace)); err != nil {
			return false, err
		}
		if err := w.List(ctx, &defaults, client.InNamespace(w.namespace)); err != nil {
			return false, err
		}
		for i := range tenants.Items {
			if tenants.Items[i].Annotations[v1alpha1.ReconcileAnnotation] == v1alpha1.ReconcileDisabled {
				continue // nobody looks after it
			}
			if tenants.Items[i].Status.ObservedGeneration < tenants.Items[i].Generation {
				wrong = append(wrong, tenants.Items[i].Name+": the status is behind")
			}
			wrong = append(wrong, statuscheck.Tenant(&tenants.Items[i])...)
			wrong = append(wrong, w.misread(&tenants.Items[i], tenants.Items[i].Status.ObservedGeneration, tenants.Items[i].Status.Conditions)...)
		}
		for i := range defaults.Items {
			if defaults.Items[i].Status.ObservedGeneration < defaults.Items[i].Generation {
				wrong = append(wrong, defaults.Items[i].Name+": the status is behind")
			}
			wrong = append(wrong, statuscheck.Defaults(&defaults.Items[i])...)
			wrong = append(wrong, w.misread(&defaults.Items[i], defaults.Items[i].Status.ObservedGeneration, defaults.Items[i].Status.Conditions)...)
		}
		return len(wrong) == 0, nil
	})
	for _, problem := range wrong {
		w.Errorf("status: %s", problem)
	}
	// What the test made must not disturb the next.
	for i := range defaults.Items {
		_ = w.Delete(ctx, &defaults.Items[i])
	}
	for i := range tenants.Items {
		_ = w.Delete(ctx, &tenants.Items[i])
	}
}

// tenant is a good tenant to change; one in a namespace of its own, so the name need not differ.
func (w *world) tenant(change ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	tenant := &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso"},
		Spec: v1alpha1.ProvisioningTenantSpec{
			DisplayName:      "Contoso Ltd",
			IdentityProvider: v1alpha1.InEntra(v1alpha1.Entra{TenantID: knownEntraTenant, Cloud: v1alpha1.EntraCloudPublic}),
			Catalog:          v1alpha1.Catalog{Companies: []string{"Contoso AB"}, Roles: []string{"approver"}},
			Exposure:         v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: w.namespace + ".example.com"},
			Storage:          v1alpha1.Storage{Type: v1alpha1.StorageSQLite, SQLite: v1alpha1.SQLiteStorage{Size: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(tenant)
	}
	return tenant
}

func named(name string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) { t.Name = name }
}

func withHost(host string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) { t.Spec.Exposure.Host = host }
}

// defaults are good UserDefaults to change.
func (w *world) defaults(name string, change ...func(*v1alpha1.UserDefaults)) *v1alpha1.UserDefaults {
	defaults := &v1alpha1.UserDefaults{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.UserDefaultsSpec{
			TenantRef: v1alpha1.TenantReference{Name: "contoso"},
			Companies: []string{"Contoso AB"},
			Roles:     []string{"approver"},
		},
	}
	for _, f := range change {
		f(defaults)
	}
	return defaults
}

// create creates an object that must be accepted.
func create[T client.Object](w *world, object T) T {
	w.Helper()
	if err := w.Create(w.Context(), object); err != nil {
		w.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
	return object
}

// edit changes an object, again if someone else did in between.
func edit[T client.Object](w *world, object T, change func(T)) {
	w.Helper()
	w.eventually("change "+object.GetName(), func() string {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err.Error()
		}
		change(object)
		if err := w.Update(w.Context(), object); err != nil {
			if !apierrors.IsConflict(err) {
				w.Fatalf("update %T %s: %v", object, object.GetName(), err)
			}
			return err.Error()
		}
		return ""
	})
}

// eventually waits until check has nothing to complain about.
func (w *world) eventually(what string, check func() string) {
	w.Helper()
	complaint := ""
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		complaint = check()
		return complaint == "", nil
	})
	if err != nil {
		w.Fatalf("%s: %s", what, complaint)
	}
}

// get reads an object that must exist by now.
func get[T client.Object](w *world, object T, name string) T {
	w.Helper()
	w.eventually(fmt.Sprintf("get %T %s", object, name), func() string {
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, object); err != nil {
			return err.Error()
		}
		return ""
	})
	return object
}

// gone waits until there is no such object.
func gone[T client.Object](w *world, object T, name string) {
	w.Helper()
	w.eventually(fmt.Sprintf("%T %s must go", object, name), func() string {
		err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is still there (%v)", err)
	})
}

// until waits for a condition of the tenant's present generation, given as "Type=Status/Reason".
func (w *world) until(tenant *v1alpha1.ProvisioningTenant, wanted ...string) {
	w.Helper()
	w.eventually("wait for "+strings.Join(wanted, " "), func() string {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err.Error()
		}
		return lacking(tenant.Status.Conditions, tenant.Generation, wanted)
	})
}

// untilDefaults is until for UserDefaults.
func (w *world) untilDefaults(defaults *v1alpha1.UserDefaults, wanted ...string) {
	w.Helper()
	w.eventually("wait for "+strings.Join(wanted, " "), func() string {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(defaults), defaults); err != nil {
			return err.Error()
		}
		return lacking(defaults.Status.Conditions, defaults.Generation, wanted)
	})
}

func lacking(have []metav1.Condition, generation int64, wanted []string) string {
	for _, want := range wanted {
		conditionType, rest, _ := strings.Cut(want, "=")
		c := meta.FindStatusCondition(have, conditionType)
		if c == nil || string(c.Status)+"/"+c.Reason != rest || c.ObservedGeneration != generation {
			return fmt.Sprintf("%s is not so yet; there is %+v", want, have)
		}
	}
	return ""
}

const ready = "Ready=True/Ready"
