package protocol_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
)

// logged are the entries of the provisioning log in a few words each.
func (f *fixture) logged() []string {
	f.t.Helper()
	if _, err := f.directory.WriteFailures(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	var lines []string
	for e, err := range f.directory.Log(f.t.Context(), directory.LogQuery{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		known := "no id"
		for name, id := range f.ids {
			if e.ResourceID == id {
				known = name
			}
		}
		if e.Client == "" || e.RequestID == "" {
			f.t.Errorf("entry %+v does not tell who asked", e)
		}
		outcome := e.Outcome
		if outcome != directory.OutcomeSuccess && len(e.Attributes) > 0 {
			outcome += " of " + strings.Join(e.Attributes, ",")
		}
		lines = append(lines, fmt.Sprintf("%s %s %s: %s x%d", e.Operation, e.Kind, known, outcome, e.Count))
	}
	return lines
}

func TestAWriteThatFailsLeavesAnEntryAndAReadDoesNot(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	const unknown = "01926e6f-6f2c-7000-8000-000000000001"
	f.ids["nobody"] = unknown
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/Users", anna, 409},
		{"POST", "/Users", anna, 409},
		{"POST", "/Users", `{"userName":`, 400},
		{"POST", "/Groups", `{"displayName":""}`, 400},
		{"PUT", "/Users/{nobody}", anna, 404},
		{"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title eq","value":"x"}`), 400},
		{"PATCH", "/Users/{anna}", `{"Operations":1}`, 400},
		{"DELETE", "/Groups/{nobody}", "", 404},
		{"DELETE", "/Users/anna.k@contoso.test", "", 404},
		{"GET", "/Users/{nobody}", "", 404},
		{"GET", "/Users?filter=userName is", "", 400},
		{"POST", "/Nowhere", "{}", 404},
	} {
		if got := f.send(c.method, c.path, c.body); got.status != c.status {
			t.Fatalf("%s %s = %d, want %d\n%s", c.method, c.path, got.status, c.status, got.body)
		}
		f.advance(time.Second)
	}
	want := []string{
		"create User anna: success x1",
		"create User no id: uniqueness of userName x2",
		"create User no id: invalidSyntax x1",
		"create Group no id: invalidValue of displayName x1",
		"replace User nobody: notFound x1",
		"patch User anna: invalidPath x1",
		"patch User anna: invalidSyntax x1",
		"delete Group nobody: notFound x1",
		"delete User no id: notFound x1",
	}
	if diff := cmp.Diff(want, f.logged()); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestAReadersWriteIsInTheLogAndARequestThatIsNotLookedAtIsCounted(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))
	f.allow(func(a *v1alpha1.Authentication) {
		a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}}
	})
	secret := f.withClient()
	f.limit(1, 20)
	person := bearer(f.userToken(nil))
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		status             int
	}{
		{"a reader", "POST", "/Users", bearer(reader), 403},
		{"a reader", "PATCH", "/Users/{anna}", bearer(reader), 403},
		{"a reader, once more", "PATCH", "/Users/{anna}", bearer(reader), 403},
		{"a reader's bulk request, which is about no resource", "POST", "/Bulk", bearer(reader), 403},
		{"a person", "DELETE", "/Users/{anna}", person, 403},
		{"a stranger", "DELETE", "/Users/{anna}", bearer(f.token + "x"), 401},
		{"nobody", "POST", "/Users", http.Header{}, 401},
	} {
		if got := f.sendWith(c.method, c.path, anna, c.header); got.status != c.status {
			t.Fatalf("%s: %d, want %d\n%s", c.name, got.status, c.status, got.body)
		}
	}
	if got := f.ask("POST", "grant_type=client_credentials", basicOf("contoso", secret+"x")); got.status != 401 {
		t.Fatalf("the token endpoint: %d\n%s", got.status, got.body)
	}
	for f.send("PUT", "/Users/{anna}", anna).status != 429 {
		if t.Context().Err() != nil {
			t.Fatal("the credential is never held back")
		}
	}
	want := []string{"create User anna: success x1", "create User no id: forbidden x1", "patch User anna: forbidden x2"}
	if diff := cmp.Diff(want, f.logged()); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	counted := `
		# HELP scim_requests_total Requests by route, method and HTTP status.
		# TYPE scim_requests_total counter
		scim_requests_total{method="DELETE",route="/scim/v2/Users/{id}",status="401"} 1
		scim_requests_total{method="DELETE",route="/scim/v2/Users/{id}",status="403"} 1
		scim_requests_total{method="PATCH",route="/scim/v2/Users/{id}",status="403"} 2
		scim_requests_total{method="POST",route="/oauth2/token",status="401"} 1
		scim_requests_total{method="POST",route="/scim/v2/Bulk",status="403"} 1
		scim_requests_total{method="POST",route="/scim/v2/Users",status="201"} 1
		scim_requests_total{method="POST",route="/scim/v2/Users",status="401"} 1
		scim_requests_total{method="POST",route="/scim/v2/Users",status="403"} 1
		scim_requests_total{method="PUT",route="/scim/v2/Users/{id}",status="200"} 20
		scim_requests_total{method="PUT",route="/scim/v2/Users/{id}",status="429"} 1
	`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(counted), "scim_requests_total"); err != nil {
		t.Error(err)
	}
	// The client's secret is one of the tenant's with a letter too many; the token with one has not the form of any.
	counted = `
		# HELP scim_credentials_accepted_total Requests with a good credential, by the role of its bearer, held back or not.
		# TYPE scim_credentials_accepted_total counter
		scim_credentials_accepted_total{role="provisioner"} 22
		scim_credentials_accepted_total{role="reader"} 4
		scim_credentials_accepted_total{role="user"} 1
		# HELP scim_credentials_rejected_total Requests, as a client that provisions sends them, with a credential that is not good and was the tenant's or could be. A scanner's is neither.
		# TYPE scim_credentials_rejected_total counter
		scim_credentials_rejected_total 0
	`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(counted), "scim_credentials_accepted_total", "scim_credentials_rejected_total"); err != nil {
		t.Error(err)
	}
}

// TestWhatAlertsAskForIsCountedFromZero: a series that appears with its first request hides that one from increase() and rate().
func TestWhatAlertsAskForIsCountedFromZero(t *testing.T) {
	f := newFixture(t)
	expect := func(when string, provisioner, rejected, held int) {
		t.Helper()
		counted := fmt.Sprintf(`
			# HELP scim_credentials_accepted_total Requests with a good credential, by the role of its bearer, held back or not.
			# TYPE scim_credentials_accepted_total counter
			scim_credentials_accepted_total{role="provisioner"} %d
			scim_credentials_accepted_total{role="reader"} 0
			scim_credentials_accepted_total{role="user"} 0
			# HELP scim_credentials_rejected_total Requests, as a client that provisions sends them, with a credential that is not good and was the tenant's or could be. A scanner's is neither.
			# TYPE scim_credentials_rejected_total counter
			scim_credentials_rejected_total %d
			# HELP scim_held_back_total Requests answered 503 because the tenant's spec holds them back.
			# TYPE scim_held_back_total counter
			scim_held_back_total %d
		`, provisioner, rejected, held)
		err := testutil.GatherAndCompare(f.registry, strings.NewReader(counted),
			"scim_credentials_accepted_total", "scim_credentials_rejected_total", "scim_held_back_total")
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	expect("before the first request", 0, 0, 0)
	f.send("GET", "/Users", "")
	expect("the Secret Token is let in", 1, 0, 0)
	f.sendWith("GET", "/Users", "", bearer(tokenOf(t, "contoso")))
	expect("a token of another tenant is not", 1, 1, 0)
	f.sendWith("GET", "/Users", "", http.Header{})
	f.sendWith("GET", "/Users", "", bearer("letmein"))
	expect("a scanner says nothing", 1, 1, 0)
	f.provisioning(v1alpha1.StateSuspended)
	f.send("GET", "/Users", "")
	f.sendWith("GET", "/Users", "", bearer(tokenOf(t, "contoso")))
	expect("a suspended tenant holds back who is let in", 2, 2, 1)
	f.spec(func(s *v1alpha1.ProvisioningTenantSpec) {
		s.Provisioning.State, s.Provisioning.Groups = v1alpha1.StateActive, v1alpha1.SwitchDisabled
	})
	f.send("GET", "/Groups", "")
	expect("a resource type that is disabled", 3, 2, 2)
}

func TestTheProvisioningLogHoldsNoValuesAndNoTokens(t *testing.T) {
	f := newFixture(t)
	const canary = "canary-4711"
	body := strings.ReplaceAll(`{"userName":"CANARY","title":"CANARY","externalId":"CANARY","name":{"givenName":"CANARY"},"emails":[{"type":"work","value":"CANARY@x.test"}]}`, "CANARY", canary)
	f.create("anna", "/Users", body)
	f.send("POST", "/Users", body)
	f.send("PUT", "/Users/"+canary, body)
	f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":"`+canary+`-2"}`))
	f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"`+canary+`","value":"x"}`))
	f.send("PATCH", "/Users/"+f.token, patchOf(`{"op":"Replace","path":"title","value":"x"}`))
	f.send("DELETE", "/Users/"+canary, "")
	if _, err := f.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range f.directory.Log(t.Context(), directory.LogQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, canary) || strings.Contains(text, f.token) {
			t.Errorf("a value reached the log: %s", text)
		}
	}
	if n < 6 {
		t.Errorf("%d entries; this test would prove too little", n)
	}
}

func TestAnAnswerDoesNotDependOnTheLog(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	for range 1000 {
		if got := f.send("DELETE", "/Users/nobody", ""); got.status != 404 {
			t.Fatalf("status %d, want 404\n%s", got.status, got.body)
		}
	}
	if got := f.logged(); len(got) != 2 || got[1] != "delete User no id: notFound x1000" {
		t.Errorf("got %v", got)
	}
}

func TestAReaderHidesNoFailureOfTheProvisioningClient(t *testing.T) {
	f := newFixture(t)
	reader := f.withReader("payroll")
	for n := range 160 {
		path := []string{"/Users/", "/Groups/"}[n%2] + fmt.Sprintf("01926e6f-6f2c-7000-8000-%012d", n)
		method := []string{"DELETE", "PUT", "PATCH"}[n%3]
		if got := f.as(reader, method, path, "{}"); got.status != http.StatusForbidden {
			t.Fatalf("%s %s of a reader: %d", method, path, got.status)
		}
	}
	f.ids["nobody"] = "01926e6f-6f2c-7000-8000-999999999999"
	failed := f.send("PATCH", "/Users/{nobody}", patchOf(`{"op":"Replace","path":"title","value":"x"}`))
	if _, err := f.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, rows := 0, 0
	for e, err := range f.directory.Log(t.Context(), directory.LogQuery{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Client == "reader-payroll":
			rows++
		case e.RequestID == failed.header.Get("X-Request-Id") && e.ResourceID == f.ids["nobody"] && strings.HasPrefix(e.Client, "token-"):
			found++
		default:
			t.Errorf("the log has %+v", e)
		}
	}
	if found != 1 || rows > 10 {
		t.Errorf("%d entries tell of the failure, beside %d of the reader's, want 1 and 10", found, rows)
	}
}
