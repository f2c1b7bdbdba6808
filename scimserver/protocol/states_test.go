package protocol_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/cycle"
)

// spec changes the tenant, as a change of the resource does.
func (f *fixture) spec(change func(*v1alpha1.ProvisioningTenantSpec)) {
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	change(&changed.Tenant.Spec)
	f.snapshot = &changed
}

// provisioning sets spec.provisioning.state.
func (f *fixture) provisioning(state v1alpha1.State) {
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.State = state })
}

// Each request is sent by each caller in each combination of the tenant's states. The table has the answers while nothing is held back; what
// is held back, and from whom, follows from the state by the rules of heldBack.
func TestEachStateHoldsBackItsOwnClientsAndNobodyElse(t *testing.T) {
	const (
		users = "users"
		group = "groups"
		all   = "users and groups" // held back where both are
		none  = ""                 // no resource type
	)
	requests := []struct {
		method, path, body          string
		about                       string
		provisioner, reader, person int
	}{
		{"GET", `/Users?filter=userName eq "5f0c3a52-0f7c-4a0e-9e53-0f3a8b7d2c11"`, "", users, 200, 200, 403}, // Test Connection
		{"GET", "/Users", "", users, 200, 200, 403},
		{"GET", "/Users?startIndex=x", "", users, 400, 400, 403},
		{"POST", "/Users", `{}`, users, 400, 403, 403},
		{"POST", "/Users", `{`, users, 400, 403, 403},
		{"POST", "/Users/.search", `{}`, users, 200, 200, 403},
		{"GET", "/Users/{anna}", "", users, 200, 200, 403},
		{"HEAD", "/Users/{anna}", "", users, 200, 200, 403},
		{"GET", "/Users/none", "", users, 404, 404, 403},
		{"PUT", "/Users/none", `{"userName":"x"}`, users, 404, 403, 403},
		{"PATCH", "/Users/none", patchOf(`{"op":"remove","path":"title"}`), users, 404, 403, 403},
		{"DELETE", "/Users/none", "", users, 404, 403, 403},
		{"GET", "/ResourceTypes/User", "", users, 200, 200, 403},
		{"GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "", users, 200, 200, 403},
		{"GET", "/Schemas/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "", users, 200, 200, 403},

		{"GET", `/Groups?filter=displayName eq "x"`, "", group, 200, 200, 403},
		{"GET", "/Groups", "", group, 200, 200, 403},
		{"POST", "/Groups", `{}`, group, 400, 403, 403},
		{"POST", "/Groups/.search", `{}`, group, 200, 200, 403},
		{"GET", "/Groups/{buyers}", "", group, 200, 200, 403},
		{"HEAD", "/Groups/{buyers}", "", group, 200, 200, 403},
		{"PUT", "/Groups/none", `{"displayName":"x"}`, group, 404, 403, 403},
		{"PATCH", "/Groups/none", patchOf(`{"op":"remove","path":"externalId"}`), group, 404, 403, 403},
		{"DELETE", "/Groups/none", "", group, 404, 403, 403},
		{"GET", "/ResourceTypes/Group", "", group, 200, 200, 403},
		{"GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group", "", group, 200, 200, 403},

		{"POST", "/.search", `{}`, all, 200, 200, 403},
		{"GET", `?filter=id pr`, "", all, 200, 200, 403},
		{"POST", "/Bulk", bulkOf(`{"method":"DELETE","path":"/Users/none"},{"method":"DELETE","path":"/Groups/none"}`), none, 200, 403, 403},
		{"GET", "", "", none, 200, 200, 403},
		{"GET", "/ServiceProviderConfig", "", none, 200, 200, 403},
		{"GET", "/ResourceTypes", "", none, 200, 200, 403},
		{"GET", "/Schemas", "", none, 200, 200, 403},
		{"GET", "/ResourceTypes/Device", "", none, 404, 404, 403},
		{"OPTIONS", "/Users", "", none, 204, 204, 204},
		{"TRACE", "/Users", "", none, 405, 405, 405},
		{"GET", "/nowhere", "", none, 404, 404, 404},

		{"GET", "/Me", "", none, 501, 501, 200},
		{"HEAD", "/Me", "", none, 501, 501, 200},
		{"POST", "/Me", `{}`, none, 501, 501, 501},
		{"PATCH", "/Me", patchOf(`{"op":"remove","path":"title"}`), none, 501, 501, 501},
		{"DELETE", "/Me", "", none, 501, 501, 501},
	}

	f := newFixture(t)
	cluster := f.enterCluster()
	secret := f.withClient()
	f.allow(func(a *v1alpha1.Authentication) {
		a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}}
		a.EntraToken = &v1alpha1.EntraToken{Audiences: []string{"api://contoso"}, Applications: []string{"app"}}
	})
	accessToken := f.issued(f.ask("POST", formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret), nil))
	entra := f.issuer.Sign(authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.IssuerV1(), "tid": authtest.TenantID, "appid": "app", "aud": "api://contoso",
	}))
	f.create("anna", "/Users", f.signsIn(annasName, "x", "{v2}", annasOID))
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	f.limit(100_000, 100_000)
	serviceAccount, _ := strings.CutPrefix(f.account(cluster, "payroll").Get("Authorization"), "Bearer ")
	callers := []struct {
		name, credential, role string
	}{
		{"the Secret Token", f.token, "provisioner"}, {"an access token", accessToken, "provisioner"}, {"Entra's token", entra, "provisioner"},
		{"a reader's token", f.withReader("billing"), "reader"}, {"a reader's ServiceAccount", serviceAccount, "reader"}, {"a person's token", f.userToken(nil), "person"},
		{"another token", f.token + "x", "stranger"}, {"no token", "", "stranger"},
	}
	before, written := f.expect("GET", "/Users/{anna}", "", 200, ""), f.logged()
	heldBack := func(s *v1alpha1.ProvisioningTenantSpec, role, about string) (detail string) {
		off := map[string]bool{
			users: s.Provisioning.Users == v1alpha1.SwitchDisabled, group: s.Provisioning.Groups == v1alpha1.SwitchDisabled,
			all: s.Provisioning.Users == v1alpha1.SwitchDisabled && s.Provisioning.Groups == v1alpha1.SwitchDisabled,
		}
		switch {
		case role == "provisioner" && s.Provisioning.State == v1alpha1.StateSuspended:
			return "provisioning of this tenant is suspended (spec.provisioning.state); nothing was changed, try again later"
		case role == "provisioner" && off[about] && about == group:
			return "provisioning of groups is disabled for this tenant (spec.provisioning.groups)"
		case role == "provisioner" && off[about]:
			return "provisioning of users is disabled for this tenant (spec.provisioning.users)"
		case (role == "reader" || role == "person") && s.Access.State == v1alpha1.StateSuspended:
			return "access to this tenant is suspended (spec.access.state); try again later"
		}
		return ""
	}
	states, switches := []v1alpha1.State{"Active", "Suspended"}, []v1alpha1.Switch{"Enabled", "Disabled"}
	for n := range 1 << 4 {
		f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Provisioning = v1alpha1.Provisioning{State: states[n&1], Users: switches[n>>2&1], Groups: switches[n>>3]}
			s.Access.State = states[n>>1&1]
		})
		spec := &f.snapshot.Tenant.Spec
		name := fmt.Sprintf("provisioning %q, access %q, users %s, groups %s", spec.Provisioning.State, spec.Access.State, spec.Provisioning.Users, spec.Provisioning.Groups)
		for _, r := range requests {
			for _, caller := range callers {
				header := http.Header{}
				if caller.credential != "" {
					header = bearer(caller.credential)
				}
				got := f.sendWith(r.method, r.path, r.body, header)
				want := map[string]int{"provisioner": r.provisioner, "reader": r.reader, "person": r.person, "stranger": 401}[caller.role]
				later, detail := "", heldBack(spec, caller.role, r.about)
				if detail != "" {
					want, later = 503, "600"
				}
				if got.status != want || got.header.Get("Retry-After") != later || r.method != "HEAD" && !strings.Contains(string(got.body), detail) {
					t.Errorf("%s: %s %s with %s: %d, Retry-After %q, want %d, %q, %s\n%s",
						name, r.method, r.path, caller.name, got.status, got.header.Get("Retry-After"), want, later, detail, got.body)
				}
			}
		}
		if t.Failed() {
			break
		}
	}
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
		s.Provisioning, s.Access = v1alpha1.Provisioning{}, v1alpha1.Access{}
	})
	if got := f.expect("GET", "/Users/{anna}", "", 200, ""); string(got.body) != string(before.body) {
		t.Errorf("something was changed meanwhile: %s, before it was %s", got.body, before.body)
	}
	for _, entry := range f.logged()[len(written):] {
		if strings.Contains(entry, "success") {
			t.Errorf("something was written: %s", entry)
		}
	}
}

// A list of all types has those that the caller may see, and so has discovery.
func TestATypeThatIsSwitchedOffIsOffForClientsThatProvisionAlone(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	reader := f.withReader("payroll")
	for name, c := range map[string]struct {
		users, groups v1alpha1.Switch
		types, seen   string // by a client that provisions
		bulk          string
	}{
		"none":   {"Enabled", "Enabled", "User Group", "2", "404 404"},
		"users":  {"Disabled", "Enabled", "Group", "1", "503 404"},
		"groups": {"Enabled", "Disabled", "User", "1", "404 503"},
		"both":   {"Disabled", "Disabled", "", "503", "503 503"},
	} {
		f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Provisioning.Users, s.Provisioning.Groups = c.users, c.groups
		})
		for who, credential := range map[string]string{"a client that provisions": f.token, "a reader": reader} {
			types, seen := c.types, c.seen
			if credential == reader {
				types, seen = "User Group", "2"
			}
			for _, path := range []string{"/ResourceTypes", "/Schemas"} {
				var listed []string
				body := string(f.as(credential, "GET", path, "").body)
				for _, kind := range []string{"User", "Group"} {
					if strings.Contains(body, `"location":"`+tenantURL+path+map[string]string{
						"/ResourceTypes": "/" + kind, "/Schemas": "/urn:ietf:params:scim:schemas:core:2.0:" + kind,
					}[path]+`"`) {
						listed = append(listed, kind)
					}
				}
				if got := strings.Join(listed, " "); got != types {
					t.Errorf("%s off: %s lists %q to %s, want %q\n%s", name, path, got, who, types, body)
				}
			}
			for what, got := range map[string]answer{
				"/.search": f.as(credential, "POST", "/.search", `{}`), "the Tenant URL with a filter": f.as(credential, "GET", `?filter=id pr`, ""),
			} {
				found := fmt.Sprint(got.status)
				if got.status == http.StatusOK {
					found = fmt.Sprint(f.field(got, "totalResults"))
				}
				if found != seen {
					t.Errorf("%s off: %s shows %s to %s, want %s", name, what, found, who, seen)
				}
			}
		}
		f.bulk(bulkOf(`{"method":"DELETE","path":"/Users/none"},{"method":"DELETE","path":"/Groups/none"}`), c.bulk)
	}
	user := f.as(reader, "GET", "/Users/{anna}", "") // both types are off
	if groups := fmt.Sprint(f.field(user, "groups")); !strings.Contains(groups, f.ids["buyers"]) {
		t.Errorf("a reader sees the user with the groups %s", groups)
	}
}

// A request that the tenant itself holds back is no failure of its client: neither in the provisioning log nor in the cycle, from which the operator learns
// that requests fail. A client that is held back from a resource type alone is let in all the same.
func TestWhatIsHeldBackIsNoFailureOfTheClient(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("buyers", "/Groups", `{"displayName":"Buyers"}`)
	before := f.logged()
	for name, c := range map[string]struct {
		spec v1alpha1.Provisioning
		want cycle.Counts
	}{
		"suspended": {v1alpha1.Provisioning{State: v1alpha1.StateSuspended}, cycle.Counts{}},
		"disabled":  {v1alpha1.Provisioning{Users: v1alpha1.SwitchDisabled, Groups: v1alpha1.SwitchDisabled}, cycle.Counts{Requests: 8}},
	} {
		f.spec(func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning = c.spec })
		f.server.TakeActivity()
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/Users", ""}, {"GET", "/Users/{anna}", ""}, {"GET", `/Groups?filter=displayName eq "x"`, ""}, {"POST", "/Groups/.search", `{}`},
			{"POST", "/Users", anna}, {"PUT", "/Users/{anna}", anna}, {"PATCH", "/Groups/{buyers}", patchOf(`{"op":"remove","path":"externalId"}`)},
			{"DELETE", "/Groups/{buyers}", ""},
		} {
			f.wantLater(f.send(r.method, r.path, r.body), http.StatusServiceUnavailable, 600)
		}
		if asked := f.server.TakeActivity(); asked.Counts != c.want {
			t.Errorf("%s: the cycle has %+v, want %+v", name, asked.Counts, c.want)
		}
		_ = f.send("POST", "/Bulk", bulkOf(`{"method":"DELETE","path":"/Users/{anna}"},{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"x"}}`))
		if after := f.logged(); len(after) != len(before) {
			t.Errorf("%s: the log has %q", name, after[len(before):])
		}
	}
}

// An import needs a token while provisioning is suspended, and a client that gets none could take its credential for a bad one.
func TestTheTokenEndpointIssuesTokensWhateverIsSuspended(t *testing.T) {
	f := newFixture(t)
	secret := f.withClient()
	form := func(secret string) string {
		return formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	}
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
		s.Provisioning.State, s.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	})
	accessToken := f.issued(f.ask("POST", form(secret), nil))
	f.wantOAuthError(f.ask("POST", form(secret+"x"), nil), http.StatusUnauthorized, "invalid_client")
	f.wantLater(f.as(accessToken, "GET", "/Users", ""), http.StatusServiceUnavailable, 600)
	f.provisioning(v1alpha1.StateActive) // without a restart, from the next request on
	if got := f.as(accessToken, "GET", "/Users", ""); got.status != http.StatusOK {
		t.Errorf("an access token of while provisioning was suspended: %d", got.status)
	}
}
