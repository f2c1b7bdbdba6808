package clustertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

func TestUserDefaultsAreAcceptedWhenTheyFitTheCatalogAndFollowIt(t *testing.T) {
	race.Meets(t) // two reconcilers
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
	w.follows(tenant, "attribute", "company", "everybody", "filter", "role")
	w.until(tenant, "UserDefaultsInEffect=False/UserDefaultsRefused")

	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Catalog = v1alpha1.Catalog{Companies: []string{"Contoso AB", "Contoso Oy"}, Roles: []string{"approver", "boss"}}
	})
	w.untilDefaults(company, "Accepted=True/Accepted")
	w.untilDefaults(role, "Accepted=True/Accepted")

	edit(w, filter, func(d *v1alpha1.UserDefaults) { d.Spec.Filter = `userName sw "a"` })
	w.untilDefaults(filter, "Accepted=True/Accepted")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{"Contoso AB"} })
	w.untilDefaults(company, "Accepted=False/UnknownCompany")
	for _, gone := range []client.Object{role, attribute} {
		if err := w.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	w.follows(tenant, "company", "everybody", "filter")
	w.until(tenant, ready, "UserDefaultsInEffect=False/UserDefaultsRefused")
	if err := w.Delete(t.Context(), company); err != nil {
		t.Fatal(err)
	}
	w.follows(tenant, "everybody", "filter")
	w.until(tenant, ready, "UserDefaultsInEffect=True/InEffect")
}

// says waits until a condition has a message with each of these texts.
func (w *world) says(of client.Object, conditions func() []metav1.Condition, conditionType string, texts ...string) {
	w.Helper()
	w.eventually("the message of "+conditionType, func() string {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(of), of); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(conditions(), conditionType)
		for _, text := range texts {
			if c == nil || !strings.Contains(c.Message, text) {
				return fmt.Sprintf("does not say %q but %+v", text, c)
			}
		}
		return ""
	})
}

func TestABrokenEditIsToldWhileTheLastGoodVersionGoesOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tenant           func(*v1alpha1.ProvisioningTenant)
		defaults         func(*v1alpha1.UserDefaults)
		reason, mistakes string
	}{
		"a company taken from the catalog": {
			func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{"Contoso Oy"} }, nil, "UnknownCompany", `"Contoso AB"`,
		},
		"several mistakes": {nil, func(d *v1alpha1.UserDefaults) {
			d.Spec.Companies, d.Spec.Filter, d.Spec.Timezone = []string{"Nope"}, "invalid (", "invalid/Mars"
		}, "UnknownCompany", `spec.timezone: "invalid/Mars" is not valid`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant, defaults := create(w, w.tenant()), create(w, w.defaults("everybody"))
			other := create(w, w.defaults("other"))
			count := v1alpha1.DefaultsCount{Name: "everybody", Generation: 1, MatchedUsers: 40, AppliedUsers: 30}
			w.serverReports(tenant, count, v1alpha1.DefaultsCount{Name: "other", Generation: 1})
			w.untilDefaults(defaults, ready)
			w.until(tenant, ready, "UserDefaultsInEffect=True/InEffect")

			if test.tenant != nil {
				edit(w, tenant, test.tenant)
				if err := w.Delete(t.Context(), other); err != nil {
					t.Fatal(err)
				}
			} else {
				edit(w, defaults, test.defaults)
			}
			w.untilDefaults(defaults, "Ready=False/"+test.reason, "Accepted=False/"+test.reason, "Applied=False/"+test.reason, "Stalled=True/"+test.reason)
			goesOn := "The version of generation 1 goes on being applied."
			conditions := func() []metav1.Condition { return defaults.Status.Conditions }
			w.says(defaults, conditions, v1alpha1.ConditionAccepted, test.mistakes, goesOn)
			w.says(defaults, conditions, v1alpha1.ConditionApplied, goesOn)
			if defaults.Status.MatchedUsers != 40 || defaults.Status.AppliedUsers != 30 {
				t.Errorf("%d matched and %d applied, want those who have the version before", defaults.Status.MatchedUsers, defaults.Status.AppliedUsers)
			}
			w.until(tenant, ready, "UserDefaultsInEffect=False/UserDefaultsRefused")
			of := func() []metav1.Condition { return tenant.Status.Conditions }
			w.says(tenant, of, v1alpha1.ConditionUserDefaultsInEffect, "UserDefaults everybody: ", `spec.companies`, "goes on being applied")
			w.says(tenant, of, v1alpha1.ConditionReady, "see condition UserDefaultsInEffect")
			if test.tenant != nil {
				w.follows(tenant, "everybody") // and what is deleted is no longer told
				w.eventually("the deleted one is no longer told", func() string {
					if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
						return err.Error()
					}
					if c := meta.FindStatusCondition(of(), v1alpha1.ConditionUserDefaultsInEffect); strings.Contains(c.Message, "UserDefaults other") {
						return c.Message
					}
					return ""
				})
				edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{"Contoso AB"} })
			} else {
				w.follows(tenant, "everybody", "other")
				edit(w, defaults, func(d *v1alpha1.UserDefaults) {
					d.Spec.Companies, d.Spec.Filter, d.Spec.Timezone = []string{"Contoso AB"}, "", ""
				})
			}
			w.untilDefaults(defaults, "Accepted=True/Accepted")
			w.until(tenant, ready, "UserDefaultsInEffect=True/InEffect")
		})
	}
}

func TestDefaultsThatNeverWereGoodSayThatUsersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	defaults := create(w, w.defaults("finance", func(d *v1alpha1.UserDefaults) { d.Spec.Companies = []string{"Nope"} }))
	w.untilDefaults(defaults, "Accepted=False/UnknownCompany")
	w.serverReports(tenant, v1alpha1.DefaultsCount{Name: "finance", MatchedUsers: 3, RefusedGeneration: 1, Refused: `company "Nope" is not there`})
	w.says(defaults, func() []metav1.Condition { return defaults.Status.Conditions }, v1alpha1.ConditionAccepted, "No version was good yet")
	if defaults.Status.MatchedUsers != 3 || defaults.Status.AppliedUsers != 0 {
		t.Errorf("%d matched and %d applied, want the 3 who wait", defaults.Status.MatchedUsers, defaults.Status.AppliedUsers)
	}
}

// The server has other schemas in effect than the spec declares, where stored values contradict these.
func TestWhatTheServerRefusesIsNotAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant, defaults := create(w, w.tenant()), create(w, w.defaults("everybody"))
	w.untilDefaults(defaults, "Accepted=True/Accepted")
	edit(w, defaults, func(d *v1alpha1.UserDefaults) { d.Spec.Locale = "sv-SE" })
	w.serverReports(tenant, v1alpha1.DefaultsCount{Name: "everybody", Generation: 1, RefusedGeneration: 2, Refused: "the server's words"})
	w.untilDefaults(defaults, "Accepted=False/RefusedByServer", "Ready=False/RefusedByServer")
	w.says(defaults, func() []metav1.Condition { return defaults.Status.Conditions }, v1alpha1.ConditionAccepted,
		"the server's words", "generation 1 goes on")
	w.until(tenant, ready, "UserDefaultsInEffect=False/UserDefaultsRefused")
	w.says(tenant, func() []metav1.Condition { return tenant.Status.Conditions }, v1alpha1.ConditionUserDefaultsInEffect, "everybody", "the server's words")

	edit(w, defaults, func(d *v1alpha1.UserDefaults) { d.Spec.Locale = "fi-FI" }) // of which it has not spoken yet
	w.untilDefaults(defaults, "Accepted=True/Accepted")
	w.until(tenant, "UserDefaultsInEffect=True/InEffect")
}

// A tenant whose status cannot be written any more would say nothing at all. Names are as long as they can be, and so are reasons.
func TestTheStatusHasRoomForAsManyUserDefaultsAsAServerFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	var all []v1alpha1.DefaultsCount
	for n := range v1alpha1.MaxUserDefaults {
		all = append(all, v1alpha1.DefaultsCount{
			Name: fmt.Sprintf("%0253d", n), RefusedGeneration: 1, Refused: strings.Repeat("x", v1alpha1.MaxDefaultsRefusal),
		})
	}
	w.serverReports(tenant, all...)
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	for _, count := range all {
		after.Status.UserDefaults = append(after.Status.UserDefaults, count.Name)
	}
	if err := w.Status().Patch(t.Context(), after, client.MergeFrom(before), client.FieldOwner("operator")); err != nil {
		t.Errorf("the names do not fit beside the counts: %v", err)
	}
	w.follows(tenant) // none of them exists
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

// bug class 11: Ready too early, here while the server has not looked at every user yet.
func TestUserDefaultsTellHowManyUsersTheServerHasStillToLookAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	changed, other := create(w, w.defaults("changed")), create(w, w.defaults("other"))
	count := func(of *v1alpha1.UserDefaults, generation, pending int64) v1alpha1.DefaultsCount {
		return v1alpha1.DefaultsCount{Name: of.Name, Generation: generation, PendingGeneration: pending, MatchedUsers: 40, AppliedUsers: 30}
	}
	message := func(of *v1alpha1.UserDefaults, want string) {
		t.Helper()
		w.eventually("the message of Applied", func() string {
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(of), of); err != nil {
				return err.Error()
			}
			if c := meta.FindStatusCondition(of.Status.Conditions, v1alpha1.ConditionApplied); c == nil || c.Message != want {
				return fmt.Sprintf("is not %q but %+v", want, c)
			}
			return ""
		})
	}
	w.serverReportsOn(tenant, 0, count(changed, 1, 0), count(other, 1, 0))
	w.untilDefaults(changed, ready)
	w.untilDefaults(other, ready)

	edit(w, changed, func(d *v1alpha1.UserDefaults) { d.Spec.Locale = "sv-SE" })
	w.untilDefaults(changed, "Ready=False/WaitingForServer")
	w.serverReportsOn(tenant, 3200, count(changed, 1, 2), count(other, 1, 0))
	w.untilDefaults(changed, "Ready=False/Progressing", "Applied=False/Progressing", "Reconciling=True/Progressing")
	message(changed, "The tenant's server holds its users against these defaults; users still to be looked at: 3200.")
	w.serverReportsOn(tenant, 100, count(changed, 1, 2), count(other, 1, 0))
	message(changed, "The tenant's server holds its users against these defaults; users still to be looked at: 100.")
	w.untilDefaults(other, ready) // which has nothing to do with it
	w.serverReportsOn(tenant, 0, count(changed, 2, 0), count(other, 1, 0))
	w.untilDefaults(changed, ready, "Applied=True/Applied")

	// Made anew, it has the generation of the one before it, whose values the server still knows.
	w.serverReportsOn(tenant, 41, count(changed, 2, 0), count(other, 1, 1))
	w.untilDefaults(other, "Ready=False/Progressing")
}

// serverReports writes what a tenant's server writes, in the way it does.
func (w *world) serverReports(tenant *v1alpha1.ProvisioningTenant, counts ...v1alpha1.DefaultsCount) {
	w.Helper()
	w.serverReportsOn(tenant, 0, counts...)
}

// serverReportsOn is serverReports while users are still to be held against defaults.
func (w *world) serverReportsOn(tenant *v1alpha1.ProvisioningTenant, pending int64, counts ...v1alpha1.DefaultsCount) {
	w.Helper()
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	after.Status.Directory = &v1alpha1.DirectoryStatus{Users: 41, DefaultsPending: pending, Defaults: counts}
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

// Tools put finalizers on what they manage, and forget them.
func TestUserDefaultsThatAreHeldByAFinalizerAreSaidToBeDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defaults := create(w, w.defaults("everybody", func(d *v1alpha1.UserDefaults) { d.Finalizers = []string{"test/hold"} }))
	tenant := create(w, w.tenant())
	w.follows(tenant, "everybody")
	if err := w.Delete(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	w.untilDefaults(defaults, "Accepted=False/Terminating", "Applied=False/Terminating", "Ready=False/Terminating", "Reconciling=True/Terminating")
	w.follows(tenant)
	edit(w, defaults, func(d *v1alpha1.UserDefaults) { d.Finalizers = nil })
	gone(w, &v1alpha1.UserDefaults{}, "everybody")
}

// bug class 16: references to what is not there.
func TestUserDefaultsThatComeBeforeTheirTenantWaitForIt(t *testing.T) {
	race.Meets(t) // one reconciler triggers the other
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
