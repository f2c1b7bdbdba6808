package directory_test

import (
	"fmt"
	"strings"
	"testing"

	apitypes "k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// contoso is the tenant whose defaults are followed. Its catalog is a copy.
func contoso() *v1alpha1.ProvisioningTenant {
	tenant := &v1alpha1.ProvisioningTenant{}
	tenant.Namespace, tenant.Name, tenant.UID = "customers", "contoso", "tenant-1"
	catalog.DeepCopyInto(&tenant.Spec.Catalog)
	return tenant
}

// finance is good, and for the users of a department.
func finance(apply v1alpha1.ApplyMode) v1alpha1.UserDefaults {
	ud := userDefaults("finance", v1alpha1.UserDefaultsSpec{
		Apply: apply, Priority: 100, Filter: `department eq "Finance"`, Companies: []string{"Contoso AB"}, Roles: []string{"approver"}, Locale: "sv-SE",
	})
	ud.UID = "finance-1"
	return *ud
}

// everybody is the fallback, which gives the company of others.
func everybody(apply v1alpha1.ApplyMode) v1alpha1.UserDefaults {
	ud := userDefaults("everybody", v1alpha1.UserDefaultsSpec{Apply: apply, Companies: []string{"Contoso GmbH"}, Locale: "de-DE"})
	ud.UID = "everybody-1"
	return *ud
}

const (
	ofFinance   = "finance Contoso AB approver sv-SE"
	ofEverybody = "everybody Contoso GmbH  de-DE"
	ofNobody    = "   "
)

// edited is the next generation of defaults, with what change does to them.
func edited(ud v1alpha1.UserDefaults, change func(*v1alpha1.UserDefaultsSpec)) v1alpha1.UserDefaults {
	next := *ud.DeepCopy()
	next.Generation++
	change(&next.Spec)
	return next
}

// followAll puts defaults in force and holds every user against them.
func (w *world) followAll(tenant *v1alpha1.ProvisioningTenant, all ...v1alpha1.UserDefaults) {
	w.t.Helper()
	if err := w.FollowDefaults(w.t.Context(), tenant, all); err != nil {
		w.t.Fatal(err)
	}
	w.looks()
}

// arrives creates a user of a department.
func (w *world) arrives(name, department string) string {
	w.t.Helper()
	return w.create(`{"userName":"` + name + `","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"` + department + `"}}`)
}

// has wants a user to have defaults, companies, roles and locale.
func (w *world) has(what, id, want string) {
	w.t.Helper()
	got, err := w.Get(w.t.Context(), directory.Target{Kind: store.User, ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	user := object(w.t, string(got.Document))
	stamp, _ := user[schema.TenantryUser].(schema.Object)
	text := func(value any) string {
		if value == nil {
			return ""
		}
		return fmt.Sprint(value)
	}
	list := func(value any) string {
		var texts []string
		elements, _ := value.([]any)
		for _, element := range elements {
			if role, ok := element.(schema.Object); ok {
				element = role["value"]
			}
			texts = append(texts, fmt.Sprint(element))
		}
		return strings.Join(texts, ",")
	}
	if has := strings.Join([]string{text(stamp["defaults"]), list(stamp["companies"]), list(user["roles"]), text(user["locale"])}, " "); has != want {
		w.t.Errorf("%s: the user has %q, want %q", what, has, want)
	}
}

// counts wants the count of one UserDefaults, and what it says of a refusal to contain a text.
func (w *world) counts(name string, want v1alpha1.DefaultsCount, refused string) {
	w.t.Helper()
	for _, count := range w.status().Defaults {
		if count.Name != name {
			continue
		}
		said := count.Refused
		want.Name, count.Refused = name, ""
		if count != want || !strings.Contains(said, refused) || (said == "") != (refused == "") {
			w.t.Errorf("%+v, refused: %q; want %+v, refused: %q", count, said, want, refused)
		}
		return
	}
	w.t.Errorf("nothing is counted for %s", name)
}

type brokenEdit struct {
	tenant  func(*v1alpha1.ProvisioningTenant)
	spec    func(*v1alpha1.UserDefaultsSpec)
	refused string
}

var brokenEdits = map[string]brokenEdit{
	"a company taken from the catalog": {func(t *v1alpha1.ProvisioningTenant) { t.Spec.Catalog.Companies = []string{"Contoso GmbH"} }, nil, `company "Contoso AB"`},
	"a role taken from the catalog":    {func(t *v1alpha1.ProvisioningTenant) { t.Spec.Catalog.Roles = nil }, nil, `role "approver"`},
	"an unknown company":               {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Companies = []string{"Nope"}; s.Locale = "fi-FI" }, `company "Nope"`},
	"an unknown role":                  {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Roles = append(s.Roles, "king") }, `role "king"`},
	"a broken filter":                  {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Filter = "department eq" }, "filter"},
	"an unknown attribute": {nil, func(s *v1alpha1.UserDefaultsSpec) {
		s.Attributes = []v1alpha1.AttributeDefault{{Path: "colour", Value: "red"}}
	}, "colour"},
	"an unknown locale":                {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Locale = "xx-YY" }, "xx-YY"},
	"an unknown time zone":             {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Timezone = "Mars/Base" }, "Mars/Base"},
	"an apply of a newer version":      {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Apply = "Sometimes" }, "Sometimes"},
	"another priority with a mistake":  {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Priority = -1; s.Roles = []string{"king"} }, "king"},
	"another user group and a mistake": {nil, func(s *v1alpha1.UserDefaultsSpec) { s.Filter = `department eq "Sales"`; s.Roles = []string{"king"} }, "king"},
}

func TestABrokenEditLeavesTheLastGoodVersionInForce(t *testing.T) {
	race.Meets(t)
	for name, test := range brokenEdits {
		for _, apply := range []v1alpha1.ApplyMode{v1alpha1.ApplyAlways, v1alpha1.ApplyOnCreate} {
			t.Run(name+", "+string(apply), func(t *testing.T) {
				w := newWorld(t)
				tenant, good, fallback := contoso(), finance(apply), everybody(apply)
				w.followAll(tenant, good, fallback)
				anna, hugo := w.arrives("anna", "Finance"), w.arrives("hugo", "Sales")

				broken, refused := good, int64(1)
				if test.tenant != nil {
					test.tenant(tenant)
				}
				if test.spec != nil {
					broken, refused = edited(good, test.spec), 2
				}
				holds := func(when string) {
					t.Helper()
					w.has("who was there "+when, anna, ofFinance)
					w.has("who arrives "+when, w.arrives("arrived "+when, "Finance"), ofFinance)
					w.has("another "+when, hugo, ofEverybody)
				}
				version := w.version(anna)
				w.followAll(tenant, broken, fallback)
				holds("after the edit")
				w.counts("finance", v1alpha1.DefaultsCount{Generation: 1, MatchedUsers: 2, AppliedUsers: 2, RefusedGeneration: refused}, test.refused)
				w.counts("everybody", v1alpha1.DefaultsCount{Generation: 1, MatchedUsers: 1, AppliedUsers: 1}, "")
				if w.RefusedDefaults()["finance"] == "" || len(w.RefusedDefaults()) != 1 {
					t.Errorf("refused are %v", w.RefusedDefaults())
				}
				w.restart()
				w.followAll(tenant, broken, fallback)
				holds("after a restart")
				w.followAll(tenant, broken, fallback) // settings are read again and again
				holds("after it was read again")
				if got := w.version(anna); got != version {
					t.Errorf("the user has version %d, want %d: nothing has changed", got, version)
				}

				mended := edited(broken, func(s *v1alpha1.UserDefaultsSpec) {
					good.Spec.DeepCopyInto(s)
					s.Locale = "nb-NO"
				})
				w.followAll(contoso(), mended, fallback)
				w.has("who arrives after it was mended", w.arrives("late", "Finance"), strings.Replace(ofFinance, "sv-SE", "nb-NO", 1))
				if apply == v1alpha1.ApplyAlways {
					w.has("who was there when it was mended", anna, strings.Replace(ofFinance, "sv-SE", "nb-NO", 1))
				}
				w.followAll(contoso(), fallback)
				w.has("who arrives after it was deleted", w.arrives("later", "Finance"), ofEverybody)
			})
		}
	}
}

func (w *world) version(id string) int64 {
	w.t.Helper()
	got, err := w.Get(w.t.Context(), directory.Target{Kind: store.User, ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return got.Version
}

// A value of an attribute that is no longer declared goes on out of sight.
func TestDefaultsOverAttributesThatAreNoLongerDeclaredGoOn(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "integer"}))
	tenant, ud := contoso(), finance(v1alpha1.ApplyAlways)
	ud.Spec.Filter = hrURN + `:badge sw "F"`
	ud.Spec.Attributes = []v1alpha1.AttributeDefault{{Path: hrURN + ":level", Value: "3"}}
	w.followAll(tenant, ud, everybody(v1alpha1.ApplyAlways))
	anna := w.create(`{"userName":"anna","` + hrURN + `":{"badge":"F-1"}}`)
	w.has("who was there", anna, ofFinance)
	for _, restarts := range []bool{false, true} {
		if restarts {
			w.restart()
		}
		w.declare()
		w.followAll(tenant, ud, everybody(v1alpha1.ApplyAlways))
		w.has("who was there", anna, ofFinance)
		w.counts("finance", v1alpha1.DefaultsCount{Generation: 1, MatchedUsers: 1, AppliedUsers: 1, RefusedGeneration: 1}, "badge")
	}
	w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "integer"}))
	w.followAll(tenant, ud, everybody(v1alpha1.ApplyAlways))
	w.has("who was there", anna, ofFinance)
	w.counts("finance", v1alpha1.DefaultsCount{Generation: 1, MatchedUsers: 1, AppliedUsers: 1}, "")
	w.finds(hrURN+`:level eq 3`, 1)
}

// An attribute that became one of another type cannot be asked any more for what the filter asks.
func TestDefaultsOfWhichNothingCanBeAppliedTakeNothingFromThoseWhoHaveIt(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "integer"}))
	tenant, ud := contoso(), finance(v1alpha1.ApplyAlways)
	ud.Spec.Filter = `not (` + hrURN + `:level gt 5)`
	w.followAll(tenant, ud, everybody(v1alpha1.ApplyAlways))
	anna := w.arrives("anna", "Finance")
	w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "boolean"}))
	w.followAll(tenant, ud, everybody(v1alpha1.ApplyAlways))
	w.has("who was there", anna, ofFinance)
	w.patch(anna, `{"op":"replace","path":"title","value":"Chief"}`)
	w.has("who was there and changed", anna, ofFinance)
	w.has("who arrives", w.arrives("hugo", "Finance"), ofEverybody) // nobody can tell for whom the other is
	w.followAll(tenant, everybody(v1alpha1.ApplyAlways))
	w.has("who was there, once it is deleted", anna, ofEverybody)
}

func TestDefaultsThatNeverWereGoodGiveNobodyAnothersAndTakeFromNobody(t *testing.T) {
	race.Meets(t)
	for _, apply := range []v1alpha1.ApplyMode{v1alpha1.ApplyAlways, v1alpha1.ApplyOnCreate} {
		t.Run(string(apply), func(t *testing.T) {
			w := newWorld(t)
			tenant, fallback := contoso(), everybody(apply)
			w.followAll(tenant, fallback)
			there, alone := w.arrives("there", "Finance"), w.arrives("alone", "Sales")
			broken := finance(apply)
			broken.Spec.Companies = []string{"Nope"}

			w.followAll(tenant, broken, fallback)
			arrived := w.arrives("arrived", "Finance")
			w.patch(arrived, `{"op":"replace","path":"title","value":"Chief"}`)
			w.patch(there, `{"op":"replace","path":"title","value":"Chief"}`)
			for range 2 {
				w.has("who was there", there, ofEverybody)
				w.has("who arrives and is meant", arrived, ofNobody)
				w.has("who arrives and is not", w.arrives(fmt.Sprint("other", w.status().Users), "Sales"), ofEverybody)
				w.counts("finance", v1alpha1.DefaultsCount{MatchedUsers: 1, RefusedGeneration: 1}, `company "Nope"`)
				w.restart()
				w.followAll(tenant, broken, fallback)
			}
			moved := w.arrives("moved", "Finance")
			w.patch(moved, `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Sales"}`)
			w.has("who waited and is no longer meant", moved, ofEverybody)
			deleted := w.arrives("deleted", "Finance")

			w.followAll(tenant, edited(broken, func(s *v1alpha1.UserDefaultsSpec) { s.Companies = []string{"Contoso AB"} }), fallback)
			w.has("who waited, once it is good", arrived, ofFinance)
			w.has("who waited too, once it is good", deleted, ofFinance)
			w.has("another, once it is good", alone, ofEverybody)
			want := map[v1alpha1.ApplyMode]string{v1alpha1.ApplyAlways: ofFinance, v1alpha1.ApplyOnCreate: ofEverybody}[apply]
			w.has("who was there, once it is good", there, want)
			w.counts("finance", v1alpha1.DefaultsCount{Generation: 2, MatchedUsers: 3, AppliedUsers: map[bool]int64{true: 3, false: 2}[apply == v1alpha1.ApplyAlways]}, "")
		})
	}
}

func TestWhoWaitsForDefaultsThatAreDeletedGetsThoseThatAreLeft(t *testing.T) {
	race.Meets(t)
	for _, apply := range []v1alpha1.ApplyMode{v1alpha1.ApplyAlways, v1alpha1.ApplyOnCreate} {
		w := newWorld(t)
		broken := finance(apply)
		broken.Spec.Roles = []string{"king"}
		w.followAll(contoso(), broken, everybody(apply))
		arrived := w.arrives("arrived", "Finance")
		w.has("who waits", arrived, ofNobody)
		w.followAll(contoso(), everybody(apply))
		w.has("who waited", arrived, ofEverybody)
	}
}

// Where the filter itself is wrong, nobody can tell whom it is for, and a typo must not keep everybody out.
func TestDefaultsWithAFilterThatNeverWasGoodHoldNobodyUp(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	broken := finance(v1alpha1.ApplyAlways)
	broken.Spec.Filter = "("
	w.followAll(contoso(), broken, everybody(v1alpha1.ApplyAlways))
	w.has("who arrives", w.arrives("arrived", "Finance"), ofEverybody)
}

func TestWhatWasDeletedIsGone(t *testing.T) {
	race.Meets(t)
	broken := func(uid apitypes.UID) v1alpha1.UserDefaults {
		ud := finance(v1alpha1.ApplyAlways)
		ud.UID, ud.Spec.Roles = uid, []string{"king"}
		return ud
	}
	for name, steps := range map[string][][]v1alpha1.UserDefaults{
		"deleted":                                        {{}},
		"deleted, and made anew with a mistake":          {{}, {broken("finance-2")}},
		"replaced by one with a mistake":                 {{broken("finance-2")}},
		"replaced by one with a mistake, and read again": {{broken("finance-2")}, {broken("finance-2")}},
		"broken, and then deleted and made anew":         {{edited(finance(v1alpha1.ApplyAlways), func(s *v1alpha1.UserDefaultsSpec) { s.Filter = "(" })}, {broken("finance-2")}},
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", restarts: ", restarts), func(t *testing.T) {
				w := newWorld(t)
				fallback := everybody(v1alpha1.ApplyAlways)
				w.followAll(contoso(), finance(v1alpha1.ApplyAlways), fallback)
				anna := w.arrives("anna", "Finance")
				w.has("who was there", anna, ofFinance)
				for _, all := range steps {
					if restarts {
						w.restart()
					}
					w.followAll(contoso(), append(all, fallback)...)
				}
				w.has("who was there", anna, ofEverybody)
				want := ofNobody // it waits for the new one
				if len(steps[len(steps)-1]) == 0 {
					want = ofEverybody
				}
				w.has("who arrives", w.arrives("hugo", "Finance"), want)
			})
		}
	}
}

// A resource that is deleted and made again at once is gone for a moment, in which not everybody was looked at.
func TestWhatWasDeletedIsGoneForThoseWhoWereNotLookedAtMeanwhile(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	fallback := everybody(v1alpha1.ApplyAlways)
	w.followAll(contoso(), finance(v1alpha1.ApplyAlways), fallback)
	anna := w.arrives("anna", "Finance")
	if err := w.FollowDefaults(t.Context(), contoso(), []v1alpha1.UserDefaults{fallback}); err != nil {
		t.Fatal(err)
	}
	again := finance(v1alpha1.ApplyAlways)
	again.UID, again.Spec.Roles = "finance-2", []string{"king"}
	w.followAll(contoso(), again, fallback)
	w.has("who was there", anna, ofEverybody)
}

// An import brings a version of which the catalog lacks a company: it is not applied, and takes nothing from those who have its values.
func TestAnImportedVersionThatTheCatalogLacksTakesNothing(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.followAll(contoso(), finance(v1alpha1.ApplyAlways))
	anna := w.arrives("anna", "Finance")
	smaller := contoso()
	smaller.Spec.Catalog.Companies = []string{"Contoso GmbH"}
	into := directory.New(directory.Options{Store: w.store, Catalog: &smaller.Spec.Catalog})
	if err := w.ChangeKept(t.Context(), []string{store.MetaDefaults}, func(values []string) (err error) {
		values[0], err = into.RecallDefaults(values[0])
		if strings.Contains(values[0], "Contoso AB") {
			t.Errorf("the import keeps %s", values[0])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.followAll(smaller, finance(v1alpha1.ApplyAlways))
	w.has("who was there", anna, ofFinance)
	w.has("who arrives", w.arrives("hugo", "Finance"), ofNobody)
}

// A restored tenant has other UIDs; so have its UserDefaults.
func TestLastGoodDefaultsAreOfATenantAndComeBackWithIt(t *testing.T) {
	race.Meets(t)
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenant)
		arrive string
	}{
		"the same tenant, made again": {func(t *v1alpha1.ProvisioningTenant) { t.UID = "tenant-2" }, ofFinance},
		"another name":                {func(t *v1alpha1.ProvisioningTenant) { t.Name, t.UID = "fabrikam", "tenant-2" }, ofNobody},
		"another namespace":           {func(t *v1alpha1.ProvisioningTenant) { t.Namespace, t.UID = "partners", "tenant-2" }, ofNobody},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.followAll(contoso(), finance(v1alpha1.ApplyAlways), everybody(v1alpha1.ApplyAlways))
			anna := w.arrives("anna", "Finance")
			w.restart()
			tenant, broken, fallback := contoso(), finance(v1alpha1.ApplyAlways), everybody(v1alpha1.ApplyAlways)
			test.change(tenant)
			broken.UID, fallback.UID, broken.Spec.Roles = "finance-2", "everybody-2", []string{"king"}
			for range 2 {
				w.followAll(tenant, broken, fallback)
				w.has("who was there", anna, ofFinance)
				w.has("who arrives", w.arrives(fmt.Sprint("u", w.status().Users), "Finance"), test.arrive)
				w.restart()
			}
		})
	}
}

// One of two replicas has heard of a good version before it was broken, and the other of the broken one only.
func TestReplicasComeToTheSameLastGoodVersion(t *testing.T) {
	race.Meets(t)
	first := newWorld(t)
	second := first.replica()
	good, fallback := finance(v1alpha1.ApplyAlways), everybody(v1alpha1.ApplyAlways)
	better := edited(good, func(s *v1alpha1.UserDefaultsSpec) { s.Locale = "nb-NO" })
	broken := edited(better, func(s *v1alpha1.UserDefaultsSpec) { s.Companies = []string{"Nope"} })
	first.followAll(contoso(), good, fallback)
	anna := first.arrives("anna", "Finance")

	second.followAll(contoso(), broken, fallback)
	second.has("the last good version that the store knew", anna, ofFinance)
	first.followAll(contoso(), better, fallback)
	first.followAll(contoso(), broken, fallback)
	want := strings.Replace(ofFinance, "sv-SE", "nb-NO", 1)
	changed, err := second.GoodDefaultsChanged(t.Context())
	if err != nil || !changed {
		t.Errorf("the second replica need not look again: %v", err)
	}
	second.followAll(contoso(), broken, fallback)
	for _, replica := range []*world{first, second} {
		replica.has("who was there", anna, want)
		replica.has("who arrives", replica.arrives(fmt.Sprint("u", replica.status().Users), "Finance"), want)
		if changed, err := replica.GoodDefaultsChanged(t.Context()); err != nil || changed {
			t.Errorf("a replica has to look again: %v", err)
		}
	}

	// A replica that is behind must not bring the older version back.
	behind := first.replica()
	behind.followAll(contoso(), good, fallback)
	third := first.replica()
	third.followAll(contoso(), broken, fallback)
	third.has("who arrives", third.arrives("last", "Finance"), want)
}

func TestRefusalsFitIntoAStatus(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	broken := finance(v1alpha1.ApplyAlways)
	for n := range 100 {
		broken.Spec.Companies = append(broken.Spec.Companies, fmt.Sprintf("%0256d", n))
	}
	w.followAll(contoso(), broken)
	refused := w.status().Defaults[0].Refused
	if len(refused) > v1alpha1.MaxDefaultsRefusal || !strings.Contains(refused, "company") || !strings.HasSuffix(refused, "…") {
		t.Errorf("%d bytes: %s", len(refused), refused)
	}
}
