package clustertest

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
	"github.com/tenantry/tenantry/test/race"
)

// heldClock does not tell the time before it is released.
type heldClock struct {
	clock.RealClock
	asked    chan struct{}
	released chan struct{}
}

func (c heldClock) Now() time.Time {
	select {
	case c.asked <- struct{}{}:
	default:
	}
	<-c.released
	return c.RealClock.Now()
}

// bug class 22: after a restart, a new tenant waits until every other was looked at.
func TestATenantThatIsNewAfterARestartDoesNotWaitForAllTheOthers(t *testing.T) {
	race.Meets(t) // priorities in the queue
	t.Parallel()
	const others = 12
	f := newFleet(t, others)
	f.run("scimserver:v1")
	f.untilUpgraded("scimserver:v1", others, 0)
	f.untilTold()
	f.stop()

	held := heldClock{asked: make(chan struct{}, 1), released: make(chan struct{})}
	var log buffer
	f.log = &log
	f.run("scimserver:v1", func(o *controllers.Options) { o.Clock, o.Concurrency = held, 1 })
	<-held.asked // the first one is being looked at
	fresh := f.add("fresh")
	f.eventually("the operator has heard of the new tenant", func() string {
		if err := f.operator.Cache.Get(t.Context(), client.ObjectKeyFromObject(fresh), &v1alpha1.ProvisioningTenant{}); err != nil {
			return err.Error()
		}
		return ""
	})
	close(held.released)

	order := f.looks(&log, others+1)
	// In the order of arrival it would come last. It need not come next: from the cache to the queue takes a moment, in
	// which the operator goes on.
	if at := slices.Index(order, "fresh"); at >= others {
		t.Errorf("all %d tenants of before were looked at first", others)
	}
	f.untilTold()
}

// bug class 22, where nobody was there to see it come.
func TestATenantThatWasMadeOrChangedWhileNoOperatorRanIsLookedAtBeforeAllTheOthers(t *testing.T) {
	t.Parallel()
	const others = 12
	f := newFleet(t, others)
	f.run("scimserver:v1")
	f.untilUpgraded("scimserver:v1", others, 0)
	f.untilTold()
	f.stop()
	f.add("fresh")
	var changed v1alpha1.ProvisioningTenant
	if err := f.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "tenant-7"}, &changed); err != nil {
		t.Fatal(err)
	}
	edit(f.world, &changed, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "Contoso" })

	var log buffer
	f.log = &log
	f.run("scimserver:v1", func(o *controllers.Options) { o.Concurrency = 1 })
	var order []string // of the first looks
	for _, name := range f.looks(&log, others+1) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	// Something may just have happened to one or the other of the rest too.
	for _, name := range []string{"fresh", "tenant-7"} {
		if at := slices.Index(order, name); at >= others/2 {
			t.Errorf("%s is looked at in the order %v, want it in the first half", name, order)
		}
	}
	f.untilTold()
}

// untilTold waits until every tenant has a status, by which the next operator sees that it was looked at.
func (f *fleet) untilTold() {
	f.Helper()
	f.eventually("every tenant has a status", func() string {
		var tenants v1alpha1.ProvisioningTenantList
		if err := f.List(f.Context(), &tenants, client.InNamespace(f.namespace)); err != nil {
			return err.Error()
		}
		for i := range tenants.Items {
			if tenants.Items[i].Status.ObservedGeneration != tenants.Items[i].Generation {
				return tenants.Items[i].Name + " has none"
			}
		}
		return ""
	})
}

// looks are the tenants in the order in which an operator looked at them, once it has looked at so many.
func (f *fleet) looks(log fmt.Stringer, tenants int) []string {
	f.Helper()
	look := regexp.MustCompile(`msg="Reconcile (?:successful|done)[^\n]* controller=provisioningtenant [^\n]*\bname=(\S+)`)
	var order []string
	f.eventually("everybody is looked at", func() string {
		order = nil
		for _, match := range look.FindAllStringSubmatch(log.String(), -1) {
			order = append(order, match[1])
		}
		if seen := slices.Compact(slices.Sorted(slices.Values(order))); len(seen) != tenants {
			return fmt.Sprintf("%d were:\n%s", len(seen), log)
		}
		return ""
	})
	return order
}
