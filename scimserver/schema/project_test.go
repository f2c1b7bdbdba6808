package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

const anna = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","meta":{"resourceType":"User","version":"W/\"1\""},
	"externalId":"e","userName":"anna","name":{"givenName":"Anna","familyName":"K"},
	"emails":[{"value":"a@x","type":"work"},{"type":"home","display":"d"}],"groups":[{"value":"g"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"m"}},
	"urn:example:device:1.0:User":{"pin":"1234"}}`

func TestProject(t *testing.T) {
	const schemas = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	for _, c := range []struct {
		name                 string
		attributes, excluded []string
		want                 string
	}{
		{"id and schemas come with whatever is asked for", []string{"userName"}, nil, `{"id":"1",` + schemas + `,"userName":"anna"}`},
		{"Postman's attributes=userName,emails (entra 5.3)", []string{"USERNAME", " emails "}, nil,
			`{"emails":[{"value":"a@x","type":"work"},{"type":"home","display":"d"}],"id":"1",` + schemas + `,"userName":"anna"}`},
		{"a sub-attribute of a complex attribute", []string{"name.givenName"}, nil, `{"id":"1","name":{"givenName":"Anna"},` + schemas + `}`},
		{"a sub-attribute of every element", []string{"emails.value"}, nil, `{"emails":[{"value":"a@x"}],"id":"1",` + schemas + `}`},
		{"a whole attribute wins over its sub-attribute", []string{"name", "name.givenName"}, nil,
			`{"id":"1","name":{"givenName":"Anna","familyName":"K"},` + schemas + `}`},
		{"a filter in brackets is left aside (entra 5.3)", []string{`emails[type eq "work"].value`}, nil,
			`{"emails":[{"value":"a@x"}],"id":"1",` + schemas + `}`},
		{"an extension's attribute", []string{schema.EnterpriseUser + ":department"}, nil,
			`{"id":"1",` + schemas + `,` + enterprise + `:{"department":"D"}}`},
		{"an extension's sub-attribute", []string{"manager.value"}, nil,
			`{"id":"1",` + schemas + `,` + enterprise + `:{"manager":{"value":"m"}}}`},
		{"a whole extension", []string{schema.EnterpriseUser}, nil,
			`{"id":"1",` + schemas + `,` + enterprise + `:{"department":"D","manager":{"value":"m"}}}`},
		{"unknown names are passed over", []string{"shoeSize", "userName"}, nil, `{"id":"1",` + schemas + `,"userName":"anna"}`},
		{"only unknown names leave what is always returned", []string{"shoeSize"}, nil, `{"id":"1",` + schemas + `}`},
		{"what is returned on request comes on request", []string{"pin"}, nil, `{"id":"1",` + schemas + `,"urn:example:device:1.0:User":{"pin":"1234"}}`},
		{"excluded attributes are left out, what is always returned is not", nil,
			[]string{"meta", "groups", "emails.display", schema.EnterpriseUser, "id", "schemas"},
			`{"externalId":"e","emails":[{"value":"a@x","type":"work"},{"type":"home"}],"id":"1","name":{"familyName":"K","givenName":"Anna"},` + schemas + `,"userName":"anna"}`},
		{"chosen and excluded", []string{"userName", "name"}, []string{"name.familyName", "userName"}, `{"id":"1","name":{"givenName":"Anna"},` + schemas + `}`},
		{"nothing chosen leaves out what is returned on request", nil, nil,
			`{"externalId":"e","emails":[{"value":"a@x","type":"work"},{"type":"home","display":"d"}],"groups":[{"value":"g"}],"id":"1",
			  "meta":{"resourceType":"User","version":"W/\"1\""},"name":{"familyName":"K","givenName":"Anna"},` + schemas + `,
			  ` + enterprise + `:{"department":"D","manager":{"value":"m"}},"userName":"anna"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			obj := decode(t, anna)
			got, err := project(schema.User(device()), obj, c.attributes, c.excluded)
			if err != nil {
				t.Fatal(err)
			}
			if want := encode(t, decode(t, c.want)); encode(t, got) != want {
				t.Errorf("got  %s\nwant %s", encode(t, got), want)
			}
			if encode(t, obj) != encode(t, decode(t, anna)) {
				t.Error("the object was changed")
			}
		})
	}
	for what, want := range map[string]string{"members": `{"members":[]}`, "members.value": `{"members":[]}`, "displayName": `{}`} {
		t.Run("a group without members, of which is asked for "+what, func(t *testing.T) {
			got, err := project(schema.Group(), schema.Object{"members": []any{}}, []string{what}, nil)
			if err != nil || encode(t, got) != want {
				t.Errorf("got %s, %v, want %s", encode(t, got), err, want)
			}
		})
	}
	t.Run("members of which nothing is chosen are no empty list", func(t *testing.T) {
		group := schema.Object{"members": []any{schema.Object{"value": "x"}}}
		got, err := project(schema.Group(), group, []string{"members.display"}, nil)
		if err != nil || encode(t, got) != `{}` {
			t.Errorf("got %s, %v", encode(t, got), err)
		}
	})
	t.Run("a password that got in is never returned", func(t *testing.T) {
		got, err := project(schema.User(), schema.Object{"id": "1", "password": "x"}, []string{"password"}, nil)
		if err != nil || encode(t, got) != `{"id":"1"}` {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("refuses a bracket without its counterpart", func(t *testing.T) {
		_, err := project(schema.User(), schema.Object{}, []string{"emails[type"}, nil)
		wantError(t, err, schema.InvalidPath, "a chosen attribute has a bracket without its counterpart")
	})
}

// project applies a projection once.
func project(rt *schema.ResourceType, obj schema.Object, attributes, excluded []string) (schema.Object, error) {
	p, err := rt.Projection(attributes, excluded)
	if err != nil {
		return nil, err
	}
	return p.Apply(obj), nil
}

func TestHowMuchAResponseHas(t *testing.T) {
	users, groups := schema.User(), schema.Group()
	secret := schema.User(&schema.Schema{ID: "urn:contoso:hr", Attributes: []*schema.Attribute{{Name: "salary", Returned: schema.ReturnedRequest}}})
	for _, c := range []struct {
		name                 string
		rt                   *schema.ResourceType
		attributes, excluded string
		document, meta, rows schema.Extent
	}{
		{"everything", users, "", "", schema.Whole, schema.Whole, schema.Whole},
		{"without groups", users, "", "groups", schema.Whole, schema.Whole, schema.Nothing},
		{"without members", groups, "", "members,meta", schema.Whole, schema.Nothing, schema.Nothing},
		{"without a member's type", groups, "", "members.type,meta.created", schema.Whole, schema.Part, schema.Part},
		{"groups alone", users, "groups", "", schema.Nothing, schema.Nothing, schema.Whole},
		{"ids alone", groups, "id", "", schema.Nothing, schema.Nothing, schema.Nothing},
		{"members' ids alone", groups, "members.value", "", schema.Nothing, schema.Nothing, schema.Part},
		{"what is no attribute", users, "shoeSize", "", schema.Nothing, schema.Nothing, schema.Nothing},
		{"one attribute", users, "userName", "", schema.Part, schema.Nothing, schema.Nothing},
		{"externalId, which is stored", groups, "externalId", "", schema.Part, schema.Nothing, schema.Nothing},
		{"a part of an attribute", users, "name.familyName,meta", "", schema.Part, schema.Whole, schema.Nothing},
		{"without an attribute", users, "", "title", schema.Part, schema.Whole, schema.Whole},
		{"without an extension's attribute", users, "", schema.MediusUser + ":customFieldText1", schema.Part, schema.Whole, schema.Whole},
		{"everything but what is to be asked for", secret, "", "", schema.Part, schema.Whole, schema.Whole},
		{"all of two schemas", groups, schema.CoreGroup + ",externalId", "", schema.Whole, schema.Nothing, schema.Whole},
	} {
		t.Run(c.name, func(t *testing.T) {
			names := func(list string) []string {
				return slices.DeleteFunc(strings.Split(list, ","), func(name string) bool { return name == "" })
			}
			p, err := c.rt.Projection(names(c.attributes), names(c.excluded))
			if err != nil {
				t.Fatal(err)
			}
			rows := "groups"
			if c.rt == groups {
				rows = "members"
			}
			if document, meta, of := p.OfDocument(), p.Of("meta"), p.Of(rows); document != c.document || meta != c.meta || of != c.rows {
				t.Errorf("got %d of the document, %d of meta and %d of %s, want %d, %d and %d", document, meta, of, rows, c.document, c.meta, c.rows)
			}
		})
	}
}

func TestWants(t *testing.T) {
	groups := schema.Group()
	for _, c := range []struct {
		name                 string
		attributes, excluded []string
		attribute            string
		want                 bool
	}{
		{"members by default", nil, nil, "members", true},
		{"no members when they are excluded", nil, []string{"Members"}, "members", false},
		{"no members when others are asked for", []string{"displayName"}, nil, "members", false},
		{"members when one of their sub-attributes is asked for", []string{"members.value"}, nil, "members", true},
		{"only the sub-attribute that is asked for", []string{"members.value"}, nil, "members.display", false},
		{"members without one of their sub-attributes", nil, []string{"members.display"}, "members", true},
		{"id always", []string{"displayName"}, []string{"id"}, "id", true},
		{"nothing unknown", nil, nil, "shoeSize", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := groups.Projection(c.attributes, c.excluded)
			if got := p.Wants(c.attribute); err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestADeclaredExtensionAddsToTheOneOfItsURN(t *testing.T) {
	declared := &schema.Schema{ID: schema.MediusUser, Attributes: []*schema.Attribute{{Name: "customFieldText6"}, {Name: "nameIdentifier", Required: true}}}
	rt := schema.User(declared)
	if n := len(rt.Extensions); n != 3 {
		t.Errorf("%d extensions, want 3", n)
	}
	obj, _, err := rt.Normalize(decode(t, `{"userName":"a",`+medius+`:{"customFieldText6":"6"}}`))
	if err != nil || encode(t, obj) != `{`+medius+`:{"customFieldText6":"6"},"userName":"a"}` {
		t.Errorf("got %v, %v", obj, err)
	}
	if len(declared.Attributes) != 2 || declared.Attributes[0].Type != "" {
		t.Error("the declaration was changed")
	}
}
