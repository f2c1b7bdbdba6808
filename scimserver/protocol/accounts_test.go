package protocol_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/directory"
)

// enterCluster puts the tenant's server in a cluster, in which ServiceAccount apps/payroll is the reader payroll.
func (f *fixture) enterCluster() *authtest.Cluster {
	f.t.Helper()
	cluster := authtest.NewCluster(f.t)
	f.inCluster = &auth.Cluster{URL: cluster.URL(), Transport: cluster.Transport(), KeysFile: filepath.Join(f.t.TempDir(), "keys.json")}
	changed := *f.snapshot
	changed.Tenant = changed.Tenant.DeepCopy()
	changed.Tenant.Spec.Authentication.Readers = []v1alpha1.Reader{
		{Name: "payroll", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "payroll", Namespace: "apps"}},
	}
	f.snapshot = &changed
	f.http = f.serve(f.directory, prometheus.NewRegistry())
	return cluster
}

// account is a token of a ServiceAccount in namespace apps.
func (f *fixture) account(cluster *authtest.Cluster, name string) http.Header {
	f.t.Helper()
	return bearer(cluster.Token(f.clock(), v1alpha1.ServiceURL("customers", "contoso"), "apps", name, nil))
}

func TestAServiceAccountIsAReaderLikeOthers(t *testing.T) {
	f := newFixture(t)
	cluster := f.enterCluster()
	f.create("anna", "/Users", anna)
	payroll := f.account(cluster, "payroll")

	for _, path := range []string{"/Users", "/Users/{anna}", "/Groups", "/Schemas"} {
		if got := f.sendWith("GET", path, "", payroll); got.status != http.StatusOK {
			t.Errorf("GET %s = %d\n%s", path, got.status, got.body)
		}
	}
	if got := f.sendWith("POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"active eq true"}`, payroll); got.status != http.StatusOK {
		t.Errorf("POST /.search = %d\n%s", got.status, got.body)
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/Users", `{"userName":"bo@contoso.test"}`}, {"PUT", "/Users/{anna}", `{"userName":"bo@contoso.test"}`},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":"x"}`)}, {"DELETE", "/Users/{anna}", ""},
		{"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/{anna}"}]}`},
	} {
		got := f.sendWith(c.method, c.path, c.body, payroll)
		f.wantError(got, http.StatusForbidden, "")
		if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, "this credential is a reader's") {
			t.Errorf("%s %s: detail = %q", c.method, c.path, detail)
		}
	}
	refused := 0
	if _, err := f.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	for e, err := range f.directory.Log(t.Context(), directory.LogQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Client == "reader-payroll" && e.Outcome == "forbidden" {
			refused++
		}
	}
	if refused == 0 {
		t.Error("the provisioning log does not tell that reader-payroll tried to write")
	}
	if f.server.TakeActivity().Requests != 1 {
		t.Error("a reader's requests are counted as the provisioning client's")
	}
}

func TestAServiceAccountHasTheAllowanceOfItsReader(t *testing.T) {
	f := newFixture(t)
	cluster := f.enterCluster()
	audit := tokenOf(t, "audit")
	f.trust(token.NewReader(audit, "audit", f.now))
	f.limit(1, 3)
	for range 3 {
		// Each with a token of its own, as pods of one application have.
		if got := f.sendWith("GET", "/Users", "", f.account(cluster, "payroll")); got.status != http.StatusOK {
			t.Fatalf("status %d", got.status)
		}
	}
	f.wantError(f.sendWith("GET", "/Users", "", f.account(cluster, "payroll")), http.StatusTooManyRequests, "")
	if got := f.sendWith("GET", "/Users", "", bearer(audit)); got.status != http.StatusOK {
		t.Errorf("another reader is answered %d", got.status)
	}
	f.expect("GET", "/Users", "", 200, "")
}

func TestAnotherServiceAccountIsAStranger(t *testing.T) {
	f := newFixture(t)
	cluster := f.enterCluster()
	got := f.sendWith("GET", "/Users", "", f.account(cluster, "stranger"))
	f.wantError(got, http.StatusUnauthorized, "")
	if challenge := got.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate = %q", challenge)
	}
	if !f.server.TakeActivity().Rejected.IsZero() {
		t.Error("it counts as a rejected credential of the provisioning client")
	}
}

func TestAServiceAccountIsAskedToComeAgainWhileItsTokenCannotBeChecked(t *testing.T) {
	f := newFixture(t)
	cluster := f.enterCluster()
	cluster.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	got := f.sendWith("GET", "/Users", "", f.account(cluster, "payroll"))
	f.wantError(got, http.StatusServiceUnavailable, "")
	if detail, _ := f.field(got, "detail").(string); got.header.Get("Retry-After") == "" || !strings.HasPrefix(detail, "the cluster's keys") {
		t.Errorf("Retry-After %q, detail %q", got.header.Get("Retry-After"), detail)
	}
}
