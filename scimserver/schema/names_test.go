package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestNamedTellsWhatAResourceSpeaksOf(t *testing.T) {
	const (
		enterprise = schema.EnterpriseUser
		medius     = schema.MediusUser
	)
	all := func(s *schema.Schema) []string {
		var paths []string
		for _, a := range s.Attributes {
			paths = append(paths, s.ID+":"+a.Name)
		}
		return paths
	}
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"values":                            {`{"userName":"a","active":false}`, []string{"userName", "active"}},
		"null, empty text, an empty array":  {`{"locale":null,"title":"","roles":[],"emails":null,"photos":""}`, []string{"locale", "title", "roles", "emails", "photos"}},
		"in another case":                   {`{"LOCALE":null,"Roles":null}`, []string{"locale", "roles"}},
		"behind the core schema's URN":      {`{"urn:ietf:params:scim:schemas:core:2.0:User:locale":null}`, []string{"locale"}},
		"under the core schema's URN":       {`{"urn:ietf:params:scim:schemas:core:2.0:User":{"Locale":null}}`, []string{"locale"}},
		"all of a complex attribute":        {`{"name":null}`, []string{"name"}},
		"a part of it":                      {`{"name":{"GivenName":"A","honorificPrefix":null}}`, []string{"name.givenName", "name.honorificPrefix"}},
		"a part of it in an array":          {`{"name":[{"givenName":"A"}]}`, []string{"name.givenName"}},
		"no part of it":                     {`{"name":{}}`, nil},
		"a part of it, dotted":              {`{"name.honorificPrefix":null}`, []string{"name.honorificPrefix"}},
		"a part of an attribute of several": {`{"roles.value":null}`, []string{"roles"}},
		"the elements of several":           {`{"roles":[{"value":"r"}],"emails":{"value":"e"}}`, []string{"roles", "emails"}},
		"under an extension's URN":          {`{"` + enterprise + `":{"department":null,"manager":{"value":""}}}`, []string{enterprise + ":department", enterprise + ":manager"}},
		"under an extension's URN in another case": {`{"URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user":{"Department":null}}`,
			[]string{enterprise + ":department"}},
		"behind an extension's URN":            {`{"` + enterprise + `:department":null}`, []string{enterprise + ":department"}},
		"behind an extension's URN and a dot":  {`{"` + enterprise + `.department":null}`, []string{enterprise + ":department"}},
		"behind the wrong URN":                 {`{"urn:ietf:params:scim:schemas:core:2.0:User:customFieldText1":null}`, []string{medius + ":customFieldText1"}},
		"of an extension, by its bare name":    {`{"department":null}`, []string{enterprise + ":department"}},
		"a bare value of a complex attribute":  {`{"` + enterprise + `":{"manager":"m"}}`, []string{enterprise + ":manager"}},
		"a manager by reference":               {`{"` + enterprise + `":{"manager":{"$ref":"../Users/m"}}}`, []string{enterprise + ":manager"}},
		"a manager by another name":            {`{"` + enterprise + `":{"manager":{"managerId":"m"}}}`, []string{enterprise + ":manager"}},
		"a manager without anything":           {`{"` + enterprise + `":{"manager":{}}}`, []string{enterprise + ":manager"}},
		"a whole extension that is null":       {`{"` + medius + `":null}`, all(schema.User().SchemaOf(medius))},
		"a whole extension that is empty text": {`{"` + medius + `":""}`, all(schema.User().SchemaOf(medius))},
		"a whole extension without attributes": {`{"` + medius + `":{}}`, nil},
		"what no schema knows":                 {`{"shoeSize":null,"name":{"x":null},"` + medius + `":{"y":null},"urn:x:y":null,"name.z":null}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			want := schema.Names{}
			for _, path := range c.want {
				want[path] = true
			}
			if diff := cmp.Diff(want, schema.User().Named(decode(t, c.in))); diff != "" {
				t.Errorf("named (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesHavePartsOfWhatTheySpeakOf(t *testing.T) {
	manager := schema.EnterpriseUser + ":manager"
	n := schema.Names{"name": true, "address.country": true, manager: true}
	for path, want := range map[string]bool{
		"name": true, "name.givenName": true, "names": false, "address": false, "address.country": true, "address.region": false,
		manager: true, manager + ".value": true, schema.EnterpriseUser + ":department": false, "locale": false,
	} {
		if got := n.Has(path); got != want {
			t.Errorf("Has(%s) = %t, want %t", path, got, want)
		}
	}
}

// Each part of a resource that Normalize understands is spoken of, or a PUT would take it for a value of the defaults.
func wantNamed(t *testing.T, rt *schema.ResourceType, in, canonical schema.Object) {
	t.Helper()
	names := rt.Named(in)
	for _, key := range rt.IndexKeys(canonical) {
		if !names.Has(key.Path) {
			t.Errorf("%s has a value in %s\nand is not named in %s", key.Path, encode(t, canonical), encode(t, in))
		}
	}
}
