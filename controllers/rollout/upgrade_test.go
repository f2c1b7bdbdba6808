package rollout

import (
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/tenantry/tenantry/controllers/desired"
)

func unavailable(d *appsv1.Deployment)     { d.Status.AvailableReplicas = 0 }
func notYetLookedAt(d *appsv1.Deployment)  { d.Status.ObservedGeneration-- }
func oldOneStillRuns(d *appsv1.Deployment) { d.Status.Replicas = 2 }
func paused(d *appsv1.Deployment)          { d.Spec.Paused = true }
func written(d *appsv1.Deployment)         { d.Generation, d.Status.ObservedGeneration = 3, 3 }

// to marks a Deployment as upgraded from a state in which it was available.
func to(revision string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Annotations[desired.AnnotationUpgrade] = revision }
}

// upgrading are those that the cache's index has for a revision.
func upgrading(revision string, all ...appsv1.Deployment) []appsv1.Deployment {
	var found []appsv1.Deployment
	for _, d := range all {
		if HeldFor(&d) == revision {
			found = append(found, d)
		}
	}
	return found
}

func TestOnlySoManyServersAreUpgradedAtATime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		others []appsv1.Deployment
		want   bool
	}{
		"nobody else":                       {nil, true},
		"others that are done":              {[]appsv1.Deployment{server("a", to("v2")), server("b", to("v2"))}, true},
		"others that wait":                  {[]appsv1.Deployment{server("a"), server("b")}, true},
		"one under way":                     {[]appsv1.Deployment{server("a", to("v2"), unavailable)}, true},
		"two under way":                     {[]appsv1.Deployment{server("a", to("v2"), unavailable), server("b", to("v2"), unavailable)}, false},
		"two that nobody has looked at yet": {[]appsv1.Deployment{server("a", to("v2"), notYetLookedAt), server("b", to("v2"), notYetLookedAt)}, false},
		"two whose old pods run still":      {[]appsv1.Deployment{server("a", to("v2"), oldOneStillRuns), server("b", to("v2"), oldOneStillRuns)}, false},
		"two that somebody paused":          {[]appsv1.Deployment{server("a", to("v2"), oldOneStillRuns, paused), server("b", to("v2"), oldOneStillRuns, paused)}, true},
		"two that are broken and wait":      {[]appsv1.Deployment{server("a", unavailable), server("b", unavailable)}, true},
		"two whose upgrade before broke":    {[]appsv1.Deployment{server("a", to("v1"), unavailable), server("b", to("v1"), unavailable)}, true},
	} {
		d := server("contoso")
		if got := NewLimiter(2, "v2").TryAcquire(&d, upgrading("v2", test.others...)); got != test.want {
			t.Errorf("%s: may begin: %v, want %v", name, got, test.want)
		}
	}
}

func TestAnUpgradeKeepsItsPlaceUntilTheCacheShowsItsEnd(t *testing.T) {
	t.Parallel()
	l := NewLimiter(2, "v2")
	all := []appsv1.Deployment{server("a"), server("b"), server("c")}
	begin := func(i int, want bool, why string) {
		t.Helper()
		if got := l.TryAcquire(&all[i], upgrading("v2", all...)); got != want {
			t.Errorf("server %s may begin: %v, want %v: %s", all[i].Name, got, want, why)
		}
	}
	begin(0, true, "both places are free")
	begin(1, true, "one place is free")
	begin(2, false, "both places are taken, though the cache shows nothing yet")
	l.Confirm(keyOf(&all[0]), 0, errors.New("no answer"))
	begin(2, true, "one could not be written, which gave its place back")
	l.Confirm(keyOf(&all[1]), 3, nil)
	l.Confirm(keyOf(&all[2]), 3, nil)
	for i := range all {
		l.Observe(&all[i])
	}
	begin(0, false, "what the cache shows is from before the writes")
	all[1] = server("b", to("v2"), written)
	l.Observe(&all[1])
	begin(0, true, "one is done")
	l.Release(keyOf(&all[0]))
	all[2] = server("c", to("v2"), written, unavailable)
	l.Observe(&all[2])
	begin(0, true, "one is under way, and another was deleted")
	all[1] = server("b", to("v2"), written, unavailable)
	all = append(all, server("d"))
	begin(3, false, "two are under way, and one that was done is not available any more: the image may be why")
}

func TestTheEndOfATenantGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	l := NewLimiter(1, "v2")
	a, b := server("a"), server("b")
	if !l.TryAcquire(&a, nil) || l.TryAcquire(&b, nil) {
		t.Fatal("one place must serve one")
	}
	l.Release(keyOf(&a))
	if !l.TryAcquire(&b, nil) {
		t.Error("a tenant that is gone still takes a place")
	}
	// Its Deployment was deleted by hand and made again, so its generation begins again.
	l.Confirm(keyOf(&b), 1, nil)
	again := server("b", func(d *appsv1.Deployment) { d.Generation = 1 })
	l.Observe(&again)
	if !l.TryAcquire(&a, nil) {
		t.Error("a Deployment that was made again takes its place for ever")
	}
}

func TestAnApplyTakesNoPlaceAndOneThatWroteNothingLeavesIt(t *testing.T) {
	t.Parallel()
	l := NewLimiter(1, "v2")
	a, b := server("a"), server("b")
	l.Confirm(keyOf(&a), 3, nil) // its spec was changed
	if !l.TryAcquire(&b, nil) {
		t.Error("a server that was not upgraded takes a place")
	}
	l.Confirm(keyOf(&b), 0, nil)
	l.Observe(&b)
	if l.TryAcquire(&a, nil) {
		t.Error("an upgrade that the cache does not show yet lost its place")
	}
}
