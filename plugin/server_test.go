package plugin

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// server is a tenant's server, the real one, over TLS, with its admin port.
type server struct {
	*testing.T
	url, caFile string
	tenant      *v1alpha1.ProvisioningTenant
	store       store.Store
	directory   *directory.Directory
	clock       *clocktesting.FakeClock
	verifiers   token.Set
	secretToken string
	reader      string
	admin       http.Handler
	scim        *protocol.Server
	// before answers in the server's place where it returns true.
	before func(http.ResponseWriter, *http.Request) bool
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{T: t, tenant: contoso(), before: func(http.ResponseWriter, *http.Request) bool { return false }}
	s.tenant.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.store = database
	s.clock = clocktesting.NewFakeClock(time.Now().UTC().Truncate(time.Second)) // deadlines of connections are by the machine's clock
	s.directory = directory.New(directory.Options{Store: database, Now: s.clock.Now})
	s.secretToken, _ = token.New(strings.NewReader(strings.Repeat("contoso's token ", 2)))
	s.reader, _ = token.New(strings.NewReader(strings.Repeat("payroll's token ", 2)))
	s.verifiers = token.Set{Verifiers: []token.Verifier{
		token.NewVerifier(s.secretToken, token.RoleProvisioner, s.clock.Now()), token.NewVerifier(s.reader, token.RoleReader, s.clock.Now()),
	}}
	current := func() *settings.Snapshot { return &settings.Snapshot{Tenant: s.tenant, Verifiers: s.verifiers} }
	callers := auth.New(auth.Options{Now: s.clock.Now, Random: rand.Reader, Keys: s.directory})
	s.scim = protocol.New(protocol.Options{
		Directory: s.directory, Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: s.clock.Now, Settings: current, Auth: callers,
	})
	handler := s.scim.Handler()
	s.admin = admin.New(admin.Options{
		Settings: current, Directory: s.directory, Store: database, Auth: callers, Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Clock: s.clock,
	})
	listening := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.before(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	listening.Config.ErrorLog = log.New(io.Discard, "", 0)
	listening.StartTLS()
	t.Cleanup(func() {
		listening.Close()
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	s.url = listening.URL + v1alpha1.BasePath
	s.tenant.Status.TenantURL = s.url
	s.caFile = filepath.Join(t.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listening.Certificate().Raw})
	if err := os.WriteFile(s.caFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// credentials is the Secret that a person copies from.
func (s *server) credentials() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-credentials", Annotations: s.told("token", s.secretToken)},
		Data:       map[string][]byte{"token": []byte(s.secretToken)},
	}
}

// readerSecret is the Secret of the reader payroll.
func (s *server) readerSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-reader.payroll", Annotations: s.told("reader.payroll", s.reader)},
		Data:       map[string][]byte{"token": []byte(s.reader)},
	}
}

// told is what the operator tells of a credential that it accepted.
func (s *server) told(key, value string) map[string]string {
	text, err := token.Annotate(map[string]token.Mark{key: {Fingerprint: token.Fingerprint(value)}})
	if err != nil {
		s.Fatal(err)
	}
	return map[string]string{v1alpha1.CredentialsAnnotation: text}
}

// user makes a user and returns its id.
func (s *server) user(name string) string {
	s.Helper()
	caller := directory.Caller{Client: "token-1", RequestID: "r-" + name}
	created, err := s.directory.Create(s.Context(), caller, store.User, schema.Object{"userName": name})
	if err != nil {
		s.Fatal(err)
	}
	return created.ID
}

// pods are a tenant's pods and what is behind their admin port. A pod that went is cut off from whoever asked it.
type pods struct {
	*cluster

	mu      sync.Mutex
	running map[string]func()
	address map[string]string
	asked   chan string
}

func newPods(c *cluster) *pods {
	return &pods{cluster: c, running: map[string]func(){}, address: map[string]string{}, asked: make(chan string, 100)}
}

// pod is one of the tenant's, as old as it says.
func pod(name string, age time.Duration, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "customers", Name: name, CreationTimestamp: ago(age), Labels: map[string]string{v1alpha1.TenantLabel: "contoso"},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

// start makes a pod whose admin port has a handler.
func (p *pods) start(made *corev1.Pod, handler http.Handler) {
	base, cut := context.WithCancel(context.Background())
	listening := httptest.NewUnstartedServer(handler)
	listening.Config.BaseContext = func(net.Listener) context.Context { return base }
	listening.Config.ErrorLog = log.New(io.Discard, "", 0)
	listening.Start()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address[made.Name] = listening.Listener.Addr().String()
	p.running[made.Name] = sync.OnceFunc(func() {
		cut()
		listening.CloseClientConnections()
		listening.Close()
	})
	p.Cleanup(p.running[made.Name])
	p.put(made)
}

// end takes a pod away.
func (p *pods) end(name string) {
	p.remove(pod(name, 0))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[name]()
}

// forward implements Forward.
func (p *pods) forward(_ context.Context, _ *rest.Config, at client.ObjectKey, port int) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked <- fmt.Sprintf("%s:%d", at, port)
	return p.address[at.Name], nil
}
