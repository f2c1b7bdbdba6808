package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func madeAgain(t *v1alpha1.ProvisioningTenant) { t.UID = "uid-2" }

func inGeneration(n int64) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) { t.Generation = n }
}

func terminating(finalizers ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) {
		t.DeletionTimestamp, t.Finalizers = new(metav1.NewTime(time.Unix(1700000000, 0))), finalizers
	}
}

// A backup of etcd brings a tenant back with its UID, and its servers hold its directory.
func TestATenantThatIsDeletedIsGoneUntilItIsThereAgain(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant())
	source, _ := run(t, api, t.TempDir(), &log{})
	before := wait(t, source, "at all", anySnapshot)
	if source.Gone() {
		t.Error("it is gone at the start")
	}
	api.remove(tenantPath)
	until(t, "it is gone", source.Gone)
	if source.Current() != before {
		t.Error("its settings are not in force any more")
	}
	api.put(tenantPath, tenant())
	until(t, "it is there again", func() bool { return !source.Gone() })
}

func TestATenantThatIsMadeAgainIsGoneForItsFormerServer(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	log := &log{}
	source, err := New(Options{
		Config: api.config(), Namespace: "customers", Tenant: "contoso", DataDir: t.TempDir(), Log: log.logger(), Pod: "pod-a", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := newFollower(source)
	f.verifiers = &token.Set{}
	for _, step := range []struct {
		name string
		seen runtime.Object
		gone bool
	}{
		{"it is there", tenant(), false},
		{"it changes", tenant(inGeneration(2)), false},
		{"it is made again, and the deletion was missed", tenant(madeAgain), true},
		{"the other changes", tenant(madeAgain, inGeneration(3)), true},
		{"the other is deleted", nil, true},
		{"the other is made again", tenant(func(t *v1alpha1.ProvisioningTenant) { t.UID = "uid-3" }), true},
	} {
		f.takeTenant(t.Context(), f.log, step.seen)
		f.publish()
		if source.Gone() != step.gone || source.Current().Tenant.UID != "uid-1" || source.Current().Tenant.Generation > 2 {
			t.Errorf("%s: gone %t, settings of %s", step.name, source.Gone(), source.Current().Tenant.UID)
		}
	}
	if n := log.count("The tenant does not exist any more"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}

	err = errors.Join(
		source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{ID: "former"}, v1alpha1.ActivityStatus{}),
		source.ReportProblem(t.Context(), "Full", "the disk is full"))
	if patches := api.patched(); err != nil || len(patches) > 0 {
		t.Errorf("the status of the other tenant has %s; %v", patches, err)
	}
}

// At the end of a process nothing is watched any more, and the API server is asked once.
func TestWhetherATenantIsGoneIsAskedAtTheEnd(t *testing.T) {
	t.Parallel()
	leaving := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "customers", DeletionTimestamp: new(metav1.NewTime(time.Unix(1700000000, 0)))}}
	for name, c := range map[string]struct {
		change func(api *fakeAPI)
		want   bool
	}{
		"it lives":                                        {func(*fakeAPI) {}, false},
		"it changed":                                      {func(api *fakeAPI) { api.put(tenantPath, tenant(naming("everybody"))) }, false},
		"it is deleted":                                   {func(api *fakeAPI) { api.remove(tenantPath) }, true},
		"it is made again":                                {func(api *fakeAPI) { api.put(tenantPath, tenant(madeAgain)) }, true},
		"a finalizer keeps it, and its servers":           {func(api *fakeAPI) { api.put(tenantPath, tenant(terminating("example.com/hold"))) }, false},
		"its servers end before it":                       {func(api *fakeAPI) { api.put(tenantPath, tenant(terminating(metav1.FinalizerDeleteDependents))) }, true},
		"the namespace's pods end before all else":        {func(api *fakeAPI) { api.put(namespacePath, leaving.DeepCopy()) }, true},
		"the namespace may not be read":                   {func(api *fakeAPI) { api.answer("namespaces", http.StatusForbidden) }, false},
		"the tenant may not be read":                      {func(api *fakeAPI) { api.answer("provisioningtenants", http.StatusForbidden) }, false},
		"the kind is not known, as while a server starts": {func(api *fakeAPI) { api.answer("provisioningtenants", http.StatusNotFound) }, false},
		"the API server hangs":                            {func(api *fakeAPI) { api.answer("provisioningtenants", hang) }, false},
		"the API server is away":                          {(*fakeAPI).stop, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			secret, _ := verifiers(t)
			api.put(verifierPath, secret)
			api.put(tenantPath, tenant())
			api.put(namespacePath, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "customers"}})
			source, stop := run(t, api, t.TempDir(), &log{})
			wait(t, source, "at all", anySnapshot)
			stop()
			c.change(api)
			bound := 200 * time.Millisecond
			if c.want {
				bound = patience
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			if got := source.AskWhetherGone(ctx); got != c.want || source.Gone() != got {
				t.Errorf("%t, and then %t; want %t", got, source.Gone(), c.want)
			}
		})
	}
}

func TestNothingIsAskedAboutATenantThatWasNeverKnown(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	source, stop := run(t, api, t.TempDir(), &log{})
	until(t, "it watches", func() bool { return len(api.watching()) == 2 })
	stop()
	before := api.listsOf(tenantPath)
	_ = source.AskWhetherGone(t.Context())
	if api.listsOf(tenantPath) != before {
		t.Error("the API server is asked about a directory that nobody holds")
	}
}

// The deletion is not known here yet: a report was on its way.
func TestTheAPIServerRefusesWhatIsReportedOfAnotherTenant(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.put(tenantPath, tenant(madeAgain, func(t *v1alpha1.ProvisioningTenant) { t.Status.Storage = &v1alpha1.StorageStatus{} }))
	source, err := New(Options{
		Config: api.config(), Namespace: "customers", Tenant: "contoso", TenantUID: "uid-1", Log: logr.Discard(), Pod: "pod-a", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	source.observeProblems(tenant(func(t *v1alpha1.ProvisioningTenant) { t.Status.Storage = &v1alpha1.StorageStatus{} })) // of the former one
	for what, err := range map[string]error{
		"the status":              source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{ID: "former"}, v1alpha1.ActivityStatus{}),
		"a problem":               source.ReportProblem(t.Context(), "DatabaseFull", "m"),
		"a connection's problem ": source.ReportConnectionProblem(t.Context(), "DatabaseRefused", "m"),
	} {
		if err == nil {
			t.Errorf("%s is written", what)
		}
	}
	if patches := api.patched(); len(patches) > 0 {
		t.Errorf("the other tenant's status has %s", patches)
	}
}

// A server that was started for a tenant takes nothing of the next, whichever watch is the first to tell of it.
func TestAServerTakesNothingOfATenantThatWasMadeAgain(t *testing.T) {
	t.Parallel()
	of := func(secret *corev1.Secret, uid types.UID) *corev1.Secret {
		secret.OwnerReferences = []metav1.OwnerReference{{Kind: "ProvisioningTenant", Name: "contoso", UID: uid, Controller: new(true)}}
		return secret
	}
	api := newFakeAPI(t)
	secret, former := verifiers(t)
	api.put(verifierPath, of(secret, "uid-1"))
	api.put("userdefaults/a", defaults("a", 1))
	api.put(tenantPath, tenant(naming("a")))
	log, dir := &log{}, t.TempDir()
	source, stop := run(t, api, dir, log, func(s *Source) { s.options.TenantUID = "uid-1" })
	before := wait(t, source, "with a", withNames("a"))

	secret, _ = verifiers(t)
	api.put(verifierPath, of(secret, "uid-2"))
	until(t, "its Secret is refused", func() bool { return log.count("The verifier Secret is another tenant's") == 1 })
	api.put(tenantPath, tenant(madeAgain, naming("b")))
	until(t, "the watches of the defaults have ended", func() bool { return slices.Equal(api.watching(), []string{tenantPath, verifierPath}) })
	api.put("userdefaults/a", defaults("a", 9))
	if source.Current() != before || !source.Gone() {
		t.Error("there are other settings")
	}
	// A backup of the cluster brings it back.
	secret, _ = verifiers(t)
	api.put(verifierPath, of(secret, "uid-1"))
	api.put(tenantPath, tenant(naming("a")))
	s := wait(t, source, "as they are now", func(s *settings.Snapshot) bool {
		_, ok := s.Verifiers.Find(former)
		return !ok && s.Defaults[0].Spec.Priority == 9
	})
	if names(s) != "a" || source.Gone() {
		t.Error("it is gone")
	}
	stop()

	api.put(tenantPath, tenant(madeAgain))
	api.put(verifierPath, of(secret, "uid-2"))
	late, _ := run(t, api, t.TempDir(), log, func(s *Source) { s.options.TenantUID = "uid-1" })
	until(t, "a server that starts late knows", late.Gone)
	if late.Current() != nil {
		t.Error("a server that starts late takes the settings of another tenant")
	}
}
