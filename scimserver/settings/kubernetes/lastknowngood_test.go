package kubernetes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

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

// A volume that is full, say: the status of the tenant changes each half a minute, and with it what is to be kept.
func TestSettingsThatCannotBeKeptAreToldOnceAndOnceWhenTheyAre(t *testing.T) {
	t.Parallel()
	api, dir, log := newFakeAPI(t), t.TempDir(), &log{}
	inTheWay := filepath.Join(dir, LastKnownGoodFile, "in the way")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put("userdefaults/a", defaults("a", 1))
	api.put(tenantPath, tenant(naming("a")))
	source, _ := run(t, api, dir, log)
	change := func(priority int32) {
		t.Helper()
		api.put("userdefaults/a", defaults("a", priority))
		wait(t, source, "with the change", func(s *settings.Snapshot) bool { return len(s.Defaults) > 0 && s.Defaults[0].Spec.Priority == priority })
	}
	change(11)
	change(12)
	until(t, "it is told", func() bool { return log.count("are not kept") == 1 })
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	change(13)
	until(t, "the end is told", func() bool { return log.count("kept for a start without the API server again") == 1 })
	if told := log.count("are not kept"); told != 1 {
		t.Errorf("it is told %d times", told)
	}
}

func TestAnAPIServerThatIsAwayIsToldTwiceHoweverManyObjectsAreFollowed(t *testing.T) {
	t.Parallel()
	api, log := newFakeAPI(t), &log{}
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	for _, name := range []string{"a", "b", "c"} {
		api.put("userdefaults/"+name, defaults(name, 1))
	}
	api.put(tenantPath, tenant(naming("a", "b", "c")))
	source, _ := run(t, api, t.TempDir(), log)
	wait(t, source, "with all", withNames("a b c"))
	for outages := 1; outages <= 2; outages++ {
		api.stop()
		until(t, "the source knows", source.Away)
		api.start()
		until(t, "it is over", func() bool { return !source.Away() })
		api.put("userdefaults/a", defaults("a", int32(outages+1)))
		wait(t, source, "with the change", func(s *settings.Snapshot) bool {
			return slices.ContainsFunc(s.Defaults, func(d v1alpha1.UserDefaults) bool { return d.Spec.Priority == int32(outages+1) })
		})
		if away, again := log.count("cannot be asked"), log.count("answers again"); away != outages || again != outages {
			t.Errorf("%d outages are told by %d lines, and their ends by %d", outages, away, again)
		}
	}
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

// A volume that was retained comes back to a new tenant of the same name with the settings of the old one, whose token
// must not open the new one, not even while the API is away.
func TestTheSettingsOfAnEarlierTenantOfTheSameNameAreNotUsed(t *testing.T) {
	t.Parallel()
	file := &lastKnownGood{path: filepath.Join(t.TempDir(), LastKnownGoodFile)}
	encoded, err := encode(&settings.Snapshot{Tenant: tenant(func(t *v1alpha1.ProvisioningTenant) { t.UID = "the first" })})
	if err != nil {
		t.Fatal(err)
	}
	if err := file.save(encoded); err != nil {
		t.Fatal(err)
	}
	for uid, usable := range map[types.UID]bool{"the first": true, "": true, "the second": false} {
		s, err := file.load("customers", "contoso", uid)
		if (s != nil && err == nil) != usable {
			t.Errorf("for UID %q: snapshot %v, error %v; usable should be %v", uid, s != nil, err, usable)
		}
	}
}

// It is on each volume that is taken up, so nobody has to do anything about it.
func TestTheSettingsOfAnotherTenantAreNoError(t *testing.T) {
	t.Parallel()
	for _, of := range []func(*v1alpha1.ProvisioningTenant){
		func(p *v1alpha1.ProvisioningTenant) { p.UID = "the first" }, func(p *v1alpha1.ProvisioningTenant) { p.Name = "fabrikam" },
	} {
		encoded, err := encode(&settings.Snapshot{Tenant: tenant(of)})
		if err != nil {
			t.Fatal(err)
		}
		dir, log := t.TempDir(), &log{}
		if err := os.WriteFile(filepath.Join(dir, LastKnownGoodFile), encoded, 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := New(Options{Config: &rest.Config{}, Namespace: "customers", Tenant: "contoso", TenantUID: "the second", DataDir: dir, Log: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		good := newFollower(source).readFile()
		if good != nil || log.count(LastKnownGoodFile) != 1 || log.count(`"error"`) != 0 {
			t.Errorf("%v, %d lines, %d errors", good, log.count(LastKnownGoodFile), log.count(`"error"`))
		}
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
		"of another tenant":    {string(other), "it is of another tenant, customers/fabrikam"},
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

func TestTheLastKnownGoodSettingsHaveEveryWayIn(t *testing.T) {
	t.Parallel()
	reader, secret := token.Verifier{ID: "reader-payroll", Role: token.RoleReader, SHA256: strings.Repeat("ab", 32)}, token.Verifier{
		ID: "client-1", Role: token.RoleProvisioner, ClientID: "contoso", SHA256: strings.Repeat("cd", 32), NotAfter: time.Unix(1800000000, 0).UTC(),
	}
	want := &settings.Snapshot{
		Tenant: tenant(func(t *v1alpha1.ProvisioningTenant) {
			t.Spec.Authentication = v1alpha1.Authentication{
				OAuth:            &v1alpha1.OAuth{AccessTokenLifetime: &metav1.Duration{Duration: 90 * time.Minute}},
				WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: []string{"a"}, Subjects: []string{"s"}},
				EntraToken:       &v1alpha1.EntraToken{Audiences: []string{"b"}, Applications: []string{"c"}},
				UserToken:        &v1alpha1.UserToken{Audiences: []string{"d"}},
				Readers:          []v1alpha1.Reader{{Name: "payroll"}},
			}
		}),
		Verifiers: token.Set{Verifiers: []token.Verifier{reader, secret}},
	}
	encoded, err := encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Tenant.Spec.Authentication, got.Tenant.Spec.Authentication); diff != "" {
		t.Errorf("authentication (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Verifiers, got.Verifiers); diff != "" {
		t.Errorf("verifiers (-want +got):\n%s", diff)
	}
}
