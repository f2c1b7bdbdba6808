package protocol_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	coreUserURN  = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroupURN = "urn:ietf:params:scim:schemas:core:2.0:Group"
)

// TestEveryAttributeThatIsAdvertisedComesBack creates resources with a value of everything that a client can write, and reads
// them. What /Schemas says is returned by default or always must be there, and nothing else may be.
func TestEveryAttributeThatIsAdvertisedComesBack(t *testing.T) {
	f := newFixture(t)
	f.directory.SetDefaults(speaking(t, 1, "sv-SE"))
	f.declare(hrSchema())
	schemas := f.listed("/Schemas")
	meta := []any{map[string]any{
		"name": "meta", "type": "complex", "returned": "default", // which /Schemas does not repeat for each schema
		"subAttributes": []any{
			map[string]any{"name": "resourceType", "returned": "default"}, map[string]any{"name": "created", "returned": "default"},
			map[string]any{"name": "lastModified", "returned": "default"}, map[string]any{"name": "location", "returned": "default"},
			map[string]any{"name": "version", "returned": "default"},
		},
	}}
	attributes := func(urn string) []any {
		t.Helper()
		listed, _ := schemas[urn]["attributes"].([]any)
		if len(listed) == 0 {
			t.Fatalf("/Schemas has no attributes of %s", urn)
		}
		return listed
	}

	f.create("boss", "/Users", `{"userName":"boss"}`)
	user := sample(attributes(coreUserURN))
	extensions := []string{enterpriseURN, "urn:ietf:params:scim:schemas:extension:medius:2.0:User", hrURN}
	for _, urn := range extensions {
		user[urn] = sample(attributes(urn))
	}
	user[enterpriseURN].(map[string]any)["manager"] = map[string]any{"value": f.ids["boss"]}
	f.create("anna", "/Users", encode(t, user))
	group := sample(attributes(coreGroupURN))
	group["members"] = []any{map[string]any{"value": f.ids["anna"], "$ref": tenantURL + "/Users/" + f.ids["anna"], "type": "User"}}
	f.create("buyers", "/Groups", encode(t, group))

	anna := f.object("/Users/{anna}")
	core := append(attributes(coreUserURN), meta...)
	comesBack(t, "User", core, without(anna, append(extensions, tenantryURN)))
	for _, urn := range extensions {
		values, _ := anna[urn].(map[string]any)
		comesBack(t, urn, attributes(urn), values)
	}
	f.create("ben", "/Users", `{"userName":"ben"}`)
	f.create("clara", "/Users", `{"userName":"clara"}`)
	f.setDefaults(department())
	f.expect("PATCH", "/Users/{clara}", `{"Operations":[{"op":"remove","path":"locale"},{"op":"add","path":"roles","value":"viewer"}]}`, 204, "")
	comesBack(t, tenantryURN, attributes(tenantryURN), f.object("/Users/{ben}")[tenantryURN], f.object("/Users/{clara}")[tenantryURN])
	comesBack(t, "Group", append(attributes(coreGroupURN), meta...), without(f.object("/Groups/{buyers}"), nil))
	comesBack(t, "ServiceProviderConfig", attributes(coreURN("ServiceProviderConfig")),
		without(f.object("/ServiceProviderConfig"), []string{"meta"}))
	for path, urn := range map[string]string{"/ResourceTypes": coreURN("ResourceType"), "/Schemas": coreURN("Schema")} {
		var all []any
		for _, resource := range f.listed(path) {
			all = append(all, without(resource, []string{"meta", "id"}))
		}
		comesBack(t, path, withoutAttribute(attributes(urn), "id"), all...)
	}
}

func coreURN(name string) string { return "urn:ietf:params:scim:schemas:core:2.0:" + name }

func (f *fixture) object(path string) map[string]any {
	f.t.Helper()
	var object map[string]any
	if err := json.Unmarshal(f.expect("GET", path, "", 200, "").body, &object); err != nil {
		f.t.Fatal(err)
	}
	return object
}

func encode(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// without is a resource without what every resource has, and without some keys more.
func without(resource map[string]any, keys []string) map[string]any {
	out := map[string]any{}
	for key, value := range resource {
		if key != "schemas" && (key != "id" || slices.Contains(keys, "id")) && !slices.Contains(keys, key) {
			out[key] = value
		}
	}
	return out
}

func withoutAttribute(attributes []any, name string) []any {
	return slices.DeleteFunc(slices.Clone(attributes), func(a any) bool { return a.(map[string]any)["name"] == name })
}

// sample is a value of each attribute that a client can write.
func sample(attributes []any) map[string]any {
	out := map[string]any{}
	for _, attribute := range attributes {
		a := attribute.(map[string]any)
		if a["mutability"] == "readOnly" {
			continue
		}
		value := sampleOf(a)
		if a["multiValued"] == true {
			value = []any{value}
		}
		out[a["name"].(string)] = value
	}
	return out
}

func sampleOf(a map[string]any) any {
	if canonical, _ := a["canonicalValues"].([]any); len(canonical) > 0 {
		return canonical[0]
	}
	switch a["type"] {
	case "complex":
		return sample(a["subAttributes"].([]any))
	case "boolean":
		return true
	case "integer":
		return 7
	case "decimal":
		return 1.5
	case "dateTime":
		return started
	case "binary":
		return "YWI="
	case "reference":
		return "https://contoso.example.com/x"
	}
	return "x"
}

// comesBack holds objects, or the elements of a multi-valued attribute, against their definitions: each attribute is in at least one.
func comesBack(t *testing.T, what string, attributes []any, objects ...any) {
	t.Helper()
	var want, got []string
	for _, attribute := range attributes {
		a := attribute.(map[string]any)
		name := a["name"].(string)
		if a["returned"] == "never" || a["returned"] == "request" {
			continue
		}
		want = append(want, name)
		var values []any
		for _, object := range objects {
			value, there := object.(map[string]any)[name]
			if elements, several := value.([]any); several {
				values = append(values, elements...)
			} else if there {
				values = append(values, value)
			}
		}
		if subs, whole := a["subAttributes"].([]any); whole && len(values) > 0 {
			comesBack(t, what+" "+name, subs, values...)
		}
	}
	for _, object := range objects {
		for name := range object.(map[string]any) {
			if name != "subAttributes" || slices.Contains(want, name) { // which RFC 7643 section 8.7.2 does not define within themselves
				got = append(got, name)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("%s (-advertised +returned):\n%s", what, diff)
	}
}
