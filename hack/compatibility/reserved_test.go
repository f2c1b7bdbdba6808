package main

import (
	"os"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// docs/compatibility.md says what these names will mean. A field that took one for something else could not be renamed any more, and a parent
// that is no object, or an enum that is closed, could not take it.
func TestReservedNamesAreFreeOrOfTheTypeThatWasSaidAndMayCome(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	released := definition(t)
	for path, kind := range map[string]string{
		"guards": "object", "backup": "object", "bootstrap": "object", "lifecycle": "object",
		"retention.deleted": "string", "console.administrators": "array",
	} {
		if !strings.Contains(string(page), "`spec."+path+"`") {
			t.Errorf("docs/compatibility.md does not name spec.%s", path)
		}
		now := released.DeepCopy()
		comes(t, now.Spec.Versions[0].Schema.OpenAPIV3Schema, strings.Split("spec."+path, "."), kind)
		if found := compare(released, now); len(found) > 0 {
			t.Errorf("spec.%s of type %s may not come: %q", path, kind, found)
		}
	}

	defaults, err := read("../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	was := defaults["userdefaults.provisioning.tenantry.dev"]
	now := was.DeepCopy()
	at("spec.apply", func(s *apiextensionsv1.JSONSchemaProps) { s.Enum = append(s.Enum, value("Preview")) })(now)
	if found := compare(was, now); len(found) > 0 {
		t.Errorf("the value Preview of spec.apply may not come: %q", found)
	}
	if !strings.Contains(string(page), "the value `Preview` of `spec.apply`") {
		t.Error("docs/compatibility.md does not name the value Preview of spec.apply")
	}
}

// comes adds an optional field of a type where the path is free, and objects on the way to it.
func comes(t *testing.T, schema *apiextensionsv1.JSONSchemaProps, path []string, kind string) {
	t.Helper()
	wanted := kind
	if len(path) > 1 {
		wanted = "object"
	}
	field, there := schema.Properties[path[0]]
	if !there {
		field = apiextensionsv1.JSONSchemaProps{Type: wanted, Properties: map[string]apiextensionsv1.JSONSchemaProps{}}
	}
	if field.Type != wanted {
		t.Errorf("%s is reserved for a field of type %s, and is one of type %s", path[0], wanted, field.Type)
		return
	}
	if len(path) > 1 {
		comes(t, &field, path[1:], kind)
	}
	schema.Properties[path[0]] = field
}
