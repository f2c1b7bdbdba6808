package protocol_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// tenantOf is the tenant of a fixture with a catalog.
func (f *fixture) tenantOf(companies ...string) *v1alpha1.ProvisioningTenant {
	tenant := f.snapshot.Tenant.DeepCopy()
	tenant.UID, tenant.Spec.Catalog = "tenant-1", v1alpha1.Catalog{Companies: companies, Roles: []string{"approver"}}
	return tenant
}

// forDepartments are defaults for a department and, with a lower priority, for everybody else.
func forDepartments(apply v1alpha1.ApplyMode) []v1alpha1.UserDefaults {
	return []v1alpha1.UserDefaults{
		{ObjectMeta: metav1.ObjectMeta{Name: "finance", UID: "finance-1", Generation: 1}, Spec: v1alpha1.UserDefaultsSpec{
			Priority: 10, Filter: `department eq "Finance"`, Apply: apply, Companies: []string{"Contoso AB"}, Roles: []string{"approver"}, Locale: "sv-SE",
		}},
		{ObjectMeta: metav1.ObjectMeta{Name: "everybody", UID: "everybody-1", Generation: 1}, Spec: v1alpha1.UserDefaultsSpec{
			Apply: apply, Companies: []string{"Contoso GmbH"}, Locale: "de-DE",
		}},
	}
}

// puts has a directory follow the tenant's defaults, and holds every user against them.
func (f *fixture) puts(d *directory.Directory, tenant *v1alpha1.ProvisioningTenant, all []v1alpha1.UserDefaults) {
	f.t.Helper()
	if err := d.FollowDefaults(f.t.Context(), tenant, all); err != nil {
		f.t.Fatal(err)
	}
	f.follow(d)
}

// wantDefaults wants a user in an answer to have a locale and the values of defaults.
func (f *fixture) wantDefaults(what string, got answer, name, company, locale string) {
	f.t.Helper()
	companies, _ := f.field(got, tenantryURN, "companies").([]any)
	has, _ := f.field(got, tenantryURN, "defaults").(string)
	speaks, _ := f.field(got, "locale").(string)
	if has != name || speaks != locale || (company == "") != (len(companies) == 0) || company != "" && companies[0] != company {
		f.t.Errorf("%s: defaults %q, companies %v, locale %q; want %q, %q, %q\n%s", what, has, companies, speaks, name, company, locale, got.body)
	}
}

func member(name, department string) string {
	return `{"userName":"` + name + `","` + enterpriseURN + `":{"department":"` + department + `"}}`
}

func TestATypoStripsNobodyAndWhoArrivesMeanwhileGetsWhatWasGood(t *testing.T) {
	race.Meets(t)
	for _, apply := range []v1alpha1.ApplyMode{v1alpha1.ApplyAlways, v1alpha1.ApplyOnCreate} {
		t.Run(string(apply), func(t *testing.T) {
			f := newFixture(t)
			all := forDepartments(apply)
			f.puts(f.directory, f.tenantOf("Contoso AB", "Contoso GmbH"), all)
			f.create("anna", "/Users", member("anna", "Finance"))
			before := f.expect("GET", "/Users/{anna}", "", http.StatusOK, "")
			f.wantDefaults("before", before, "finance", "Contoso AB", "sv-SE")

			// The company goes from the catalog, and then the resource itself is edited, with a mistake.
			typo := f.tenantOf("Contoso AG", "Contoso GmbH")
			f.puts(f.directory, typo, all)
			edited := forDepartments(apply)
			edited[0].Generation, edited[0].Spec.Locale, edited[0].Spec.Filter = 2, "fi-FI", "department eq"
			f.puts(f.directory, typo, edited)
			after := f.expect("GET", "/Users/{anna}", "", http.StatusOK, "")
			if !bytes.Equal(before.body, after.body) || before.header.Get("ETag") != after.header.Get("ETag") {
				t.Errorf("the user was\n%s\nand is\n%s", before.body, after.body)
			}
			f.wantDefaults("a POST", f.expect("POST", "/Users", member("bert", "Finance"), http.StatusCreated, ""), "finance", "Contoso AB", "sv-SE")
			f.expect("PATCH", "/Users/{anna}", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
				"Operations":[{"op":"replace","path":"title","value":"Chief"}]}`, http.StatusNoContent, "")
			f.wantDefaults("a PATCH", f.expect("GET", "/Users/{anna}", "", http.StatusOK, ""), "finance", "Contoso AB", "sv-SE")
			f.wantDefaults("a PUT", f.expect("PUT", "/Users/{anna}", member("anna", "Finance"), http.StatusOK, ""), "finance", "Contoso AB", "sv-SE")

			// A replica that starts just now, and knows the broken resources only.
			started := directory.New(directory.Options{Store: f.openReplica(), Now: f.clock})
			f.puts(started, typo, edited)
			f.http = f.serve(started, prometheus.NewRegistry())
			f.wantDefaults("another replica", f.expect("POST", "/Users", member("carl", "Finance"), http.StatusCreated, ""), "finance", "Contoso AB", "sv-SE")
			if got := f.field(f.expect("GET", `/Users?filter=locale eq "sv-SE"&count=0`, "", http.StatusOK, ""), "totalResults"); got != float64(3) {
				t.Errorf("%v users are found by the value, want 3", got)
			}
			f.puts(started, typo, edited[1:])
			f.wantDefaults("once it is deleted", f.expect("POST", "/Users", member("dora", "Finance"), http.StatusCreated, ""), "everybody", "Contoso GmbH", "de-DE")
		})
	}
}

func TestWhoArrivesForDefaultsThatNeverWereGoodWaitsForThem(t *testing.T) {
	race.Meets(t)
	for _, apply := range []v1alpha1.ApplyMode{v1alpha1.ApplyAlways, v1alpha1.ApplyOnCreate} {
		t.Run(string(apply), func(t *testing.T) {
			f := newFixture(t)
			f.puts(f.directory, f.tenantOf("Contoso AG", "Contoso GmbH"), forDepartments(apply))
			f.create("anna", "/Users", member("anna", "Finance"))
			f.wantDefaults("who arrives", f.expect("GET", "/Users/{anna}", "", http.StatusOK, ""), "", "", "")
			f.wantDefaults("another", f.expect("POST", "/Users", member("bert", "Sales"), http.StatusCreated, ""), "everybody", "Contoso GmbH", "de-DE")
			f.puts(f.directory, f.tenantOf("Contoso AB", "Contoso GmbH"), forDepartments(apply))
			f.wantDefaults("who waited", f.expect("GET", "/Users/{anna}", "", http.StatusOK, ""), "finance", "Contoso AB", "sv-SE")
		})
	}
}

// The tenant that the export is read into was made again, so all UIDs are others.
func TestAnExportHasTheLastGoodDefaults(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	all := forDepartments(v1alpha1.ApplyAlways)
	f.puts(f.directory, f.tenantOf("Contoso AB", "Contoso GmbH"), all)
	f.create("anna", "/Users", member("anna", "Finance"))
	all[0].Generation, all[0].Spec.Timezone = 2, "Mars/Base"
	f.puts(f.directory, f.tenantOf("Contoso AB", "Contoso GmbH"), all)
	var export bytes.Buffer
	if _, err := transfer.Export(t.Context(), f.database, &export, transfer.Options{}); err != nil {
		t.Fatal(err)
	}

	for namespace, want := range map[string]struct{ name, company, locale string }{
		"customers": {"finance", "Contoso AB", "sv-SE"},
		"partners":  {}, // another tenant's
	} {
		t.Run(namespace, func(t *testing.T) {
			to := newFixture(t)
			tenant := to.tenantOf("Contoso AB", "Contoso GmbH")
			tenant.UID, tenant.Namespace = "tenant-2", namespace
			again := forDepartments(v1alpha1.ApplyAlways)
			again[0].UID, again[1].UID, again[0].Spec.Timezone = "finance-2", "everybody-2", "Mars/Base"
			to.puts(to.directory, tenant, again)
			importing := directory.New(directory.Options{Store: to.database, Now: to.clock, Catalog: &tenant.Spec.Catalog})
			if _, err := transfer.Import(t.Context(), to.directory.Importing(directory.Caller{}), importing, bytes.NewReader(export.Bytes())); err != nil {
				t.Fatal(err)
			}
			changed, err := to.directory.GoodDefaultsChanged(t.Context())
			if err != nil || !changed {
				t.Errorf("nobody has to look at the defaults that came: %v", err)
			}
			to.puts(to.directory, tenant, again)
			to.ids["anna"] = f.ids["anna"]
			to.wantDefaults("who came", to.expect("GET", "/Users/{anna}", "", http.StatusOK, ""), "finance", "Contoso AB", "sv-SE")
			to.wantDefaults("who arrives", to.expect("POST", "/Users", member("bert", "Finance"), http.StatusCreated, ""), want.name, want.company, want.locale)
		})
	}
}
