package protocol_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestDiscoveryAnswersExactlyThis(t *testing.T) {
	f := newFixture(t)
	for path, name := range map[string]string{
		"/ServiceProviderConfig": "service-provider-config.json",
		"":                       "service-provider-config.json", // Some products probe the bare Tenant URL.
		"/ResourceTypes":         "resource-types.json",
		"/Schemas":               "schemas.json",
	} {
		got := f.expect("GET", path, "", 200, "")
		golden := filepath.Join("testdata", "discovery", name)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, got.body, "", "  "); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(golden, append(pretty.Bytes(), '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), pretty.String()+"\n"); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// listed are the resources of a discovery answer by their ids.
func (f *fixture) listed(path string) map[string]map[string]any {
	f.t.Helper()
	byID := map[string]map[string]any{}
	for _, resource := range f.field(f.expect("GET", path, "", 200, ""), "Resources").([]any) {
		r := resource.(map[string]any)
		byID[r["id"].(string)] = r
	}
	return byID
}

func TestEachSchemaAndResourceTypeIsAlsoAnsweredAlone(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/Schemas", "/ResourceTypes"} {
		all := f.listed(path)
		if len(all) < 2 {
			t.Fatalf("%s lists %d", path, len(all))
		}
		for id, want := range all {
			var got map[string]any
			if err := json.Unmarshal(f.expect("GET", path+"/"+id, "", 200, "").body, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s/%s is not what the list has (-list +alone):\n%s", path, id, diff)
			}
			if location := got["meta"].(map[string]any)["location"]; location != tenantURL+path+"/"+id {
				t.Errorf("%s/%s: meta.location = %v", path, id, location)
			}
		}
		f.wantError(f.send("GET", path+"/urn:example:nothing", ""), 404, "")
	}
}

func TestDiscoveryRefusesAFilterAndIgnoresWhatElseListsTake(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{
		"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
	} {
		f.wantError(f.send("GET", path+`?filter=id eq "x"`, ""), 403, "")
		whole := f.expect("GET", path, "", 200, "")
		got := f.expect("GET", path+"?attributes=id&excludedAttributes=attributes&startIndex=2&count=1&sortBy=id&sortOrder=descending", "", 200, "")
		if !bytes.Equal(got.body, whole.body) {
			t.Errorf("%s: parameters of lists changed the answer: %s", path, got.body)
		}
	}
}

func TestWhatIsSwitchedOffIsNotListed(t *testing.T) {
	f := newFixture(t)
	f.snapshot.Tenant.Spec.Provisioning.Users = v1alpha1.SwitchDisabled
	if types := f.listed("/ResourceTypes"); len(types) != 1 || types["Group"] == nil {
		t.Errorf("resource types: %v", types)
	}
	schemas := f.listed("/Schemas")
	if schemas["urn:ietf:params:scim:schemas:core:2.0:Group"] == nil || schemas["urn:ietf:params:scim:schemas:core:2.0:User"] != nil ||
		schemas["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] != nil {
		t.Errorf("schemas: %v", schemas)
	}
	f.wantError(f.send("GET", "/ResourceTypes/Device", ""), 404, "")
}

// mappingNames turns a schema into the names that Entra's mappings use, as test 15 of its gallery suite does.
func mappingNames(prefix string, attributes []any) []string {
	var names []string
	for _, attribute := range attributes {
		a := attribute.(map[string]any)
		name := prefix + a["name"].(string)
		names = append(names, name)
		subs, _ := a["subAttributes"].([]any)
		for _, sub := range subs {
			s := sub.(map[string]any)
			names = append(names, name+"."+s["name"].(string))
			types, _ := s["canonicalValues"].([]any)
			if s["name"] != "type" || a["multiValued"] != true {
				continue
			}
			for _, kind := range types {
				for _, other := range subs {
					names = append(names, name+`[type eq "`+kind.(string)+`"].`+other.(map[string]any)["name"].(string))
				}
			}
		}
	}
	return names
}

func TestEveryAttributeThatEntraMapsIsListed(t *testing.T) {
	f := newFixture(t)
	schemas := f.listed("/Schemas")
	names := func(id, prefix string) []string {
		return mappingNames(prefix, schemas[id]["attributes"].([]any))
	}
	const enterprise, medius = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
	users := append(append(names("urn:ietf:params:scim:schemas:core:2.0:User", ""), names(enterprise, enterprise+":")...), names(medius, medius+":")...)
	for _, mapped := range []string{
		"userName", `emails[type eq "work"].value`, "name.displayName", "active", "name.givenName", "name.familyName", "name.formatted",
		"externalId", enterprise + ":manager", "displayName", "title", "preferredLanguage", `addresses[type eq "work"].formatted`,
		`addresses[type eq "work"].streetAddress`, `addresses[type eq "work"].locality`, `addresses[type eq "work"].region`,
		`addresses[type eq "work"].postalCode`, `addresses[type eq "work"].country`, `phoneNumbers[type eq "work"].value`,
		`phoneNumbers[type eq "mobile"].value`, `phoneNumbers[type eq "fax"].value`, enterprise + ":employeeNumber", enterprise + ":department",
		medius + ":configurationFilter", medius + ":identityProvider", medius + ":nameIdentifier", medius + ":customFieldText1",
		medius + ":customFieldText2", medius + ":customFieldText3", medius + ":customFieldText4", medius + ":customFieldText5",
	} {
		if !slices.Contains(users, mapped) {
			t.Errorf("/Schemas lacks %s of users", mapped)
		}
	}
	groups := names("urn:ietf:params:scim:schemas:core:2.0:Group", "")
	for _, mapped := range []string{"displayName", "externalId", "members"} {
		if !slices.Contains(groups, mapped) {
			t.Errorf("/Schemas lacks %s of groups", mapped)
		}
	}
}

// TestDiscoveryFitsItsOwnSchemas holds each answer against the definition of its kind that /Schemas has.
func TestDiscoveryFitsItsOwnSchemas(t *testing.T) {
	f := newFixture(t)
	schemas := f.listed("/Schemas")
	check := func(what, urn string, resource map[string]any) {
		t.Helper()
		fits(t, what, resource, schemas["urn:ietf:params:scim:schemas:core:2.0:"+urn]["attributes"].([]any), "schemas", "meta", "id")
	}
	var config map[string]any
	if err := json.Unmarshal(f.expect("GET", "/ServiceProviderConfig", "", 200, "").body, &config); err != nil {
		t.Fatal(err)
	}
	check("ServiceProviderConfig", "ServiceProviderConfig", config)
	for id, resourceType := range f.listed("/ResourceTypes") {
		check(id, "ResourceType", resourceType)
	}
	for id, definition := range schemas {
		check(id, "Schema", definition)
	}
}

func fits(t *testing.T, what string, object map[string]any, attributes []any, common ...string) {
	t.Helper()
	defined := map[string]map[string]any{}
	for _, attribute := range attributes {
		a := attribute.(map[string]any)
		defined[a["name"].(string)] = a
		if a["required"] == true && object[a["name"].(string)] == nil {
			t.Errorf("%s: %s is required", what, a["name"])
		}
	}
	for name, value := range object {
		a := defined[name]
		if a == nil {
			if !slices.Contains(common, name) {
				t.Errorf("%s: no schema has %s", what, name)
			}
			continue
		}
		subs, _ := a["subAttributes"].([]any)
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		if several != (a["multiValued"] == true) {
			t.Errorf("%s: %s is %v, multiValued %v", what, name, value, a["multiValued"])
		}
		for _, v := range values {
			if inner, ok := v.(map[string]any); ok {
				fits(t, what+" "+name, inner, subs, "subAttributes") // which the RFC does not define within themselves
			}
		}
	}
}
