package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

const origin = "https://contoso.scim.example.com"

// metadata asks for the authorization server's metadata, without a credential.
func (f *fixture) metadata(method string) answer {
	f.t.Helper()
	return f.sendWith(method, f.http.URL+"/.well-known/oauth-authorization-server", "", http.Header{})
}

// TestTheTokenEndpointIsFoundByItsMetadata is RFC 8414: what each kind of client is told, and that the token endpoint does it.
func TestTheTokenEndpointIsFoundByItsMetadata(t *testing.T) {
	const always = `"issuer":"` + origin + `","token_endpoint":"` + origin + `/oauth2/token","response_types_supported":["none"],
		"grant_types_supported":["client_credentials"],"scopes_supported":["scim"],`
	secrets := func(a *v1alpha1.Authentication) { a.OAuth = &v1alpha1.OAuth{} }
	workloads := func(a *v1alpha1.Authentication) { a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{} }
	for name, c := range map[string]struct {
		allowed []func(*v1alpha1.Authentication)
		want    string
	}{
		"for clients with a secret": {
			[]func(*v1alpha1.Authentication){secrets},
			`{` + always + `"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"]}`,
		},
		"for clients that Entra vouches for": {
			[]func(*v1alpha1.Authentication){workloads},
			`{` + always + `"token_endpoint_auth_methods_supported":["private_key_jwt"],"token_endpoint_auth_signing_alg_values_supported":["RS256"]}`,
		},
		"for both": {
			[]func(*v1alpha1.Authentication){secrets, workloads},
			`{` + always + `"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt"],
			"token_endpoint_auth_signing_alg_values_supported":["RS256"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			for _, allow := range c.allowed {
				f.allow(allow)
			}
			got := f.metadata("GET")
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
				t.Fatalf("%d %v %s", got.status, got.header, got.body)
			}
			f.compare("the metadata", got.body, c.want)
			if head := f.metadata("HEAD"); head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Length") != got.header.Get("Content-Length") {
				t.Errorf("HEAD = %d %v", head.status, head.header)
			}
		})
	}
}

func TestTheMetadataNamesTheHostThatTheClientKnows(t *testing.T) {
	for name, c := range map[string]struct {
		tenantURL, host, want string
		header                http.Header
		additional            string
	}{
		"the published one":                                 {"https://other.example.com/scim/v2", "contoso.scim.example.com", "https://other.example.com", http.Header{}, ""},
		"with a path before":                                {"https://other.example.com/tenants/1/scim/v2/", "", "https://other.example.com/tenants/1", http.Header{}, ""},
		"that of the spec":                                  {"", "contoso.scim.example.com", origin, http.Header{}, ""},
		"that of the request":                               {"", "", "http://{host}", http.Header{}, ""},
		"that of the request, over TLS":                     {"", "", "https://{host}", http.Header{"X-Forwarded-Proto": {"https"}}, ""},
		"another of the tenant's by which the request came": {"https://other.example.com/scim/v2", "", "https://{host}", http.Header{}, "https://{host}/scim/v2"},
		"another by which it did not come":                  {"https://other.example.com/scim/v2", "", "https://other.example.com", http.Header{}, "https://former.example.com/scim/v2"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.withClient()
			changed := *f.snapshot
			changed.Tenant = changed.Tenant.DeepCopy()
			changed.Tenant.Status.TenantURL, changed.Tenant.Spec.Exposure.Host = c.tenantURL, c.host
			changed.Tenant.Status.AdditionalURLs = []string{strings.Replace(c.additional, "{host}", strings.TrimPrefix(f.http.URL, "http://"), 1)}
			f.snapshot = &changed
			got := f.sendWith("GET", f.http.URL+v1alpha1.OAuthMetadataPath, "", c.header)
			want := strings.Replace(c.want, "{host}", strings.TrimPrefix(f.http.URL, "http://"), 1)
			if issuer, endpoint := f.field(got, "issuer"), f.field(got, "token_endpoint"); issuer != want || endpoint != want+"/oauth2/token" {
				t.Errorf("issuer %v and token endpoint %v, want %s", issuer, endpoint, want)
			}
		})
	}
}

func TestWithoutATokenEndpointThereIsNoMetadata(t *testing.T) {
	f := newFixture(t)
	f.wantOAuthError(f.metadata("GET"), http.StatusNotFound, "invalid_request")
	f.allow(func(a *v1alpha1.Authentication) {
		a.EntraToken, a.UserToken = &v1alpha1.EntraToken{}, &v1alpha1.UserToken{}
	})
	f.wantOAuthError(f.metadata("GET"), http.StatusNotFound, "invalid_request")
	f.withClient()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		got := f.metadata(method)
		f.wantOAuthError(got, http.StatusMethodNotAllowed, "invalid_request")
		if allow := got.header.Get("Allow"); allow != "GET, HEAD" {
			t.Errorf("%s: Allow = %q", method, allow)
		}
	}
	// Clients with a credential alone learn that something is suspended.
	f.provisioning(v1alpha1.StateSuspended)
	if got := f.metadata("GET"); got.status != http.StatusOK {
		t.Errorf("suspended: %d %s", got.status, got.body)
	}
	f.snapshot = (*settings.Snapshot)(nil)
	got := f.metadata("GET")
	f.wantOAuthError(got, http.StatusServiceUnavailable, "temporarily_unavailable")
	if got.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", got.header)
	}
}

func TestReadersOfMetadataShareTheAllowanceOfThoseWithoutACredential(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	f.limit(1, 2)
	for range 2 {
		if got := f.metadata("GET"); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	held := f.metadata("GET")
	f.wantOAuthError(held, http.StatusTooManyRequests, "temporarily_unavailable")
	if held.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", held.header)
	}
	f.wantLater(f.sendWith("GET", "/Users", "", bearer(f.token+"x")), http.StatusTooManyRequests, 1)
	f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret))) // locks nobody out
}

// TestATokenHasTheOneScope: Entra's administrators can write any scope into its form, so none is refused; RFC 6749 section 3.3 asks
// that the client be told where it gets another than it asked for.
func TestATokenHasTheOneScope(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	for _, scope := range []string{"scim", "", "openid scim profile", "api://1f0c9e6a-6f43-4c43-9f0a-6a3b0d6f9a51/.default", "SCIM", "read write", `"`} {
		got := f.ask("POST", formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret, "scope", scope), nil)
		f.issued(got)
		if told := f.field(got, "scope"); told != "scim" {
			t.Errorf("for the scope %q the client is told %v", scope, told)
		}
	}
}
