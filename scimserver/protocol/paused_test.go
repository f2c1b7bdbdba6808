package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// spec changes the tenant, as a change of the resource does.
func (f *fixture) spec(change func(*v1alpha1.ProvisioningTenantSpec)) {
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	change(&changed.Tenant.Spec)
	f.snapshot = &changed
}

func (f *fixture) pause(paused bool) {
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { s.Paused = paused })
}

func TestAPausedTenantAsksEveryClientToTryAgainLater(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))
	f.pause(true)
	for _, c := range []struct{ method, path, body string }{
		{"GET", `/Users?filter=userName eq "5f0c3a52-0f7c-4a0e-9e53-0f3a8b7d2c11"`, ""}, // Test Connection
		{"GET", "/Users", ""}, {"POST", "/Users", `{"userName":"bob"}`},
		{"GET", "/Users/{anna}", ""}, {"PUT", "/Users/{anna}", `{"userName":"eve"}`}, {"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"title"}`)},
		{"DELETE", "/Users/{anna}", ""}, {"OPTIONS", "/Users", ""}, {"TRACE", "/Users", ""},
		{"GET", "/Groups", ""}, {"POST", "/.search", `{}`}, {"POST", "/Users/.search", `{}`},
		{"POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"a"}`))}, {"GET", "/Me", ""},
		{"GET", "", ""}, {"GET", "/ServiceProviderConfig", ""}, {"GET", "/ResourceTypes", ""}, {"GET", "/Schemas", ""}, {"GET", "/nowhere", ""},
	} {
		for name, credential := range map[string]string{"the Secret Token": f.token, "a reader's": reader} {
			got := f.sendWith(c.method, c.path, c.body, bearer(credential))
			f.wantLater(got, http.StatusServiceUnavailable, 600)
			if !strings.Contains(string(got.body), "this tenant is paused (spec.paused); nothing was changed, try again later (request ") {
				t.Errorf("%s %s with %s: %s", c.method, c.path, name, got.body)
			}
		}
		f.wantError(f.sendWith(c.method, c.path, c.body, bearer(f.token+"x")), http.StatusUnauthorized, "")
		f.wantError(f.sendWith(c.method, c.path, c.body, http.Header{}), http.StatusUnauthorized, "")
	}
	if got := f.send("HEAD", "/Users/{anna}", ""); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "600" {
		t.Errorf("HEAD: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if entries := f.logged(); len(entries) != 1 {
		t.Errorf("the provisioning log has %v, want the create alone", entries)
	}

	f.pause(false) // without a restart, from the next request on
	got := f.expect("GET", "/Users", "", 200, "")
	if f.field(got, "totalResults") != 1.0 || f.field(f.send("GET", "/Users/{anna}", ""), "meta", "version") != `W/"1"` {
		t.Errorf("something was changed meanwhile: %s", got.body)
	}
}

func TestAPausedTenantIssuesNoAccessTokens(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	form := func(secret string) string {
		return formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	}
	accessToken := f.issued(f.ask("POST", form(secret), nil))
	f.pause(true)
	got := f.ask("POST", form(secret), nil)
	f.wantOAuthError(got, http.StatusServiceUnavailable, "temporarily_unavailable")
	if later := got.header.Get("Retry-After"); later != "600" || !strings.Contains(string(got.body), "this tenant is paused (spec.paused)") {
		t.Errorf("Retry-After %q: %s", later, got.body)
	}
	f.wantOAuthError(f.ask("POST", form(secret+"x"), nil), http.StatusUnauthorized, "invalid_client")
	f.wantLater(f.sendWith("GET", "/Users", "", bearer(accessToken)), http.StatusServiceUnavailable, 600)
	f.pause(false)
	f.issued(f.ask("POST", form(secret), nil))
	if got := f.sendWith("GET", "/Users", "", bearer(accessToken)); got.status != http.StatusOK {
		t.Errorf("an access token of before the pause: %d", got.status)
	}
}

func TestWhatIsSwitchedOffIsToBeTriedAgainLaterAndNothingElse(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	requests := map[string][]struct{ method, path, body string }{
		"users": {
			{"GET", `/Users?filter=userName eq "x"`, ""}, {"GET", "/Users", ""}, {"POST", "/Users", `{"userName":"x"}`}, {"POST", "/Users/.search", `{}`},
			{"GET", "/Users/{anna}", ""}, {"GET", "/Users/none", ""}, {"PUT", "/Users/{anna}", `{"userName":"x"}`},
			{"PATCH", "/Users/{anna}", patchOf(`{"op":"remove","path":"title"}`)}, {"DELETE", "/Users/{anna}", ""}, {"DELETE", "/Users/none", ""},
			{"GET", "/ResourceTypes/User", ""}, {"GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", ""},
			{"GET", "/Schemas/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", ""},
		},
		"groups": {
			{"GET", `/Groups?filter=displayName eq "x"`, ""}, {"GET", "/Groups", ""}, {"POST", "/Groups", `{"displayName":"x"}`}, {"POST", "/Groups/.search", `{}`},
			{"GET", "/Groups/{buyers}", ""}, {"GET", "/Groups/none", ""}, {"PUT", "/Groups/{buyers}", `{"displayName":"x"}`},
			{"PATCH", "/Groups/{buyers}", patchOf(`{"op":"remove","path":"externalId"}`)}, {"DELETE", "/Groups/{buyers}", ""}, {"DELETE", "/Groups/none", ""},
			{"GET", "/ResourceTypes/Group", ""}, {"GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group", ""},
		},
	}
	served := func(what string) {
		f.t.Helper()
		for _, r := range requests[what] {
			if r.method == "GET" && !strings.HasSuffix(r.path, "/none") {
				f.expect(r.method, r.path, "", 200, "")
			}
		}
		f.wantError(f.send("GET", "/"+strings.ToUpper(what[:1])+what[1:]+"/none", ""), http.StatusNotFound, "")
	}
	for _, c := range []struct {
		off, rest string
		set       func(*v1alpha1.Provisioning, v1alpha1.Switch)
		operation string
	}{
		{"users", "groups", func(p *v1alpha1.Provisioning, s v1alpha1.Switch) { p.Users = s }, `{"method":"DELETE","path":"/Users/{anna}"}`},
		{"groups", "users", func(p *v1alpha1.Provisioning, s v1alpha1.Switch) { p.Groups = s }, `{"method":"DELETE","path":"/Groups/{buyers}"}`},
	} {
		t.Run(c.off, func(t *testing.T) {
			f.t = t
			f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { c.set(&s.Provisioning, v1alpha1.SwitchDisabled) })
			for _, r := range requests[c.off] {
				got := f.send(r.method, r.path, r.body)
				f.wantLater(got, http.StatusServiceUnavailable, 600)
				if want := "provisioning of " + c.off + " is disabled for this tenant (spec.provisioning." + c.off + ")"; !strings.Contains(string(got.body), want) {
					t.Errorf("%s %s: %s", r.method, r.path, got.body)
				}
			}
			f.bulk(bulkOf(c.operation), "503")
			served(c.rest)
			for _, path := range []string{"", "/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
				f.expect("GET", path, "", 200, "")
			}
			f.expect("POST", "/.search", `{}`, 200, "")

			f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { c.set(&s.Provisioning, v1alpha1.SwitchEnabled) })
			served(c.off)
		})
	}
}
