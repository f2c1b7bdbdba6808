package observed

import (
	"testing"
	"time"

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
