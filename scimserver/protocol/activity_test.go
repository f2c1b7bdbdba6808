package protocol_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/cycle"
)

func TestWhatTheProvisioningClientAsksIsCountedAndNothingElse(t *testing.T) {
	f := newFixture(t)
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))
	f.allow(func(a *v1alpha1.Authentication) {
		a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}}
	})
	secret := f.withClient()
	entra := bearer(f.token)
	for _, c := range []struct {
		name, method, path, body string
		header                   http.Header
		want                     cycle.Counts
	}{
		{"a look-up", "GET", `/Users?filter=userName eq "x"`, "", entra, cycle.Counts{Requests: 1}},
		{"a create", "POST", "/Users", anna, entra, cycle.Counts{Requests: 1, Creates: 1}},
		{"one that exists", "POST", "/Users", anna, entra, cycle.Counts{Requests: 1, Failures: 1}},
		{"a group", "POST", "/Groups", `{"displayName":"Buyers"}`, entra, cycle.Counts{Requests: 1, Creates: 1}},
		{"an update", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"x"}`), entra, cycle.Counts{Requests: 1, Updates: 1}},
		{"one without effect", "PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"x"}`), entra, cycle.Counts{Requests: 1, Updates: 1}},
		{"a replacement", "PUT", "/Users/{anna}", anna, entra, cycle.Counts{Requests: 1, Updates: 1}},
		{"one that is not there", "GET", "/Groups/none", "", entra, cycle.Counts{Requests: 1, Failures: 1}},
		{"a search", "POST", "/Users/.search", `{}`, entra, cycle.Counts{Requests: 1}},
		{"a bulk request", "POST", "/Bulk", bulkOf(post("a", "/Users", `{"userName":"a"}`)), entra, cycle.Counts{Requests: 1}},
		{"a delete", "DELETE", "/Users/{anna}", "", entra, cycle.Counts{Requests: 1, Deletes: 1}},
		{"what the server can do", "GET", "/ServiceProviderConfig", "", entra, cycle.Counts{}},
		{"an endpoint that there is not", "GET", "/Nowhere", "", entra, cycle.Counts{}},
		{"a reader's look-up", "GET", "/Users", "", bearer(reader), cycle.Counts{}},
		{"a reader's write", "POST", "/Users", anna, bearer(reader), cycle.Counts{}},
		{"a person", "GET", "/Me", "", bearer(f.userToken(nil)), cycle.Counts{}},
		{"an access token's look-up", "GET", "/Users", "", bearer(f.issued(f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret)))), cycle.Counts{Requests: 1}},
	} {
		f.advance(time.Second)
		got := f.sendWith(c.method, c.path, c.body, c.header)
		if c.name == "a create" {
			f.ids["anna"] = f.field(got, "id").(string)
		}
		want := cycle.State{Counts: c.want}
		if c.want.Requests > 0 {
			want.Began, want.Last = f.now, f.now
		}
		if diff := cmp.Diff(want, f.server.TakeActivity()); diff != "" {
			t.Errorf("%s, answered %d: want -, got +\n%s", c.name, got.status, diff)
		}
	}

	f.limit(1, 1)
	f.send("GET", "/Users", "")
	f.send("GET", "/Users", "")
	if got, want := f.server.TakeActivity().Counts, (cycle.Counts{Requests: 2, Failures: 1}); got != want {
		t.Errorf("with one beyond the limit it is %+v, want %+v", got, want)
	}
	f.provisioning(v1alpha1.StateSuspended)
	f.send("GET", "/Users", "")
	if got := f.server.TakeActivity(); !got.Empty() {
		t.Errorf("while provisioning is suspended it has %+v, want nothing", got)
	}
}

func TestARejectedCredentialIsRememberedUntilOneIsLetIn(t *testing.T) {
	f := newFixture(t)
	f.withClient()
	f.allow(func(a *v1alpha1.Authentication) {
		a.WorkloadIdentity = &v1alpha1.WorkloadIdentity{Audiences: []string{"api://contoso"}, Subjects: []string{workload}}
		a.EntraToken = &v1alpha1.EntraToken{Audiences: []string{"api://contoso"}, Applications: []string{"app"}}
		a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}}
	})
	former, another := tokenOf(t, "former"), authtest.Claims{"aud": "api://another"}
	entra := f.issuer.Sign(authtest.Times(f.clock()).With(authtest.Claims{"iss": f.issuer.IssuerV1(), "tid": authtest.TenantID, "appid": "app"}).With(another))
	for name, c := range map[string]struct {
		send     func() answer
		rejected bool
	}{
		"no credential":             {func() answer { return f.sendWith("GET", "/Users", "", http.Header{}) }, false},
		"a former Secret Token":     {func() answer { return f.sendWith("GET", "/Users", "", bearer(former)) }, true},
		"with a change":             {func() answer { return f.sendWith("PATCH", "/Groups/none", "{}", bearer(former)) }, true},
		"that looks around":         {func() answer { return f.sendWith("GET", "/ServiceProviderConfig", "", bearer(former)) }, false},
		"that looks elsewhere":      {func() answer { return f.sendWith("GET", "/Nowhere", "", bearer(former)) }, false},
		"a scanner's":               {func() answer { return f.sendWith("GET", "/Users", "", bearer(f.token+"x")) }, false},
		"a former client secret":    {func() answer { return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", former)) }, true},
		"a scanner's client secret": {func() answer { return f.ask("POST", "grant_type=client_credentials", basicOf("contoso", "x")) }, false},
		"a grant that there is not": {func() answer { return f.ask("POST", "grant_type=password", basicOf("contoso", former)) }, false},
		"Entra's token for another": {func() answer { return f.sendWith("GET", "/Users", "", bearer(entra)) }, true},
		"an assertion for another":  {func() answer { return f.ask("POST", f.assertionForm(another), nil) }, true},
		"an employee's for another": {func() answer { return f.sendWith("GET", "/Users", "", bearer(f.userToken(another))) }, false},
	} {
		if got := c.send(); got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		want := cycle.State{}
		if c.rejected {
			want.Rejected = f.now
		}
		if diff := cmp.Diff(want, f.server.TakeActivity()); diff != "" {
			t.Errorf("%s: want -, got +\n%s", name, diff)
		}
	}
	f.sendWith("GET", "/Users", "", bearer(former))
	f.advance(time.Second)
	f.send("GET", "/Users", "")
	if got := f.server.TakeActivity(); !got.Rejected.IsZero() || got.Requests != 1 {
		t.Errorf("after a good one it is %+v, want one request and nothing rejected", got)
	}
}
