package clustertest

import (
	"encoding/json"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 5: a field that cannot be changed or unset.
func TestATenantIsPausedAndGoesOnWithoutARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const paused = "Ready=True/Paused"
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Paused = true }))
	w.until(tenant, paused, "ServerAvailable=True/Available", "Exposed=True/IngressReady")
	url := tenant.Status.TenantURL
	if url == "" {
		t.Error("a paused tenant has no Tenant URL, which its administrator may paste already")
	}
	if got, want := w.printed(tenant), []any{"contoso", "True", "Paused", url}; !slices.Equal(got, want) {
		t.Errorf("kubectl get prints %v, want %v", got, want)
	}
	before := get(w, &appsv1.Deployment{}, "contoso-scim")
	pause := func(value bool) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) { p.Spec.Paused = value }
	}
	edit(w, tenant, pause(false))
	w.until(tenant, ready)
	edit(w, tenant, pause(true))
	w.until(tenant, paused)
	// A tenant that is paused is looked after like any other.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = w.namespace + ".example.org" })
	w.until(tenant, paused)
	if want := "https://" + w.namespace + ".example.org/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	edit(w, tenant, pause(false))
	w.until(tenant, ready)
	if after := get(w, &appsv1.Deployment{}, "contoso-scim"); after.Generation != before.Generation || after.UID != before.UID {
		t.Errorf("the Deployment is of generation %d, want %d as before: pods must not restart", after.Generation, before.Generation)
	}
}

// printed are the first cells that kubectl get shows of a tenant.
func (w *world) printed(tenant *v1alpha1.ProvisioningTenant) []any {
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
	return table.Rows[0].Cells[:4]
}
