package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestOfMoreUserDefaultsThanAServerFollowsTheOldestAreTaken(t *testing.T) {
	var all []v1alpha1.UserDefaults
	for n := range v1alpha1.MaxUserDefaults + 2 {
		age := metav1.Unix(int64(1000+n/2), 0) // two of each second
		all = append(all, v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%04d", n), CreationTimestamp: age}})
	}
	gone := metav1.NewTime(time.Unix(5000, 0))
	all[7].DeletionTimestamp = &gone
	slices.Reverse(all)
	followed, left := followable(all)
	if len(followed) != v1alpha1.MaxUserDefaults || len(left) != 1 || left[0].Name != "n1001" {
		t.Fatalf("%d are followed and %d are not, want %d and n1001", len(followed), len(left), v1alpha1.MaxUserDefaults)
	}

	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: "contoso"}}
	before := tenant.DeepCopy()
	for _, defaults := range followed {
		tenant.Status.UserDefaults = append(tenant.Status.UserDefaults, defaults.Name)
	}
	accepted := func(of *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant) string {
		c := meta.FindStatusCondition(defaultsStatus(of, tenant, Options{}, gone).Conditions, v1alpha1.ConditionAccepted)
		return string(c.Status) + "/" + c.Reason
	}
	if got := accepted(left[0], tenant); got != "False/TooMany" {
		t.Errorf("the newest is %s", got)
	}
	if got := accepted(followed[0], tenant); got != "True/Accepted" {
		t.Errorf("the oldest is %s", got)
	}
	// Once another goes, there is room, and the newest hears of it.
	room := tenant.DeepCopy()
	room.Status.UserDefaults = append(room.Status.UserDefaults[1:], left[0].Name)
	if got := accepted(left[0], room); got != "True/Accepted" {
		t.Errorf("the newest is %s though there is room", got)
	}
	for what, change := range map[string][2]*v1alpha1.ProvisioningTenant{"one for another": {tenant, room}, "the last place": {before, tenant}} {
		if !concernsDefaults().Update(event.UpdateEvent{ObjectOld: change[0], ObjectNew: change[1]}) {
			t.Errorf("%s: UserDefaults are not looked at again", what)
		}
	}
	less, some := before.DeepCopy(), before.DeepCopy()
	less.Status.UserDefaults, some.Status.UserDefaults = []string{"a"}, []string{"a", "b"}
	if concernsDefaults().Update(event.UpdateEvent{ObjectOld: less, ObjectNew: some}) {
		t.Error("each new UserDefaults has all others looked at")
	}
}

func TestTheTenantNamesItsRefusedUserDefaultsWithinBounds(t *testing.T) {
	var refused []refusedDefaults
	for n := range 1001 {
		refused = append(refused, refusedDefaults{fmt.Sprintf("n%04d", 1000-n), strings.Repeat("å", 1000)})
	}
	got := tellRefused(refused)
	if len(got) > 4096 || !strings.HasPrefix(got, "UserDefaults n0000: ååå") || !strings.Contains(got, "There are 991 more.") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
