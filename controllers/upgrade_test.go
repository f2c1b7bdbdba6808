package controllers

import (
	"errors"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// server is the Deployment of a tenant that was changed once and is available unless changed.
func server(name, image string, change ...func(*appsv1.Deployment)) appsv1.Deployment {
	d := appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name, Generation: 2},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image}}}},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
	}
	for _, f := range change {
		f(&d)
	}
	return d
}

func unavailable(d *appsv1.Deployment)     { d.Status.AvailableReplicas = 0 }
func notYetLookedAt(d *appsv1.Deployment)  { d.Status.ObservedGeneration = 1 }
func oldOneStillRuns(d *appsv1.Deployment) { d.Status.Replicas = 2 }
func upgraded(d *appsv1.Deployment)        { d.Generation, d.Status.ObservedGeneration = 3, 3 }
func isNew(d *appsv1.Deployment) {
	d.Generation, d.Status.ObservedGeneration, d.Status.AvailableReplicas = 1, 1, 0
}

// rolling are those that the cache's index has for an image.
func rolling(image string, all ...appsv1.Deployment) []appsv1.Deployment {
	var found []appsv1.Deployment
	for _, d := range all {
		if slices.Contains(indexRolling(&d), image) {
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
		"nobody else":                          {nil, true},
		"others that are done":                 {[]appsv1.Deployment{server("a", "v2"), server("b", "v2"), server("c", "v2")}, true},
		"others that wait":                     {[]appsv1.Deployment{server("a", "v1"), server("b", "v1")}, true},
		"one under way":                        {[]appsv1.Deployment{server("a", "v2", unavailable)}, true},
		"two under way":                        {[]appsv1.Deployment{server("a", "v2", unavailable), server("b", "v2", unavailable)}, false},
		"two that nobody has looked at yet":    {[]appsv1.Deployment{server("a", "v2", notYetLookedAt), server("b", "v2", notYetLookedAt)}, false},
		"two whose old pods run still":         {[]appsv1.Deployment{server("a", "v2", oldOneStillRuns), server("b", "v2", oldOneStillRuns)}, false},
		"two that are broken with the old one": {[]appsv1.Deployment{server("a", "v1", unavailable), server("b", "v1", unavailable)}, true},
		"two that are new":                     {[]appsv1.Deployment{server("a", "v2", isNew), server("b", "v2", isNew)}, true},
	} {
		d := server("contoso", "v1")
		if got := newUpgrades(2).begin(&d, rolling("v2", test.others...)); got != test.want {
			t.Errorf("%s: may begin: %v, want %v", name, got, test.want)
		}
	}
}

func TestAnUpgradeKeepsItsPlaceUntilTheCacheShowsItsEnd(t *testing.T) {
	t.Parallel()
	u := newUpgrades(2)
	all := []appsv1.Deployment{server("a", "v1"), server("b", "v1"), server("c", "v1")}
	begin := func(i int, want bool, why string) {
		t.Helper()
		if got := u.begin(&all[i], rolling("v2", all...)); got != want {
			t.Errorf("server %s may begin: %v, want %v: %s", all[i].Name, got, want, why)
		}
	}
	begin(0, true, "both places are free")
	begin(1, true, "one place is free")
	begin(2, false, "both places are taken, though the cache shows nothing yet")
	u.wrote(client.ObjectKeyFromObject(&all[0]), 0, errors.New("no answer"))
	begin(2, true, "one could not be written, which gave its place back")
	u.wrote(client.ObjectKeyFromObject(&all[1]), 3, nil)
	u.wrote(client.ObjectKeyFromObject(&all[2]), 3, nil)
	for i := range all {
		u.see(&all[i])
	}
	begin(0, false, "what the cache shows is from before the writes")
	all[1] = server("b", "v2", upgraded)
	u.see(&all[1])
	begin(0, true, "one is done")
	u.forget(client.ObjectKeyFromObject(&all[0]))
	all[2] = server("c", "v2", upgraded, unavailable)
	u.see(&all[2])
	begin(0, true, "one is under way, and another was deleted")
	all[1] = server("b", "v2", upgraded, unavailable)
	all = append(all, server("d", "v1"))
	begin(3, false, "two are under way, and one that was done is not available any more: the image may be why")
}

func TestAServerThatWasBrokenBeforeItsUpgradeHoldsUpNobody(t *testing.T) {
	t.Parallel()
	u := newUpgrades(1)
	broken, d := server("a", "v1", unavailable), server("b", "v1")
	if !u.begin(&broken, nil) {
		t.Fatal("a server that does not answer must wait although a place is free")
	}
	broken = server("a", "v2", upgraded, unavailable)
	u.see(&broken)
	if !u.begin(&d, rolling("v2", broken)) {
		t.Error("it holds up another")
	}
	// Once it has worked, it counts like any other.
	u.forget(client.ObjectKeyFromObject(&d))
	well := server("a", "v2", upgraded)
	u.see(&well)
	if u.begin(&d, rolling("v2", broken)) {
		t.Error("it was available with the new image and is not any more: the image may be why")
	}
}

func TestTheEndOfATenantGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	u := newUpgrades(1)
	a, b := server("a", "v1"), server("b", "v1")
	if !u.begin(&a, nil) || u.begin(&b, nil) {
		t.Fatal("one place must serve one")
	}
	u.forget(client.ObjectKeyFromObject(&a))
	if !u.begin(&b, nil) {
		t.Error("a tenant that is gone still takes a place")
	}
	// Its Deployment was deleted by hand and made again, so its generation begins again.
	u.wrote(client.ObjectKeyFromObject(&b), 1, nil)
	again := server("b", "v2", isNew)
	u.see(&again)
	if !u.begin(&a, nil) {
		t.Error("a Deployment that was made again takes its place for ever")
	}
}
