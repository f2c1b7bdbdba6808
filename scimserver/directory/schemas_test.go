package directory_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

const hrURN = "urn:contoso:hr:1.0:User"

type (
	attributes    = []v1alpha1.SchemaAttribute
	subAttributes = []v1alpha1.SchemaSubAttribute
)

func hr(list ...v1alpha1.SchemaAttribute) v1alpha1.SchemaExtension {
	return v1alpha1.SchemaExtension{ID: hrURN, Attributes: list}
}

func (w *world) declare(extensions ...v1alpha1.SchemaExtension) {
	w.t.Helper()
	if err := w.SetSchemas(w.t.Context(), extensions); err != nil {
		w.t.Fatal(err)
	}
}

// restart is the directory of a new process over the same store.
func (w *world) restart() {
	w.Directory = directory.New(directory.Options{Store: w.store, Now: func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) }})
}

func object(t *testing.T, text string) schema.Object {
	t.Helper()
	obj, err := schema.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// arrived is a resource in canonical form, as the directory takes it.
func (w *world) arrived(kind store.Kind, body string) schema.Object {
	w.t.Helper()
	resource, _, err := w.Type(kind).Normalize(object(w.t, body))
	if err != nil {
		w.t.Fatal(err)
	}
	return resource
}

func (w *world) add(kind store.Kind, body string) string {
	w.t.Helper()
	created, err := w.Create(w.t.Context(), directory.Caller{}, kind, w.arrived(kind, body))
	if err != nil {
		w.t.Fatal(err)
	}
	return created.ID
}

// reads wants a resource to be seen as this document.
func (w *world) reads(kind store.Kind, id, want string) {
	w.t.Helper()
	got, err := w.Get(w.t.Context(), directory.Target{Kind: kind, ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(object(w.t, want), object(w.t, string(got.Document))); diff != "" {
		w.t.Errorf("(-want +got):\n%s", diff)
	}
}

// finds wants a filter to find so many users.
func (w *world) finds(filter string, want int) {
	w.t.Helper()
	list, err := w.List(w.t.Context(), store.User, directory.Query{Filter: filter, Limit: 10})
	if err != nil {
		w.t.Fatalf("%s: %v", filter, err)
	}
	if list.Total != want || len(list.Resources) != want {
		w.t.Errorf("%s finds %d (%d shown), want %d", filter, list.Total, len(list.Resources), want)
	}
}

func TestWhatIsNoLongerDeclaredIsKeptOutOfSightAndComesBack(t *testing.T) {
	w := newWorld(t)
	declared := hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "integer"})
	w.declare(declared)
	anna := w.add(store.User, `{"userName":"anna","`+hrURN+`":{"badge":"B-1","level":7,"unknown":"x"}}`)
	bob := w.add(store.User, `{"userName":"bob","`+hrURN+`":{"badge":"B-2"}}`)
	w.reads(store.User, anna, `{"userName":"anna","active":true,"`+hrURN+`":{"badge":"B-1","level":7}}`)
	w.finds(hrURN+`:badge eq "b-1"`, 1)
	w.finds(hrURN+`:level ge 7`, 1)

	w.declare(hr(declared.Attributes[1])) // badge goes
	w.reads(store.User, anna, `{"userName":"anna","active":true,"`+hrURN+`":{"level":7}}`)
	w.reads(store.User, bob, `{"userName":"bob","active":true}`)
	w.restart()
	w.declare() // all of it goes
	w.reads(store.User, anna, `{"userName":"anna","active":true}`)
	if _, err := w.List(t.Context(), store.User, directory.Query{Filter: hrURN + `:badge eq "b-1"`}); err == nil {
		t.Error("a filter over an attribute that is not declared is taken")
	}
	if w.Type(store.User).SchemaOf(hrURN) != nil {
		t.Error("a schema without attributes is offered")
	}
	// What happens to the users meanwhile touches what nobody sees as little as it can.
	w.patch(anna, `{"op":"replace","value":{"title":"T","`+hrURN+`:badge":"B-9"}}`)
	replaced, err := w.Replace(t.Context(), directory.Caller{}, directory.Target{Kind: store.User, ID: bob},
		w.arrived(store.User, `{"userName":"bob","title":"U","`+hrURN+`":{"badge":"B-9"}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := object(t, string(replaced.Document)); got[hrURN] != nil || got["title"] != "U" {
		t.Errorf("a replaced user is %s", replaced.Document)
	}
	carl := w.add(store.User, `{"userName":"carl","`+hrURN+`":{"badge":"B-1"}}`)

	w.restart()
	w.declare(declared)
	if refused := w.Refused(); len(refused) > 0 {
		t.Fatalf("refused: %v", refused)
	}
	w.reads(store.User, anna, `{"userName":"anna","title":"T","active":true,"`+hrURN+`":{"badge":"B-1","level":7}}`)
	w.reads(store.User, bob, `{"userName":"bob","title":"U","active":true,"`+hrURN+`":{"badge":"B-2"}}`)
	w.reads(store.User, carl, `{"userName":"carl","active":true}`)
	w.finds(hrURN+`:badge eq "b-1"`, 1)
	w.finds(hrURN+`:badge eq "B-2"`, 1)
	w.finds(hrURN+`:badge eq "B-9"`, 0)
	w.finds(hrURN+`:level eq 7`, 1)
}

func TestADeclarationThatContradictsStoredValuesIsNotFollowed(t *testing.T) {
	badge := func(change func(*v1alpha1.SchemaAttribute)) v1alpha1.SchemaAttribute {
		a := v1alpha1.SchemaAttribute{Name: "badge"}
		change(&a)
		return a
	}
	same := func(*v1alpha1.SchemaAttribute) {}
	address := func(change func(*v1alpha1.SchemaAttribute)) v1alpha1.SchemaAttribute {
		a := v1alpha1.SchemaAttribute{Name: "desk", Type: "complex", MultiValued: true, SubAttributes: subAttributes{{Name: "value"}, {Name: "floor", Type: "integer"}}}
		change(&a)
		return a
	}
	for name, test := range map[string]struct {
		before, after v1alpha1.SchemaExtension
		values        string
		want          string
	}{
		"another type": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.Type = "integer" })), `{"badge":"1"}`,
			"attribute badge must stay of type string; declare another attribute for type integer: values are stored"},
		"another type where nothing is stored": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.Type = "integer" })), `{}`, ""},
		"several values": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.MultiValued = true })), `{"badge":"1"}`,
			"attribute badge must keep multiValued false: values are stored"},
		"one value": {hr(badge(func(a *v1alpha1.SchemaAttribute) { a.MultiValued = true })), hr(badge(same)), `{"badge":["1"]}`,
			"attribute badge must keep multiValued true: values are stored"},
		"another case": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.CaseExact = true })), `{"badge":"1"}`,
			"attribute badge must keep caseExact false: values are stored"},
		"another spelling": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.Name = "Badge" })), `{"badge":"1"}`,
			"attribute Badge must be spelled badge: values are stored"},
		"another resource type": {hr(badge(same)), v1alpha1.SchemaExtension{ID: hrURN, ResourceType: "Group", Attributes: attributes{{Name: "badge"}}}, `{"badge":"1"}`,
			"id and resourceType must stay urn:contoso:hr:1.0:User and User: values are stored under them"},
		"another spelling of the id": {hr(badge(same)), v1alpha1.SchemaExtension{ID: "urn:contoso:HR:1.0:User", Attributes: attributes{{Name: "badge"}}}, `{"badge":"1"}`,
			"id and resourceType must stay urn:contoso:hr:1.0:User and User: values are stored under them"},
		"a part of another type": {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) { a.SubAttributes[1].Type = "string" })), `{"desk":[{"value":"x","floor":1}]}`,
			"attribute desk.floor must stay of type integer: values are stored"},
		"a part of another type that has no value": {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) { a.SubAttributes[1].Type = "string" })), `{"desk":[{"value":"x"}]}`, ""},
		"a part less": {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) { a.SubAttributes = a.SubAttributes[1:] })), `{"desk":[{"value":"x","floor":1}]}`, "attribute desk must keep its sub-attribute value: values are stored"},
		"a part more": {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) {
			a.SubAttributes = append(a.SubAttributes, v1alpha1.SchemaSubAttribute{Name: "room"})
		})), `{"desk":[{"value":"x","floor":1}]}`, ""},
		"a part required that all have":  {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) { a.SubAttributes[0].Required = true })), `{"desk":[{"value":"x"},{"value":"y"}]}`, ""},
		"a part required that one lacks": {hr(address(same)), hr(address(func(a *v1alpha1.SchemaAttribute) { a.SubAttributes[1].Required = true })), `{"desk":[{"value":"x","floor":1},{"value":"y"}]}`, "attribute desk must not require floor yet: stored values lack it"},
		"required and there":             {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.Required = true })), `{"badge":"1"}`, ""},
		"required and missing": {hr(badge(same), v1alpha1.SchemaAttribute{Name: "level"}), hr(badge(func(a *v1alpha1.SchemaAttribute) { a.Required = true })), `{"level":"1"}`,
			"attribute badge must not be required yet: resources with values of this schema lack it; give them one first"},
		"a new one that is required": {hr(badge(same)), hr(badge(same), v1alpha1.SchemaAttribute{Name: "level", Required: true}), `{"badge":"1"}`,
			"attribute level must not be required yet: resources with values of this schema lack it; give them one first"},
		"a new one that is required where nothing is stored": {hr(badge(same)), hr(badge(same), v1alpha1.SchemaAttribute{Name: "level", Required: true}), `{}`, ""},
		"what changes nothing that is stored": {hr(badge(same)), hr(badge(func(a *v1alpha1.SchemaAttribute) {
			a.Description, a.Mutability, a.Returned, a.CanonicalValues = "d", "immutable", "always", []string{"x"}
		})), `{"badge":"1"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.declare(test.before)
			w.add(store.User, `{"userName":"anna","`+hrURN+`":`+test.values+`}`)
			for _, how := range []string{"changed", "undeclared first", "after a restart"} {
				switch how {
				case "undeclared first":
					if test.want == "" {
						continue // then there is nothing to compare with: it was followed
					}
					w.declare()
				case "after a restart":
					w.restart()
				}
				w.declare(test.after)
				var refused []v1alpha1.RefusedSchema
				if test.want != "" {
					refused = []v1alpha1.RefusedSchema{{ID: test.after.ID, Message: test.want}}
				}
				status, err := w.Status(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(refused, status.RefusedSchemas); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				if how != "changed" {
					continue
				}
				inForce := test.after
				if test.want != "" {
					inForce = test.before
				}
				encoded := func(rt *schema.ResourceType) string {
					data, err := json.Marshal(rt.Extensions[len(rt.Extensions)-1].Attributes)
					if err != nil {
						t.Fatal(err)
					}
					return string(data)
				}
				if got, want := encoded(w.Type(store.User)), encoded(directory.Users(v1alpha1.Schema{Extensions: []v1alpha1.SchemaExtension{inForce}})); got != want {
					t.Errorf("in force: %s\nwant: %s", got, want)
				}
			}
			w.declare(test.before)
			if test.want != "" && len(w.Refused()) > 0 {
				t.Errorf("the definition before is refused too: %v", w.Refused())
			}
		})
	}
}

func TestGroupsCanBeExtendedAndSoCanEnterpriseUsers(t *testing.T) {
	w := newWorld(t)
	w.declare(
		v1alpha1.SchemaExtension{ID: "urn:contoso:hr:1.0:Group", ResourceType: "Group", Attributes: attributes{{Name: "owner", Type: "reference", ReferenceTypes: []string{"User"}}}},
		v1alpha1.SchemaExtension{ID: schema.EnterpriseUser, Attributes: attributes{{Name: "building"}}},
	)
	group := w.add(store.Group, `{"displayName":"Buyers","urn:contoso:hr:1.0:Group":{"owner":"x"}}`)
	w.reads(store.Group, group, `{"displayName":"Buyers","urn:contoso:hr:1.0:Group":{"owner":"x"}}`)
	anna := w.add(store.User, `{"userName":"anna","`+schema.EnterpriseUser+`":{"building":"7","department":"D"}}`)
	w.finds(schema.EnterpriseUser+`:building eq "7"`, 1)
	w.declare()
	w.reads(store.Group, group, `{"displayName":"Buyers"}`)
	w.reads(store.User, anna, `{"userName":"anna","active":true,"`+schema.EnterpriseUser+`":{"department":"D"}}`)
}

func TestDefaultsCanSpeakOfDeclaredAttributes(t *testing.T) {
	w := newWorld(t)
	declared := hr(v1alpha1.SchemaAttribute{Name: "badge"}, v1alpha1.SchemaAttribute{Name: "level", Type: "integer"})
	ud := userDefaults("finance", v1alpha1.UserDefaultsSpec{
		Filter: hrURN + `:badge sw "F"`, Attributes: []v1alpha1.AttributeDefault{{Path: hrURN + ":level", Value: "3"}},
	})
	if _, err := directory.NewDefaults(ud, catalog, w.Type(store.User)); err == nil {
		t.Error("defaults over attributes that are not declared are taken")
	}
	w.declare(declared)
	defaults, err := directory.NewDefaults(ud, catalog, w.Type(store.User))
	if err != nil {
		t.Fatal(err)
	}
	w.SetDefaults([]*directory.Defaults{defaults})
	anna := w.add(store.User, `{"userName":"anna","`+hrURN+`":{"badge":"F-1"}}`)
	w.reads(store.User, anna, `{"userName":"anna","active":true,"`+hrURN+`":{"badge":"F-1","level":3},
	 `+tenantry("finance", `"Contoso AB"`, hrURN+":level")+`}`)
}

func TestSchemasChangeUnderRequests(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}))
	anna := w.add(store.User, `{"userName":"anna","`+hrURN+`":{"badge":"B-1"}}`)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 25 {
				w.patch(anna, fmt.Sprintf(`{"op":"replace","path":"title","value":"%d-%d"}`, i, n))
				if _, err := w.Get(t.Context(), directory.Target{Kind: store.User, ID: anna}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for n := range 20 {
			if n%2 == 0 {
				w.declare()
			} else {
				w.declare(hr(v1alpha1.SchemaAttribute{Name: "badge"}))
			}
		}
	})
	wg.Wait()
	w.finds(hrURN+`:badge eq "B-1"`, 1)
}
