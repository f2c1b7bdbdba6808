package clustertest

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestUserDefaultsAreAcceptedWhenTheyFitTheCatalogAndFollowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	good := create(w, w.defaults("everybody"))
	company := create(w, w.defaults("company", func(d *v1alpha1.UserDefaults) { d.Spec.Companies = []string{"Contoso Oy"} }))
	role := create(w, w.defaults("role", func(d *v1alpha1.UserDefaults) { d.Spec.Roles = []string{"boss"} }))
	filter := create(w, w.defaults("filter", func(d *v1alpha1.UserDefaults) { d.Spec.Filter = "invalid (" }))
	attribute := create(w, w.defaults("attribute", func(d *v1alpha1.UserDefaults) {
		d.Spec.Attributes = []v1alpha1.AttributeDefault{{Path: "title", Value: "invalid"}}
	}))
	w.untilDefaults(good, "Accepted=True/Accepted", "Applied=False/WaitingForServer", "Reconciling=True/WaitingForServer")
	w.untilDefaults(company, "Accepted=False/UnknownCompany", "Stalled=True/UnknownCompany", "Ready=False/UnknownCompany")
	w.untilDefaults(role, "Accepted=False/UnknownRole")
	w.untilDefaults(filter, "Accepted=False/InvalidFilter")
	w.untilDefaults(attribute, "Accepted=False/InvalidAttribute")
	w.follows(tenant, "everybody")

	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Catalog = v1alpha1.Catalog{Companies: []string{"Contoso AB", "Contoso Oy"}, Roles: []string{"approver", "boss"}}
	})
	w.untilDefaults(company, "Accepted=True/Accepted")
	w.untilDefaults(role, "Accepted=True/Accepted")
	w.follows(tenant, "company", "everybody", "role")

	edit(w, filter, func(d *v1alpha1.UserDefaults) { d.Spec.Filter = `userName sw "a"` })
	w.untilDefaults(filter, "Accepted=True/Accepted")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{"Contoso AB"} })
	w.untilDefaults(company, "Accepted=False/UnknownCompany")
	if err := w.Delete(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	w.follows(tenant, "everybody", "filter")
	w.until(tenant, ready)
}

// follows waits until the tenant's status and its server's Role name exactly these UserDefaults.
func (w *world) follows(tenant *v1alpha1.ProvisioningTenant, names ...string) {
	w.Helper()
	w.eventually("the server follows the accepted UserDefaults", func() string {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err.Error()
		}
		var allowed []string
		for _, rule := range get(w, &rbacv1.Role{}, "contoso-scim").Rules {
			if slices.Contains(rule.Resources, "userdefaults") {
				allowed = rule.ResourceNames
			}
		}
		if !slices.Equal(tenant.Status.UserDefaults, names) || !slices.Equal(allowed, names) {
			return "the status names " + join(tenant.Status.UserDefaults) + ", the Role " + join(allowed) + ", want " + join(names)
		}
		return ""
	})
}

func TestUserDefaultsAreReadyWhenTheServerWorksWithThisGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	defaults := create(w, w.defaults("everybody"))
	w.untilDefaults(defaults, "Applied=False/WaitingForServer")
	w.serverReports(tenant, v1alpha1.DefaultsCount{Name: "everybody", Generation: defaults.Generation, MatchedUsers: 40, AppliedUsers: 30})
	w.untilDefaults(defaults, ready, "Applied=True/Applied")
	if defaults.Status.MatchedUsers != 40 || defaults.Status.AppliedUsers != 30 {
		t.Errorf("%d matched and %d applied, want 40 and 30", defaults.Status.MatchedUsers, defaults.Status.AppliedUsers)
	}
	edit(w, defaults, func(d *v1alpha1.UserDefaults) { d.Spec.Locale = "sv-SE" })
	w.untilDefaults(defaults, "Ready=False/WaitingForServer", "Applied=False/WaitingForServer")
	w.serverReports(tenant, v1alpha1.DefaultsCount{Name: "everybody", Generation: defaults.Generation, MatchedUsers: 41, AppliedUsers: 41})
	w.untilDefaults(defaults, ready)
}

// serverReports writes what a tenant's server writes, in the way it does.
func (w *world) serverReports(tenant *v1alpha1.ProvisioningTenant, counts ...v1alpha1.DefaultsCount) {
	w.Helper()
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	after.Status.Directory = &v1alpha1.DirectoryStatus{Users: 41, Defaults: counts}
	if err := w.Status().Patch(w.Context(), after, client.MergeFrom(before), client.FieldOwner("server")); err != nil {
		w.Fatal(err)
	}
}

// bug class 7: two writers of one status.
func TestTheOperatorLeavesWhatTheServerReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.serverReports(tenant)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = "new." + p.Spec.Exposure.Host })
	w.until(tenant, ready)
	if tenant.Status.Directory == nil || tenant.Status.Directory.Users != 41 {
		t.Errorf("status.directory is %+v after the operator wrote the status", tenant.Status.Directory)
	}
}

// bug class 16: references to what is not there.
func TestUserDefaultsThatComeBeforeTheirTenantWaitForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defaults := create(w, w.defaults("everybody"))
	w.untilDefaults(defaults, "Accepted=False/TenantNotFound", "Ready=False/TenantNotFound", "Reconciling=True/TenantNotFound")
	tenant := create(w, w.tenant())
	w.untilDefaults(defaults, "Accepted=True/Accepted")
	w.follows(tenant, "everybody")
	if err := w.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	w.untilDefaults(defaults, "Accepted=False/TenantNotFound")
}
