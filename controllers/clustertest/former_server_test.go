package clustertest

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
)

// A server may end after its tenant was made again under its name. What it reports then is of another directory.
func TestTheAPIServerRefusesTheStatusOfAServerWhoseTenantWasMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	server := func(uid types.UID) *kubernetes.Source {
		source, err := kubernetes.New(kubernetes.Options{
			Config: cluster.AsServiceAccount(w.namespace, "contoso-scim"), Namespace: w.namespace, Tenant: "contoso", TenantUID: uid,
			DataDir: t.TempDir(), Log: logr.Discard(), Pod: "contoso-scim-0", Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	reports := func(source *kubernetes.Source, id string) map[string]error {
		return map[string]error{
			"status":             source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{ID: id, Users: 98}, v1alpha1.ActivityStatus{}),
			"problem":            source.ReportProblem(t.Context(), v1alpha1.ReasonDatabaseUnreachable, id),
			"connection problem": source.ReportConnectionProblem(t.Context(), v1alpha1.ReasonDatabaseUnreachable, id),
		}
	}
	former := reports(server("22222222-2222-2222-2222-222222222222"), "theirs")
	if !apierrors.IsInvalid(former["status"]) { // of a problem it is not known yet whether it has a place
		t.Errorf("the status of the former tenant: %v", former["status"])
	}
	status := get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Status
	if status.Directory != nil || status.Activity != nil || status.Storage.Problem != nil || status.Storage.ConnectionProblem != nil {
		t.Errorf("the status is %+v, with storage %+v", status, status.Storage)
	}
	for what, err := range reports(server(tenant.UID), "ours") {
		if err != nil {
			t.Errorf("the %s of its own server: %v", what, err)
		}
	}
	if status = get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Status; status.Directory == nil || status.Directory.ID != "ours" || status.Directory.Users != 98 {
		t.Errorf("the directory is %+v", status.Directory)
	}
}
