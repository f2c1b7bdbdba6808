package manifests

import (
	"strings"
	"testing"
)

func TestADeclaredSchemaIsTakenOrRefusedWithWhatWouldBeRight(t *testing.T) {
	definition := readCRD(t, "provisioningtenants")
	const enterprise, medius = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
	extension := func(id, rest string) string { return "{id: '" + id + "', attributes: [{name: badge}]" + rest + "}" }
	attributes := func(list string) string { return "{id: urn:contoso:hr:1.0:User, attributes: [" + list + "]}" }
	for name, test := range map[string]struct {
		extensions, want string
	}{
		"one string":                             {extension("urn:contoso:hr:1.0:User", ""), ""},
		"one of groups":                          {extension("urn:contoso:hr:1.0:Group", ", resourceType: Group, name: HR, description: Human resources"), ""},
		"attributes for enterprise":              {extension(enterprise, ""), ""},
		"attributes for medius":                  {"{id: '" + medius + "', attributes: [{name: customFieldText6}]}", ""},
		"a definition as the RFC has":            {attributes("{name: badge, type: string, multiValued: false, description: d, required: false, caseExact: true, mutability: readWrite, returned: default, uniqueness: none, canonicalValues: [a, b]}"), ""},
		"every type":                             {attributes("{name: a, type: boolean}, {name: b, type: decimal}, {name: c, type: integer}, {name: d, type: dateTime}, {name: e, type: reference, referenceTypes: [User]}, {name: f, type: binary}, {name: g, type: complex, subAttributes: [{name: value}, {name: $ref, type: reference, referenceTypes: [uri]}, {name: primary, type: boolean}]}"), ""},
		"a reference that says it is case-exact": {attributes("{name: a, type: reference, caseExact: true, referenceTypes: [external]}"), ""},

		"no id":                    {"{attributes: [{name: badge}]}", "spec.schema.extensions[0].id: Required value"},
		"an id that is no URN":     {extension("https://contoso.test/schema", ""), "spec.schema.extensions[0].id: Invalid value: must be a URN such as urn:contoso:scim:schemas:hr:1.0:User, of letters, digits, '.', '_' and '-' between colons"},
		"an id with a space":       {extension("urn:contoso:h r", ""), "spec.schema.extensions[0].id: Invalid value: must be a URN such as"},
		"an id that is too long":   {extension("urn:contoso:"+strings.Repeat("x", 160), ""), "spec.schema.extensions[0].id: Too long: may not be more than 160"},
		"the core schema":          {extension("urn:ietf:params:scim:schemas:core:2.0:User", ""), "spec.schema.extensions[0].id: Invalid value: must be a URN of your own: core schemas, messages and the schema of Tenantry cannot be declared"},
		"a message":                {extension("urn:ietf:params:scim:api:messages:2.0:Error", ""), "must be a URN of your own"},
		"the schema of Tenantry":   {extension("urn:ietf:params:scim:schemas:extension:Tenantry:2.0:User", ""), "must be a URN of your own"},
		"enterprise in other case": {extension("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user", ""), "spec.schema.extensions[0].id: Invalid value: must be " + enterprise + " or " + medius + ", exactly so, to add to one of these"},
		"below enterprise":         {extension(enterprise+":hr", ""), "exactly so, to add to one of these"},
		"enterprise of groups":     {extension(enterprise, ", resourceType: Group"), "spec.schema.extensions[0]: Invalid value: resourceType must be User: the enterprise and medius schemas are of users"},
		"an attribute that enterprise has": {"{id: '" + enterprise + "', attributes: [{name: Department}]}",
			"spec.schema.extensions[0]: Invalid value: attributes must be new ones: the enterprise schema has employeeNumber, costCenter, organization, division, department and manager already"},
		"an attribute that medius has": {"{id: '" + medius + "', attributes: [{name: customfieldtext5}]}",
			"spec.schema.extensions[0]: Invalid value: attributes must be new ones: the medius schema has configurationFilter, identityProvider, nameIdentifier and customFieldText1 to customFieldText5 already"},
		"the same id twice":                {extension("urn:contoso:hr", "") + ", " + extension("urn:contoso:hr", ""), "spec.schema.extensions[1]: Duplicate value"},
		"the same id in other case":        {extension("urn:contoso:hr", "") + ", " + extension("urn:contoso:HR", ""), "spec.schema.extensions: Invalid value: must have each id once: URNs are compared without regard to case"},
		"an id below another":              {extension("urn:contoso:hr:x", "") + ", " + extension("urn:contoso:HR", ""), "spec.schema.extensions: Invalid value: must not have an id that continues another after a colon: an attribute is named by id, colon and name"},
		"eleven schemas":                   {strings.Repeat("{id: urn:contoso:hr, attributes: [{name: a}]},", 11), "spec.schema.extensions: Too many: 11: must have at most 10 items"},
		"a resource type of its own":       {extension("urn:contoso:hr", ", resourceType: Device"), `spec.schema.extensions[0].resourceType: Unsupported value: "Device": supported values: "User", "Group"`},
		"no attributes":                    {"{id: urn:contoso:hr}", "spec.schema.extensions[0].attributes: Required value"},
		"an empty list of attributes":      {attributes(""), "spec.schema.extensions[0].attributes: Invalid value: 0: spec.schema.extensions[0].attributes in body should have at least 1 items"},
		"an attribute twice":               {attributes("{name: badge}, {name: badge}"), "spec.schema.extensions[0].attributes[1]: Duplicate value"},
		"an attribute in other case":       {attributes("{name: badge}, {name: Badge}"), "spec.schema.extensions[0].attributes: Invalid value: must have each name once: names are compared without regard to case"},
		"a name with a dot":                {attributes("{name: badge.no}"), "spec.schema.extensions[0].attributes[0].name: Invalid value: must begin with a letter and have only letters, digits, '-' and '_'"},
		"a name that begins with a digit":  {attributes("{name: 1badge}"), "must begin with a letter"},
		"an unknown type":                  {attributes("{name: badge, type: number}"), `spec.schema.extensions[0].attributes[0].type: Unsupported value: "number": supported values: "string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"`},
		"what only the server could write": {attributes("{name: badge, mutability: readOnly}"), `spec.schema.extensions[0].attributes[0].mutability: Unsupported value: "readOnly": supported values: "readWrite", "immutable"`},
		"what nobody could read":           {attributes("{name: badge, returned: never}"), `spec.schema.extensions[0].attributes[0].returned: Unsupported value: "never": supported values: "default", "always", "request"`},
		"uniqueness that is not kept":      {attributes("{name: badge, uniqueness: server}"), `spec.schema.extensions[0].attributes[0].uniqueness: Unsupported value: "server": supported values: "none"`},
		"complex without parts":            {attributes("{name: badge, type: complex}"), "spec.schema.extensions[0].attributes[0]: Invalid value: subAttributes must be given when type is complex, and only then"},
		"parts of a string":                {attributes("{name: badge, subAttributes: [{name: value}]}"), "subAttributes must be given when type is complex, and only then"},
		"complex within complex":           {attributes("{name: badge, type: complex, subAttributes: [{name: value, type: complex}]}"), `spec.schema.extensions[0].attributes[0].subAttributes[0].type: Unsupported value: "complex"`},
		"a part twice":                     {attributes("{name: badge, type: complex, subAttributes: [{name: value}, {name: Value}]}"), "spec.schema.extensions[0].attributes[0].subAttributes: Invalid value: must have each name once: names are compared without regard to case"},
		"primary as a string":              {attributes("{name: badge, type: complex, subAttributes: [{name: primary}]}"), "spec.schema.extensions[0].attributes[0].subAttributes[0]: Invalid value: type must be boolean for primary, which marks the preferred value (RFC 7643 section 2.4)"},
		"a reference to nothing":           {attributes("{name: badge, type: reference}"), "spec.schema.extensions[0].attributes[0]: Invalid value: referenceTypes must be given when type is reference, and only then"},
		"a string that refers":             {attributes("{name: badge, referenceTypes: [User]}"), "referenceTypes must be given when type is reference, and only then"},
		"usual values of a number":         {attributes("{name: badge, type: integer, canonicalValues: ['1']}"), "spec.schema.extensions[0].attributes[0]: Invalid value: canonicalValues may be given only when type is string"},
		"a case-exact boolean":             {attributes("{name: badge, type: boolean, caseExact: true}"), "spec.schema.extensions[0].attributes[0]: Invalid value: caseExact may be true only when type is string; references and binary values are case-exact always"},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := tenantManifest("contoso", "{schema: {extensions: ["+test.extensions+"]}}")
			_, failures := definition.admit(t, manifest)
			documents, err := folder{{"a.yaml", []byte(manifest)}}.documents()
			if err != nil {
				t.Fatal(err)
			}
			_, ours := decodeAll(documents, "")
			if (test.want == "") != (len(failures) == 0) || (test.want == "") != (ours == nil) {
				t.Fatalf("the API server: %v\nhere: %v\nwant: %s", failures, ours, test.want)
			}
			said := ""
			for _, failure := range failures {
				said += failure.Error() + "\n"
			}
			if !strings.Contains(withoutValues(said), test.want) {
				t.Errorf("got:  %s\nwant: %s", withoutValues(said), test.want)
			}
		})
	}
}

// withoutValues takes what was given out of the API server's words, where a rule of ours speaks of it.
func withoutValues(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		before, rest, found := strings.Cut(line, `Invalid value: "`)
		if _, after, ok := strings.Cut(rest, `": `); found && ok {
			line = before + "Invalid value: " + after
		}
		out.WriteString(line)
	}
	return out.String()
}
