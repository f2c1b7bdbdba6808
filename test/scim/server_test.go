package scim

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// schemas are those that directories in PostgreSQL are kept in.
var schemas testenv.Reused

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.Cleanup(func(failed int) {
			if err := schemas.Drop(); err != nil {
				fmt.Println(err)
				failed = 1
			}
			os.Exit(failed)
		}))
}

// engines are the stores that everything here is run on. Each opens an empty one, which the caller closes.
func engines() map[string]func(*testing.T) (store.Store, error) {
	chosen := map[string]func(*testing.T) (store.Store, error){
		"sqlite": func(t *testing.T) (store.Store, error) {
			t.Helper()
			return sqlite.Open(t.Context(), t.TempDir())
		},
		"postgres": func(t *testing.T) (store.Store, error) {
			t.Helper()
			address := schemas.Schema(t)
			return postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return address, nil }})
		},
	}
	maps.DeleteFunc(chosen, func(name string, _ func(*testing.T) (store.Store, error)) bool {
		return !slices.Contains(testenv.Engines(), name)
	})
	return chosen
}

// onEachEngine runs a test on every engine, in parallel.
func onEachEngine(t *testing.T, test func(*testing.T, *server)) {
	t.Helper()
	for name, open := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newServer(t, open))
		})
	}
}

const (
	tenantURL = "https://contoso.scim.example.com" + v1alpha1.BasePath
	// started is when a server's clock begins; each request takes it on by a second.
	started = "2026-11-23T12:00:00Z"
)

// server is a tenant's server over real HTTP, with two secret tokens as during a rotation, and a reader's.
type server struct {
	http *httptest.Server
	// token and previous may write, reader may not.
	token, previous, reader string

	mu  sync.Mutex
	now time.Time
}

func newServer(t *testing.T, open func(*testing.T) (store.Store, error)) *server {
	t.Helper()
	database, err := open(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &server{token: newToken(t, "contoso's token "), previous: newToken(t, "contoso's before"), reader: newToken(t, "payroll's token ")}
	if s.now, err = time.Parse(time.RFC3339, started); err != nil {
		t.Fatal(err)
	}
	current := &settings.Snapshot{
		Tenant: &v1alpha1.ProvisioningTenant{
			ObjectMeta: metav1.ObjectMeta{Name: "contoso", Namespace: "customers"},
			Spec:       v1alpha1.ProvisioningTenantSpec{Exposure: v1alpha1.Exposure{Host: "contoso.scim.example.com"}},
		},
		Verifiers: token.Set{Verifiers: []token.Verifier{
			token.NewVerifier(s.token, token.RoleProvisioner, s.now),
			token.NewVerifier(s.previous, token.RoleProvisioner, s.now.AddDate(0, -6, 0)),
			token.NewVerifier(s.reader, token.RoleReader, s.now),
		}},
	}
	scim := protocol.New(protocol.Options{
		Auth:      auth.New(auth.Options{Now: s.clock}),
		Directory: directory.New(directory.Options{Store: database, Now: s.clock}),
		Settings:  func() *settings.Snapshot { return current },
		Log:       testr.New(t),
		Metrics:   prometheus.NewRegistry(),
		Now:       s.clock,
	})
	s.http = httptest.NewServer(scim.Handler())
	t.Cleanup(s.http.Close)
	return s
}

func newToken(t *testing.T, seed string) string {
	t.Helper()
	secret, err := token.New(strings.NewReader(strings.Repeat(seed, 2)))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func (s *server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *server) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(time.Second)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request as Entra does: with no header but those given, the token and, with a body, its media type. A
// header that is given without a value is left out.
func (s *server) send(t *testing.T, method, target, body string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.http.URL+v1alpha1.BasePath+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("User-Agent", "") // net/http then sends none
	if body != "" {
		request.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for name, values := range header {
		request.Header[name] = values
		if values[0] == "" {
			request.Header.Del(name)
		}
	}
	response, err := s.http.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s.tick()
	return answer{response.StatusCode, response.Header, string(data)}
}
