package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	tenantURL  = "https://contoso.scim.example.com/scim/v2"
	serviceURL = "http://contoso-scim.customers.svc/scim/v2"
)

// clusterFixture is a fixture in a cluster, with two readers that are ServiceAccounts and one that has a token.
type clusterFixture struct {
	*fixture

	cluster *authtest.Cluster
	file    string
}

func newClusterFixture(t testing.TB) *clusterFixture {
	t.Helper()
	f := &clusterFixture{fixture: newFixture(t), cluster: authtest.NewCluster(t), file: filepath.Join(t.TempDir(), "keys.json")}
	f.change(func(s *settings.Snapshot) {
		s.Tenant.Status.TenantURL = tenantURL
		s.Tenant.Spec.Authentication.Readers = []v1alpha1.Reader{
			{Name: "audit"},
			{Name: "payroll", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "payroll-app", Namespace: "apps"}},
			{Name: "portal", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal"}},
		}
	})
	f.inCluster = &auth.Cluster{URL: f.cluster.URL(), Transport: f.cluster.Transport(), KeysFile: f.file}
	f.Authenticator = f.server()
	return f
}

// payroll is a token of the reader payroll, with changes to its claims.
func (f *clusterFixture) payroll(changes authtest.Claims) string {
	f.t.Helper()
	return f.cluster.Token(f.clock(), tenantURL, "apps", "payroll-app", changes)
}

// lets fails the test where a token is not let in as payroll's.
func (f *clusterFixture) lets(what, credential string) {
	f.t.Helper()
	want := auth.Identity{Client: "reader-payroll", Role: token.RoleReader}
	if got, err := f.bearer(credential); err != nil || got != want {
		f.t.Errorf("%s: got %+v, %v", what, got, err)
	}
}

// refuses fails the test where a token is let in, or refused with other words.
func (f *clusterFixture) refuses(what, credential, words string) {
	f.t.Helper()
	got, err := f.bearer(credential)
	refusal, ok := errors.AsType[*auth.Refusal](err)
	if !ok || got != (auth.Identity{}) || !strings.Contains(refusal.Reason, words) {
		f.t.Errorf("%s: got %+v, %v, want a refusal with %q", what, got, err, words)
	}
	if ok && refusal.Known {
		f.t.Errorf("%s: it counts as a credential of the tenant's client", what)
	}
	for _, said := range []string{"payroll", "apps", "contoso", "audit"} {
		if err != nil && strings.Contains(err.Error(), said) {
			f.t.Errorf("%s: the error repeats %q: %v", what, said, err)
		}
	}
}

const notOurs = "the token is not one that this cluster issued to a ServiceAccount that reads here"

func TestAServiceAccountsTokenIsTakenForAReader(t *testing.T) {
	f := newClusterFixture(t)
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, changes := range map[string]authtest.Claims{
		"as Kubernetes issues it":       nil,
		"for the tenant's Service":      {"aud": []string{serviceURL}},
		"one audience that is no list":  {"aud": tenantURL},
		"for two, one of which is this": {"aud": []string{"https://fabrikam.scim.example.com/scim/v2", tenantURL}},
		"for a whole day":               {"exp": at(24 * time.Hour)},
		"expired a moment ago":          {"iat": at(-time.Hour), "nbf": at(-time.Hour), "exp": at(-59 * time.Second)},
		"valid in a moment":             {"iat": at(59 * time.Second), "nbf": at(59 * time.Second)},
		"without nbf":                   {"nbf": nil},
		"claims of a later version":     {"x": 1},
	} {
		f.lets(name, f.payroll(changes))
	}
	if got, err := f.bearer(f.cluster.Token(start, tenantURL, "customers", "portal", nil)); err != nil || got.Client != "reader-portal" {
		t.Errorf("a ServiceAccount in the tenant's namespace is %+v, %v", got, err)
	}
	if got := f.cluster.Fetches(); got != 1 {
		t.Errorf("the keys were fetched %d times", got)
	}
}

func TestATokenThatTheClusterDidNotIssueToAReaderIsRefused(t *testing.T) {
	f := newClusterFixture(t)
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	names := func(namespace, name string) map[string]any {
		return map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name}}
	}
	const (
		times, lifetime, audience = "has expired or is not valid yet", "lives for longer than a day", "is for another audience"
		account                   = "a ServiceAccount that spec.authentication.readers does not name"
	)
	for name, c := range map[string]struct {
		changes authtest.Claims
		words   string
	}{
		"another audience":                        {authtest.Claims{"aud": []string{"https://kubernetes.default.svc"}}, audience},
		"another tenant's URL":                    {authtest.Claims{"aud": "https://fabrikam.scim.example.com/scim/v2"}, audience},
		"another tenant's Service":                {authtest.Claims{"aud": "http://fabrikam-scim.customers.svc/scim/v2"}, audience},
		"a namesake's Service":                    {authtest.Claims{"aud": "http://contoso-scim.other.svc/scim/v2"}, audience},
		"the Tenant URL and more":                 {authtest.Claims{"aud": tenantURL + "/"}, audience},
		"the host alone":                          {authtest.Claims{"aud": "https://contoso.scim.example.com"}, audience},
		"no audience":                             {authtest.Claims{"aud": nil}, audience},
		"an empty audience":                       {authtest.Claims{"aud": []string{""}}, audience},
		"another ServiceAccount":                  {authtest.Claims{"sub": "system:serviceaccount:apps:other", "kubernetes.io": names("apps", "other")}, account},
		"another namespace":                       {authtest.Claims{"sub": "system:serviceaccount:evil:payroll-app", "kubernetes.io": names("evil", "payroll-app")}, account},
		"the tenant's namespace":                  {authtest.Claims{"sub": "system:serviceaccount:customers:payroll-app", "kubernetes.io": names("customers", "payroll-app")}, account},
		"the reader's name":                       {authtest.Claims{"sub": "system:serviceaccount:customers:payroll", "kubernetes.io": names("customers", "payroll")}, account},
		"a reader with a token":                   {authtest.Claims{"sub": "system:serviceaccount:customers:audit", "kubernetes.io": names("customers", "audit")}, account},
		"a subject that the claims do not repeat": {authtest.Claims{"kubernetes.io": names("apps", "other")}, account},
		"a namespace that the claims do not":      {authtest.Claims{"kubernetes.io": names("evil", "payroll-app")}, account},
		"no claim of Kubernetes":                  {authtest.Claims{"kubernetes.io": nil}, account},
		"a longer subject":                        {authtest.Claims{"sub": "system:serviceaccount:apps:payroll-app:x"}, account},
		"expired":                                 {authtest.Claims{"exp": at(-61 * time.Second)}, times},
		"not valid yet":                           {authtest.Claims{"nbf": at(61 * time.Second)}, times},
		"issued in the future":                    {authtest.Claims{"iat": at(61 * time.Second)}, times},
		"without an end":                          {authtest.Claims{"exp": nil}, times},
		"without a beginning":                     {authtest.Claims{"iat": nil}, times},
		"for more than a day":                     {authtest.Claims{"exp": at(24*time.Hour + time.Second)}, lifetime},
		"for ten years":                           {authtest.Claims{"iat": at(-87600 * time.Hour), "nbf": at(-87600 * time.Hour)}, lifetime},
		"another issuer":                          {authtest.Claims{"iss": "https://oidc.example.com/another-cluster"}, notOurs},
		"no issuer":                               {authtest.Claims{"iss": nil}, notOurs},
		"a legacy token": {authtest.Claims{
			"iss": "kubernetes/serviceaccount", "aud": nil, "exp": nil, "iat": nil, "nbf": nil, "kubernetes.io": nil,
			"kubernetes.io/serviceaccount/namespace": "apps", "kubernetes.io/serviceaccount/service-account.name": "payroll-app",
		}, notOurs},
		"claims that cannot be read": {authtest.Claims{"kubernetes.io": "apps"}, notOurs},
	} {
		f.refuses(name, f.payroll(c.changes), c.words)
	}
	f.refuses("another tenant's subject", f.payroll(authtest.Claims{"sub": "somebody"}), "login authority")
	f.lets("afterwards", f.payroll(nil))
}

func TestASignatureThatIsNotTheClustersIsRefusedWithoutAWordOfTheSettings(t *testing.T) {
	f := newClusterFixture(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := authtest.Times(start).With(authtest.Claims{
		"iss": authtest.ClusterIssuer, "aud": tenantURL, "sub": "system:serviceaccount:apps:payroll-app",
		"kubernetes.io": map[string]any{"namespace": "apps", "serviceaccount": map[string]any{"name": "payroll-app"}},
	})
	f.cluster.Publish("curve", curve.Public())
	f.lets("a key on a curve that the cluster publishes", authtest.Sign(t, jose.ES256, curve, "curve", claims))
	for name, credential := range map[string]string{
		"another RSA key of the same ID":  authtest.Sign(t, jose.RS256, authtest.SecondKey(t), "key-1", claims),
		"a key ID that is not published":  authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "key-9", claims),
		"no key ID":                       authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "", claims),
		"a curve under the ID of RSA":     authtest.Sign(t, jose.ES256, curve, "key-1", claims),
		"RSA under the ID of a curve":     authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "curve", claims),
		"a curve, another audience":       authtest.Sign(t, jose.ES256, curve, "key-1", claims.With(authtest.Claims{"aud": "x"})),
		"the login authority's signature": f.issuer.Sign(claims.With(authtest.Claims{"iss": f.issuer.Issuer(), "tid": authtest.TenantID})),
	} {
		f.refuses(name, credential, notOurs)
	}
	for name, credential := range map[string]string{
		"RSA-PSS":                         authtest.Sign(t, jose.PS256, authtest.FirstKey(t), "key-1", claims),
		"RS512":                           authtest.Sign(t, jose.RS512, authtest.FirstKey(t), "key-1", claims),
		"HMAC with the modulus":           authtest.Sign(t, jose.HS256, authtest.FirstKey(t).N.Bytes(), "key-1", claims),
		"a curve of nobody in particular": authtest.Sign(t, jose.ES256, curve, "curve", claims.With(authtest.Claims{"sub": "x"})),
	} {
		if got, err := f.bearer(credential); !errors.As(err, new(*auth.Refusal)) || got != (auth.Identity{}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// Algorithms are those by which Kubernetes signs; a key decides its own.
func TestAClusterMaySignWithEachKeyThatKubernetesTakes(t *testing.T) {
	keys := map[string]crypto.Signer{"RSA": authtest.SecondKey(t)}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	for name, key := range keys {
		f := newClusterFixture(t)
		f.cluster.Sign("another", key)
		f.lets(name, f.payroll(nil))
		f.Authenticator = f.server() // and so from the file
		f.cluster.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		f.lets(name+", after a restart", f.payroll(nil))
	}
}

func TestRotatedKeysOfTheClusterAreFollowed(t *testing.T) {
	f := newClusterFixture(t)
	before := f.payroll(nil)
	f.lets("before", before)
	f.cluster.Sign("key-2", authtest.SecondKey(t))
	f.cluster.Publish("key-1", authtest.FirstKey(t).Public())
	f.lets("with the new key", f.payroll(nil))
	f.lets("with the key before, which is still published", before)
	f.cluster.Sign("key-2", authtest.SecondKey(t))
	f.advance(50 * time.Minute)
	f.lets("with a key that is known", f.payroll(nil))
	f.advance(time.Hour)
	f.FetchKeys(t.Context(), f.settings)
	f.refuses("with a key that is published no more", authtest.Sign(t, jose.RS256, authtest.FirstKey(t), "key-1", authtest.Times(f.clock()).With(authtest.Claims{
		"iss": authtest.ClusterIssuer, "aud": tenantURL, "sub": "system:serviceaccount:apps:payroll-app",
	})), notOurs)
	f.cluster.Rename("https://oidc.example.com/renamed")
	f.advance(time.Minute)
	f.lets("with another issuer", f.payroll(nil))
	f.refuses("with the issuer before", f.payroll(authtest.Claims{"iss": authtest.ClusterIssuer}), notOurs)
}

func TestTheHostThatATenantOnlyWishesForIsNoAudience(t *testing.T) {
	f := newClusterFixture(t)
	f.change(func(s *settings.Snapshot) {
		s.Tenant.Status.TenantURL, s.Tenant.Spec.Exposure.Host = "", "contoso.scim.example.com"
	})
	f.refuses("the host of another tenant", f.payroll(nil), "another audience")
	f.refuses("nothing", f.payroll(authtest.Claims{"aud": ""}), "another audience")
	f.lets("the Service", f.payroll(authtest.Claims{"aud": serviceURL}))
}

func TestEachHostThatATenantHasIsAnAudience(t *testing.T) {
	f := newClusterFixture(t)
	const former, wanted = "https://former.example.com/scim/v2", "https://wanted.example.com/scim/v2"
	f.change(func(s *settings.Snapshot) {
		s.Tenant.Spec.Exposure.AdditionalHosts = []v1alpha1.HostName{"former.example.com", "wanted.example.com"}
	})
	f.refuses("a host that is only asked for", f.payroll(authtest.Claims{"aud": former}), "another audience")
	f.change(func(s *settings.Snapshot) { s.Tenant.Status.AdditionalURLs = []string{former} })
	f.lets("a host that the tenant has", f.payroll(authtest.Claims{"aud": former}))
	f.lets("the host of the Tenant URL", f.payroll(nil))
	f.refuses("a host that the tenant has not got", f.payroll(authtest.Claims{"aud": wanted}), "another audience")
	f.change(func(s *settings.Snapshot) { s.Tenant.Status.AdditionalURLs = nil })
	f.refuses("a host that was let go", f.payroll(authtest.Claims{"aud": former}), "another audience")
}

func TestAReaderThatIsTakenAwayIsRefusedAtOnce(t *testing.T) {
	f := newClusterFixture(t)
	credential := f.payroll(nil)
	f.lets("before", credential)
	all := f.settings
	f.change(func(s *settings.Snapshot) {
		s.Tenant.Spec.Authentication.Readers[1].ServiceAccount = nil
	})
	f.refuses("as a reader with a token", credential, "does not name")
	f.settings = all
	f.change(func(s *settings.Snapshot) { s.Tenant.Spec.Authentication.Readers = nil })
	f.refuses("without readers", credential, notOurs)
	f.settings = all
	f.lets("given back", credential)
}

func TestAServiceAccountThatSeveralReadersNameIsTheFirst(t *testing.T) {
	f := newClusterFixture(t)
	f.change(func(s *settings.Snapshot) {
		readers := s.Tenant.Spec.Authentication.Readers
		s.Tenant.Spec.Authentication.Readers = append(readers, v1alpha1.Reader{Name: "another", ServiceAccount: readers[1].ServiceAccount})
	})
	f.lets("the first", f.payroll(nil))
}

func TestWithoutAClusterAServiceAccountIsToldSoInTheLogAlone(t *testing.T) {
	f := newClusterFixture(t)
	f.inCluster = nil
	f.Authenticator = f.server()
	f.refuses("with --manifests", f.payroll(nil), notOurs)
	f.FetchKeys(t.Context(), f.settings)
	_, err := f.bearer(f.payroll(nil))
	if refusal, ok := errors.AsType[*auth.Refusal](err); !ok || !strings.Contains(refusal.Cause, "--manifests") {
		t.Errorf("whoever runs the server learns %v", err)
	}
	if f.cluster.Fetches() != 0 {
		t.Error("the cluster was asked")
	}
}

func TestAReaderIsServedWhileTheAPIServerIsAway(t *testing.T) {
	f := newClusterFixture(t)
	away := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	f.FetchKeys(t.Context(), f.settings)
	f.cluster.Answer(away)
	f.lets("though no token was seen before", f.payroll(nil))
	f.advance(23 * time.Hour)
	f.lets("most of a day later", f.payroll(nil))
	f.Authenticator = f.server()
	f.lets("after a restart", f.payroll(nil))
	f.advance(2 * time.Hour)
	if _, err := f.bearer(f.payroll(nil)); !errors.Is(err, auth.ErrClusterUnavailable) {
		t.Errorf("after a day: %v", err)
	}
	f.cluster.Answer(nil)
	f.advance(time.Minute)
	f.lets("when it is back", f.payroll(nil))
}

func TestAFileOfKeysThatCannotBeUsedIsReplaced(t *testing.T) {
	for name, content := range map[string]string{
		"no JSON":      "{",
		"another file": `{"tenant":{}}`,
		"a weak key":   `{"issuer":"` + authtest.ClusterIssuer + `","fetchedAt":"2026-11-23T12:00:00Z","keys":{"keys":[{"kty":"oct","kid":"key-1","k":"AA"}]}}`,
	} {
		f := newClusterFixture(t)
		if err := os.WriteFile(f.file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f.lets(name, f.payroll(nil))
		content, err := os.ReadFile(f.file)
		if err != nil || !strings.Contains(string(content), authtest.ClusterIssuer) {
			t.Errorf("%s: the file has %q, %v", name, content, err)
		}
	}
}

func TestAnAPIServerThatCannotTellIsUnavailableAndNotARefusal(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"no discovery": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"no right":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"no JSON":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no issuer":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"elsewhere":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"` + strings.Repeat("x", 300<<10) + `"}`))
		},
		"no keys": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"issuer":"x","keys":[]}`)) },
	}
	for name, answer := range answers {
		f := newClusterFixture(t)
		f.cluster.Answer(answer)
		for range 50 {
			if _, err := f.bearer(f.payroll(nil)); !errors.Is(err, auth.ErrClusterUnavailable) {
				t.Fatalf("%s: got %v", name, err)
			}
		}
		if detail, ok := auth.Undecided(auth.ErrClusterUnavailable); !ok || !strings.Contains(detail, "cluster") {
			t.Errorf("%s: a client is told %q", name, detail)
		}
		if lines := f.logged(); len(lines) != 1 || !strings.Contains(lines[0], "system:service-account-issuer-discovery") {
			t.Errorf("%s: 50 requests have the lines %q, want one that says what to do", name, lines)
		}
		f.cluster.Answer(nil)
		f.advance(time.Minute)
		f.lets(name+", when it is over", f.payroll(nil))
		if lines := f.logged(); len(lines) != 2 || !strings.Contains(lines[1], "fetched again") {
			t.Errorf("%s: the lines are %q", name, lines)
		}
	}
}

func TestStrangersCostTheAPIServerAtMostAFewRequestsAMinute(t *testing.T) {
	f := newClusterFixture(t)
	f.lets("a reader", f.payroll(nil))
	before := f.cluster.Fetches()
	key := strangersKey(t)
	for range 60 {
		for _, issuer := range []string{authtest.ClusterIssuer, "https://evil.example.com/" + rand.Text()} {
			f.refuses("a stranger", authtest.Sign(t, jose.ES256, key, rand.Text(), authtest.Times(f.clock()).With(authtest.Claims{
				"iss": issuer, "sub": "system:serviceaccount:apps:payroll-app", "aud": tenantURL,
			})), notOurs)
		}
		f.lets("a reader meanwhile", f.payroll(nil))
		f.advance(time.Second)
	}
	if got := f.cluster.Fetches() - before; got > 5 {
		t.Errorf("in a minute of made-up tokens the keys were fetched %d times", got)
	}
}

func strangersKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
