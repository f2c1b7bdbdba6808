package controllers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// databased is a settled tenant in a database, and an operator that has just started and goes on.
type databased struct {
	*simulated
	operator *ProvisioningTenantReconciler
}

func settledInDatabase(t *testing.T) *databased {
	t.Helper()
	s := simulate(t, contoso(inDatabase), connectionSecret())
	s.settle()
	return &databased{s, s.operator()}
}

// expect compares conditions, each as TYPE=STATUS/REASON, after one reconcile, and what that cost.
func (d *databased) expect(what string, reads int, want ...string) {
	d.Helper()
	d.liveReads = 0
	result, err := d.operator.Reconcile(d.Context(), theTenant)
	if err != nil {
		d.Fatal(err)
	}
	if d.liveReads != reads {
		d.Errorf("%s: %d live reads, want %d", what, d.liveReads, reads)
	}
	if after := result.RequeueAfter; after <= 0 || after > 90*time.Second {
		d.Errorf("%s: the operator looks again after %s", what, after)
	}
	for _, text := range want {
		found := false
		for _, c := range d.tenant().Status.Conditions {
			found = found || c.Type+"="+string(c.Status)+"/"+c.Reason == text
		}
		if !found {
			d.Errorf("%s: %s is missing in %+v", what, text, d.tenant().Status.Conditions)
		}
	}
}

func (d *databased) later(passes time.Duration) { d.now.SetTime(d.now.Now().Add(passes)) }

func TestAConnectionSecretThatGoesIsToldBesideReadyWhileTheServersGoOn(t *testing.T) {
	t.Parallel()
	d := settledInDatabase(t)
	served := []string{"Ready=True/Ready", "StorageReady=True/Configured", "StorageInEffect=True/InEffect", "ServerAvailable=True/Available"}
	missing := []string{"Ready=True/Ready", "StorageReady=True/Configured", "StorageInEffect=False/ConnectionSecretMissing", "Reconciling=True/ConnectionSecretMissing"}
	d.expect("an operator that just started reads nothing", 0, served...)
	d.must(d.WithWatch.Delete(t.Context(), connectionSecret()))
	d.expect("what was found counts for a while", 0, served...)
	d.later(90 * time.Second)
	d.expect("and no longer", 1, missing...)
	if got, want := meta.FindStatusCondition(d.tenant().Status.Conditions, "StorageInEffect").Message, "The servers that run go on, and no other can start. "+
		"Secret contoso-database in spec.storage.postgresql.connectionSecretRef does not exist: create it with the connection URL under the key url."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	writes := d.writes
	d.expect("it lasts", 1, missing...)
	if d.writes != writes {
		t.Errorf("%d writes for what has not changed", d.writes-writes)
	}
	d.operator = d.simulated.operator()
	d.expect("another operator looks", 1, missing...)

	secret := connectionSecret()
	secret.Data = map[string][]byte{"other": nil}
	d.must(d.Create(t.Context(), secret))
	d.expect("it has not the key", 1, missing...)
	secret.Data = map[string][]byte{"url": []byte("postgres://")}
	d.must(d.Update(t.Context(), secret))
	d.expect("it is back", 1, served...)
	d.expect("and found", 0, served...)
}

// A read for each tenant, and none more often, whatever else makes the operator look.
func TestASettledTenantInADatabaseCostsOneReadInAWhile(t *testing.T) {
	t.Parallel()
	d := settledInDatabase(t)
	writes := d.writes
	d.expect("an operator that just started reads nothing", 0)
	for range 3 {
		d.later(90 * time.Second)
		d.expect("after a while", 1)
		d.later(59 * time.Second)
		d.expect("before it is over", 0)
	}
	if d.writes != writes {
		t.Errorf("%d writes for a settled tenant", d.writes-writes)
	}
}

// The operator does not read the connection URL, but the servers do.
func TestAConnectionURLThatServersCannotReadIsToldBesideReady(t *testing.T) {
	t.Parallel()
	d := settledInDatabase(t)
	report := func(problem *v1alpha1.StorageProblem) {
		tenant := d.tenant()
		tenant.Status.Storage.ConnectionProblem = problem
		d.must(d.Status().Update(t.Context(), tenant))
	}
	report(&v1alpha1.StorageProblem{Reason: "DatabaseURLInvalid", Message: "the file is empty", Pod: "a", ObservedTime: metav1.NewTime(d.now.Now())})
	d.expect("it was emptied", 0, "Ready=True/Ready", "StorageReady=True/Configured", "StorageInEffect=False/DatabaseURLInvalid")
	want := "The servers that run go on, and no other can start. the file is empty"
	if got := meta.FindStatusCondition(d.tenant().Status.Conditions, "StorageInEffect").Message; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	report(nil)
	d.expect("it is back", 0, "Ready=True/Ready", "StorageInEffect=True/InEffect")
}

func TestAMissingConnectionSecretIsReadyFalseWhereNoServerIsAvailable(t *testing.T) {
	t.Parallel()
	d := settledInDatabase(t)
	d.must(d.WithWatch.Delete(t.Context(), connectionSecret()))
	var deployment appsv1.Deployment
	d.must(d.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-scim"}, &deployment))
	deployment.Status.Replicas, deployment.Status.AvailableReplicas = 0, 0
	d.must(d.Status().Update(t.Context(), &deployment))
	d.expect("the servers go", 0, "Ready=False/ServerUnavailable")
	d.expect("the cause is looked for at once", 1, "Ready=False/ConnectionSecretMissing", "StorageReady=False/ConnectionSecretMissing")
}
