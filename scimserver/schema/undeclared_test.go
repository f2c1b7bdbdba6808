package schema_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestUndeclaredAttributesAreIndexedAndNothingElse(t *testing.T) {
	const urn = "urn:contoso:hr"
	rt := schema.User(
		&schema.Schema{ID: urn, Attributes: []*schema.Attribute{{Name: "badge"}}},
		&schema.Schema{ID: urn, Attributes: []*schema.Attribute{{Name: "level", Undeclared: true}}},
		&schema.Schema{ID: "urn:contoso:it", Attributes: []*schema.Attribute{{Name: "laptop", Required: true, Undeclared: true}}},
		&schema.Schema{ID: schema.EnterpriseUser, Attributes: []*schema.Attribute{{Name: "building", Undeclared: true}}},
	)
	stored := decode(t, `{"userName":"a","`+urn+`":{"badge":"B","level":"7"},"urn:contoso:it":{"laptop":"L"},"`+schema.EnterpriseUser+`":{"building":"1","department":"D"}}`)
	before := encode(t, stored)

	if !rt.Conceals() || schema.User().Conceals() {
		t.Error("Conceals does not tell whether there are undeclared attributes")
	}
	if got, want := encode(t, rt.Conceal(stored)), `{"`+urn+`":{"badge":"B"},"`+schema.EnterpriseUser+`":{"department":"D"},"userName":"a"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if encode(t, stored) != before {
		t.Errorf("what is stored was changed: %s", encode(t, stored))
	}
	next := decode(t, `{"userName":"b","`+urn+`":{"badge":"C"}}`)
	rt.Carry(stored, next)
	if got, want := encode(t, next), `{"`+urn+`":{"badge":"C","level":"7"},"urn:contoso:it":{"laptop":"L"},"`+schema.EnterpriseUser+`":{"building":"1"},"userName":"b"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	keys := map[string]string{}
	for _, key := range rt.IndexKeys(stored) {
		keys[key.Path] = key.Key
	}
	if keys[urn+":level"] != "7" || keys[urn+":badge"] != "b" {
		t.Errorf("index keys: %v", keys)
	}
	for _, name := range []string{urn + ":level", "level", "urn:contoso:it:laptop", "building"} {
		if rt.Knows(name) {
			t.Errorf("%s can be named", name)
		}
	}
	if rt.SchemaOf("urn:contoso:it") != nil {
		t.Error("a schema without attributes is offered")
	}
	if err := rt.CheckRequired(stored); err != nil {
		t.Errorf("an undeclared attribute is required: %v", err)
	}
	sent, _, err := rt.Normalize(decode(t, `{"userName":"a","`+urn+`":{"badge":"B","level":"7"}}`))
	if err != nil || encode(t, sent) != `{"`+urn+`":{"badge":"B"},"userName":"a"}` {
		t.Errorf("a client can write what is not declared: %s, %v", encode(t, sent), err)
	}
}

func TestAnAnswerMayHideOnlyWhatIsStored(t *testing.T) {
	if schema.User().HidesByDefault() {
		t.Error("a password is never stored, so there is nothing to hide")
	}
	for _, hidden := range []*schema.Attribute{
		{Name: "notes", Returned: schema.ReturnedRequest},
		{Name: "desk", Type: schema.TypeComplex, SubAttributes: []*schema.Attribute{{Name: "notes", Returned: schema.ReturnedRequest}}},
	} {
		if !schema.User(&schema.Schema{ID: "urn:contoso:hr", Attributes: []*schema.Attribute{hidden}}).HidesByDefault() {
			t.Errorf("%s is hidden by default", hidden.Name)
		}
	}
}
