package accounts

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
)

const (
	patience  = 60 * time.Second
	tenantURL = "https://contoso.scim.example.com/scim/v2"
)

// cluster is a running control plane, with a tenant customers/contoso whose reader payroll is ServiceAccount apps/payroll.
type cluster struct {
	*testing.T
	client.Client

	environment *envtest.Environment
	config      *rest.Config
	folder      string // of the API server's certificates and keys
}

func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, folder: t.TempDir(), environment: &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * patience,
		ControlPlaneStopTimeout:  2 * patience,
	}}
	c.environment.ControlPlane.GetAPIServer().CertDir = c.folder
	t.Cleanup(func() {
		if err := c.environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	var err error
	if c.config, err = c.environment.Start(); err != nil {
		t.Fatalf("start the control plane: %v; `make test` builds it", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, rbacv1.AddToScheme, authenticationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	if c.Client, err = client.New(c.config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	c.populate()
	return c
}

func (c *cluster) create(objects ...client.Object) {
	c.Helper()
	for _, object := range objects {
		if err := c.Create(c.Context(), object); err != nil {
			c.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// populate makes the tenant and what the operator makes for its server.
func (c *cluster) populate() {
	c.Helper()
	named := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	for _, namespace := range []string{"customers", "apps", "evil"} {
		c.create(&corev1.Namespace{ObjectMeta: named("", namespace)})
	}
	for _, account := range []metav1.ObjectMeta{named("apps", "payroll"), named("apps", "other"), named("evil", "payroll"), named("customers", "payroll")} {
		c.create(&corev1.ServiceAccount{ObjectMeta: account})
	}
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: named("customers", "contoso")}
	tenant.Spec.Exposure.Host = "contoso.scim.example.com"
	tenant.Spec.Authentication.Readers = []v1alpha1.Reader{
		{Name: "payroll", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "payroll", Namespace: "apps"}},
	}
	c.create(tenant)
	tenant.Status.TenantURL, tenant.Status.ObservedGeneration = tenantURL, tenant.Generation // as the operator has written it
	if err := c.Status().Update(c.Context(), tenant); err != nil {
		c.Fatal(err)
	}
	verifiers, err := token.Set{}.Encode()
	if err != nil {
		c.Fatal(err)
	}
	c.create(&corev1.Secret{ObjectMeta: named("customers", desired.VerifierName("contoso")), Data: map[string][]byte{v1alpha1.VerifierKey: verifiers}})
	wanted := desired.Tenant{Resource: tenant}
	for _, object := range []runtime.ApplyConfiguration{desired.ServiceAccount(wanted), desired.Role(wanted), desired.RoleBinding(wanted)} {
		if err := c.Apply(c.Context(), object, client.FieldOwner("test")); err != nil {
			c.Fatal(err)
		}
	}
}

// issue asks for a token of a ServiceAccount as pods and their kubelet do.
func (c *cluster) issue(namespace, name string, spec authenticationv1.TokenRequestSpec) string {
	c.Helper()
	request := &authenticationv1.TokenRequest{Spec: spec}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.SubResource("token").Create(c.Context(), account, request); err != nil {
		c.Fatalf("ask for a token of %s/%s: %v", namespace, name, err)
	}
	return request.Status.Token
}

// projected is what a projected volume asks for.
func projected(audiences ...string) authenticationv1.TokenRequestSpec {
	return authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: new(int64(3600))}
}

// valid is what the API server itself thinks of a token.
func (c *cluster) valid(credential, audience string) bool {
	c.Helper()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: credential, Audiences: []string{audience}}}
	if err := c.Create(c.Context(), review); err != nil {
		c.Fatal(err)
	}
	return review.Status.Authenticated
}

// restart starts the API server again, with another key that signs, and the one before if it is to count.
func (c *cluster) restart(signing string, published ...string) {
	c.Helper()
	server := c.environment.ControlPlane.GetAPIServer()
	if err := server.Stop(); err != nil {
		c.Fatal(err)
	}
	server.Args = nil //nolint:staticcheck // it has what the last start made of Configure, and would win
	arguments := server.Configure().Set("service-account-signing-key-file", filepath.Join(c.folder, signing))
	arguments.Disable("service-account-key-file")
	for _, file := range published {
		arguments.Append("service-account-key-file", filepath.Join(c.folder, file))
	}
	if err := server.Start(); err != nil {
		c.Fatalf("start the API server again: %v", err)
	}
}

// makeKey writes an RSA key and its public key to files of that name, and .pub. The key that the API server begins with is on a curve.
func (c *cluster) makeKey(name string) {
	c.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		c.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name: {Type: "PRIVATE KEY", Bytes: private}, name + ".pub": {Type: "PUBLIC KEY", Bytes: public}} {
		if err := os.WriteFile(filepath.Join(c.folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			c.Fatal(err)
		}
	}
}

// server is a tenant's server as far as it says who is calling, with the ServiceAccount that the operator gives it.
type server struct {
	*cluster
	*auth.Authenticator

	source *kubernetes.Source
	// leave ends its watches, for which an API server that stops waits.
	leave func()

	mu  sync.Mutex
	off time.Duration // how far its clock is ahead
}

func (c *cluster) server(data string) *server {
	c.Helper()
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = c.issue("customers", "contoso-scim", authenticationv1.TokenRequestSpec{})
	s := &server{cluster: c}
	var err error
	if s.source, err = kubernetes.New(kubernetes.Options{
		Config: config, Namespace: "customers", Tenant: "contoso", DataDir: data, Log: testr.New(c.T), Pod: "contoso-scim-0", Now: s.now,
	}); err != nil {
		c.Fatal(err)
	}
	running, stop := context.WithCancel(c.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.source.Run(running)
	}()
	s.leave = func() {
		stop()
		<-ended
	}
	c.Cleanup(s.leave)
	if changed := s.source.Changed(); s.source.Current() == nil {
		select {
		case <-changed:
		case <-time.After(patience):
			c.Fatal("the server has no settings")
		}
	}
	s.Authenticator = s.authenticator(data)
	return s
}

// authenticator is the server's, as after a start.
func (s *server) authenticator(data string) *auth.Authenticator {
	url, transport := s.source.APIServer()
	return auth.New(auth.Options{
		Now: s.now, Random: rand.Reader, Log: testr.New(s.T),
		Cluster: &auth.Cluster{URL: url, Transport: transport, KeysFile: filepath.Join(data, "cluster-keys.json")},
	})
}

func (s *server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.off)
}

func (s *server) setClock(off time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = off
}

func (s *server) ask(credential string) (auth.Identity, error) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "/scim/v2/Users", http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	return s.Authenticate(request, s.source.Current())
}
