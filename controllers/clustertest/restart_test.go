package clustertest

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
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
	t.Parallel()
	const others = 12
	f := newFleet(t, others)
	f.run("scimserver:v1")
	f.untilUpgraded("scimserver:v1", others, 0)
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

	looks := regexp.MustCompile(`msg="Reconcile (?:successful|done)[^\n]* controller=provisioningtenant [^\n]*\bname=(\S+)`)
	var order []string
	f.eventually("everybody is looked at", func() string {
		order = nil
		for _, match := range looks.FindAllStringSubmatch(log.String(), -1) {
			order = append(order, match[1])
		}
		if seen := slices.Compact(slices.Sorted(slices.Values(order))); len(seen) != others+1 {
			return log.String()
		}
		return ""
	})
	// In the order of arrival it would come last. It need not come next: from the cache to the queue takes a moment, in
	// which the operator goes on.
	if at := slices.Index(order, "fresh"); at >= others {
		t.Errorf("all %d tenants of before were looked at first", others)
	}
}
