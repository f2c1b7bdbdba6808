package protocol_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	tenantURL = "https://contoso.scim.example.com/scim/v2"
	started   = "2026-11-23T12:00:00Z"
)

// counting counts how often memberships are read for an answer.
type counting struct {
	store.Store

	members, groups atomic.Int32
	find            func(store.Query) (store.Page, error) // answers in place of the store's Find, unless nil
	finds           atomic.Int32                          // how often Find was called
	found           func()                                // called after each Find, unless nil
	failing         int32                                 // which read of members fails, counted from 1; 0 for none
}

func (c *counting) MembersOf(ctx context.Context, groups []string, after string, limit int) ([]store.Link, error) {
	if n := c.members.Add(1); n == c.failing {
		return nil, fmt.Errorf("read %d: %w", n, store.ErrUnavailable)
	}
	return c.Store.MembersOf(ctx, groups, after, limit)
}

func (c *counting) Find(ctx context.Context, query store.Query) (store.Page, error) {
	c.finds.Add(1)
	if c.find != nil {
		return c.find(query)
	}
	page, err := c.Store.Find(ctx, query)
	if c.found != nil {
		c.found()
	}
	return page, err
}

func (c *counting) GroupsOf(ctx context.Context, members []string, after string, limit int) ([]store.Link, error) {
	c.groups.Add(1)
	return c.Store.GroupsOf(ctx, members, after, limit)
}

// fixture is a tenant's server over real HTTP and a real database, with a clock that stands still until it is told.
type fixture struct {
	t        *testing.T
	http     *httptest.Server
	server   *protocol.Server      // the one that was started last
	callers  []*auth.Authenticator // of all servers, in the order of their start
	database *counting
	// openReplica opens the database as another replica does.
	openReplica func() store.Store
	directory   *directory.Directory
	snapshot    *settings.Snapshot
	unserved    string // what clients are told while there is no snapshot
	registry    *prometheus.Registry
	issuer      *authtest.Issuer // the tenant's login authority
	inCluster   *auth.Cluster    // in which servers made from now on are; nil for nowhere
	token       string
	ids         map[string]string // placeholder → id that the server gave
	planted     bool              // whether there are values that no client could send; see wantCanonical

	mu   sync.Mutex
	now  time.Time
	logs bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, unserved: "the server has no settings yet", ids: map[string]string{}, registry: prometheus.NewRegistry(), issuer: authtest.New(t)}
	f.now, _ = time.Parse(time.RFC3339, started)
	f.token, _ = token.New(strings.NewReader(strings.Repeat("contoso's token ", 2)))
	f.snapshot = contoso(f.token, f.now)
	database, openReplica := openStore(t)
	f.database, f.openReplica = &counting{Store: database}, openReplica
	f.directory = directory.New(directory.Options{Store: f.database, Now: f.clock})
	f.http = f.serve(f.directory, f.registry)
	t.Cleanup(func() { f.wantCanonical(database) })
	return f
}

// replica starts another server of the same directory and returns the URL of its SCIM endpoint.
func (f *fixture) replica() string {
	f.t.Helper()
	database := f.openReplica()
	return f.serve(directory.New(directory.Options{Store: database, Now: f.clock}), prometheus.NewRegistry()).URL + v1alpha1.BasePath
}

func (f *fixture) serve(d *directory.Directory, registry prometheus.Registerer) *httptest.Server {
	log := funcr.New(func(_, line string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.logs.WriteString(line + "\n")
	}, funcr.Options{Verbosity: 9})
	callers := auth.New(auth.Options{
		Now: f.clock, Random: rand.Reader, Keys: d, Transport: f.issuer.Transport(), Log: log, LoginAuthority: f.issuer.URL(),
		Cluster: f.inCluster,
	})
	f.callers = append(f.callers, callers)
	server := protocol.New(protocol.Options{
		Directory: d, Settings: func() *settings.Snapshot { return f.snapshot }, Unserved: func() string { return f.unserved },
		Auth: callers, Log: log, Metrics: registry, Now: f.clock,
	})
	f.server = server
	listening := httptest.NewServer(server.Handler())
	f.t.Cleanup(listening.Close)
	return listening
}

// contoso is a tenant with everything on and one token.
func contoso(secret string, now time.Time) *settings.Snapshot {
	return &settings.Snapshot{
		Tenant: &v1alpha1.ProvisioningTenant{
			ObjectMeta: metav1.ObjectMeta{Name: "contoso", Namespace: "customers"},
			Spec: v1alpha1.ProvisioningTenantSpec{
				Provisioning: v1alpha1.Provisioning{Users: v1alpha1.SwitchEnabled, Groups: v1alpha1.SwitchEnabled},
				Exposure:     v1alpha1.Exposure{Host: "contoso.scim.example.com"},
			},
		},
		Verifiers: token.Set{Verifiers: []token.Verifier{token.NewVerifier(secret, token.RoleProvisioner, now)}},
	}
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

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request as Entra does: no User-Agent, no Accept. Placeholders such as {anna} stand for ids.
func (f *fixture) send(method, path, body string) answer {
	f.t.Helper()
	return f.sendWith(method, path, body, http.Header{"Authorization": {"Bearer " + f.token}})
}

func (f *fixture) sendWith(method, path, body string, header http.Header) answer {
	f.t.Helper()
	for name, id := range f.ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
		body = strings.ReplaceAll(body, "{"+name+"}", id)
	}
	target := f.http.URL + v1alpha1.BasePath + path
	if strings.HasPrefix(path, "http") {
		target = path
	}
	if at, query, ok := strings.Cut(target, "?filter="); ok {
		rest := ""
		query, rest, _ = strings.Cut(query, "&")
		target = at + "?filter=" + url.QueryEscape(query)
		if rest != "" {
			target += "&" + rest
		}
	}
	request, err := http.NewRequestWithContext(f.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header = header.Clone()
	request.Header.Set("User-Agent", "")
	if body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	return f.do(request)
}

// raw sends a request with exactly this target below the base path, of which send would make a valid one.
func (f *fixture) raw(method, target, body string) answer {
	f.t.Helper()
	return f.rawWith(method, v1alpha1.BasePath+target, body, http.Header{"Authorization": {"Bearer " + f.token}})
}

// rawWith sends a request with exactly this target and header.
func (f *fixture) rawWith(method, target, body string, header http.Header) answer {
	f.t.Helper()
	for name, id := range f.ids {
		target = strings.ReplaceAll(target, "{"+name+"}", id)
	}
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.http.URL, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	request.URL.Opaque, request.Header = target, header.Clone()
	if body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/scim+json")
	}
	return f.do(request)
}

func (f *fixture) do(request *http.Request) answer {
	f.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	got := answer{status: response.StatusCode, header: response.Header, body: data}
	f.keepsContract(request, got)
	return got
}

// expect sends a request, wants a status, and where want is not empty exactly that JSON. A want may name a new id as
// "id": "{anna}", which is remembered.
func (f *fixture) expect(method, path, body string, status int, want string) answer {
	f.t.Helper()
	got := f.send(method, path, body)
	if got.status != status {
		f.t.Fatalf("%s %s = %d, want %d\n%s", method, path, got.status, status, got.body)
	}
	if want != "" {
		f.compare(method+" "+path, got.body, want)
	}
	return got
}

func (f *fixture) compare(what string, body []byte, want string) {
	f.t.Helper()
	var have, wanted any
	if err := json.Unmarshal(body, &have); err != nil {
		f.t.Fatalf("%s: not JSON: %v\n%s", what, err, body)
	}
	if obj, ok := have.(map[string]any); ok {
		if id, ok := obj["id"].(string); ok {
			if _, rest, ok := strings.Cut(want, `"id": "{`); ok {
				name, _, _ := strings.Cut(rest, "}")
				if f.ids[name] == "" {
					f.ids[name] = id
				}
			}
		}
	}
	for name, id := range f.ids {
		want = strings.ReplaceAll(want, "{"+name+"}", id)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		f.t.Fatalf("%s: the expectation is not JSON: %v\n%s", what, err, want)
	}
	if diff := cmp.Diff(wanted, have); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// create posts a resource and remembers its id under name.
func (f *fixture) create(name, path, body string) {
	f.t.Helper()
	got := f.expect(http.MethodPost, path, body, http.StatusCreated, "")
	f.ids[name] = f.field(got, "id").(string)
}

// field reads a value of a JSON answer by a path of names.
func (f *fixture) field(a answer, path ...string) any {
	f.t.Helper()
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		f.t.Fatalf("not JSON: %v\n%s", err, a.body)
	}
	for _, name := range path {
		obj, _ := value.(map[string]any)
		value = obj[name]
	}
	return value
}

// wantError checks that an answer is a SCIM error (RFC 7644 section 3.12).
func (f *fixture) wantError(a answer, status int, scimType string) {
	f.t.Helper()
	if a.status != status {
		f.t.Fatalf("status = %d, want %d\n%s", a.status, status, a.body)
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/scim+json") {
		f.t.Errorf("Content-Type = %q, want application/scim+json", got)
	}
	var body struct {
		Schemas  []string
		Status   string
		ScimType string
		Detail   string
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		f.t.Fatalf("the error is not JSON: %v\n%s", err, a.body)
	}
	if len(body.Schemas) != 1 || body.Schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error" {
		f.t.Errorf("schemas = %v", body.Schemas)
	}
	if body.Status != strconv.Itoa(status) || body.ScimType != scimType || body.Detail == "" {
		f.t.Errorf("error = %+v, want status %d as a string, scimType %q and a detail", body, status, scimType)
	}
}
