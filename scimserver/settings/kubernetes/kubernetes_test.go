package kubernetes

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestTheFirstSnapshotHasTheTenantItsVerifiersAndItsNamedDefaultsInOrder(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, secretToken := verifiers(t)
	api.put(verifierPath, secret)
	for name, priority := range map[string]int32{"b": 0, "a": 0, "finance": 100, "unnamed": 500} {
		api.put("userdefaults/"+name, defaults(name, priority))
	}
	stranger := defaults("stranger", 900)
	stranger.Spec.TenantRef.Name = "fabrikam"
	api.put("userdefaults/stranger", stranger)
	api.put(tenantPath, tenant(naming("b", "finance", "a", "missing", "stranger")))

	source, _ := run(t, api, t.TempDir(), &log{})
	s := wait(t, source, "at all", anySnapshot)

	if got, want := names(s), "finance a b"; got != want {
		t.Errorf("defaults are %q, want %q", got, want)
	}
	if _, ok := s.Verifiers.Find(secretToken); !ok {
		t.Error("the token is not let in")
	}
	if s.Tenant.ManagedFields != nil || s.Tenant.Annotations != nil {
		t.Error("the snapshot keeps metadata that no server needs")
	}
	if got, want := s.Tenant.Spec.RateLimit, (v1alpha1.RateLimit{RequestsPerSecond: ptr.To[int32](200), Burst: ptr.To[int32](400)}); !reflect.DeepEqual(got, want) {
		t.Errorf("the tenant, whose spec says nothing of it, lets a client ask %+v, want %+v", got, want)
	}
	if got, want := s.Tenant.Spec.Retention.ProvisioningLog.Duration, 720*time.Hour; got != want {
		t.Errorf("the log is kept for %s, want %s", got, want)
	}
	if got, want := s.BaseURL(), "https://contoso.example.com/scim/v2"; got != want {
		t.Errorf("the base is %s, want %s", got, want)
	}
}

// A directory that was retained has users with values of UserDefaults, which the status of a tenant that was made again does not name yet.
func TestATenantIsNotServedBeforeItsStatusNamesItsDefaults(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put("userdefaults/a", defaults("a", 1))
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Status.ObservedGeneration = -1 })) // as the API server makes it
	log := &log{}
	source, _ := run(t, api, t.TempDir(), log)
	until(t, "it is logged", func() bool { return log.count("No operator has written the tenant's status yet") == 1 })
	if source.Current() != nil {
		t.Error("there are settings without the tenant's UserDefaults")
	}
	api.put(tenantPath, tenant(naming("a"), func(t *v1alpha1.ProvisioningTenant) { t.Status.ObservedGeneration = 1 }))
	if got := names(wait(t, source, "at all", anySnapshot)); got != "a" {
		t.Errorf("the first settings have the defaults %q, want a", got)
	}
}

func TestChangesArePublishedWithoutARestart(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, first := verifiers(t)
	api.put(verifierPath, secret)
	api.put("userdefaults/a", defaults("a", 1))
	api.put("userdefaults/b", defaults("b", 2))
	api.put(tenantPath, tenant(naming("a")))
	source, _ := run(t, api, t.TempDir(), &log{})
	wait(t, source, "with a", withNames("a"))

	api.put(tenantPath, tenant(naming("a", "b")))
	wait(t, source, "with both", withNames("b a"))
	api.put("userdefaults/a", defaults("a", 3))
	wait(t, source, "in the other order", withNames("a b"))
	api.remove("userdefaults/a")
	wait(t, source, "without a", withNames("b"))
	api.put(tenantPath, tenant())
	wait(t, source, "without defaults", withNames(""))
	until(t, "the watches of the defaults have ended", func() bool {
		return slices.Equal(api.watching(), []string{tenantPath, verifierPath})
	})
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Spec.Provisioning.Users, t.Status.TenantURL = v1alpha1.SwitchDisabled, "https://other.example.com/scim/v2"
		t.Status.AdditionalURLs = []string{"https://former.example.com/scim/v2"}
	}))
	s := wait(t, source, "with users switched off", func(s *settings.Snapshot) bool { return !s.UsersEnabled() })
	if !s.GroupsEnabled() || s.BaseURL() != "https://other.example.com/scim/v2" {
		t.Errorf("groups enabled: %v, base %s", s.GroupsEnabled(), s.BaseURL())
	}
	if got := s.BaseURLAt("former.example.com"); got != "https://former.example.com/scim/v2" {
		t.Errorf("the base at another host of the tenant is %s", got)
	}
	secret, second := verifiers(t)
	api.put(verifierPath, secret)
	s = wait(t, source, "that knows the second token", func(s *settings.Snapshot) bool { _, ok := s.Verifiers.Find(second); return ok })
	if _, ok := s.Verifiers.Find(first); ok {
		t.Error("the first token is still let in")
	}
}

func TestWhatMeansNothingToAServerIsNotPublished(t *testing.T) {
	t.Parallel()
	source, err := New(Options{Config: &rest.Config{}, Namespace: "customers", Tenant: "contoso", DataDir: t.TempDir(), Log: logr.Discard(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	f := newFollower(source)
	f.tenantWatch, f.verifierWatch = &watched{}, &watched{}
	secret, _ := verifiers(t)
	publish := func(from *watched, object runtime.Object) *settings.Snapshot {
		f.take(t.Context(), event{from: from, seen: true, object: object})
		f.publish()
		return source.Current()
	}
	publish(f.verifierWatch, secret)
	first := publish(f.tenantWatch, tenant())
	second := publish(f.tenantWatch, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Directory = &v1alpha1.DirectoryStatus{Users: 7}
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
		t.Labels = map[string]string{"team": "identity"}
	}))
	third := publish(f.tenantWatch, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Generation = 2; t.Spec.DisplayName = "Contoso" }))
	if first == nil || first != second {
		t.Error("the operator's or the server's own part of the status makes a snapshot")
	}
	if third == second {
		t.Error("a change of the spec makes none")
	}
}

func TestDefaultsThatCannotBeReadKeepTheFormerOnesAndHoldBackNothingElse(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put("userdefaults/a", defaults("a", 1))
	api.put("userdefaults/b", defaults("b", 2))
	api.put(tenantPath, tenant(naming("a")))
	log := &log{}
	source, _ := run(t, api, t.TempDir(), log)
	wait(t, source, "with a", withNames("a"))

	api.answer("userdefaults", 403)
	api.put(tenantPath, tenant(naming("a", "b")))
	until(t, "the refusal is logged", func() bool { return log.count("check that a RoleBinding") > 0 })
	secret, rotated := verifiers(t)
	api.put(verifierPath, secret)
	s := wait(t, source, "with the new token", func(s *settings.Snapshot) bool { _, ok := s.Verifiers.Find(rotated); return ok })
	if got := names(s); got != "a" {
		t.Errorf("defaults are %q, want the former ones", got)
	}
	api.answer("userdefaults", 0)
	wait(t, source, "with both", withNames("b a"))
	until(t, "the end of the refusal is logged", func() bool { return log.count("The API server answers again") > 0 })
}

func TestWhatWasKnownOutlivesADeletedTenantAndAVanishedOrDamagedVerifierSecret(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, secretToken := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant())
	log := &log{}
	source, _ := run(t, api, t.TempDir(), log)
	wait(t, source, "at all", anySnapshot)

	api.remove(verifierPath)
	until(t, "the loss is logged", func() bool { return log.count("The verifier Secret does not exist") == 1 })
	damaged := secret.DeepCopy()
	damaged.Data[v1alpha1.VerifierKey] = []byte(`{"verifiers":[{"id":"x","sha256":"` + secretToken + `"}]}`)
	api.put(verifierPath, damaged)
	until(t, "the damage is logged", func() bool { return log.count("The verifier Secret cannot be read") == 1 })
	api.remove(tenantPath)
	until(t, "the deletion is logged", func() bool { return log.count("The tenant does not exist") == 1 })

	s := source.Current()
	if _, ok := s.Verifiers.Find(secretToken); !ok || s.Tenant.Name != "contoso" {
		t.Error("the snapshot was lost")
	}
	if log.count(secretToken) > 0 {
		t.Error("the token is in the log")
	}
}

func TestAWatchThatBreaksIsTakenUpWhereItWas(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant())
	source, _ := run(t, api, t.TempDir(), &log{})
	wait(t, source, "at all", anySnapshot)
	until(t, "both are watched", func() bool { return len(api.watching()) == 2 })
	// The reflector takes a watch that told nothing and ended at once for a fault.
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Spec.DisplayName = "first" }))
	wait(t, source, "of the first name", func(s *settings.Snapshot) bool { return s.Tenant.Spec.DisplayName == "first" })
	lists := api.listsOf(tenantPath)

	api.reconnect()
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Spec.DisplayName = "second" }))
	wait(t, source, "of the second name", func(s *settings.Snapshot) bool { return s.Tenant.Spec.DisplayName == "second" })
	if got := api.listsOf(tenantPath); got != lists {
		t.Errorf("%d lists after a broken watch, want %d", got, lists)
	}

	// What changed while the watch was away cannot be told any more: 410 Gone, so it is listed.
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Spec.DisplayName = "third" }))
	wait(t, source, "of the third name", func(s *settings.Snapshot) bool { return s.Tenant.Spec.DisplayName == "third" })
	api.mu.Lock()
	api.version += 10
	api.mu.Unlock()
	api.expire()
	until(t, "the tenant is listed again", func() bool { return api.listsOf(tenantPath) > lists })
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Spec.DisplayName = "fourth" }))
	wait(t, source, "of the fourth name", func(s *settings.Snapshot) bool { return s.Tenant.Spec.DisplayName == "fourth" })
}

func TestRefusalsAtTheStartAreLoggedOnceWithWhatToCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code int
		want string
	}{
		{401, "check that its ServiceAccount exists and that its token is mounted"},
		{403, "check that a RoleBinding gives this server's ServiceAccount a Role"},
		{404, "check that the CustomResourceDefinitions of provisioning.tenantry.dev/v1alpha1 are installed"},
		{500, "it is tried again, and the settings in force stay"},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			secret, _ := verifiers(t)
			api.put(verifierPath, secret)
			api.put(tenantPath, tenant())
			api.answer("provisioningtenants", test.code)
			log := &log{}
			source, _ := run(t, api, t.TempDir(), log)
			until(t, "it is logged", func() bool { return log.count(test.want) == 1 })
			api.answer("provisioningtenants", 0)
			wait(t, source, "at all", anySnapshot)
			if got := log.count("provisioningtenants"); got != 2 {
				t.Errorf("the refusal and its end make %d lines: %q", got, log.lines)
			}
		})
	}
}

func TestWhoseDirectoryItIsAndWhatMayBeAdoptedIsPublishedAndKept(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Directory = &v1alpha1.DirectoryStatus{ID: "directory-1", Users: 7}
	}))
	folder := t.TempDir()
	source, _ := run(t, api, folder, &log{})
	directory := func(s *settings.Snapshot) v1alpha1.DirectoryStatus { return *s.Tenant.Status.Directory }
	first := wait(t, source, "at all", anySnapshot)
	if got := directory(first); got.ID != "directory-1" || got.Users != 0 {
		t.Errorf("%+v", got)
	}
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Directory = &v1alpha1.DirectoryStatus{ID: "directory-2"}
		t.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: "new/directory-1", "other": "x"}
		t.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StorageSQLite, AdoptedFrom: "customers/fabrikam"}
	}))
	wait(t, source, "with all", func(s *settings.Snapshot) bool {
		return s.Tenant.Status.Storage != nil && *s.Tenant.Status.Storage == (v1alpha1.StorageStatus{AdoptedFrom: "customers/fabrikam"}) && directory(s).ID == "directory-2" && len(s.Tenant.Annotations) == 1 && s.Tenant.Annotations[v1alpha1.AdoptDirectoryAnnotation] == "new/directory-1"
	})
	kept := &lastKnownGood{path: filepath.Join(folder, LastKnownGoodFile)}
	until(t, "it is kept for a start without the API server", func() bool {
		s, err := kept.load("customers", "contoso", "")
		return err == nil && s != nil && directory(s).ID == "directory-2"
	})
}

func TestTheAPIServersURLEndsBeforeItsPaths(t *testing.T) {
	for host, want := range map[string]string{
		"https://10.96.0.1:443":                 "https://10.96.0.1:443",
		"https://[fd00::1]:443":                 "https://[fd00::1]:443",
		"https://rancher.example.com/k8s/c-1":   "https://rancher.example.com/k8s/c-1",
		"https://rancher.example.com/k8s/c-1//": "https://rancher.example.com/k8s/c-1",
		"http://127.0.0.1:8001/":                "http://127.0.0.1:8001",
	} {
		source, err := New(Options{Config: &rest.Config{Host: host}, Namespace: "customers", Tenant: "contoso", DataDir: t.TempDir(), Log: logr.Discard()})
		if err != nil {
			t.Fatal(err)
		}
		if got, transport := source.APIServer(); got != want || transport == nil {
			t.Errorf("%s is %s, want %s", host, got, want)
		}
	}
}
