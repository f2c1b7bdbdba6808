package directory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/test/race"
)

var catalog = v1alpha1.Catalog{Companies: []string{"Contoso AB", "Contoso GmbH"}, Roles: []string{"approver", "purchaser"}}

func userDefaults(name string, spec v1alpha1.UserDefaultsSpec) *v1alpha1.UserDefaults {
	if spec.Companies == nil {
		spec.Companies = []string{"Contoso AB"}
	}
	return &v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}, Spec: spec}
}

// world is a directory over a real database.
type world struct {
	*directory.Directory
	t     *testing.T
	store store.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return &world{t: t, store: database, Directory: directory.New(directory.Options{Store: database, Now: func() time.Time { return now }})}
}

// set replaces the defaults and follows them to the end.
func (w *world) set(all ...*v1alpha1.UserDefaults) {
	w.t.Helper()
	var compiled []*directory.Defaults
	for _, ud := range all {
		d, err := directory.NewDefaults(ud, catalog, schema.User())
		if err != nil {
			w.t.Fatal(err)
		}
		compiled = append(compiled, d)
	}
	w.SetDefaults(compiled)
	w.looks()
}

// followed tells whether every user was held against these defaults.
func (w *world) followed(all []*v1alpha1.UserDefaults) bool {
	w.t.Helper()
	status := w.status()
	if len(status.Defaults) != len(all) || status.DefaultsPending != 0 {
		return false
	}
	for i, ud := range all {
		if count := status.Defaults[i]; count.Name != ud.Name || count.Generation != ud.Generation || count.PendingGeneration != 0 {
			return false
		}
	}
	return true
}

func (w *world) status() v1alpha1.DirectoryStatus {
	w.t.Helper()
	status, err := w.Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func (w *world) create(body string) string {
	w.t.Helper()
	created, err := w.Create(w.t.Context(), directory.Caller{Client: "test"}, store.User, w.arrived(store.User, body))
	if err != nil {
		w.t.Fatal(err)
	}
	return created.ID
}

func (w *world) patch(id, operations string) {
	w.t.Helper()
	request, err := patch.Parse(w.Type(store.User), []byte(`{"Operations":[`+operations+`]}`))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Patch(w.t.Context(), directory.Caller{Client: "test"}, directory.Target{Kind: store.User, ID: id}, request); err != nil {
		w.t.Fatal(err)
	}
}

// sees compares a user's attributes, but for userName and active, with JSON.
func (w *world) sees(id, want string) {
	w.t.Helper()
	got, err := w.Get(w.t.Context(), directory.Target{Kind: store.User, ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	attributes, err := schema.Decode(got.Document)
	if err != nil {
		w.t.Fatal(err)
	}
	delete(attributes, "userName")
	delete(attributes, "active")
	wanted, err := schema.Decode([]byte(want))
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, attributes); diff != "" {
		w.t.Errorf("user (-want +got):\n%s", diff)
	}
}

// tenantry is what a user says of defaults that gave it companies, and the values at paths.
func tenantry(name, companies string, paths ...string) string {
	list := make([]string, len(paths))
	for i, path := range paths {
		list[i] = `{"path":"` + path + `","defaults":"` + name + `"}`
	}
	return `"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"defaults":"` + name + `","companies":[` + companies + `],
		"defaulted":[` + strings.Join(list, ",") + `]}`
}

// withCleared adds to what tenantry returns that the client has cleared the attribute at path.
func withCleared(tenantry, path string) string {
	return strings.TrimSuffix(tenantry, "}") + `,"cleared":["` + path + `"]}`
}

const medius = `"urn:ietf:params:scim:schemas:extension:medius:2.0:User"`

func TestTheFirstMatchByPriorityAppliesAndNoOther(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.set(
		userDefaults("finance", v1alpha1.UserDefaultsSpec{Priority: 100, ConfigurationFilter: "finance", Roles: []string{"approver"}, Locale: "sv-SE"}),
		userDefaults("managers", v1alpha1.UserDefaultsSpec{Priority: 50, Filter: `title co 'manager' and department pr`, Companies: []string{"Contoso GmbH"}}),
		userDefaults("zz-fallback", v1alpha1.UserDefaultsSpec{Timezone: "Europe/Stockholm"}),
	)
	w.sees(w.create(`{"userName":"a","title":"Manager",`+medius+`:{"configurationFilter":"FINANCE"}}`),
		`{"title":"Manager",`+medius+`:{"configurationFilter":"FINANCE"},"roles":[{"value":"approver"}],"locale":"sv-SE",`+tenantry("finance", `"Contoso AB"`, "locale", "roles")+`}`)
	w.sees(w.create(`{"userName":"b","title":"Manager","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}`),
		`{"title":"Manager","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"},`+tenantry("managers", `"Contoso GmbH"`)+`}`)
	w.sees(w.create(`{"userName":"c"}`), `{"timezone":"Europe/Stockholm",`+tenantry("zz-fallback", `"Contoso AB"`, "timezone")+`}`)
}

func TestAValueThatTheClientSentAlwaysWins(t *testing.T) {
	race.Meets(t)
	for _, mode := range []v1alpha1.ApplyMode{v1alpha1.ApplyOnCreate, v1alpha1.ApplyAlways} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			w.set(userDefaults("all", v1alpha1.UserDefaultsSpec{
				Apply: mode, Roles: []string{"approver"}, Locale: "sv-SE", PreferredLanguage: "sv",
				Attributes: []v1alpha1.AttributeDefault{
					{Path: "title", Value: "Employee"}, {Path: "name.honorificPrefix", Value: "Dr"},
					{Path: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", Value: "0"},
				},
			}))
			w.sees(w.create(`{"userName":"a","locale":"de-DE","roles":[{"value":"User","primary":true}],"title":"Boss","name":{"givenName":"A"}}`),
				`{"locale":"de-DE","roles":[{"value":"User","primary":true}],"title":"Boss","name":{"givenName":"A","honorificPrefix":"Dr"},"preferredLanguage":"sv",
				  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"costCenter":"0"},`+tenantry("all", `"Contoso AB"`,
					"name.honorificPrefix", "preferredLanguage", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter")+`}`)
		})
	}
}

func TestOnCreateStampsAndLeavesTheValuesToTheClient(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	before := w.create(`{"userName":"before"}`)
	w.set(userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyOnCreate, Locale: "sv-SE"}))
	after := w.create(`{"userName":"after"}`)
	w.sees(before, `{}`)
	w.sees(after, `{"locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)

	changed := userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyOnCreate, Locale: "fi-FI", Companies: []string{"Contoso GmbH"}})
	changed.Generation = 2
	w.set(changed)
	w.sees(after, `{"locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	w.patch(after, `{"op":"Replace","path":"locale","value":""}`)
	w.sees(after, `{`+withCleared(tenantry("all", `"Contoso AB"`), "locale")+`}`)

	status, err := w.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := status.Defaults[0]; got.MatchedUsers != 2 || got.AppliedUsers != 1 {
		t.Errorf("counts = %+v, want 2 matched and 1 applied", got)
	}
}

func TestAlwaysFollowsTheResource(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	var ids []string
	for name := range strings.FieldsSeq(strings.Repeat("x ", 250)) {
		ids = append(ids, w.create(`{"userName":"`+name+strings.Repeat("i", len(ids))+`"}`))
	}
	own := w.create(`{"userName":"own","locale":"de-DE"}`)
	ud := userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Locale: "sv-SE"})
	w.set(ud)
	for _, id := range []string{ids[0], ids[99], ids[100], ids[249]} {
		w.sees(id, `{"locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	}
	w.sees(own, `{"locale":"de-DE",`+tenantry("all", `"Contoso AB"`)+`}`)

	w.patch(own, `{"op":"Remove","path":"locale"}`)
	w.sees(own, `{`+withCleared(tenantry("all", `"Contoso AB"`), "locale")+`}`)

	changed := ud.DeepCopy()
	changed.Generation, changed.Spec.Locale = 2, "fi-FI"
	w.set(changed)
	w.sees(ids[0], `{"locale":"fi-FI",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	w.sees(own, `{`+withCleared(tenantry("all", `"Contoso AB"`), "locale")+`}`)
	found, err := w.List(t.Context(), store.User, directory.Query{Filter: `locale eq "fi-FI"`, Limit: 1})
	if err != nil || found.Total != 250 {
		t.Errorf("%d users are found by the new value, want 250 (%v)", found.Total, err)
	}

	w.set()
	w.sees(ids[0], `{}`)
	w.sees(own, `{"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"defaulted":[],"cleared":["locale"]}}`)
	w.patch(own, `{"op":"Replace","path":"locale","value":"de-DE"}`)
	w.sees(own, `{"locale":"de-DE"}`)
}

func TestFollowingTwiceWritesOnce(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	id := w.create(`{"userName":"a"}`)
	ud := userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Locale: "sv-SE"})
	w.set(ud)
	first, err := w.Get(t.Context(), directory.Target{Kind: store.User, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	again := ud.DeepCopy()
	again.Generation = 2
	w.set(again)
	second, err := w.Get(t.Context(), directory.Target{Kind: store.User, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if first.Version != 2 || second.Version != 2 {
		t.Errorf("versions %d and %d, want 2 and 2: the same values are no change", first.Version, second.Version)
	}
}

func TestEveryChangeLeavesOneRowInTheProvisioningLogWithoutValues(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.set(userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Locale: "sv-SE"}))
	id := w.create(`{"userName":"anna@contoso.test","title":"Boss"}`)
	w.patch(id, `{"op":"Replace","path":"title","value":"Chief"},{"op":"Add","path":`+medius[:len(medius)-1]+`:customFieldText1","value":"CC"}`)
	w.patch(id, `{"op":"Replace","path":"title","value":"Chief"}`)
	if err := w.Delete(t.Context(), directory.Caller{Client: "test"}, directory.Target{Kind: store.User, ID: id}); err != nil {
		t.Fatal(err)
	}
	entries, err := w.store.Log(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, strings.Join([]string{e.Operation, e.ResourceID, e.Client, e.Defaults, strings.Join(e.Attributes, ",")}, " "))
	}
	want := []string{
		"create " + id + " test all active,locale,title,urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:companies,urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:defaulted,urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:defaults,userName",
		"patch " + id + " test all title,urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1",
		"delete " + id + " test  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Many applications have no companies.
func TestDefaultsMayGiveNoCompany(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	everybody := func(companies ...string) *v1alpha1.UserDefaults {
		ud := userDefaults("everybody", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Companies: []string{}, Roles: []string{"approver"}})
		ud.Spec.Companies = append(ud.Spec.Companies, companies...)
		return ud
	}
	const without = `{"roles":[{"value":"approver"}],"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"defaults":"everybody",
		"defaulted":[{"path":"roles","defaults":"everybody"}]}}`
	w.set(everybody())
	id := w.create(`{"userName":"anna"}`)
	w.sees(id, without)
	w.set(everybody("Contoso AB"))
	w.sees(id, `{"roles":[{"value":"approver"}],`+tenantry("everybody", `"Contoso AB"`, "roles")+`}`)
	w.set(everybody())
	w.sees(id, without)
}

func TestDefaultsThatMakeNoSenseAreRefusedWithTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		spec v1alpha1.UserDefaultsSpec
		want string
	}{
		"an unknown company":           {v1alpha1.UserDefaultsSpec{Companies: []string{"Nobody Inc"}}, `company "Nobody Inc" is not in spec.catalog.companies`},
		"an unknown role":              {v1alpha1.UserDefaultsSpec{Roles: []string{"king"}}, `role "king" is not in spec.catalog.roles`},
		"a filter that does not parse": {v1alpha1.UserDefaultsSpec{Filter: `department eq`}, `filter: `},
		"quotes that do not match":     {v1alpha1.UserDefaultsSpec{Filter: `department eq Finance'`}, `values stand in double quotes`},
		"an unknown attribute":         {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "colour", Value: "red"}}}, `attributes: `},
		"an attribute of the server's": {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "id", Value: "1"}}}, `attributes: id`},
		"an attribute with several":    {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "emails.value", Value: "x"}}}, `several values`},
		"a time zone of no place":      {v1alpha1.UserDefaultsSpec{Timezone: "Mars/Base"}, `timezone: "Mars/Base" is no name of the IANA time zone database`},
		"an unknown locale":            {v1alpha1.UserDefaultsSpec{Locale: "xx-YY"}, `locale: "xx-YY" is no language tag`},
		"an unknown language":          {v1alpha1.UserDefaultsSpec{PreferredLanguage: "swedish"}, `preferredLanguage: "swedish" is no language tag`},
		"a time zone among attributes": {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "TimeZone", Value: "Local"}}}, `attributes: timezone: "Local" is no name`},
		"an apply of a newer version":  {v1alpha1.UserDefaultsSpec{Apply: "Sometimes"}, `apply: "Sometimes" is of a newer version`},
		"the second of two mistakes":   {v1alpha1.UserDefaultsSpec{Roles: []string{"king"}, Timezone: "Mars/Base", Filter: "("}, `timezone: "Mars/Base"`},
		"the last of many mistakes":    {v1alpha1.UserDefaultsSpec{Roles: []string{"king"}, Filter: "(", Attributes: []v1alpha1.AttributeDefault{{Path: "no", Value: "1"}, {Path: "name", Value: "x"}}}, `name is complex`},
		"a complex attribute":          {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "name", Value: "x"}}}, `name is complex`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := directory.NewDefaults(userDefaults("finance", c.spec), catalog, schema.User())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "UserDefaults finance") {
				t.Errorf("error = %v, want one that names the resource and says %q", err, c.want)
			}
		})
	}
}
