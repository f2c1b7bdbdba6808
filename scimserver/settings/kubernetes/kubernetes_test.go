package kubernetes

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantPath   = "provisioningtenants/contoso"
	verifierPath = "secrets/contoso-verifier"
	patience     = 30 * time.Second
)

func tenant(change ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	object := &v1alpha1.ProvisioningTenant{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ProvisioningTenant"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "contoso", Namespace: "customers", UID: "uid-1", Generation: 1,
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply}},
			Annotations:   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"},
		},
		Spec: v1alpha1.ProvisioningTenantSpec{
			Exposure:     v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "contoso.example.com"},
			Provisioning: v1alpha1.Provisioning{Users: v1alpha1.SwitchEnabled, Groups: v1alpha1.SwitchEnabled},
		},
	}
	for _, change := range change {
		change(object)
	}
	return object
}

func naming(names ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) { t.Status.UserDefaults = names }
}

func defaults(name string, priority int32) *v1alpha1.UserDefaults {
	return &v1alpha1.UserDefaults{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "UserDefaults"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "customers", Generation: 1},
		Spec: v1alpha1.UserDefaultsSpec{
			TenantRef: v1alpha1.TenantReference{Name: "contoso"}, Priority: priority, Companies: []string{"Contoso AB"},
		},
	}
}

// verifiers returns a verifier Secret and the token that it lets in.
func verifiers(t *testing.T) (*corev1.Secret, string) {
	t.Helper()
	secretToken, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := token.Set{Verifiers: []token.Verifier{token.NewVerifier(secretToken, token.RoleProvisioner, time.Unix(1700000000, 0))}}
	data, err := set.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: "contoso-verifier", Namespace: "customers"},
		Data:       map[string][]byte{v1alpha1.VerifierKey: data},
	}, secretToken
}

// log collects the lines of the process log.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) logger() logr.Logger {
	return funcr.New(func(prefix, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, prefix+" "+args)
	}, funcr.Options{Verbosity: 9})
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(l.lines), func(line string) bool { return !strings.Contains(line, text) }))
}

// run starts a source that ends with the test, or when the function is called.
func run(t *testing.T, api *fakeAPI, dir string, log *log, change ...func(*Source)) (*Source, func()) {
	t.Helper()
	source, err := New(Options{Config: api.config(), Namespace: "customers", Tenant: "contoso", DataDir: dir, Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range change {
		change(source)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end with its context")
		}
	})
	t.Cleanup(stop)
	return source, stop
}

// wait returns the first snapshot that fulfils a wish.
func wait(t *testing.T, source settings.Source, wish string, fulfilled func(*settings.Snapshot) bool) *settings.Snapshot {
	t.Helper()
	late := time.After(patience)
	for {
		changed := source.Changed()
		if s := source.Current(); s != nil && fulfilled(s) {
			return s
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no snapshot %s", wish)
		}
	}
}

func anySnapshot(*settings.Snapshot) bool { return true }

// until polls a condition that nothing announces.
func until(t *testing.T, wish string, fulfilled func() bool) {
	t.Helper()
	late := time.After(patience)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-tick.C:
			if fulfilled() {
				tick.Stop()
				return
			}
		case <-late:
			t.Fatalf("waited in vain until %s", wish)
		}
	}
}

func names(s *settings.Snapshot) string {
	var names []string
	for _, d := range s.Defaults {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

func withNames(want string) func(*settings.Snapshot) bool {
	return func(s *settings.Snapshot) bool { return names(s) == want }
}

func fileContent(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, LastKnownGoodFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

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
	if got, want := s.BaseURL(), "https://contoso.example.com/scim/v2"; got != want {
		t.Errorf("the base is %s, want %s", got, want)
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
	}))
	s := wait(t, source, "with users switched off", func(s *settings.Snapshot) bool { return !s.UsersEnabled() })
	if !s.GroupsEnabled() || s.BaseURL() != "https://other.example.com/scim/v2" {
		t.Errorf("groups enabled: %v, base %s", s.GroupsEnabled(), s.BaseURL())
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
	source, err := New(Options{Config: &rest.Config{}, Namespace: "customers", Tenant: "contoso", DataDir: t.TempDir(), Log: logr.Discard()})
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

func TestTheServerGoesOnWithTheAPIAwayAlsoAfterARestartAndCatchesUp(t *testing.T) {
	t.Parallel()
	api, dir := newFakeAPI(t), t.TempDir()
	secret, secretToken := verifiers(t)
	api.put(verifierPath, secret)
	api.put("userdefaults/a", defaults("a", 1))
	api.put(tenantPath, tenant(naming("a")))
	source, stop := run(t, api, dir, &log{})
	wait(t, source, "with a", withNames("a"))
	until(t, "the settings are kept", func() bool { _, err := os.Stat(filepath.Join(dir, LastKnownGoodFile)); return err == nil })

	api.stop()
	if s := source.Current(); names(s) != "a" {
		t.Error("the snapshot was lost with the API")
	}
	stop()

	log := &log{}
	source, _ = run(t, api, dir, log, func(s *Source) { s.startBound = time.Hour })
	s := wait(t, source, "from the file", anySnapshot)
	if _, ok := s.Verifiers.Find(secretToken); !ok || names(s) != "a" || s.BaseURL() != "https://contoso.example.com/scim/v2" {
		t.Errorf("the restarted server has defaults %q and base %s", names(s), s.BaseURL())
	}
	until(t, "the absence is logged", func() bool { return log.count("serving with the last known good ones") == 1 })

	api.put("userdefaults/b", defaults("b", 2))
	api.put(tenantPath, tenant(naming("a", "b")))
	api.start()
	wait(t, source, "with both", withNames("b a"))
	until(t, "the file has both", func() bool { return strings.Contains(fileContent(t, dir), `"name":"b"`) })
}

func TestAnAPIServerThatHangsDoesNotHoldUpARestart(t *testing.T) {
	t.Parallel()
	api, dir := newFakeAPI(t), t.TempDir()
	secret, secretToken := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant())
	source, stop := run(t, api, dir, &log{})
	wait(t, source, "at all", anySnapshot)
	stop()

	api.answer("provisioningtenants", hang)
	source, _ = run(t, api, dir, &log{}, func(s *Source) { s.startBound = time.Millisecond })
	s := wait(t, source, "from the file", anySnapshot)
	if _, ok := s.Verifiers.Find(secretToken); !ok {
		t.Error("the token is not let in")
	}
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Spec.DisplayName = "second" }))
	api.answer("provisioningtenants", 0)
	wait(t, source, "from the API", func(s *settings.Snapshot) bool { return s.Tenant.Spec.DisplayName == "second" })
}

func TestTheFileIsForItsOwnerHoldsNoTokenAndIsNotWrittenForNothing(t *testing.T) {
	t.Parallel()
	api, dir := newFakeAPI(t), t.TempDir()
	secret, secretToken := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant())
	source, stop := run(t, api, dir, &log{})
	wait(t, source, "at all", anySnapshot)
	stop()

	path := filepath.Join(dir, LastKnownGoodFile)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", before.Mode())
	}
	if strings.Contains(fileContent(t, dir), secretToken) {
		t.Error("the token is in the file")
	}

	source, stop = run(t, api, dir, &log{})
	wait(t, source, "at all", anySnapshot)
	stop()
	// A new file would have another inode.
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written again without a change (%v)", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v (%v)", entries, err)
	}
}

func TestAFileThatCannotBeUsedIsReportedAndReplaced(t *testing.T) {
	t.Parallel()
	other, err := encode(&settings.Snapshot{Tenant: tenant(func(t *v1alpha1.ProvisioningTenant) { t.Name = "fabrikam" })})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ content, want string }{
		"half a file":          {`{"tenant":{"metadata":{"name":"contoso"`, "unexpected end of JSON input"},
		"empty":                {``, "unexpected end of JSON input"},
		"without a tenant":     {`{"verifiers":{}}`, "there is no tenant in it"},
		"with a damaged hash":  {`{"tenant":{},"verifiers":{"verifiers":[{"id":"token-1","sha256":"abc"}]}}`, "has no SHA-256"},
		"of another tenant":    {string(other), "it is of tenant customers/fabrikam"},
		"without verifiers":    {`{"tenant":{"metadata":{"name":"contoso","namespace":"customers"}}}`, "read verifiers"},
		"of something strange": {`[]`, "cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, dir := newFakeAPI(t), t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, LastKnownGoodFile), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			log := &log{}
			source, _ := run(t, api, dir, log)
			until(t, "it is logged", func() bool { return log.count(test.want) == 1 })
			if source.Current() != nil {
				t.Error("it was published")
			}
			secret, _ := verifiers(t)
			api.put(verifierPath, secret)
			api.put(tenantPath, tenant())
			wait(t, source, "from the API", anySnapshot)
			until(t, "the file is whole", func() bool { _, err := decode([]byte(fileContent(t, dir))); return err == nil })
		})
	}
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

func TestStatusIsReportedWhenItChangedAndOnlyTheServersParts(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	standing := v1alpha1.DirectoryStatus{Users: 3, Defaults: []v1alpha1.DefaultsCount{{Name: "a", MatchedUsers: 3}, {Name: "b"}}}
	at := metav1.NewTime(time.Unix(1700000000, 0).UTC())
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Directory, t.Status.Activity = &standing, &v1alpha1.ActivityStatus{LastRequestTime: &at}
	}))
	source, _ := run(t, api, t.TempDir(), &log{})
	wait(t, source, "at all", anySnapshot)

	report := func(directory v1alpha1.DirectoryStatus, activity v1alpha1.ActivityStatus) {
		t.Helper()
		if err := source.ReportStatus(t.Context(), directory, activity); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if got := api.patched(); !slices.Equal(got, want) {
			t.Errorf("patches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	report(standing, v1alpha1.ActivityStatus{})
	slices.Reverse(standing.Defaults)
	report(standing, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect()

	first := `{"status":{"directory":{"users":4,"activeUsers":0,"groups":0,"memberships":0,"defaults":null},"activity":{"lastRequestTime":"2023-11-14T22:13:20Z"}}}`
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first)

	api.answer("provisioningtenants", 403)
	if err := source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{}, v1alpha1.ActivityStatus{}); err == nil || !strings.Contains(err.Error(), "report the status of tenant customers/contoso") {
		t.Errorf("error %v", err)
	}
	api.answer("provisioningtenants", 0)
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first)

	// A tenant of the same name that is made anew has nothing in its status.
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.UID = "uid-2"; t.Generation = 9 }))
	wait(t, source, "of the new tenant", func(s *settings.Snapshot) bool { return s.Tenant.UID == types.UID("uid-2") })
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first, first)
}

func TestAMergePatchOfAStatusIsJSON(t *testing.T) {
	t.Parallel()
	patch, err := mergePatch(&v1alpha1.DirectoryStatus{Defaults: []v1alpha1.DefaultsCount{{Name: "b"}, {Name: "a"}}}, &v1alpha1.ActivityStatus{})
	if err != nil || !json.Valid(patch) {
		t.Fatal(string(patch), err)
	}
	if got, want := string(patch), `"defaults":[{"name":"a","generation":0,"matchedUsers":0,"appliedUsers":0},{"name":"b",`; !strings.Contains(got, want) {
		t.Errorf("%s has no %s", got, want)
	}
}
