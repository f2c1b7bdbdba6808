package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	audience = "api://1f0c9e6a-6f43-4c43-9f0a-6a3b0d6f9a51"
	subject  = "5e2f7c1d-91c4-4f0e-8a49-5d3b6b1f9e10"
	appURI   = "api://the-application"
	objectID = "0c7d2b9f-3f1e-4a55-8f0b-2a1c6d5e4f30"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// memory keeps what an Authenticator keeps in a directory.
type memory struct {
	mu            sync.Mutex
	kept          map[string]string
	reads, writes int
	failure       error
	endless       int // calls that would wait for the storage without end
}

func (m *memory) wait(ctx context.Context) {
	if _, ends := ctx.Deadline(); !ends {
		m.endless++
	}
}

func (m *memory) Kept(ctx context.Context, names ...string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wait(ctx)
	m.reads++
	return m.values(names), m.failure
}

func (m *memory) ChangeKept(ctx context.Context, names []string, change func([]string) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wait(ctx)
	after := m.values(names)
	if err := errors.Join(m.failure, change(after)); err != nil || slices.Equal(after, m.values(names)) {
		return err
	}
	m.writes++
	for i, name := range names {
		m.kept[name] = after[i]
	}
	return nil
}

func (m *memory) values(names []string) []string {
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = m.kept[name]
	}
	return values
}

// recorder is crypto/rand.Reader that remembers the seeds of keys.
type recorder struct {
	mu    sync.Mutex
	seeds [][]byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	if len(p) == ed25519.SeedSize {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seeds = append(r.seeds, bytes.Clone(p))
	}
	return n, err
}

// fixture is a tenant that lets everybody in who can be let in.
type fixture struct {
	*auth.Authenticator

	t        testing.TB
	issuer   *authtest.Issuer
	keys     *memory
	random   *recorder
	settings *settings.Snapshot
	secret   string
	// inCluster is where servers made from now on are; nil for nowhere.
	inCluster *auth.Cluster

	mu    sync.Mutex
	now   time.Time
	lines []string
}

// logged are the lines of the process log.
func (f *fixture) logged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, issuer: authtest.New(t), keys: &memory{kept: map[string]string{}}, random: &recorder{}, now: start}
	f.secret = newToken(t)
	f.settings = &settings.Snapshot{
		Tenant: &v1alpha1.ProvisioningTenant{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", UID: "6c2f3b1a-0000-4000-8000-000000000001"},
			Spec: v1alpha1.ProvisioningTenantSpec{
				IdentityProvider: v1alpha1.InEntra(v1alpha1.Entra{TenantID: strings.ToUpper(authtest.TenantID)}),
				Authentication: v1alpha1.Authentication{
					OAuth:            &v1alpha1.OAuth{},
					WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: []string{"api://another", audience}, Subjects: []string{"another", subject}},
					EntraToken: &v1alpha1.EntraToken{
						Audiences:    []string{"8adf8e6e-67b2-4cf2-a259-e3dc5476c621"},
						Applications: []string{"00000014-0000-0000-c000-000000000000"},
					},
					UserToken: &v1alpha1.UserToken{Audiences: []string{appURI}},
				},
			},
		},
		Verifiers: token.Set{Verifiers: []token.Verifier{token.NewClient(f.secret, "contoso", start)}},
	}
	f.Authenticator = f.server()
	return f
}

func newToken(t testing.TB) string {
	t.Helper()
	made, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// server returns another server over the same store.
func (f *fixture) server() *auth.Authenticator {
	return auth.New(auth.Options{
		Now: f.clock, Random: f.random, Keys: f.keys, Transport: f.issuer.Transport(), LoginAuthority: f.issuer.URL(),
		Cluster: f.inCluster,
		Log: funcr.New(func(_, line string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.lines = append(f.lines, line)
		}, funcr.Options{}),
	})
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// change changes the settings; who holds the old ones sees nothing of it.
func (f *fixture) change(change func(*settings.Snapshot)) {
	changed := *f.settings
	changed.Tenant = changed.Tenant.DeepCopy()
	change(&changed)
	f.settings = &changed
}

// put brings changed settings into force on servers.
func (f *fixture) put(change func(*settings.Snapshot), servers ...*auth.Authenticator) {
	f.t.Helper()
	f.change(change)
	for _, server := range servers {
		if err := server.Follow(f.t.Context(), f.settings); err != nil {
			f.t.Fatal(err)
		}
	}
}

// bearer tries a bearer token.
func (f *fixture) bearer(credential string) (auth.Identity, error) {
	return f.bearerAt(f.Authenticator, credential)
}

func (f *fixture) bearerAt(server *auth.Authenticator, credential string) (auth.Identity, error) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "/", http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	return server.Authenticate(request, f.settings)
}

// assertion is what Entra says of its provisioning service (RFC 7523 section 3).
func (f *fixture) assertion() authtest.Claims {
	return authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.Issuer(), "aud": audience, "sub": subject, "oid": subject, "tid": authtest.TenantID,
		"azp": "00000014-0000-0000-c000-000000000000", "ver": "2.0",
	})
}

// service is the token that Entra sends where the Secret Token is blank.
func (f *fixture) service() authtest.Claims {
	return authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.IssuerV1(), "aud": "8adf8e6e-67b2-4cf2-a259-e3dc5476c621", "sub": subject, "oid": subject,
		"tid": authtest.TenantID, "appid": "00000014-0000-0000-c000-000000000000", "ver": "1.0",
	})
}

// user is the token of a user who signed in to the application.
func (f *fixture) user() authtest.Claims {
	return authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.Issuer(), "aud": appURI, "sub": "AAAAAsubject", "oid": objectID, "tid": authtest.TenantID,
		"scp": "access", "preferred_username": "anna@contoso.test", "ver": "2.0",
	})
}
