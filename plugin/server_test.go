package plugin

import (
	"crypto/rand"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// server is a tenant's server, the real one, over TLS.
type server struct {
	*testing.T
	url, caFile string
	tenant      *v1alpha1.ProvisioningTenant
	directory   *directory.Directory
	secretToken string
	reader      string
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
	clock := func() time.Time { return now }
	s.directory = directory.New(directory.Options{Store: database, Now: clock})
	s.secretToken, _ = token.New(strings.NewReader(strings.Repeat("contoso's token ", 2)))
	s.reader, _ = token.New(strings.NewReader(strings.Repeat("payroll's token ", 2)))
	verifiers := token.Set{Verifiers: []token.Verifier{
		token.NewVerifier(s.secretToken, token.RoleProvisioner, now), token.NewVerifier(s.reader, token.RoleReader, now),
	}}
	handler := protocol.New(protocol.Options{
		Directory: s.directory, Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: clock,
		Settings: func() *settings.Snapshot { return &settings.Snapshot{Tenant: s.tenant, Verifiers: verifiers} },
		Auth:     auth.New(auth.Options{Now: clock, Random: rand.Reader, Keys: s.directory}),
	}).Handler()
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
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-credentials"},
		Data:       map[string][]byte{"token": []byte(s.secretToken), "reader.payroll": []byte(s.reader)},
	}
}

func (s *server) user(name string) {
	s.Helper()
	if _, err := s.directory.Create(s.Context(), directory.Caller{Client: "token-1", RequestID: "r-" + name}, store.User, schema.Object{"userName": name}); err != nil {
		s.Fatal(err)
	}
}
