package storage

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

func TestTheStatusSaysWhereTheDirectoryIsAndWhatBecomesOfTheClaim(t *testing.T) {
	t.Parallel()
	controlled := func(claim *corev1.PersistentVolumeClaim) {
		claim.OwnerReferences = []metav1.OwnerReference{{Kind: "ProvisioningTenant", Name: "contoso", UID: "uid-contoso", Controller: new(true)}}
	}
	deletes := func(t *v1alpha1.ProvisioningTenant) { t.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete }
	adopted := of("customers", "contoso", entraID, "uid-contoso")
	adopted.AdoptedFrom = "elsewhere/fabrikam"
	for name, test := range map[string]struct {
		state State
		want  *v1alpha1.StorageStatus
	}{
		"a volume":               {State{Tenant: contoso()}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Retain"}},
		"a volume that may go":   {State{Tenant: contoso(deletes)}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Delete"}},
		"a volume that goes yet": {State{Tenant: contoso(), Claim: contosoData(controlled)}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Delete"}},
		"a volume that has no owner any more": {
			State{Tenant: contoso(), Claim: contosoData()}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Retain"},
		},
		"an adopted volume, until it is served": {
			State{Tenant: contoso(), Claim: contosoData(marked(adopted))},
			&v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Retain", AdoptedFrom: "elsewhere/fabrikam"},
		},
		"an adopted volume that is served": {
			State{Tenant: contoso(counted(0, 0)), Claim: contosoData(marked(adopted))}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Retain"},
		},
		"a database": {
			State{Tenant: contoso(inDatabase)},
			&v1alpha1.StorageStatus{Type: "PostgreSQL", Schema: desired.SchemaName("customers", "contoso"), DeletionPolicy: "Retain"},
		},
		"a database beside a claim that goes with the tenant": {
			State{Tenant: contoso(inDatabase, served("PostgreSQL")), Claim: contosoData(controlled)},
			&v1alpha1.StorageStatus{Type: "PostgreSQL", Schema: desired.SchemaName("customers", "contoso"), DeletionPolicy: "Delete"},
		},
		"nothing is known": {State{Tenant: contoso(), Taken: strangers}, nil},
		"nothing is known any more": {
			State{Tenant: contoso(served("SQLite"), deletes), Taken: strangers}, &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: "Retain"},
		},
	} {
		got := Decide(test.state).Status(test.state.Tenant, noon)
		if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestAReportOfAServerStaysInTheStatusWhileItIsFresh(t *testing.T) {
	t.Parallel()
	reported := func(old int64) *v1alpha1.StorageProblem {
		return &v1alpha1.StorageProblem{Reason: "VolumeFull", Message: "m", Pod: "a", ObservedTime: metav1.Unix(noon.Unix()-old, 0)}
	}
	onVolume, inDatabase := Decision{Engine: v1alpha1.StorageSQLite}, Decision{Engine: v1alpha1.StoragePostgreSQL}
	connecting, reconnecting := onVolume, onVolume
	connecting.Step, reconnecting.Step = StepConnecting, StepReconnecting
	for name, test := range map[string]struct {
		decision           Decision
		old                int64
		server, connection bool
	}{
		"on a volume":                      {onVolume, 89, true, false},
		"on a volume, of a pod that ended": {onVolume, 90, false, false},
		"while a connection is tried":      {connecting, 89, true, true},
		"while another is to be tried":     {reconnecting, 89, true, false},
		"tried by a pod that ended":        {connecting, 90, false, false},
		"in a database":                    {inDatabase, 89, true, true},
		"nobody knows where":               {Decision{}, 89, true, true},
	} {
		tenant := contoso(served("SQLite"))
		tenant.Status.Storage.Problem, tenant.Status.Storage.ConnectionProblem = reported(test.old), reported(test.old)
		got := test.decision.Status(tenant, noon)
		if (got.Problem != nil) != test.server || (got.ConnectionProblem != nil) != test.connection {
			t.Errorf("%s: of the server %v, of the connection %v", name, got.Problem, got.ConnectionProblem)
		}
		if got.Problem != nil && (got.Problem == tenant.Status.Storage.Problem || *got.Problem != *tenant.Status.Storage.Problem) {
			t.Errorf("%s: it is no copy: %v", name, got.Problem)
		}
	}
}
