package clustertest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 5: a field that cannot be changed or unset.
func TestATenantIsSuspendedAndGoesOnWithoutARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := func(provisioning, access v1alpha1.State) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Provisioning.State, p.Spec.Access.State = provisioning, access
		}
	}
	const active, held = v1alpha1.StateActive, v1alpha1.StateSuspended
	tenant := create(w, w.tenant(set(held, active)))
	w.until(tenant, "Ready=True/ProvisioningSuspended", "ProvisioningHealthy=Unknown/ProvisioningSuspended",
		"ServerAvailable=True/Available", "Exposed=True/IngressReady")
	url := tenant.Status.TenantURL
	if url == "" {
		t.Error("a suspended tenant has no Tenant URL, which its administrator may paste already")
	}
	before := get(w, &appsv1.Deployment{}, "contoso-scim")
	for _, c := range []struct {
		provisioning, access v1alpha1.State
		ready, healthy       string
	}{
		{held, active, "ProvisioningSuspended", "ProvisioningSuspended"}, {held, held, "Suspended", "ProvisioningSuspended"},
		{active, held, "AccessSuspended", "NoRequests"}, {active, active, "Ready", "NoRequests"}, {held, held, "Suspended", "ProvisioningSuspended"},
	} {
		edit(w, tenant, set(c.provisioning, c.access))
		w.until(tenant, "Ready=True/"+c.ready, "ProvisioningHealthy=Unknown/"+c.healthy)
		want := map[string]any{
			"Name": "contoso", "Ready": "True", "Reason": c.ready, "Tenant URL": url,
			"Provisioning": string(c.provisioning), "Access": string(c.access),
		}
		if diff := cmp.Diff(want, w.printed(tenant, slices.Collect(maps.Keys(want))...)); diff != "" {
			t.Errorf("kubectl get -o wide: want -, got +\n%s", diff)
		}
	}
	// A tenant that is suspended is looked after like any other.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = w.namespace + ".example.org" })
	w.until(tenant, "Ready=True/Suspended")
	if want := "https://" + w.namespace + ".example.org/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	edit(w, tenant, set("", "")) // where they are left out, the API server makes them Active
	w.until(tenant, ready)
	if after := get(w, &appsv1.Deployment{}, "contoso-scim"); after.Generation != before.Generation || after.UID != before.UID {
		t.Errorf("the Deployment is of generation %d, want %d as before: pods must not restart", after.Generation, before.Generation)
	}
}

// printed are the cells of these columns that kubectl get -o wide shows of a tenant.
func (w *world) printed(tenant *v1alpha1.ProvisioningTenant, columns ...string) map[string]any {
	w.Helper()
	config := rest.CopyConfig(cluster.Config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(cluster.Client.Scheme()).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		w.Fatal(err)
	}
	data, err := client.Get().Namespace(tenant.Namespace).Resource("provisioningtenants").Name(tenant.Name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil || len(table.Rows) != 1 {
		w.Fatalf("%s: %v", data, err)
	}
	cells := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		if slices.Contains(columns, column.Name) {
			cells[column.Name] = table.Rows[0].Cells[i]
		}
	}
	return cells
}
