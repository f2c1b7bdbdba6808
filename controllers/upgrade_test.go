package controllers

import (
	"errors"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// server is the Deployment of a tenant that is available unless changed.
func server(name string, change ...func(*appsv1.Deployment)) appsv1.Deployment {
	d := appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name, Generation: 2, Annotations: map[string]string{}},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
	}
	for _, f := range change {
		f(&d)
	}
	return d
}

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
		if slices.Contains(indexUpgrading(&d), revision) {
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
		if got := newUpgradeLimiter(2, "v2").tryAcquire(&d, upgrading("v2", test.others...)); got != test.want {
			t.Errorf("%s: may begin: %v, want %v", name, got, test.want)
		}
	}
}

func TestAnUpgradeKeepsItsPlaceUntilTheCacheShowsItsEnd(t *testing.T) {
	t.Parallel()
	u := newUpgradeLimiter(2, "v2")
	all := []appsv1.Deployment{server("a"), server("b"), server("c")}
	begin := func(i int, want bool, why string) {
		t.Helper()
		if got := u.tryAcquire(&all[i], upgrading("v2", all...)); got != want {
			t.Errorf("server %s may begin: %v, want %v: %s", all[i].Name, got, want, why)
		}
	}
	begin(0, true, "both places are free")
	begin(1, true, "one place is free")
	begin(2, false, "both places are taken, though the cache shows nothing yet")
	u.confirm(client.ObjectKeyFromObject(&all[0]), 0, errors.New("no answer"))
	begin(2, true, "one could not be written, which gave its place back")
	u.confirm(client.ObjectKeyFromObject(&all[1]), 3, nil)
	u.confirm(client.ObjectKeyFromObject(&all[2]), 3, nil)
	for i := range all {
		u.observe(&all[i])
	}
	begin(0, false, "what the cache shows is from before the writes")
	all[1] = server("b", to("v2"), written)
	u.observe(&all[1])
	begin(0, true, "one is done")
	u.release(client.ObjectKeyFromObject(&all[0]))
	all[2] = server("c", to("v2"), written, unavailable)
	u.observe(&all[2])
	begin(0, true, "one is under way, and another was deleted")
	all[1] = server("b", to("v2"), written, unavailable)
	all = append(all, server("d"))
	begin(3, false, "two are under way, and one that was done is not available any more: the image may be why")
}

func TestTheEndOfATenantGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	u := newUpgradeLimiter(1, "v2")
	a, b := server("a"), server("b")
	if !u.tryAcquire(&a, nil) || u.tryAcquire(&b, nil) {
		t.Fatal("one place must serve one")
	}
	u.release(client.ObjectKeyFromObject(&a))
	if !u.tryAcquire(&b, nil) {
		t.Error("a tenant that is gone still takes a place")
	}
	// Its Deployment was deleted by hand and made again, so its generation begins again.
	u.confirm(client.ObjectKeyFromObject(&b), 1, nil)
	again := server("b", func(d *appsv1.Deployment) { d.Generation = 1 })
	u.observe(&again)
	if !u.tryAcquire(&a, nil) {
		t.Error("a Deployment that was made again takes its place for ever")
	}
}

func TestAnUpgradeIsAChangeOfPodsThatNobodyButTheOperatorMade(t *testing.T) {
	t.Parallel()
	want := func() *appsv1ac.DeploymentApplyConfiguration {
		return appsv1ac.Deployment("a", "customers").WithSpec(appsv1ac.DeploymentSpec().WithTemplate(corev1ac.PodTemplateSpec()))
	}
	now, err := apply.Hash(want().Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	had := func(template string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Annotations[desired.AnnotationTemplate] = template }
	}
	stopped := func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](0) }
	have := func(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
		d := server("a", change...)
		return &d
	}
	for name, test := range map[string]struct {
		have       *appsv1.Deployment
		notApplied bool
		step       moveStep
		upgrade    bool
		mark       string
	}{
		"it is new":                           {have: nil},
		"its pods stay":                       {have: have(had(now))},
		"its pods stay as they were upgraded": {have: have(had(now), to("v2")), mark: "v2"},
		"its pods stay as another operator upgraded them": {have: have(had(now), to("v1")), mark: "v1"},
		"its pods are others":                             {have: have(had("other")), upgrade: true, mark: "v2"},
		"its pods are others, and it was upgraded before": {have: have(had("other"), to("v1")), upgrade: true, mark: "v2"},
		"it was broken before":                            {have: have(had("other"), unavailable), upgrade: true},
		"an upgrade broke it, and here is the next":       {have: have(had("other"), to("v1"), unavailable), upgrade: true},
		"the spec was changed":                            {have: have(had("other")), notApplied: true},
		"the spec was changed after its upgrade":          {have: have(had("other"), to("v2")), notApplied: true},
		"the spec was changed, and its upgrade broke it":  {have: have(had("other"), to("v2"), unavailable), notApplied: true, mark: "v2"},
		"the directory moves":                             {have: have(had("other")), step: moveStopping},
		"it is stopped, as after a move":                  {have: have(had("other"), stopped)},
		"somebody took the hash away":                     {have: have()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			generation := int64(3)
			if test.notApplied {
				generation = 4
			}
			s := &scope{tenant: contoso(), storage: storage{step: test.step}}
			s.tenant.Generation = generation
			s.tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRolledOut, Status: metav1.ConditionFalse, ObservedGeneration: 3}}
			deployment := want()
			upgrade, err := markUpgrade(s, "v2", test.have, deployment)
			if err != nil || upgrade != test.upgrade || deployment.Annotations[desired.AnnotationUpgrade] != test.mark || deployment.Annotations[desired.AnnotationTemplate] != now {
				t.Errorf("an upgrade: %v, error %v, annotations %v, want %v and the mark %q", upgrade, err, deployment.Annotations, test.upgrade, test.mark)
			}
		})
	}
}

func TestWhateverChangesPodsIsAnotherRevision(t *testing.T) {
	t.Parallel()
	options := Options{ServerImage: "scimserver:v1"}
	first, err := revision(options)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	again, err := revision(options)
	if err != nil || again != first {
		t.Errorf("the same options are revision %s and then %s (%v)", first, again, err)
	}
	for name, other := range map[string]Options{
		"the image": {ServerImage: "scimserver:v2"},
		"a flag":    {ServerImage: "scimserver:v1", EntraAuthority: "https://login.test"},
	} {
		if got, err := revision(other); err != nil || got == first {
			t.Errorf("%s changed and the revision did not (%v)", name, err)
		}
	}
}
