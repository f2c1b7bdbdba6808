package schema_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

const onelogin = "urn:scim:schemas:extension:enterprise:1.0"

func TestOlderURNsAreUnderstood(t *testing.T) {
	want := `{"userName":"a",` + enterprise + `:{"department":"D","manager":{"value":"m"}}}`
	for name, in := range map[string]string{
		"OneLogin's template": `{"schemas":["urn:scim:schemas:core:1.0","` + onelogin + `"],"userName":"a","` + onelogin + `":{"department":"D","manager":{"managerId":"m","displayName":"M"}}}`,
		"in another case":     `{"userName":"a","URN:scim:schemas:extension:Enterprise:1.0":{"Department":"D","manager":"m"}}`,
		"qualified keys":      `{"urn:scim:schemas:core:1.0:userName":"a","` + onelogin + `:department":"D","` + onelogin + `.manager.value":"m"}`,
		"of a draft":          `{"userName":"a","urn:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":"m"}}`,
		"of Microsoft's":      `{"userName":"a","urn:scim:schemas:extension:enterprise:2.0.department":"D","urn:scim:schemas:extension:enterprise:2.0:manager":"m"}`,
		"of the core alone":   `{"schemas":["urn:scim:schemas:core:2.0:User"],"userName":"a","department":"D","manager":"m"}`,
		"of OneLogin's, ends as those of SCIM 2.0": `{"userName":"a","urn:scim:schemas:extension:enterprise:1.0:User":{"department":"D","manager":"m"}}`,
		"of SCIM 1.1 in those of SCIM 2.0":         `{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:1.0:User":{"department":"D"},"urn:ietf:params:scim:schemas:extension:enterprise:1.0:User:manager":"m"}`,
		"without its end":                          `{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0":{"department":"D","manager":"m"}}`,
		"and in qualified keys":                    `{"urn:ietf:params:scim:schemas:core:2.0:userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:department":"D","manager":"m"}`,
		"around the core":                          `{"urn:scim:schemas:core:1.0":{"userName":"a"},"department":"D","manager":"m"}`,
	} {
		t.Run(name, func(t *testing.T) {
			normalized(t, schema.User(), in, want, schema.QuirkOlderURN)
		})
	}
	normalized(t, schema.Group(), `{"schemas":["urn:scim:schemas:core:1.0"],"displayName":"B"}`, `{"displayName":"B"}`, schema.QuirkOlderURN)

	in := decode(t, `{"schemas":["urn:scim:schemas:core:1.0","`+onelogin+`"],"userName":"a","`+onelogin+`":{"department":"D"}}`)
	if _, lenience, err := schema.User().Normalize(in); err != nil || lenience != schema.LenientOlderURN {
		t.Errorf("counted %v, %v, want no more than %s", lenience.Quirks(), err, schema.QuirkOlderURN)
	}
	for name, want := range map[string]string{
		onelogin + ":department": schema.EnterpriseUser + ":department", onelogin + ".manager.managerId": schema.EnterpriseUser + ":manager.value",
		"urn:scim:schemas:extension:enterprise:2.0:User:costCenter": schema.EnterpriseUser + ":costCenter", "urn:scim:schemas:core:1.0:emails.value": "emails.value",
		"urn:scim:schemas:core:2.0:User:name.givenName": "name.givenName",
	} {
		if p, err := schema.User().Path(name); err != nil || p.String() != want {
			t.Errorf("%s is %s, %v, want %s", name, p, err, want)
		}
		if !schema.User().IsOlder(name) || schema.User().IsOlder(want) {
			t.Errorf("%s is older than %s", name, want)
		}
	}
	for _, name := range []string{schema.EnterpriseUser, schema.EnterpriseUser + ":department", schema.CoreUser, schema.CoreUser + ".userName"} {
		if schema.User().IsOlder(name) {
			t.Errorf("%s counts as an older name", name)
		}
	}
	if schema.Group().Knows(onelogin+":department") || schema.User().IsOlder(onelogin+"1:x") {
		t.Error("too much is understood")
	}
	obj := decode(t, want)
	if got, err := project(schema.User(), obj, []string{onelogin + ":department"}, nil); err != nil || encode(t, got) != `{`+enterprise+`:{"department":"D"}}` {
		t.Errorf("projected to %s, %v", encode(t, got), err)
	}
	if got, err := project(schema.User(), obj, nil, []string{onelogin}); err != nil || encode(t, got) != `{"userName":"a"}` {
		t.Errorf("projected to %s, %v", encode(t, got), err)
	}
}

func TestASchemaThatIsDeclaredUnderAnOlderURNKeepsIt(t *testing.T) {
	rt := schema.User(&schema.Schema{ID: onelogin, Attributes: []*schema.Attribute{{Name: "department"}}})
	in := `{"userName":"a","` + onelogin + `":{"department":"D"}}`
	normalized(t, rt, in, in)
	if rt.IsOlder(onelogin + ":department") {
		t.Error("the tenant's own URN counts as an older one")
	}
}
