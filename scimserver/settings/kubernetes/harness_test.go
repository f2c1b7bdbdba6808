package kubernetes

import (
	"context"
	"crypto/rand"
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

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantPath    = "provisioningtenants/contoso"
	verifierPath  = "secrets/contoso-verifier"
	namespacePath = "namespaces/customers"
	patience      = 30 * time.Second
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
	source, err := New(Options{
		Config: api.config(), Namespace: "customers", Tenant: "contoso", DataDir: dir, Log: log.logger(), Pod: "pod-a", Now: time.Now,
	})
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
