package scim

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// TestEveryMappedAttributeIsDiscoverable does what test 15 of Microsoft's gallery suite does (5.2.15): it flattens /Schemas to
// the names of Entra's mappings and wants every one that the MediusFlow tutorial and Entra's default mapping use.
func TestEveryMappedAttributeIsDiscoverable(t *testing.T) {
	t.Parallel()
	mapped := []string{
		"userName", "active", "displayName", "title", "preferredLanguage", "externalId", "nickName", "userType", "timezone", "locale",
		"name.givenName", "name.familyName", "name.formatted", "name.displayName",
		`emails[type eq "work"].value`, `emails[type eq "other"].value`,
		`phoneNumbers[type eq "work"].value`, `phoneNumbers[type eq "mobile"].value`, `phoneNumbers[type eq "fax"].value`,
		`addresses[type eq "work"].formatted`, `addresses[type eq "work"].streetAddress`, `addresses[type eq "work"].locality`,
		`addresses[type eq "work"].region`, `addresses[type eq "work"].postalCode`, `addresses[type eq "work"].country`,
		"roles.value", "groups.value", "members.value", "members.type",
		enterprise + ":employeeNumber", enterprise + ":department", enterprise + ":costCenter", enterprise + ":organization",
		enterprise + ":division", enterprise + ":manager.value",
		medius + ":configurationFilter", medius + ":identityProvider", medius + ":nameIdentifier",
		medius + ":customFieldText1", medius + ":customFieldText2", medius + ":customFieldText3", medius + ":customFieldText4",
		medius + ":customFieldText5",
	}
	onEachEngine(t, func(t *testing.T, s *server) {
		got := s.send(t, "GET", "/Schemas", "", nil)
		var list struct{ Resources []definition }
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 {
			t.Fatalf("%d %v\n%s", got.status, err, got.body)
		}
		found := map[string]attribute{}
		for _, d := range list.Resources {
			prefix := ""
			if d.ID != coreUser && d.ID != coreGroup {
				prefix = d.ID + ":"
			}
			for _, a := range d.Attributes {
				flatten(found, prefix+a.Name, a)
			}
		}
		for _, name := range mapped {
			if _, ok := found[name]; !ok {
				t.Errorf("/Schemas lacks %s", name)
			}
		}
		var required []string
		for name, a := range found {
			if a.Required {
				required = append(required, name)
			}
		}
		slices.Sort(required)
		// displayName is the group's; of users it is optional, and the cases 2.4 and 1.9.5 show what is required of whom.
		if !slices.Contains(required, "userName") {
			t.Errorf("required are %v", required)
		}
	})
}

type definition struct {
	ID         string
	Attributes []attribute
}

type attribute struct {
	Name            string
	MultiValued     bool
	Required        bool
	CanonicalValues []string
	SubAttributes   []attribute
}

func flatten(found map[string]attribute, name string, a attribute) {
	found[name] = a
	for _, sub := range a.SubAttributes {
		found[name+"."+sub.Name] = sub
		if !a.MultiValued || sub.Name != "type" {
			continue
		}
		for _, kind := range sub.CanonicalValues {
			for _, value := range a.SubAttributes {
				found[fmt.Sprintf(`%s[type eq "%s"].%s`, name, kind, value.Name)] = value
			}
		}
	}
}
