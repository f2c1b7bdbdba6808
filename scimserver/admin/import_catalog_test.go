package admin_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// catalog sets spec.catalog.companies of the settings in force.
func (f *fixture) catalog(companies ...string) {
	next := *f.snapshot.Load()
	next.Tenant = next.Tenant.DeepCopy()
	next.Tenant.Spec.Catalog.Companies = companies
	f.snapshot.Store(&next)
}

// Companies open doors in applications. Nobody but the tenant's owner says which there are.
func TestAnImportTakesTheCompaniesOfTheCatalogAlone(t *testing.T) {
	for name, mode := range map[string]v1alpha1.ApplyMode{"stamped": v1alpha1.ApplyOnCreate, "following": v1alpha1.ApplyAlways} {
		t.Run(name, func(t *testing.T) {
			from := newFixture(t)
			defaults, err := directory.NewDefaults(&v1alpha1.UserDefaults{
				ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.UserDefaultsSpec{Apply: mode, Companies: []string{"Contoso AB", "Fabrikam"}},
			}, v1alpha1.Catalog{Companies: []string{"Contoso AB", "Fabrikam"}}, schema.User())
			if err != nil {
				t.Fatal(err)
			}
			from.directory.SetDefaults([]*directory.Defaults{defaults})
			from.user("anna")
			file := from.want("/export", from.provisioner, 200)
			to := newFixture(t)
			to.suspend()
			for _, companies := range [][]string{nil, {"Contoso AB"}} {
				to.catalog(companies...)
				status, answer := to.imports(to.provisioner, "/import", strings.NewReader(file))
				if status != 422 || !strings.Contains(answer, ":companies[") || !strings.Contains(answer, "accepts a name of spec.catalog.companies") ||
					!strings.Contains(answer, "line 2") || strings.Contains(answer, "Contoso") || strings.Contains(answer, "Fabrikam") {
					t.Errorf("%v: %d %s", companies, status, answer)
				}
				to.wantEmpty()
			}
			to.catalog("Fabrikam", "Contoso AB")
			if status, answer := to.imports(to.provisioner, "/import", strings.NewReader(file)); status != 200 {
				t.Fatalf("%d %s", status, answer)
			}
			if again := to.want("/export", to.provisioner, 200); again != file {
				t.Errorf("exported again it is\n%s\nwant\n%s", again, file)
			}
		})
	}
}
