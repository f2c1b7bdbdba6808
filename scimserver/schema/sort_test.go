package schema_test

import (
	"errors"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestSortPath(t *testing.T) {
	rt := schema.User()
	for _, c := range []struct{ name, in, want string }{
		{"an attribute in odd case", "USERNAME", "userName"},
		{"a sub-attribute", "name.givenName", "name.givenName"},
		{"an extension's attribute", schema.EnterpriseUser + ":department", schema.EnterpriseUser + ":department"},
		{"a core URN", schema.CoreUser + ":userName", "userName"},
		{"several values", "emails", "emails.value"},
		{"the time of creation", "meta.created", "meta.created"},
		{"simple values", schema.TenantryUser + ":companies", schema.TenantryUser + ":companies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rt.SortPath(c.in)
			if err != nil || got.String() != c.want {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
	for name, c := range map[string]struct{ in, want string }{
		"what nobody knows":           {"shoeSize", `this resource has no attribute "shoeSize"; /Schemas lists those that it has`},
		"a whole name":                {"name", "a list can be sorted by a sub-attribute of name, not by the whole"},
		"what is never returned":      {"password", "a list cannot be sorted by password, which is never returned"},
		"a filter (RFC 7644 3.4.2.3)": {`emails[type eq "work"]`, "an attribute name was expected, such as userName, name.givenName or " + schema.EnterpriseUser + ":department"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := rt.SortPath(c.in)
			var got *schema.Error
			if !errors.As(err, &got) || got.ScimType != schema.InvalidPath || got.Detail != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSortKey(t *testing.T) {
	rt := schema.User(&schema.Schema{ID: "urn:example:device:1.0:User", Attributes: []*schema.Attribute{{Name: "seats", Type: schema.TypeInteger}}})
	for _, c := range []struct{ name, path, object, want string }{
		{"case does not count", "title", `{"title":"Årsbok CHEF"}`, "Årsbok chef"},
		{"unless the attribute is caseExact", "externalId", `{"externalId":"Ext"}`, "Ext"},
		{"the primary of several", "emails", `{"emails":[{"value":"b"},{"value":"a","primary":true}]}`, "a"},
		{"the first without a primary", "emails", `{"emails":[{"value":"b"},{"value":"a","primary":false}]}`, "b"},
		{"another sub-attribute of the primary", "emails.type", `{"emails":[{"type":"x"},{"type":"home","primary":true}]}`, "home"},
		{"the primary has none", "emails.type", `{"emails":[{"type":"x"},{"value":"a","primary":true}]}`, ""},
		{"times in one zone", "meta.created", `{"meta":{"created":"2026-01-31T12:00:00+02:00"}}`, "2026-01-31T10:00:00.000000000Z"},
		{"the first of simple values", "companies", `{"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"companies":["B","A"]}}`, "b"},
		{"nothing", "title", `{}`, ""},
		{"an empty list", "emails", `{"emails":[]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := rt.SortPath(c.path)
			if err != nil {
				t.Fatal(err)
			}
			obj, err := schema.Decode([]byte(c.object))
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.SortKey(obj); got != c.want || ok != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, ok, c.want)
			}
		})
	}
	t.Run("numbers are in their own order", func(t *testing.T) {
		p, err := rt.SortPath("seats")
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for _, number := range []string{"-1e400", "-100", "-2.5", "-0", "0", "0.5", "2", "10", "100", "1e300", "1e400"} {
			obj, err := schema.Decode([]byte(`{"urn:example:device:1.0:User":{"seats":` + number + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			key, ok := p.SortKey(obj)
			if !ok || key < last || key == last && number != "0" {
				t.Errorf("%s has the key %s after %s", number, key, last)
			}
			last = key
		}
	})
}
