package protocol_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const hrURN = "urn:contoso:hr:1.0:User"

// hrSchema has an attribute of each kind.
func hrSchema() v1alpha1.SchemaExtension {
	return v1alpha1.SchemaExtension{ID: hrURN, Name: "HR", Description: "Human resources", Attributes: []v1alpha1.SchemaAttribute{
		{Name: "badge", Description: "The number on the badge."},
		{Name: "level", Type: "integer"},
		{Name: "ratio", Type: "decimal"},
		{Name: "remote", Type: "boolean"},
		{Name: "hired", Type: "dateTime"},
		{Name: "photo", Type: "binary"},
		{Name: "mentor", Type: "reference", ReferenceTypes: []string{"User"}},
		{Name: "contract", Mutability: "immutable"},
		{Name: "notes", Returned: "request"},
		{Name: "unit", Returned: "always", CaseExact: true, CanonicalValues: []string{"EMEA", "APAC"}},
		{Name: "skills", MultiValued: true},
		{Name: "desks", Type: "complex", MultiValued: true, SubAttributes: []v1alpha1.SchemaSubAttribute{
			{Name: "value", Required: true}, {Name: "floor", Type: "integer"},
			{Name: "type", CanonicalValues: []string{"office", "home"}}, {Name: "primary", Type: "boolean"},
		}},
	}}
}

func (f *fixture) declare(extensions ...v1alpha1.SchemaExtension) {
	f.t.Helper()
	if err := f.directory.SetSchemas(f.t.Context(), extensions); err != nil {
		f.t.Fatal(err)
	}
}

func TestADeclaredSchemaIsDiscovered(t *testing.T) {
	f := newFixture(t)
	before := len(f.listed("/Schemas"))
	f.declare(hrSchema(), v1alpha1.SchemaExtension{
		ID: enterpriseURN, Attributes: []v1alpha1.SchemaAttribute{{Name: "building"}},
	})
	if after := len(f.listed("/Schemas")); after != before+1 {
		t.Errorf("/Schemas lists %d, before %d", after, before)
	}
	var got struct{ Attributes []json.RawMessage }
	if err := json.Unmarshal(f.expect("GET", "/Schemas/"+hrURN, "", 200, "").body, &got); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]string{
		0: `{"name":"badge","type":"string","multiValued":false,"description":"The number on the badge.","required":false,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}`,
		6: `{"name":"mentor","type":"reference","multiValued":false,"description":"","required":false,"caseExact":true,"mutability":"readWrite","returned":"default","uniqueness":"none","referenceTypes":["User"]}`,
		9: `{"name":"unit","type":"string","multiValued":false,"description":"","required":false,"canonicalValues":["EMEA","APAC"],"caseExact":true,"mutability":"readWrite","returned":"always","uniqueness":"none"}`,
		11: `{"name":"desks","type":"complex","subAttributes":[
		 {"name":"value","type":"string","multiValued":false,"description":"","required":true,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
		 {"name":"floor","type":"integer","multiValued":false,"description":"","required":false,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
		 {"name":"type","type":"string","multiValued":false,"description":"","required":false,"canonicalValues":["office","home"],"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"},
		 {"name":"primary","type":"boolean","multiValued":false,"description":"","required":false,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}],
		 "multiValued":true,"description":"","required":false,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}`,
	} {
		f.compare("attribute", got.Attributes[i], want)
	}
	extensions := f.field(f.expect("GET", "/ResourceTypes/User", "", 200, ""), "schemaExtensions").([]any)
	if last := extensions[len(extensions)-1]; !cmp.Equal(last, map[string]any{"schema": hrURN, "required": false}) {
		t.Errorf("schemaExtensions = %v", extensions)
	}
	enterprise := f.listed("/Schemas")[enterpriseURN]["attributes"].([]any)
	if last := enterprise[len(enterprise)-1].(map[string]any)["name"]; last != "building" {
		t.Errorf("the enterprise schema ends with %v", last)
	}
	f.declare()
	f.wantError(f.send("GET", "/Schemas/"+hrURN, ""), 404, "")
}

func TestDeclaredAttributesAreProvisionedInBothDialects(t *testing.T) {
	f := newFixture(t)
	f.declare(hrSchema())
	f.create("anna", "/Users", `{"userName":"anna@contoso.test","`+hrURN+`":{"badge":"B-1","unit":"EMEA","contract":"C"}}`)
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Add","path":"`+hrURN+`:badge","value":"B-2"},
	 {"op":"Replace","path":"`+hrURN+`:level","value":"7"},{"op":"Replace","path":"`+hrURN+`:remote","value":"True"},
	 {"op":"Add","path":"`+hrURN+`:desks[type eq \"office\"].value","value":"4.12"}`), 204, "")
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","value":{"`+hrURN+`:hired":"2026-01-31T12:00:00+01:00","`+hrURN+`:skills":["go"]}}`), 204, "")
	want := map[string]any{
		"badge": "B-2", "unit": "EMEA", "contract": "C", "level": 7.0, "remote": true, "hired": "2026-01-31T12:00:00+01:00",
		"skills": []any{"go"}, "desks": []any{map[string]any{"type": "office", "value": "4.12"}},
	}
	if diff := cmp.Diff(want, f.field(f.expect("GET", "/Users/{anna}", "", 200, ""), hrURN)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for filter, total := range map[string]float64{
		hrURN + `:badge eq "b-2"`: 1, hrURN + `:badge eq "B-1"`: 0, hrURN + `:unit eq "emea"`: 0, hrURN + `:level gt 6`: 1,
		hrURN + `:hired lt "2026-01-31T11:30:00Z"`: 1, hrURN + `:desks[type eq "office" and value sw "4"]`: 1, hrURN + `:skills eq "GO"`: 1,
	} {
		if got := f.field(f.expect("GET", "/Users?filter="+filter, "", 200, ""), "totalResults"); got != total {
			t.Errorf("%s finds %v, want %v", filter, got, total)
		}
	}
	f.wantError(f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"`+hrURN+`:contract","value":"D"}`)), 400, "mutability")
	f.wantError(f.send("PUT", "/Users/{anna}", `{"userName":"anna@contoso.test","`+hrURN+`":{"contract":"D"}}`), 400, "mutability")
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna@contoso.test","`+hrURN+`":{"contract":"C"}}`, 200, "")
	f.wantError(f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"`+hrURN+`:level","value":"seven"}`)), 400, "invalidValue")
	f.wantError(f.send("PATCH", "/Users/{anna}", patchOf(`{"op":"add","path":"`+hrURN+`:desks","value":[{"type":"home"},{"floor":1}]}`)), 400, "invalidValue")
}

func TestReturnedTellsWhenADeclaredAttributeIsPartOfAnAnswer(t *testing.T) {
	f := newFixture(t)
	f.declare(hrSchema())
	f.create("anna", "/Users", `{"userName":"anna@contoso.test","`+hrURN+`":{"badge":"B-1","unit":"EMEA","notes":"N"}}`)
	for query, want := range map[string]string{
		"":                                       `{"badge":"B-1","unit":"EMEA"}`,
		"?attributes=userName":                   `{"unit":"EMEA"}`,
		"?attributes=" + hrURN + ":notes":        `{"notes":"N","unit":"EMEA"}`,
		"?excludedAttributes=" + hrURN + ":unit": `{"badge":"B-1","unit":"EMEA"}`,
	} {
		got, err := json.Marshal(f.field(f.expect("GET", "/Users/{anna}"+query, "", 200, ""), hrURN))
		if err != nil {
			t.Fatal(err)
		}
		f.compare(query, got, want)
		list := f.field(f.expect("GET", "/Users"+query, "", 200, ""), "Resources").([]any)
		if got, err = json.Marshal(list[0].(map[string]any)[hrURN]); err != nil {
			t.Fatal(err)
		}
		f.compare("list"+query, got, want)
	}
}
