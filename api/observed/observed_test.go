package observed

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAnOperatorLeadsWhileItRenewsTheLease(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	lease := func(holder string, renewed time.Duration) coordinationv1.LeaseSpec {
		return coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{Time: now.Add(-renewed)},
		}
	}
	for name, test := range map[string]struct {
		lease coordinationv1.LeaseSpec
		want  bool
	}{
		"renewed in time":                {lease("a", 10*time.Second), true},
		"renewed by a clock that is off": {lease("a", 25*time.Second), true},
		"renewed by a clock that leads":  {lease("a", -25*time.Second), true},
		"no longer renewed":              {lease("a", 30*time.Second), false},
		"given back":                     {lease("", time.Second), false},
		"never held":                     {coordinationv1.LeaseSpec{}, false},
	} {
		if got := Leads(test.lease, now); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAServerRunsUntilNoPodIsLeftAndNoneIsWanted(t *testing.T) {
	t.Parallel()
	server := func(wanted *int32, there int32, generation, seen int64) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Generation: generation}, Spec: appsv1.DeploymentSpec{Replicas: wanted},
			Status: appsv1.DeploymentStatus{ObservedGeneration: seen, Replicas: there},
		}
	}
	for name, test := range map[string]struct {
		server *appsv1.Deployment
		want   bool
	}{
		"it runs":             {server(new(int32(1)), 1, 1, 1), true},
		"it says no number":   {server(nil, 0, 1, 1), true},
		"it is about to run":  {server(new(int32(1)), 0, 1, 1), true},
		"it is told to stop":  {server(new(int32(0)), 0, 2, 1), true},
		"it is ending":        {server(new(int32(0)), 1, 2, 2), true},
		"it has ended":        {server(new(int32(0)), 0, 2, 2), false},
		"there never was one": {nil, false},
	} {
		if got := Running(test.server); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
