package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// report makes a server's report stand in the status.
func (s *simulated) report(problem *v1alpha1.StorageProblem) {
	s.Helper()
	tenant := s.tenant()
	tenant.Status.Storage.Problem = problem
	s.must(s.Status().Update(s.Context(), tenant))
}

func (s *simulated) expectStorage(want, message string) {
	s.Helper()
	s.settle()
	tenant := s.tenant()
	c, ready := meta.FindStatusCondition(tenant.Status.Conditions, "StorageReady"), meta.FindStatusCondition(tenant.Status.Conditions, "Ready")
	if got := string(c.Status) + "/" + c.Reason; got != want || c.Message != message {
		s.Errorf("StorageReady=%s: %s\nwant %s: %s", got, c.Message, want, message)
	}
	if c.Status == metav1.ConditionFalse && (ready.Reason != c.Reason || ready.Message != c.Message) {
		s.Errorf("Ready has %s: %s", ready.Reason, ready.Message)
	}
}

func TestStorageIsReadyUnlessAServerReportsAProblemThatIsFresh(t *testing.T) {
	s := simulate(t, contoso())
	const bound = "Volume claim contoso-data is bound."
	s.expectStorage("True/Bound", bound)
	problem := &v1alpha1.StorageProblem{Reason: "VolumeFull", Message: "no room", Pod: "a", ObservedTime: metav1.NewTime(s.now.Now())}
	s.report(problem)
	s.expectStorage("False/VolumeFull", "Look-ups are answered, and changes are answered 503: no room")

	// It is renewed, with no write of the operator's.
	s.now.SetTime(s.now.Now().Add(89 * time.Second))
	problem.ObservedTime = metav1.NewTime(s.now.Now())
	s.report(problem)
	writes := s.writes
	s.expectStorage("False/VolumeFull", "Look-ups are answered, and changes are answered 503: no room")
	if s.writes != writes {
		t.Errorf("%d writes for what has not changed", s.writes-writes)
	}
	// It ends.
	s.report(nil)
	s.expectStorage("True/Bound", bound)
	// It is of a pod that is gone.
	s.report(problem)
	s.expectStorage("False/VolumeFull", "Look-ups are answered, and changes are answered 503: no room")
	s.now.SetTime(s.now.Now().Add(90 * time.Second))
	s.expectStorage("True/Bound", bound)
	if left := s.tenant().Status.Storage.Problem; left != nil {
		t.Errorf("%+v is left", left)
	}
}

func TestATenantIsLookedAtWhenItsStorageProblemChangesAndNotWhenItIsRenewed(t *testing.T) {
	with := func(problem *v1alpha1.StorageProblem) *v1alpha1.ProvisioningTenant {
		tenant := contoso()
		tenant.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StorageSQLite, Problem: problem}
		return tenant
	}
	problem := func(reason, message, pod string, second int64) *v1alpha1.StorageProblem {
		return &v1alpha1.StorageProblem{Reason: reason, Message: message, Pod: pod, ObservedTime: metav1.Unix(second, 0)}
	}
	first := problem("A", "m", "a", 1)
	connection := func(problem *v1alpha1.StorageProblem) *v1alpha1.ProvisioningTenant {
		tenant := with(nil)
		tenant.Status.Storage.ConnectionProblem = problem
		return tenant
	}
	for name, c := range map[string]struct {
		before, after *v1alpha1.StorageProblem
		want          bool
	}{
		"it begins":       {nil, first, true},
		"another reason":  {first, problem("B", "m", "a", 1), true},
		"another message": {first, problem("A", "n", "a", 1), true},
		"renewed":         {first, problem("A", "m", "b", 2), false},
		"it ends":         {first, nil, true},
		"nothing":         {nil, nil, false},
	} {
		for of, with := range map[string]func(*v1alpha1.StorageProblem) *v1alpha1.ProvisioningTenant{"server": with, "connection": connection} {
			if got := changedByOthersThanItsServer().Update(event.UpdateEvent{ObjectOld: with(c.before), ObjectNew: with(c.after)}); got != c.want {
				t.Errorf("%s of the %s: %t", name, of, got)
			}
		}
	}
	if first.Pod != "a" {
		t.Error("the cache was changed")
	}
}
